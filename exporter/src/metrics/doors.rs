//! Metrics of what comes in over HTTP.

use super::Register;
use prometheus::{HistogramVec, IntCounterVec, IntGaugeVec};

/// What comes in from Prometheus and Alertmanager.
pub(crate) struct DoorMetrics {
    pub(crate) requests: IntCounterVec,
    pub(crate) duration: HistogramVec,
    pub(crate) in_flight: IntGaugeVec,
    /// By [`ReadOutcome`].
    pub(crate) reads: IntCounterVec,
    pub(crate) read_samples: IntCounterVec,
    pub(crate) alerts: IntCounterVec,
}

/// What became of a remote read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum ReadOutcome {
    /// The whole answer was taken.
    Answered,
    Refused,
    TooLarge,
    Unauthorized,
    Timeout,
    /// No answer could be begun.
    Failed,
    /// An answer was begun and could not be ended.
    BrokenOff,
    /// The client was gone before the end.
    Cancelled,
}

/// Upper bounds in seconds of one request.
const REQUEST_BUCKETS: [f64; 10] = [0.001, 0.005, 0.01, 0.05, 0.1, 0.5, 1.0, 5.0, 15.0, 60.0];

impl DoorMetrics {
    pub(super) fn new(register: &Register) -> anyhow::Result<Self> {
        let metrics = Self {
            requests: register.counters(
                "http_requests_total",
                "HTTP requests answered, by route and status code.",
                &["handler", "code"],
            )?,
            duration: register.histograms(
                "http_request_duration_seconds",
                "Time to the last byte of the answer to an HTTP request.",
                (&["handler"], &REQUEST_BUCKETS),
            )?,
            in_flight: register.int_gauges(
                "http_requests_in_flight",
                "HTTP requests that are being answered, by route.",
                &["handler"],
            )?,
            reads: register.counters(
                "remote_read_requests_total",
                "Remote reads, by what became of them.",
                &["outcome"],
            )?,
            read_samples: register.counters(
                "remote_read_samples_total",
                "Samples of the answers to remote read that were begun, by the type of the response.",
                &["type"],
            )?,
            alerts: register.counters(
                "alerts_received_total",
                "Alerts that Alertmanager delivered, by what became of them.",
                &["outcome"],
            )?,
        };
        for outcome in ReadOutcome::ALL {
            metrics.reads.with_label_values(&[outcome.as_str()]);
        }
        Ok(metrics)
    }
}

impl ReadOutcome {
    /// All of them.
    pub(crate) const ALL: [Self; 8] = [
        Self::Answered,
        Self::Refused,
        Self::TooLarge,
        Self::Unauthorized,
        Self::Timeout,
        Self::Failed,
        Self::BrokenOff,
        Self::Cancelled,
    ];

    /// The value of a metric label.
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::Answered => "answered",
            Self::Refused => "refused",
            Self::TooLarge => "too_large",
            Self::Unauthorized => "unauthorized",
            Self::Timeout => "timeout",
            Self::Failed => "failed",
            Self::BrokenOff => "broken_off",
            Self::Cancelled => "cancelled",
        }
    }
}
