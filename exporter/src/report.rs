//! From what happened to log lines and metrics.

use crate::metrics::{ActionMetrics, Metrics, RuleMetrics};
use prometheus_api::LeftOut;
use remediation::Report;
use rules::{Evaluated, GroupReport, RuleReport, Shortened};
use series::PromDuration;
use tracing::{debug, info, warn};

/// Tells of one evaluation of a group.
pub(crate) fn group(metrics: &Metrics, report: &GroupReport) {
    metrics.groups.note(report);
    if report.missed > 0 {
        warn!(
            group = report.group,
            missed = report.missed,
            "all rules of the group took longer than the interval, iterations were left out"
        );
    }
    for one in &report.rules {
        rule(&metrics.rules, report, one);
    }
}

fn rule(metrics: &RuleMetrics, report: &GroupReport, one: &RuleReport) {
    let labels = [report.group.as_str(), one.rule.as_str()];
    let [group, rule] = labels;
    metrics.evaluations.with_label_values(&labels).inc();
    let (at, seconds) = (one.at.as_seconds_f64(), one.duration.as_secs_f64());
    metrics.last_evaluation.with_label_values(&labels).set(at);
    metrics
        .last_duration
        .with_label_values(&labels)
        .set(seconds);
    let read = u64::try_from(one.samples_read).unwrap_or(u64::MAX);
    metrics.samples_read.with_label_values(&labels).inc_by(read);
    left_out(metrics, labels, &one.left_out);
    match &one.outcome {
        Ok(evaluated) => {
            succeeded(metrics, labels, evaluated);
            metrics.last_success.with_label_values(&labels).set(at);
        }
        Err(failure) => {
            let reason = failure.reason.as_str();
            metrics
                .failures
                .with_label_values(&[group, rule, reason])
                .inc();
            warn!(group, rule, reason, error = %failure, "rule could not be evaluated");
        }
    }
}

/// Tells of series that are no numbers, once for each new number of them.
fn left_out(metrics: &RuleMetrics, labels: [&str; 2], left_out: &LeftOut) {
    let [group, rule] = labels;
    let before = metrics.left_out.with_label_values(&labels);
    // Reasons without a series of ours are Prometheus' own omissions; one at least.
    let n_series = count(left_out.n_series.max(left_out.reasons.len().min(1)));
    if n_series > 0 && before.get() != n_series {
        warn!(
            group,
            rule,
            series = n_series,
            reason = left_out.reasons.join("; "),
            "series that cannot be forecast are left out"
        );
    }
    before.set(n_series);
}

fn succeeded(metrics: &RuleMetrics, labels: [&str; 2], evaluated: &Evaluated) {
    let [group, rule] = labels;
    let unfitted = evaluated.not_enough_history + evaluated.failed_fits;
    metrics
        .series
        .with_label_values(&labels)
        .set(count(evaluated.series));
    if let Some(origin) = evaluated.oldest_origin {
        let oldest = metrics.oldest_origin.with_label_values(&labels);
        oldest.set(origin.as_seconds_f64());
    }
    match (evaluated.series_before, evaluated.series) {
        (None | Some(1..), 0) if evaluated.not_finite == 0 => {
            warn!(group, rule, "the rule's expression matches nothing");
        }
        (Some(0), 1..) => info!(
            group,
            rule,
            series = evaluated.series,
            "the rule's expression matches again"
        ),
        _ => {}
    }
    let before = metrics.unfitted.with_label_values(&labels);
    if before.get() != count(unfitted) {
        info!(
            group,
            rule,
            series = evaluated.series,
            unfitted,
            "series without a model, for lack of history most often"
        );
    }
    before.set(count(unfitted));
    tell_not_finite(metrics, labels, evaluated);
    tell_shortened(metrics, labels, evaluated);
    for warning in &evaluated.warnings {
        warn!(group, rule, warning, "Prometheus answered with a warning");
    }
    if evaluated.failed_fits > 0 {
        warn!(
            group,
            rule,
            series = evaluated.failed_fits,
            "no model could be fitted"
        );
    }
    debug!(
        group,
        rule,
        series = evaluated.series,
        samples = evaluated.samples,
        "rule evaluated"
    );
}

/// Tells of series whose samples are no numbers, once for each change.
fn tell_not_finite(metrics: &RuleMetrics, labels: [&str; 2], evaluated: &Evaluated) {
    let [group, rule] = labels;
    let known = metrics.not_finite.with_label_values(&labels);
    let n_series = count(evaluated.not_finite);
    if known.get() != n_series {
        if n_series > 0 {
            warn!(
                group,
                rule,
                series = n_series,
                of = evaluated.series + evaluated.not_finite,
                "series whose present sample is NaN or infinite are not forecast"
            );
        } else {
            info!(group, rule, "all samples of the rule are numbers again");
        }
    }
    known.set(n_series);
}

/// Tells of a history that Prometheus did not give in full, once for each change.
fn tell_shortened(metrics: &RuleMetrics, labels: [&str; 2], evaluated: &Evaluated) {
    let [group, rule] = labels;
    let known = metrics.history_missing.with_label_values(&labels);
    let missing = evaluated.shortened.as_ref();
    let seconds = missing.map_or(0.0, |shortened| shortened.missing.as_secs_f64());
    if let Some(Shortened { missing, why }) = missing
        && known.get().to_bits() != seconds.to_bits()
    {
        let missing = PromDuration::new(*missing);
        warn!(
            group,
            rule,
            %missing,
            error = why,
            "history is shorter than the rule asks for: Prometheus refused the rest, in small pieces, too"
        );
    }
    known.set(seconds);
}

fn count(n: usize) -> i64 {
    i64::try_from(n).unwrap_or(i64::MAX)
}

/// Counts what became of open actions, which the log tells already.
pub(crate) fn tick(metrics: &ActionMetrics, report: &Report) {
    for moved in &report.moved {
        let labels = [moved.workload.as_str(), moved.to.as_str()];
        metrics.transitions.with_label_values(&labels).inc();
    }
}
