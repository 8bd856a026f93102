//! The guards: what stands against an action, looked at when it is asked for and again right before its effect.

use crate::{
    Plan, Remediation, Shape,
    config::{Guards, Workload},
    machine::Event,
    planning::no_forecast,
    work::{Finding, Job},
};
use series::{PromDuration, Timestamp};
use std::time::Duration;
use store::{ActionId, Mode, StoreError};

/// Over which time effects are counted against `max_actions_per_hour`.
const HOUR: Duration = Duration::from_hours(1);

impl Remediation {
    /// Why a new action must wait, if it must.
    pub(crate) async fn deferral(
        &self,
        workload: &Workload,
        guards: &Guards,
        now: Timestamp,
    ) -> Result<Option<String>, StoreError> {
        if let Some(reason) = kill_switch(guards) {
            return Ok(Some(reason));
        }
        self.cooling(workload, now).await
    }

    /// Whether an action whose grace is over is still wanted, and what there is before its effect.
    pub(crate) async fn clear(&self, job: &Job<'_>) -> Result<Finding, StoreError> {
        let plan = match Plan::from_json(job.action.plan.as_ref()) {
            Ok(plan) => plan,
            Err(why) => return Ok(Event::Refused(why).into()),
        };
        if self.journal.firing(job.action.id).await? == 0 {
            let why = "the alert resolved before anything was done";
            return Ok(Event::Unneeded(why.to_owned()).into());
        }
        if let Some(why) = overruled(job, &plan) {
            return Ok(Event::Refused(why).into());
        }
        // After a restart it takes a moment until there are forecasts again.
        if self.foreseen(job.workload, job.now).is_none() {
            return Ok(Finding::Hold(no_forecast(job.workload)));
        }
        let observed = match job.observe().await {
            Ok(observed) => observed,
            Err(error) => return Ok(job.early_failure(&error)),
        };
        if observed.replicas >= plan.target.replicas {
            let why = format!(
                "nothing to do: there are {observed} by now, and {} were planned",
                plan.target
            );
            return Ok(Event::Unneeded(why).into());
        }
        Ok(Event::Cleared(observed).into())
    }

    /// The last look at the guards; the caller holds the gate.
    pub(crate) async fn last_look(
        &self,
        job: &Job<'_>,
        guards: &Guards,
        observed: Shape,
    ) -> Result<Finding, StoreError> {
        let refused = |why| Ok(Event::Refused(why).into());
        if let Some(why) = kill_switch(guards) {
            return refused(why);
        }
        if let Some(why) = self.cooling(job.workload, job.now).await? {
            return refused(why);
        }
        let ordered = self.journal.count_since(job.now - HOUR).await?;
        if ordered >= u64::from(guards.max_actions_per_hour) {
            return refused(format!(
                "max_actions_per_hour is {}, and as many were ordered within the hour",
                guards.max_actions_per_hour
            ));
        }
        let running = self.running_beside(job.action.id).await?;
        if running >= guards.max_concurrent as usize {
            return Ok(Finding::Hold(format!(
                "max_concurrent is {}, and as many other actions are under way",
                guards.max_concurrent
            )));
        }
        Ok(Event::Cleared(observed).into())
    }

    async fn cooling(
        &self,
        workload: &Workload,
        now: Timestamp,
    ) -> Result<Option<String>, StoreError> {
        let Some(last) = self.journal.last_finished(&workload.name).await? else {
            return Ok(None);
        };
        let ends = last.updated_at + workload.cooldown.up;
        Ok((now < ends).then(|| {
            let rest = PromDuration::new(ends.since(now));
            format!("cooling down for another {rest} after action {}", last.id)
        }))
    }

    async fn running_beside(&self, id: ActionId) -> Result<usize, StoreError> {
        let open = self.journal.open_actions().await?;
        let others = open.iter().filter(|action| action.id != id);
        Ok(others.filter(|action| action.state.has_effect()).count())
    }
}

/// What a configuration that was put in place since then says against the plan.
fn overruled(job: &Job<'_>, plan: &Plan) -> Option<String> {
    let workload = job.workload;
    let max = workload.sizing.max;
    match (job.action.mode, workload.mode) {
        (_, Mode::Observe) => Some("the mode is observe by now".to_owned()),
        (Mode::Auto, Mode::Approve) => {
            Some("the mode is approve by now, and nobody was asked".to_owned())
        }
        _ => (plan.target.replicas > max)
            .then(|| format!("max is {max} by now, and {} were planned", plan.target)),
    }
}

/// Why nothing may be done, if nothing may. A file that cannot be looked for counts as there.
pub(crate) fn kill_switch(guards: &Guards) -> Option<String> {
    let path = guards.kill_switch_file.as_deref()?;
    match path.try_exists() {
        Ok(false) => None,
        Ok(true) => Some(format!("the kill switch {} is there", path.display())),
        Err(error) => Some(format!(
            "the kill switch {} cannot be looked for: {error}",
            path.display()
        )),
    }
}
