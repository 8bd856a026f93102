//! Metrics of what is pushed, named after those that Prometheus has of its own remote write.

use super::Register;
use crate::push::LaneFigures;
use prometheus::{GaugeVec, IntCounterVec, IntGaugeVec};
use remote_read::write::DropReason;
use series::Timestamp;

/// How pushing goes, receiver by receiver.
pub(super) struct RemoteWriteMetrics {
    samples: IntCounterVec,
    retried: IntCounterVec,
    failed: IntCounterVec,
    dropped: IntCounterVec,
    bytes: IntCounterVec,
    pending: IntGaugeVec,
    highest: GaugeVec,
    highest_sent: GaugeVec,
    shards: IntGaugeVec,
    capacity: IntGaugeVec,
}

/// Of each lane: the entry, its address, and what is pushed.
const LANE: [&str; 3] = ["remote_name", "url", "kind"];

/// The same, and why samples were lost.
const LANE_AND_REASON: [&str; 4] = ["remote_name", "url", "kind", "reason"];

/// Reasons that lie with the receiver; the others lie here.
const FAILURES: [DropReason; 7] = [
    DropReason::Rejected,
    DropReason::Unauthorized,
    DropReason::NotFound,
    DropReason::TooLarge,
    DropReason::Redirected,
    DropReason::NotWritten,
    DropReason::Expired,
];

impl RemoteWriteMetrics {
    pub(super) fn new(register: &Register) -> anyhow::Result<Self> {
        let name = |name: &str| format!("remote_write_{name}");
        let counted =
            |what: &str, help: &str, labels: &[&str]| register.counters(&name(what), help, labels);
        let count = |what: &str, help: &str| register.int_gauges(&name(what), help, &LANE);
        let time = |what: &str, help: &str| register.gauges(&name(what), help, &LANE);
        Ok(Self {
            samples: counted("samples_total", "Samples that arrived.", &LANE)?,
            retried: counted(
                "samples_retried_total",
                "Samples sent again, once for each time.",
                &LANE,
            )?,
            failed: counted(
                "samples_failed_total",
                "Samples that the receiver did not take, by reason.",
                &LANE_AND_REASON,
            )?,
            dropped: counted(
                "samples_dropped_total",
                "Samples that were never sent, by reason.",
                &LANE_AND_REASON,
            )?,
            bytes: counted("bytes_total", "Bytes of the requests that arrived.", &LANE)?,
            pending: count("samples_pending", "Samples that wait or are on their way.")?,
            highest: time(
                "highest_timestamp_seconds",
                "The latest time of a sample that was taken to be sent.",
            )?,
            highest_sent: time(
                "highest_sent_timestamp_seconds",
                "The latest time of a sample that arrived.",
            )?,
            shards: count("shards", "Queues, and so requests at a time.")?,
            capacity: count("shard_capacity", "Samples that each queue has room for.")?,
        })
    }

    /// Shows the present figures, in place of those shown before.
    pub(super) fn show(&self, all: &[LaneFigures]) {
        self.reset();
        for lane in all {
            let (figures, kind) = (&lane.figures, lane.kind.as_str());
            let labels = [lane.name.as_str(), lane.url.as_str(), kind];
            self.samples.with_label_values(&labels).inc_by(figures.sent);
            self.retried
                .with_label_values(&labels)
                .inc_by(figures.retried);
            self.bytes
                .with_label_values(&labels)
                .inc_by(figures.sent_bytes);
            for reason in DropReason::ALL {
                let is_failure = FAILURES.contains(&reason);
                let lost = if is_failure {
                    &self.failed
                } else {
                    &self.dropped
                };
                let [name, url, kind] = labels;
                lost.with_label_values(&[name, url, kind, reason.as_str()])
                    .inc_by(figures.dropped(reason));
            }
            let set = |gauges: &IntGaugeVec, n: u64| {
                gauges
                    .with_label_values(&labels)
                    .set(i64::try_from(n).unwrap_or(i64::MAX));
            };
            set(&self.pending, figures.pending);
            set(&self.shards, lane.n_shards as u64);
            set(&self.capacity, lane.capacity as u64);
            let set = |gauges: &GaugeVec, at: Option<Timestamp>| {
                if let Some(at) = at {
                    gauges.with_label_values(&labels).set(at.as_seconds_f64());
                }
            };
            set(&self.highest, figures.highest_taken);
            set(&self.highest_sent, figures.highest_sent);
        }
    }

    fn reset(&self) {
        for counters in [
            &self.samples,
            &self.retried,
            &self.failed,
            &self.dropped,
            &self.bytes,
        ] {
            counters.reset();
        }
        for gauges in [&self.pending, &self.shards, &self.capacity] {
            gauges.reset();
        }
        self.highest.reset();
        self.highest_sent.reset();
    }
}
