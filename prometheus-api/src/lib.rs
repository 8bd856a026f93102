//! A client of the Prometheus HTTP API that keeps warnings.
//!
//! Warnings are how Prometheus says that an answer is partial; a client that drops them takes a failed
//! remote read for missing series.

mod answer;
mod client;
mod decode;
mod error;
mod left_out;
mod pieces;
mod rest;
mod shrinking;

pub use answer::Answer;
pub use client::{Client, Limits};
pub use error::{QueryError, Reason, Refusal};
pub use left_out::LeftOut;
pub use pieces::{MAX_POINTS, pieces};
pub use shrinking::Shrinking;
