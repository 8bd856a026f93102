//! Working out what to do about a foreseen demand.

use crate::{
    Foreseen, Plan, Remediation,
    config::Workload,
    machine::Event,
    sizing::Sized,
    work::{Finding, Job},
};
use series::{Labels, Timestamp};

/// Labels that alerting rules add and that no forecast carries.
const ALERT_LABELS: [&str; 2] = ["alertname", "severity"];

impl Remediation {
    /// Sizes a workload for the demand that is foreseen now.
    pub(crate) async fn plan(&self, job: &Job<'_>) -> Finding {
        let workload = job.workload;
        let Some(foreseen) = self.foreseen(workload, job.now) else {
            return Finding::Hold(no_forecast(workload));
        };
        let observed = match job.observe().await {
            Ok(observed) => observed,
            Err(error) => return job.early_failure(&error),
        };
        let plan = |target, why| Plan {
            target,
            observed,
            demand: foreseen.demand(),
            demand_at: foreseen.at.as_millis(),
            horizon: foreseen.horizon.to_string(),
            quantile: workload.sizing.quantile.level(),
            why,
        };
        let event = match workload.sizing.size(&foreseen, observed) {
            Sized::Up { target, why } => Event::Planned(plan(target, why)),
            Sized::Enough { why } => Event::Suffices(plan(observed, why)),
            Sized::Unusable { why } => Event::Refused(why),
        };
        event.into()
    }

    pub(crate) fn foreseen(&self, workload: &Workload, now: Timestamp) -> Option<Foreseen> {
        let (labels, quantile) = (forecast_labels(workload), workload.sizing.quantile);
        self.foresight
            .demand(&workload.demand, &labels, quantile, now)
    }
}

/// What a workload waits for while its forecast is away, written as a selector that can be looked up.
pub(crate) fn no_forecast(workload: &Workload) -> String {
    let labels = forecast_labels(workload);
    format!("there is no fresh forecast {}{labels}", workload.demand)
}

fn forecast_labels(workload: &Workload) -> Labels {
    let all = workload.labels.clone();
    ALERT_LABELS
        .iter()
        .fold(all, |labels, name| labels.without(name))
}
