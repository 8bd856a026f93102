//! What can go wrong while talking to Alertmanager, and whether trying again makes sense.

use std::time::Duration;

/// A failed operation; `what` completes "cannot …".
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// No answer: no connection, a time limit, or an answer that broke off.
    #[error("cannot {what}: no complete answer from Alertmanager")]
    Unreachable {
        /// The operation.
        what: String,
        /// What the HTTP client says, without the address, which may hold credentials.
        source: reqwest::Error,
    },
    /// An answer other than 2xx.
    #[error("cannot {what}: Alertmanager answered {status}: {message}")]
    Refused {
        /// The operation.
        what: String,
        /// The HTTP status.
        status: u16,
        /// The beginning of what the server said.
        message: String,
        /// How long it asked to wait, where it did so in seconds.
        retry_after: Option<Duration>,
    },
    /// A 2xx answer that is not what the API promises.
    #[error("cannot {what}: the answer is not what the Alertmanager API v2 promises")]
    Malformed {
        /// The operation.
        what: String,
        /// Where the answer departs.
        source: serde_json::Error,
    },
    /// An answer beyond what is read.
    #[error("cannot {what}: the answer is longer than {limit} bytes")]
    TooLarge {
        /// The operation.
        what: String,
        /// The most that is read.
        limit: usize,
    },
}

/// What to do after a failed operation. Decided here, carried out by the caller.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// The same request may well succeed later; after this pause, where the server named one.
    Retry(Option<Duration>),
    /// The same request would fail again.
    GiveUp,
}

impl Error {
    /// Whether trying again makes sense.
    pub fn verdict(&self) -> Verdict {
        match self {
            Self::Unreachable { source, .. } if source.is_builder() => Verdict::GiveUp,
            Self::Unreachable { .. } => Verdict::Retry(None),
            Self::Refused {
                status: 408 | 429 | 500..=599,
                retry_after,
                ..
            } => Verdict::Retry(*retry_after),
            Self::Refused { .. } | Self::Malformed { .. } | Self::TooLarge { .. } => {
                Verdict::GiveUp
            }
        }
    }
}
