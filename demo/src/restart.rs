//! A restart of Foreshadow in the midst of it all, and what it costs: measured by the program's own metrics.

use crate::{
    fleet::MANAGED,
    server::Clock,
    sources::Sources,
    stack::{Plan, Stack},
    terminal::{Step, whole},
};
use anyhow::ensure;
use series::Timestamp;
use std::time::Duration;
use tokio::time::sleep;

/// The rule whose models are looked at; the other one may not have had its turn yet.
const RULE: &str = "service:http_requests:rate2m";
/// How long the first forecast may take, with three weeks of history to be read, and the first after the restart.
const PATIENCE: Duration = Duration::from_secs(30);
/// How often it is looked for.
const POLL: Duration = Duration::from_millis(100);

/// What a restart cost.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Restart {
    /// When Foreshadow was told to stop.
    pub at: Timestamp,
    /// Until there were forecasts again.
    pub away: Duration,
    /// Series whose models went on from where they were saved.
    pub series: f64,
    /// Samples that the rule had read from Prometheus when its first forecast was there.
    pub read_first: f64,
    /// The same after the restart.
    pub read_again: f64,
}

impl Restart {
    /// Whether no history was asked for again: that would be nearly as much as the first time.
    pub fn kept_state(&self) -> bool {
        self.series > 0.0 && self.read_again < self.read_first / 10.0
    }
}

/// Waits for the first forecasts, stops Foreshadow as any service is stopped, starts it again and waits for forecasts.
pub async fn restart(stack: &mut Stack, plan: &Plan, sources: &Sources) -> anyhow::Result<Restart> {
    let step = Step::begin(plan.paint, "forecasts");
    let read_first = first_forecasts(sources, &plan.clock).await?;
    step.done(&format!(
        "the first, from {} samples of history",
        whole(read_first)
    ));

    let step = Step::begin(plan.paint, "restart");
    let at = (plan.clock)();
    stack.restart_foreshadow(plan).await?;
    let read_again = first_forecasts(sources, &plan.clock).await?;
    let restart = Restart {
        at,
        away: (plan.clock)().since(at),
        series: sources
            .own_metric("foreshadow_state_series_restored", RULE)
            .await?,
        read_first,
        read_again,
    };
    step.done(&format!(
        "{} series went on, {} samples read",
        whole(restart.series),
        whole(read_again)
    ));
    Ok(restart)
}

/// Waits until there are forecasts; returns how many samples were read for them.
async fn first_forecasts(sources: &Sources, clock: &Clock) -> anyhow::Result<f64> {
    let begun = clock();
    loop {
        let read = sources
            .own_metric("foreshadow_rule_samples_read_total", RULE)
            .await?;
        // An evaluation is served before it is counted.
        if read > 0.0 && sources.foresees(RULE, MANAGED).await? {
            return Ok(read);
        }
        ensure!(
            clock().since(begun) < PATIENCE,
            "Foreshadow has no forecast of {MANAGED} after {PATIENCE:?}"
        );
        sleep(POLL).await;
    }
}
