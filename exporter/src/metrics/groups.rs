//! Metrics of rule groups, named as Prometheus names those of its own groups.

use super::Register;
use prometheus::{GaugeVec, HistogramVec, IntCounterVec, IntGaugeVec};
use rules::{Group, GroupReport};

/// How the evaluation of groups goes.
pub(crate) struct GroupMetrics {
    iterations: IntCounterVec,
    missed: IntCounterVec,
    duration: HistogramVec,
    last_duration: GaugeVec,
    last_evaluation: GaugeVec,
    last_samples: IntGaugeVec,
    interval: GaugeVec,
    rules: IntGaugeVec,
}

/// The value of the label `rule_group`, as Prometheus writes it: names are unique within a file only.
pub(super) fn key(file: &str, group: &str) -> String {
    format!("{file};{group}")
}

/// Upper bounds in seconds of a group's evaluation: from memory alone up to a first start with all history.
const EVALUATION_BUCKETS: [f64; 9] = [0.005, 0.02, 0.1, 0.5, 1.0, 5.0, 15.0, 60.0, 300.0];

impl GroupMetrics {
    pub(super) fn new(register: &Register) -> anyhow::Result<Self> {
        let group = ["rule_group"];
        let counted =
            |name: &str, help: &str| register.counters(&format!("rule_group_{name}"), help, &group);
        let gauge =
            |name: &str, help: &str| register.gauges(&format!("rule_group_{name}"), help, &group);
        let count = |name: &str, help: &str| {
            register.int_gauges(&format!("rule_group_{name}"), help, &group)
        };
        Ok(Self {
            iterations: counted(
                "iterations_total",
                "Scheduled evaluations of a rule group, executed or missed.",
            )?,
            missed: counted(
                "iterations_missed_total",
                "Iterations left out because the one before took too long.",
            )?,
            duration: register.histograms(
                "rule_group_duration_seconds",
                "Duration of one evaluation of a rule group.",
                (&group, &EVALUATION_BUCKETS),
            )?,
            last_duration: gauge(
                "last_duration_seconds",
                "Duration of the last evaluation of a rule group.",
            )?,
            last_evaluation: gauge(
                "last_evaluation_timestamp_seconds",
                "The time that a rule group was last evaluated for.",
            )?,
            last_samples: count(
                "last_evaluation_samples",
                "Samples that the last evaluation of a rule group gave.",
            )?,
            interval: gauge(
                "interval_seconds",
                "Time between two evaluations of a rule group.",
            )?,
            rules: count("rules", "Rules in a rule group.")?,
        })
    }

    /// Tells how many rules a group has.
    pub(super) fn prepare(&self, group: &Group) {
        let key = key(&group.file, &group.name);
        let n_rules = i64::try_from(group.rules.len()).unwrap_or(i64::MAX);
        self.rules.with_label_values(&[&*key]).set(n_rules);
    }

    /// Takes one evaluation.
    pub(crate) fn note(&self, report: &GroupReport) {
        let key = key(&report.file, &report.group);
        let labels = [key.as_str()];
        let seconds = report.duration.as_secs_f64();
        let outcomes = report
            .rules
            .iter()
            .filter_map(|rule| rule.outcome.as_ref().ok());
        let n_samples: usize = outcomes.map(|evaluated| evaluated.samples).sum();
        self.iterations
            .with_label_values(&labels)
            .inc_by(report.iterations + report.missed);
        self.missed.with_label_values(&labels).inc_by(report.missed);
        if report.iterations == 0 {
            // Of a rule that took longer than the others of its group, which have been told of.
            return;
        }
        self.duration.with_label_values(&labels).observe(seconds);
        self.last_duration.with_label_values(&labels).set(seconds);
        let at = report.at.as_seconds_f64();
        self.last_evaluation.with_label_values(&labels).set(at);
        let n_samples = i64::try_from(n_samples).unwrap_or(i64::MAX);
        self.last_samples.with_label_values(&labels).set(n_samples);
        let interval = report.interval.as_secs_f64();
        self.interval.with_label_values(&labels).set(interval);
    }

    /// What was never written is an error to remove, and as good as gone.
    pub(super) fn forget(&self, key: &str) {
        let labels = [key];
        let _ = self.iterations.remove_label_values(&labels);
        let _ = self.missed.remove_label_values(&labels);
        let _ = self.duration.remove_label_values(&labels);
        let _ = self.last_duration.remove_label_values(&labels);
        let _ = self.last_evaluation.remove_label_values(&labels);
        let _ = self.last_samples.remove_label_values(&labels);
        let _ = self.interval.remove_label_values(&labels);
        let _ = self.rules.remove_label_values(&labels);
    }
}
