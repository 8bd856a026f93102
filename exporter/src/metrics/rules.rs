//! Metrics of single rules.

use super::{counters, gauges, int_gauges};
use prometheus::{GaugeVec, IntCounterVec, IntGaugeVec, Registry};
use rules::FailureReason;

/// How the evaluation of rules goes.
pub(crate) struct RuleMetrics {
    pub(crate) evaluations: IntCounterVec,
    pub(crate) failures: IntCounterVec,
    pub(crate) unfitted: IntGaugeVec,
    pub(crate) series: IntGaugeVec,
    pub(crate) samples_read: IntCounterVec,
    pub(crate) last_success: GaugeVec,
    pub(crate) oldest_origin: GaugeVec,
}

impl RuleMetrics {
    pub(super) fn new(registry: &Registry) -> anyhow::Result<Self> {
        let rule = ["group", "rule"];
        Ok(Self {
            evaluations: counters(
                registry,
                "rule_evaluations_total",
                "Rule evaluations.",
                &rule,
            )?,
            failures: counters(
                registry,
                "rule_evaluation_failures_total",
                "Rule evaluations that failed, by reason.",
                &["group", "rule", "reason"],
            )?,
            unfitted: int_gauges(
                registry,
                "rule_unfitted_series",
                "Series of the last evaluation that have no model yet, most often for lack of history.",
                &rule,
            )?,
            series: int_gauges(
                registry,
                "rule_series",
                "Series that the last evaluation forecast.",
                &rule,
            )?,
            samples_read: counters(
                registry,
                "rule_samples_read_total",
                "Samples that Prometheus answered rules with, histories included.",
                &rule,
            )?,
            last_success: gauges(
                registry,
                "rule_last_success_timestamp_seconds",
                "When the rule was last evaluated without a failure.",
                &rule,
            )?,
            oldest_origin: gauges(
                registry,
                "rule_oldest_origin_timestamp_seconds",
                "The oldest among the last samples that the rule's forecasts start from.",
                &rule,
            )?,
        })
    }

    pub(super) fn prepare(&self, [group, rule]: [&str; 2]) {
        self.evaluations.with_label_values(&[group, rule]);
        self.samples_read.with_label_values(&[group, rule]);
        for reason in FailureReason::ALL {
            self.failures
                .with_label_values(&[group, rule, reason.as_str()]);
        }
    }

    /// What was never written is an error to remove, and as good as gone.
    pub(super) fn forget(&self, [group, rule]: [&str; 2]) {
        let labels = [group, rule];
        let _ = self.evaluations.remove_label_values(&labels);
        let _ = self.unfitted.remove_label_values(&labels);
        let _ = self.series.remove_label_values(&labels);
        let _ = self.samples_read.remove_label_values(&labels);
        let _ = self.last_success.remove_label_values(&labels);
        let _ = self.oldest_origin.remove_label_values(&labels);
        for reason in FailureReason::ALL {
            let labels = [group, rule, reason.as_str()];
            let _ = self.failures.remove_label_values(&labels);
        }
    }
}
