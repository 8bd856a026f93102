//! What the journal and the configuration tell to those who only look.

use crate::{Remediation, config::Workload};
use series::Timestamp;
use store::{Action, ActionId, Record, StoreError, SwitchTurn};

impl Remediation {
    /// The actions that still run, oldest first.
    pub async fn open_actions(&self) -> Result<Vec<Action>, StoreError> {
        self.journal.open_actions().await
    }

    /// Identifiers of actions that begin with a text of hexadecimal digits and dashes: at most `limit`, in order.
    pub async fn actions_beginning_with(
        &self,
        beginning: &str,
        limit: u32,
    ) -> Result<Vec<ActionId>, StoreError> {
        self.journal.actions_beginning_with(beginning, limit).await
    }

    /// An action with its history, looks and alerts.
    pub async fn record(&self, id: ActionId) -> Result<Record, StoreError> {
        self.journal.record(id).await
    }

    /// An action with its history, looks, and the oldest `limit` of its alerts.
    pub async fn record_up_to(&self, id: ActionId, limit: u32) -> Result<Record, StoreError> {
        self.journal.record_up_to(id, limit).await
    }

    /// At most `limit` actions that changed at or after `since`, oldest first, from the one proposed after
    /// `after` on.
    pub async fn changed_since(
        &self,
        since: Option<Timestamp>,
        after: Option<ActionId>,
        limit: u32,
    ) -> Result<Vec<ActionId>, StoreError> {
        self.journal.changed_since(since, after, limit).await
    }

    /// At most `limit` turns of the kill switch at or after `since` with a larger number than `after`, oldest
    /// first.
    pub async fn switches(
        &self,
        since: Option<Timestamp>,
        after: i64,
        limit: u32,
    ) -> Result<Vec<SwitchTurn>, StoreError> {
        self.journal.switches(since, after, limit).await
    }

    /// What stands in the way of an action, as found at the last attempt of this program; none where it goes on at
    /// its time, or has ended.
    pub fn held_up(&self, action: &Action) -> Option<String> {
        let held_up = self.progress.held_up(action.id)?;
        // The journal may have it in the same words already.
        (action.state.is_open() && held_up != action.reason).then_some(held_up)
    }

    /// The workload of this name, as it is configured now.
    pub fn workload(&self, name: &str) -> Option<Workload> {
        self.current().settings.workload(name).cloned()
    }

    /// The names of the configured workloads, in the order of the file.
    pub fn workload_names(&self) -> Vec<String> {
        let current = self.current();
        let workloads = current.settings.workloads.iter();
        workloads.map(|workload| workload.name.clone()).collect()
    }
}
