//! Writing a transition down, and notifying people of it.

use crate::{
    Remediation, Warning,
    machine::{self, Event, Step},
};
use series::Timestamp;
use std::time::Duration;
use store::{Action, Change, StoreError};

/// How long telling people of a transition may take; it is written down by then.
const TELLING: Duration = Duration::from_secs(5);

impl Remediation {
    /// Tells people of what waits for them, as long as they can say something, and that it waits no more. Nobody to
    /// tell is no reason to stop: the journal has it, too.
    async fn warn_of(&self, before: &Action, next: &Action, was_unknown: bool) {
        if was_unknown && before.state != next.state {
            let over = Warning::unknown(before, next.reason.clone(), next.updated_at);
            self.tell(&over).await;
        }
        if before.state == next.state && before.deadline == next.deadline {
            return;
        }
        let over = Warning::of(before, next.updated_at).filter(|_| before.state != next.state);
        let begun = next.deadline.and_then(|ends_at| Warning::of(next, ends_at));
        for warning in over.iter().chain(&begun) {
            self.tell(warning).await;
        }
    }

    /// Tells people, if somebody listens.
    pub(crate) async fn tell(&self, warning: &Warning) {
        let told = tokio::time::timeout(TELLING, self.alerting.warn(warning)).await;
        if let Err(error) = told.unwrap_or_else(|e| Err(e.to_string())) {
            tracing::warn!(
                action = warning.action,
                error,
                "cannot notify anybody of an action"
            );
        }
    }

    /// Puts a step into the journal, with what the event brings along.
    pub(crate) async fn write_down(
        &self,
        action: &Action,
        step: Step,
        event: Option<&Event>,
        now: Timestamp,
    ) -> Result<Action, StoreError> {
        let (plan, pre_image) = match event {
            Some(Event::Planned(plan) | Event::Suffices(plan) | Event::Edited { plan, .. }) => {
                (Some(plan.to_json()), None)
            }
            Some(Event::Cleared(observed)) => (None, Some(observed.to_json())),
            _ => (None, None),
        };
        let change = Change {
            deadline: step.deadline,
            plan,
            pre_image,
            stage: step.stage,
            ending: step.ending,
            queued_at: step.queued_at,
            // Whoever decides, decides about the plan that was seen.
            of_plan: Some(action.plan_no),
            ..Change::new(step.to, now, step.actor, step.reason)
        };
        let was_unknown = machine::is_unknown(action, self.ages.own(action, now));
        let next = self
            .journal
            .transition(action.id, action.state, &change)
            .await?;
        self.ages.note(next.id, next.updated_at, now);
        tracing::info!(
            action = %next.id,
            workload = next.workload,
            from = %action.state,
            to = %next.state,
            actor = change.actor,
            reason = next.reason,
            "action moved"
        );
        self.warn_of(action, &next, was_unknown).await;
        Ok(next)
    }
}
