//! A client of the Prometheus HTTP API that keeps warnings.
//!
//! Warnings are how Prometheus says that an answer is partial; a client that drops them takes a failed
//! remote read for missing series.

mod answer;
mod client;
mod decode;
mod error;
mod pieces;

pub use answer::Answer;
pub use client::{Client, Limits};
pub use error::{QueryError, Reason};
pub use pieces::{MAX_POINTS, pieces};
