//! What people may do: look, approve, reject, override, roll back.

use crate::{
    Decider, Plan, Remediation,
    machine::{self, Event, Step},
};
use series::Timestamp;
use store::{Action, ActionFilter, ActionId, RecordedDelivery, State, StoreError};

/// Why a control did nothing.
#[derive(Debug, thiserror::Error)]
pub enum ControlError {
    /// The action's state does not allow it.
    #[error("action {id} is {state}, so it cannot be {wanted}")]
    NotNow {
        /// The action.
        id: ActionId,
        /// The state it is in.
        state: State,
        /// What was wanted, such as "approved".
        wanted: &'static str,
    },
    /// What the decision was about is over; nothing was changed.
    #[error("action {id} has moved on, and is {state} by now: look at it again")]
    MovedOn {
        /// The action.
        id: ActionId,
        /// The state it is in.
        state: State,
    },
    /// The workload's limits stand against it.
    #[error("this cannot be: {0}")]
    NotAllowed(String),
    /// The configuration no longer has its workload.
    #[error("workload {0} is no longer configured")]
    NotConfigured(String),
    /// The journal refused: no such action, somebody was faster, or the file cannot be written.
    #[error(transparent)]
    Journal(#[from] StoreError),
}

impl Remediation {
    /// Says yes to an action that awaits approval, whose grace period then begins, or to an effect that could
    /// not be called good or bad, which then stays.
    ///
    /// The yes is for what the decider saw; if there is another plan or question by then, it is refused.
    pub async fn approve(
        &self,
        id: ActionId,
        decider: impl Into<Decider<'_>>,
        now: Timestamp,
    ) -> Result<Action, ControlError> {
        let decider = decider.into();
        let actor = decider.name.to_owned();
        let decision = Decision {
            event: |_: &Plan| Ok(Event::Approved { actor }),
            wanted: "approved",
            decider,
        };
        self.decide(id, decision, now).await
    }

    /// Says no to an action that has had no effect yet, or to an effect that could not be called good or bad,
    /// which is then undone. The reason is kept.
    pub async fn reject(
        &self,
        id: ActionId,
        decider: impl Into<Decider<'_>>,
        reason: &str,
        now: Timestamp,
    ) -> Result<Action, ControlError> {
        let decider = decider.into();
        let event = Event::Rejected {
            actor: decider.name.to_owned(),
            reason: reason.to_owned(),
        };
        let order = (&event, "rejected");
        self.control(id, &decider, order, now).await
    }

    /// Puts another number of replicas in place of the planned one, and says yes to it; if the decider saw another
    /// plan, it is refused. The workload's bounds and step limits hold for people, too.
    pub async fn override_plan(
        &self,
        id: ActionId,
        decider: impl Into<Decider<'_>>,
        replicas: u32,
        now: Timestamp,
    ) -> Result<Action, ControlError> {
        let decider = decider.into();
        let current = self.current();
        let action = self.journal.current(id).await?;
        let Some((workload, _)) = current.reach(&action.workload) else {
            return Err(ControlError::NotConfigured(action.workload));
        };
        let edit = |plan: &Plan| {
            let objection = workload.sizing.objection(replicas, plan.observed);
            objection.map_or(Ok(()), Err)?;
            let edited = workload.rollout.strategy.edit(plan, replicas)?;
            let actor = decider.name.to_owned();
            Ok(Event::Edited {
                plan: Plan {
                    why: format!("{replicas} wanted by {actor}; before: {}", plan.why),
                    rehearsal: None,
                    ..edited
                },
                actor,
            })
        };
        let decision = Decision {
            event: edit,
            wanted: "overridden",
            decider,
        };
        self.decide(id, decision, now).await
    }

    /// Orders the way back for an action that is being verified or has succeeded, or whose effect may have been left
    /// behind when it failed.
    pub async fn rollback(
        &self,
        id: ActionId,
        decider: impl Into<Decider<'_>>,
        now: Timestamp,
    ) -> Result<Action, ControlError> {
        let decider = decider.into();
        let actor = decider.name.to_owned();
        let order = (&Event::RollbackAsked { actor }, "rolled back");
        self.control(id, &decider, order, now).await
    }

    /// At most `limit` actions, newest first.
    pub async fn actions(
        &self,
        filter: &ActionFilter,
        limit: u32,
    ) -> Result<Vec<Action>, StoreError> {
        self.journal.actions(filter, limit).await
    }

    /// At most `limit` alerts that were taken in, newest first, with what became of them.
    pub async fn deliveries(&self, limit: u32) -> Result<Vec<RecordedDelivery>, StoreError> {
        self.journal.deliveries(limit).await
    }

    /// Decides about the plan that the action has now.
    async fn decide(
        &self,
        id: ActionId,
        decision: Decision<'_, impl FnOnce(&Plan) -> Result<Event, String>>,
        now: Timestamp,
    ) -> Result<Action, ControlError> {
        let Decision {
            event,
            wanted,
            decider,
        } = decision;
        let action = self.as_seen(id, &decider).await?;
        let not_now = |state| ControlError::NotNow { id, state, wanted };
        let plan = Plan::from_json(action.plan.as_ref()).map_err(|_| not_now(action.state))?;
        if decider.plan.is_some_and(|seen| seen != plan.hash()) {
            return Err(StoreError::PlanChanged { id }.into());
        }
        let event = event(&plan).map_err(ControlError::NotAllowed)?;
        let step = self.step(&action, &event, wanted, now)?;
        let next = self.write_down(&action, step, Some(&event), now).await?;
        Ok(next)
    }

    async fn control(
        &self,
        id: ActionId,
        decider: &Decider<'_>,
        (event, wanted): (&Event, &'static str),
        now: Timestamp,
    ) -> Result<Action, ControlError> {
        let action = self.as_seen(id, decider).await?;
        let step = self.step(&action, event, wanted, now)?;
        Ok(self.write_down(&action, step, Some(event), now).await?)
    }

    /// The action, if the decision still means what it meant. The compare-and-swap holds it to that.
    async fn as_seen(&self, id: ActionId, decider: &Decider<'_>) -> Result<Action, ControlError> {
        let action = self.journal.current(id).await?;
        if decider.still_means(&action) {
            return Ok(action);
        }
        let state = action.state;
        Err(ControlError::MovedOn { id, state })
    }

    fn step(
        &self,
        action: &Action,
        event: &Event,
        wanted: &'static str,
        now: Timestamp,
    ) -> Result<Step, ControlError> {
        let current = self.current();
        let Some((workload, _)) = current.reach(&action.workload) else {
            return Err(ControlError::NotConfigured(action.workload.clone()));
        };
        let (id, state) = (action.id, action.state);
        machine::step(action, event, &workload.pace, self.reading(action, now))
            .ok_or(ControlError::NotNow { id, state, wanted })
    }
}

/// A decision about a plan.
struct Decision<'a, F> {
    /// What it comes to, or why it may not be.
    event: F,
    wanted: &'static str,
    decider: Decider<'a>,
}
