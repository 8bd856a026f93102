//! How the world is reached: actuators ensure a state, and read it back.

mod http;

pub use http::HttpDriver;

use crate::{Shape, Target};
use futures::future::BoxFuture;
use std::time::Duration;

/// Reaches one kind of system. Ensuring the same shape twice is the same as ensuring it once.
pub trait Actuator: Send + Sync {
    /// Reads what there is.
    fn observe<'a>(&'a self, target: &'a Target) -> BoxFuture<'a, Result<Shape, ActuatorError>>;

    /// Makes it so, in one try.
    fn ensure<'a>(
        &'a self,
        target: &'a Target,
        shape: Shape,
    ) -> BoxFuture<'a, Result<(), ActuatorError>>;
}

/// A call that failed, or of which nobody knows whether it did.
#[derive(Debug, thiserror::Error)]
pub enum ActuatorError {
    /// There was no connection, so nothing was done.
    #[error("cannot connect to the actuator")]
    Unreachable(#[source] reqwest::Error),
    /// The call was under way: whether it was carried out must be read back.
    #[error("no answer from the actuator, so what it did is unknown until it is read back")]
    Unknown(#[source] reqwest::Error),
    /// The deadline of the action came first; the same holds.
    #[error("no answer within {0:?}, so what was done is unknown until it is read back")]
    TimedOut(Duration),
    /// An answer other than 2xx.
    #[error("the actuator answered {status}: {message}")]
    Refused {
        /// The HTTP status.
        status: u16,
        /// The beginning of what it said.
        message: String,
        /// How long it asked to wait, where it did so in seconds.
        retry_after: Option<Duration>,
    },
    /// The answer does not hold a replica count where the configuration says it does.
    #[error("cannot read the replicas from the actuator's answer: {0}")]
    Unreadable(String),
    /// The request cannot be made.
    #[error("cannot make the actuator's request")]
    Request(#[from] crate::TemplateError),
}

/// What to do after a failed call. Decided here, carried out by the supervisor.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// Read back and try again; after this pause, where one was asked for.
    Retry(Option<Duration>),
    /// The same call would fail again.
    GiveUp,
}

impl ActuatorError {
    /// Whether trying again makes sense.
    pub fn verdict(&self) -> Verdict {
        match self {
            Self::Unreachable(_) | Self::Unknown(_) | Self::TimedOut(_) => Verdict::Retry(None),
            Self::Refused {
                status: 408 | 409 | 425 | 429 | 500..=599,
                retry_after,
                ..
            } => Verdict::Retry(*retry_after),
            Self::Refused { .. } | Self::Unreadable(_) | Self::Request(_) => Verdict::GiveUp,
        }
    }
}
