//! Metrics of the models that are kept from one start to the next.

use super::Register;
use prometheus::{Gauge, Histogram, IntCounter, IntCounterVec, IntGaugeVec};
use rules::Refused;

/// How saving and restoring goes.
pub(crate) struct StateMetrics {
    pub(crate) last_save: Gauge,
    pub(crate) save_duration: Histogram,
    pub(crate) save_failures: IntCounter,
    pub(crate) size: Gauge,
    pub(crate) restored: IntGaugeVec,
    pub(crate) refused: IntCounterVec,
}

/// Upper bounds in seconds of one save: from one rule up to a hundred thousand series on a slow disk.
const SAVE_BUCKETS: [f64; 8] = [0.005, 0.02, 0.1, 0.5, 2.0, 5.0, 15.0, 60.0];

impl StateMetrics {
    pub(super) fn new(register: &Register) -> anyhow::Result<Self> {
        let refused = register.counters(
            "state_refused_total",
            "Files of saved models, or parts of them, that were not gone on with, by reason.",
            &["reason"],
        )?;
        for reason in Refused::REASONS {
            refused.with_label_values(&[reason]);
        }
        Ok(Self {
            last_save: register.gauge(
                "state_last_save_success_timestamp_seconds",
                "When all models were last saved; 0 before.",
            )?,
            save_duration: register.histogram(
                "state_save_duration_seconds",
                "Time that saving all models took.",
                &SAVE_BUCKETS,
            )?,
            save_failures: register.add(IntCounter::new(
                "foreshadow_state_save_failures_total",
                "Saves in which not all models could be saved.",
            )?)?,
            size: register.gauge(
                "state_size_bytes",
                "Size of all saved models after the last save that succeeded.",
            )?,
            restored: register.int_gauges(
                "state_series_restored",
                "Series whose models went on from a file at the last start.",
                &["rule"],
            )?,
            refused,
        })
    }
}
