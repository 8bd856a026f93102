//! A client of the Alertmanager API v2 and the types of its webhook.
//!
//! Written against the API of 0.25, which later versions only add to: fields that this crate does not know
//! are passed over, and fields that came later are optional. The crate reads no clock and starts no task.

mod body;
mod client;
mod error;
mod filter;
mod types;
pub mod webhook;

pub use client::Client;
pub use error::{Error, Verdict};
pub use filter::{AlertFilter, MatchOp, Matcher};
pub use types::{
    Alert, AlertGroup, AlertState, AlertStatus, ClusterStatus, Config, NewAlert, NewSilence, Pairs,
    Peer, Receiver, Silence, SilenceState, SilenceStatus, Status, VersionInfo,
};
