//! Metrics of the server's connections.

use super::Register;
use prometheus::{Gauge, IntCounterVec};

/// What became of connections.
#[derive(Clone)]
pub(crate) struct ConnectionMetrics {
    pub(crate) open: Gauge,
    /// By [`Given`].
    given_up: IntCounterVec,
}

/// Why a connection was given up.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Given {
    /// It was waiting for its caller, and another took its place.
    MadeRoom,
    /// There was no room for it.
    Refused,
    /// Its caller took nothing of an answer.
    Stalled,
}

impl ConnectionMetrics {
    pub(super) fn new(register: &Register) -> anyhow::Result<Self> {
        let metrics = Self {
            open: register.gauge("http_connections", "Open connections to the HTTP server.")?,
            given_up: register.counters(
                "http_connections_given_up_total",
                "Connections to the HTTP server that were given up, by the reason.",
                &["reason"],
            )?,
        };
        for reason in [Given::MadeRoom, Given::Refused, Given::Stalled] {
            metrics.given_up.with_label_values(&[reason.as_str()]);
        }
        Ok(metrics)
    }

    /// Counts one that was given up.
    pub(crate) fn count(&self, reason: Given) {
        self.given_up.with_label_values(&[reason.as_str()]).inc();
    }
}

impl Given {
    /// The value of a metric label.
    fn as_str(self) -> &'static str {
        match self {
            Self::MadeRoom => "made_room",
            Self::Refused => "refused",
            Self::Stalled => "stalled",
        }
    }
}
