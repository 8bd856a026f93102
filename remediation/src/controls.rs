//! What people may do: look, approve, reject, roll back.

use crate::{
    Remediation,
    machine::{self, Event},
};
use series::Timestamp;
use store::{Action, ActionFilter, ActionId, RecordedDelivery, State, StoreError, Transition};

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
    /// The configuration no longer has its workload.
    #[error("workload {0} is no longer configured")]
    NotConfigured(String),
    /// The journal refused: no such action, somebody was faster, or the file cannot be written.
    #[error(transparent)]
    Journal(#[from] StoreError),
}

impl Remediation {
    /// Says yes to an action that awaits approval; its grace period begins.
    pub async fn approve(
        &self,
        id: ActionId,
        actor: &str,
        now: Timestamp,
    ) -> Result<Action, ControlError> {
        let actor = actor.to_owned();
        self.control(id, &Event::Approved { actor }, "approved", now)
            .await
    }

    /// Says no to an action that has had no effect yet.
    pub async fn reject(
        &self,
        id: ActionId,
        actor: &str,
        reason: &str,
        now: Timestamp,
    ) -> Result<Action, ControlError> {
        let event = Event::Rejected {
            actor: actor.to_owned(),
            reason: reason.to_owned(),
        };
        self.control(id, &event, "rejected", now).await
    }

    /// Orders the way back for an action that is being verified or has succeeded.
    pub async fn rollback(
        &self,
        id: ActionId,
        actor: &str,
        now: Timestamp,
    ) -> Result<Action, ControlError> {
        let actor = actor.to_owned();
        self.control(id, &Event::RollbackAsked { actor }, "rolled back", now)
            .await
    }

    /// At most `limit` actions, newest first.
    pub async fn actions(
        &self,
        filter: &ActionFilter,
        limit: u32,
    ) -> Result<Vec<Action>, StoreError> {
        self.journal.actions(filter, limit).await
    }

    /// One action and its history, oldest first.
    pub async fn action(&self, id: ActionId) -> Result<(Action, Vec<Transition>), StoreError> {
        self.journal.action(id).await
    }

    /// At most `limit` alerts that were taken in, newest first, with what became of them.
    pub async fn deliveries(&self, limit: u32) -> Result<Vec<RecordedDelivery>, StoreError> {
        self.journal.deliveries(limit).await
    }

    async fn control(
        &self,
        id: ActionId,
        event: &Event,
        wanted: &'static str,
        now: Timestamp,
    ) -> Result<Action, ControlError> {
        let (action, _) = self.journal.action(id).await?;
        let current = self.current();
        let Some((workload, _)) = current.reach(&action.workload) else {
            return Err(ControlError::NotConfigured(action.workload));
        };
        let Some(step) = machine::step(&action, event, &workload.pace, now) else {
            let state = action.state;
            return Err(ControlError::NotNow { id, state, wanted });
        };
        Ok(self.write_down(&action, step, Some(event), now).await?)
    }
}
