//! The guards: what stands against an action, looked at when it is asked for and again right before its effect.

use crate::{
    Plan, Remediation, Shape,
    config::{Guards, Workload},
    machine::Event,
    work::{Finding, Job},
};
use series::{PromDuration, Timestamp};
use std::time::Duration;
use store::{ActionId, StoreError};

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
        if self.foreseen(job.workload, job.now).is_none() {
            let why = format!("the forecast {} is no longer there", job.workload.demand);
            return Ok(Event::Refused(why).into());
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
                "{ordered} actions within the hour, and max_actions_per_hour is {}",
                guards.max_actions_per_hour
            ));
        }
        let running = self.running_beside(job.action.id).await?;
        if running >= guards.max_concurrent as usize {
            return Ok(Finding::Hold(format!(
                "{running} other actions are under way, and max_concurrent is {}",
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
