//! The end of the grace period: whether an action is still wanted, and what there is before its effect.

use crate::{
    Plan, Remediation,
    guards::overruled,
    machine::Event,
    planning::no_forecast,
    work::{Finding, Job},
};
use store::StoreError;

/// How a rejection begins that a silence is the reason of.
pub(crate) const SILENCED: &str = "the alert is silenced";

impl Remediation {
    /// Clears the way for an effect, but for the guards that the caller looks at last.
    pub(crate) async fn clear(&self, job: &Job<'_>) -> Result<Finding, StoreError> {
        let plan = match Plan::from_json(job.action.plan.as_ref()) {
            Ok(plan) => plan,
            Err(why) => return Ok(Event::Refused(why).into()),
        };
        if job.alerts.is_empty() {
            let why = "the alert resolved before anything was done";
            return Ok(Event::Unneeded(why.to_owned()).into());
        }
        if let Some(why) = overruled(job, &plan) {
            return Ok(Event::Refused(why).into());
        }
        if let Some(finding) = self.hushed(job).await {
            return Ok(finding);
        }
        // After a restart it takes a moment until there are forecasts again.
        let outlook = self.outlook(job.workload).await?;
        if self.foreseen(&outlook, job.now).is_none() {
            return Ok(Finding::Hold(no_forecast(job.workload)));
        }
        let observed = match job.observe().await {
            Ok(observed) => observed,
            Err(error) => return Ok(job.early_failure(&error)),
        };
        if let Some(what) = plan.outdated_by(observed) {
            let why = format!("{what} since the plan was made, so it is not followed");
            return Ok(Event::Refused(why).into());
        }
        let last = plan.stage(u32::MAX);
        if plan.is_met(last, observed) {
            let why = format!(
                "nothing to do: there are {observed} by now, and {} were planned",
                plan.target
            );
            return Ok(Event::Unneeded(why).into());
        }
        if let Some(finding) = self.note_before(job).await? {
            return Ok(finding);
        }
        self.measure_before(job, observed).await?;
        Ok(Event::Cleared(observed).into())
    }

    /// A person who silences the alert does not want to hear of it, and hardly wants production moved for it.
    async fn hushed(&self, job: &Job<'_>) -> Option<Finding> {
        let alerts = job.alerts.iter();
        let fingerprints: Vec<_> = alerts
            .map(|alert| alert.cause.fingerprint.clone())
            .collect();
        match self.alerting.silenced(&fingerprints).await {
            Ok(None) => None,
            Ok(Some(silence)) => {
                let why = format!("{SILENCED}: {silence}");
                Some(Event::Refused(why).into())
            }
            Err(error) => {
                job.claim.failed(None, job.now);
                Some(Finding::Hold(format!(
                    "cannot ask whether the alert is silenced: {error}"
                )))
            }
        }
    }
}
