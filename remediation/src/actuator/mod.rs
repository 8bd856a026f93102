//! How the world is reached: actuators ensure a state, and read it back.

mod environment;
mod exec;
mod http;
#[cfg(feature = "kubernetes")]
pub(crate) mod kubernetes;
mod networks;
mod reading;

pub use exec::ExecDriver;
pub use http::HttpDriver;
#[cfg(feature = "kubernetes")]
pub use kubernetes::KubernetesDriver;

use crate::{
    Shape, Target,
    config::{Guards, Object},
};
use futures::future::BoxFuture;
use series::Timestamp;
use std::{path::PathBuf, time::Duration};
use store::{ActionId, RecordedDelivery, State};

/// What a call is about.
#[derive(Debug, Clone, Copy)]
pub struct Occasion<'a> {
    /// What the configuration says of the thing to reach.
    pub target: &'a Target,
    /// The same where it is an object of Kubernetes.
    pub object: Option<&'a Object>,
    /// The action that it is made for.
    pub action: ActionId,
    /// The workload that the action is about.
    pub workload: &'a str,
    /// The alerts that call for it; what they say is for people and logs, and names nothing.
    pub alerts: &'a [RecordedDelivery],
    /// The state that the action is in, which tells an effect from the way back.
    pub state: State,
    /// What holds for all actions; the kill switch may be thrown between the writes of one call.
    pub guards: &'a Guards,
    /// When.
    pub now: Timestamp,
}

/// Reaches one kind of system. Ensuring the same shape twice is the same as ensuring it once.
pub trait Actuator: Send + Sync {
    /// Reads what there is.
    fn observe<'a>(&'a self, occasion: Occasion<'a>)
    -> BoxFuture<'a, Result<Shape, ActuatorError>>;

    /// Makes it so, in one try.
    fn ensure<'a>(
        &'a self,
        occasion: Occasion<'a>,
        shape: Shape,
    ) -> BoxFuture<'a, Result<(), ActuatorError>>;

    /// Tells how far a shape has come that was set, and that [`Actuator::observe`] has just found to be so: whether
    /// instances have it and are ready.
    fn arrival<'a>(
        &'a self,
        occasion: Occasion<'a>,
        shape: Shape,
    ) -> BoxFuture<'a, Result<Arrival, ActuatorError>> {
        let _ = (occasion, shape);
        Box::pin(async { Ok(Arrival::AS_SET) })
    }

    /// Tells what [`Actuator::ensure`] would do, and does nothing; none where it cannot tell.
    fn rehearse<'a>(
        &'a self,
        occasion: Occasion<'a>,
        shape: Shape,
    ) -> BoxFuture<'a, Result<Option<String>, ActuatorError>> {
        let _ = (occasion, shape);
        Box::pin(async { Ok(None) })
    }
}

/// How far what was set has come.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Arrival {
    /// It is there.
    Arrived {
        /// How many instances have it, where that is known.
        instances: Option<u32>,
        /// What could not be told.
        remark: Option<String>,
    },
    /// It is on its way; what is missing.
    Underway(String),
    /// It will not come by itself; why not.
    Stuck(String),
}

impl Arrival {
    /// Nothing but the number can be told, and that is as it was set.
    pub const AS_SET: Self = Self::Arrived {
        instances: None,
        remark: None,
    };
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
    /// The same, as the client of an API server says it.
    #[error("no answer from the API server {at}, so what it did is unknown until it is read back")]
    Lost {
        /// Its address.
        at: String,
        /// What became of the connection.
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// A question has no answer, and nothing was changed by it.
    #[error("no answer from {by}")]
    Unanswered {
        /// Who was asked.
        by: String,
        /// What became of the connection.
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// A question was not answered in time; the same holds.
    #[error("no answer within {0:?}")]
    Silent(Duration),
    /// There is no way to the API server.
    #[error("cannot reach the cluster")]
    NoCluster(#[source] Box<dyn std::error::Error + Send + Sync>),
    /// Somebody else is in charge of what would be set.
    #[error("left alone: {0}")]
    NotOurs(String),
    /// What is asked for does not come about.
    #[error("cannot be done: {0}")]
    Impossible(String),
    /// What was accepted has not come about yet.
    #[error("not there yet: {0}")]
    Unfinished(String),
    /// The kill switch came between two writes; the rest was not sent.
    #[error("stopped on the way: {0}")]
    Stopped(String),
    /// The deadline of the action, or of the program, came first; the same holds.
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
    /// The answer does not hold a replica count where it should be.
    #[error("cannot read the replicas from the actuator's answer: {0}")]
    Unreadable(String),
    /// The request cannot be made.
    #[error("cannot make the actuator's request")]
    Request(#[from] crate::TemplateError),
    /// The program cannot be started.
    #[error("cannot run {}", program.display())]
    NotRun {
        /// Which.
        program: PathBuf,
        /// Why not.
        source: std::io::Error,
    },
    /// The program ended, but not with success.
    #[error("{} ended with {how}: {message}", program.display())]
    Ended {
        /// Which.
        program: PathBuf,
        /// Its exit code; none when a signal ended it.
        code: Option<i32>,
        /// The same in words.
        how: String,
        /// The end of what it printed to standard error.
        message: String,
    },
}

/// What to do after a failed call. Decided here, carried out by the supervisor.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// Read back and try again; after this pause, where one was asked for.
    Retry(Option<Duration>),
    /// The same call would fail again.
    GiveUp,
}

/// Exit codes that say that another try will not help, as `sysexits.h` has them: usage, no permission,
/// configuration; and those of a shell for what cannot be run or found.
const HOPELESS: [i32; 5] = [64, 77, 78, 126, 127];

impl ActuatorError {
    /// What the failure of a call means that only asks: nothing was done by it.
    pub(crate) fn of_a_question(self) -> Self {
        match self {
            Self::Unknown(error) => Self::Unanswered {
                by: "the actuator".to_owned(),
                source: error.into(),
            },
            Self::Lost { at, source } => Self::Unanswered {
                by: format!("the API server {at}"),
                source,
            },
            Self::TimedOut(limit) => Self::Silent(limit),
            other => other,
        }
    }

    /// How long the other side asked to wait, where it did.
    pub(crate) fn pause(&self) -> Option<Duration> {
        match self.verdict() {
            Verdict::Retry(pause) => pause,
            Verdict::GiveUp => None,
        }
    }

    /// Whether trying again makes sense.
    pub fn verdict(&self) -> Verdict {
        match self {
            Self::Refused {
                status: 408 | 409 | 425 | 429 | 500..=599,
                retry_after,
                ..
            } => Verdict::Retry(*retry_after),
            Self::Ended {
                code: Some(code), ..
            } if HOPELESS.contains(code) => Verdict::GiveUp,
            Self::Refused { .. }
            | Self::Unreadable(_)
            | Self::Request(_)
            | Self::NotRun { .. }
            | Self::NotOurs(_)
            | Self::Impossible(_)
            | Self::Stopped(_) => Verdict::GiveUp,
            Self::Unreachable(_)
            | Self::Unknown(_)
            | Self::Lost { .. }
            | Self::Unanswered { .. }
            | Self::NoCluster(_)
            | Self::Unfinished(_)
            | Self::TimedOut(_)
            | Self::Silent(_)
            | Self::Ended { .. } => Verdict::Retry(None),
        }
    }
}
