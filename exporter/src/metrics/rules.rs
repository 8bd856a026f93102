//! Metrics of single rules.

use super::Register;
use prometheus::{GaugeVec, IntCounterVec, IntGaugeVec};
use rules::FailureReason;
use series::Timestamp;

/// Seconds that a success may lie ahead of now: of one that is further away nobody knows how old it is, since the clock
/// was wrong then.
const MOMENTS: f64 = 60.0;

/// How the evaluation of rules goes.
pub(crate) struct RuleMetrics {
    pub(crate) evaluations: IntCounterVec,
    pub(crate) failures: IntCounterVec,
    pub(crate) unfitted: IntGaugeVec,
    pub(crate) left_out: IntGaugeVec,
    pub(crate) series: IntGaugeVec,
    pub(crate) samples_read: IntCounterVec,
    pub(crate) last_success: GaugeVec,
    pub(crate) last_evaluation: GaugeVec,
    pub(crate) last_duration: GaugeVec,
    age: GaugeVec,
    pub(crate) not_finite: IntGaugeVec,
    pub(crate) history_missing: GaugeVec,
    pub(crate) oldest_origin: GaugeVec,
}

impl RuleMetrics {
    pub(super) fn new(register: &Register) -> anyhow::Result<Self> {
        let rule = ["group", "rule"];
        let gauge = |name: &str, help: &str| register.gauges(name, help, &rule);
        Ok(Self {
            evaluations: register.counters(
                "rule_evaluations_total",
                "Rule evaluations.",
                &rule,
            )?,
            failures: register.counters(
                "rule_evaluation_failures_total",
                "Rule evaluations that failed, by reason.",
                &["group", "rule", "reason"],
            )?,
            unfitted: register.int_gauges(
                "rule_unfitted_series",
                "Series of the last evaluation that have no model yet, most often for lack of history.",
                &rule,
            )?,
            left_out: register.int_gauges(
                "rule_left_out_series",
                "Series of the last evaluation that cannot be forecast, such as native histograms among floats.",
                &rule,
            )?,
            series: register.int_gauges(
                "rule_series",
                "Series that the last evaluation forecast.",
                &rule,
            )?,
            samples_read: register.counters(
                "rule_samples_read_total",
                "Samples that Prometheus answered rules with, histories included.",
                &rule,
            )?,
            last_success: gauge("rule_last_success_timestamp_seconds", "When the rule was last evaluated without a failure.")?,
            last_evaluation: gauge("rule_last_evaluation_timestamp_seconds", "The time that the rule was last evaluated for, with or without success.")?,
            last_duration: gauge("rule_last_duration_seconds", "Duration of the last evaluation of the rule.")?,
            age: gauge("rule_prediction_age_seconds", "Time since the evaluation that made the rule's newest predictions.")?,
            not_finite: register.int_gauges(
                "rule_not_finite_series",
                "Series of the last evaluation whose sample was NaN or infinite; they are not forecast.",
                &rule,
            )?,
            history_missing: gauge("rule_history_missing_seconds", "History that the rule asks for and Prometheus refused, in small pieces, too; 0 where it is whole.")?,
            oldest_origin: gauge("rule_oldest_origin_timestamp_seconds", "The oldest among the last samples that the rule's forecasts start from.")?,
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

    /// Works out how old a rule's predictions are; a rule without any has no age, and neither has one whose last success
    /// is yet to come.
    pub(super) fn show_age(&self, labels: [&str; 2], now: Timestamp) {
        let last_success = self.last_success.with_label_values(&labels).get();
        let age = now.as_seconds_f64() - last_success;
        if last_success > 0.0 && age > -MOMENTS {
            self.age.with_label_values(&labels).set(age.max(0.0));
        } else {
            // What was never written is an error to remove.
            let _ = self.age.remove_label_values(&labels);
        }
    }

    /// What was never written is an error to remove, and as good as gone.
    pub(super) fn forget(&self, [group, rule]: [&str; 2]) {
        let labels = [group, rule];
        let _ = self.evaluations.remove_label_values(&labels);
        let _ = self.unfitted.remove_label_values(&labels);
        let _ = self.left_out.remove_label_values(&labels);
        let _ = self.series.remove_label_values(&labels);
        let _ = self.samples_read.remove_label_values(&labels);
        let _ = self.last_success.remove_label_values(&labels);
        let _ = self.last_evaluation.remove_label_values(&labels);
        let _ = self.last_duration.remove_label_values(&labels);
        let _ = self.age.remove_label_values(&labels);
        let _ = self.oldest_origin.remove_label_values(&labels);
        let _ = self.not_finite.remove_label_values(&labels);
        let _ = self.history_missing.remove_label_values(&labels);
        for reason in FailureReason::ALL {
            let labels = [group, rule, reason.as_str()];
            let _ = self.failures.remove_label_values(&labels);
        }
    }
}
