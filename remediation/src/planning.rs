//! Working out what to do about a foreseen demand.

use crate::{
    Foreseen, Plan, Remediation,
    config::Workload,
    machine::Event,
    sizing::Sized,
    work::{Finding, Job},
};
use series::Timestamp;

/// Labels that alerting rules add and that no forecast carries.
const ALERT_LABELS: [&str; 2] = ["alertname", "severity"];

impl Remediation {
    /// Sizes a workload for the demand that is foreseen now.
    pub(crate) async fn plan(&self, job: &Job<'_>) -> Finding {
        let workload = job.workload;
        let Some(foreseen) = self.foreseen(workload, job.now) else {
            return Finding::Hold(format!("there is no fresh forecast {}", workload.demand));
        };
        let observed = match job.observe().await {
            Ok(observed) => observed,
            Err(error) => return job.early_failure(&error),
        };
        let event = match workload.sizing.size(&foreseen, observed) {
            Sized::Up { target, why } => Event::Planned(Plan {
                target,
                observed,
                demand: foreseen.value,
                demand_at: foreseen.at.as_millis(),
                horizon: foreseen.horizon.to_string(),
                quantile: workload.sizing.quantile.level(),
                why,
            }),
            Sized::Enough { why } => Event::Unneeded(format!("nothing to do: {why}")),
            Sized::Unusable { why } => Event::Refused(why),
        };
        event.into()
    }

    pub(crate) fn foreseen(&self, workload: &Workload, now: Timestamp) -> Option<Foreseen> {
        let labels = ALERT_LABELS
            .iter()
            .fold(workload.labels.clone(), |labels, name| labels.without(name));
        let quantile = workload.sizing.quantile;
        self.foresight
            .demand(&workload.demand, &labels, quantile, now)
    }
}
