//! Metrics of the histories that rules read.

use super::Register;
use prometheus::IntCounterVec;

/// What reading histories costs those who hold them. Cheap to clone; all clones count together.
#[derive(Clone)]
pub(crate) struct HistoryMetrics {
    requests: IntCounterVec,
    samples: IntCounterVec,
}

/// How a piece of history was read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Way {
    /// PromQL, evaluated by the server.
    QueryApi,
    /// Raw samples.
    RemoteRead,
}

impl Way {
    fn as_str(self) -> &'static str {
        match self {
            Self::QueryApi => "query_api",
            Self::RemoteRead => "remote_read",
        }
    }
}

impl HistoryMetrics {
    pub(super) fn new(register: &Register) -> anyhow::Result<Self> {
        let metrics = Self {
            requests: register.counters(
                "history_requests_total",
                "Requests for pieces of history, by how they were read and what became of them.",
                &["way", "outcome"],
            )?,
            samples: register.counters(
                "history_samples_total",
                "Samples of history that were answered, raw ones for remote read.",
                &["way"],
            )?,
        };
        for way in [Way::QueryApi, Way::RemoteRead] {
            metrics.samples.with_label_values(&[way.as_str()]);
            for outcome in ["answered", "failed"] {
                metrics.requests.with_label_values(&[way.as_str(), outcome]);
            }
        }
        Ok(metrics)
    }

    /// Takes one request: the samples of its answer, or `None` where there is no whole answer.
    pub(crate) fn note(&self, way: Way, n_samples: Option<usize>) {
        let way = way.as_str();
        let outcome = n_samples.map_or("failed", |_| "answered");
        self.requests.with_label_values(&[way, outcome]).inc();
        let n_samples = n_samples.unwrap_or(0) as u64;
        self.samples.with_label_values(&[way]).inc_by(n_samples);
    }
}
