//! One line a day in the log: how much was done.

use crate::{app::App, metrics::Metrics};
use std::{sync::Arc, time::Duration};
use tracing::info;

/// Time between two lines. A day's line is read by people.
const DAY: Duration = Duration::from_hours(24);

/// What was counted since the start.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
struct Totals {
    evaluations: u64,
    failures: u64,
    samples: u64,
    alerts: u64,
    proposed: u64,
    effects: u64,
    failed: u64,
}

impl Totals {
    fn of(metrics: &Metrics) -> Self {
        let all = |name: &str| metrics.total(name, &[]);
        let into = |state: &str| metrics.total("foreshadow_action_transitions_total", &[state]);
        Self {
            evaluations: all("foreshadow_rule_evaluations_total"),
            failures: all("foreshadow_rule_evaluation_failures_total"),
            samples: all("foreshadow_rule_samples_read_total"),
            alerts: all("foreshadow_alerts_received_total"),
            proposed: into("proposed"),
            effects: into("applying"),
            failed: into("failed"),
        }
    }

    /// What came since earlier totals; a counter that began anew counts from zero.
    fn since(self, before: Self) -> Self {
        let more = |now: u64, before: u64| now.checked_sub(before).unwrap_or(now);
        Self {
            evaluations: more(self.evaluations, before.evaluations),
            failures: more(self.failures, before.failures),
            samples: more(self.samples, before.samples),
            alerts: more(self.alerts, before.alerts),
            proposed: more(self.proposed, before.proposed),
            effects: more(self.effects, before.effects),
            failed: more(self.failed, before.failed),
        }
    }
}

/// Writes a line each day, until the program stops.
pub(crate) async fn tell(app: Arc<App>) {
    let mut before = Totals::default();
    let stopping = app.stopping().clone();
    while stopping
        .run_until_cancelled(tokio::time::sleep(DAY))
        .await
        .is_some()
    {
        let now = Totals::of(&app.metrics);
        line(now.since(before));
        before = now;
    }
}

fn line(day: Totals) {
    info!(
        evaluations = day.evaluations,
        evaluation_failures = day.failures,
        samples_read = day.samples,
        alerts = day.alerts,
        actions_proposed = day.proposed,
        effects = day.effects,
        actions_failed = day.failed,
        "totals of the last day"
    );
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_day_counts_what_came_since_the_day_before() {
        let metrics = Metrics::new().unwrap();
        let evaluations = |rule: &str| metrics.rules.evaluations.with_label_values(&["g", rule]);
        let transitions =
            |state: &str| metrics.actions.transitions.with_label_values(&["w", state]);
        evaluations("a").inc_by(3);
        transitions("applying").inc();
        let first = Totals::of(&metrics);
        assert_eq!(
            (first.evaluations, first.effects, first.proposed),
            (3, 1, 0)
        );
        evaluations("b").inc_by(2);
        transitions("proposed").inc();
        let day = Totals::of(&metrics).since(first);
        assert_eq!((day.evaluations, day.effects, day.proposed), (2, 0, 1));
    }
}
