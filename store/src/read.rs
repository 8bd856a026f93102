//! Questions to the journal.

use crate::{
    Action, ActionId, Journal, RecordedDelivery, State, StoreError, error::doing, lookup,
    occurrence::DOUBT, rows, transition,
};
use series::Timestamp;

/// Which actions are listed; the default lists all.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct ActionFilter {
    /// Only those on this workload.
    pub workload: Option<String>,
    /// Only those in this state.
    pub state: Option<State>,
    /// Only those proposed before this one: the last of one page leads to the next.
    pub before: Option<ActionId>,
}

/// An action that has ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finished {
    /// Which one.
    pub id: ActionId,
    /// On which workload.
    pub workload: String,
    /// When it ended.
    pub ended_at: Timestamp,
}

impl Journal {
    /// The actions that still run, oldest first.
    pub async fn open_actions(&self) -> Result<Vec<Action>, StoreError> {
        let rows = sqlx::query("SELECT * FROM open_actions ORDER BY created_at, id")
            .fetch_all(&self.readers)
            .await
            .map_err(doing("list open actions"))?;
        rows.iter().map(rows::action).collect()
    }

    /// At most `limit` actions, newest first.
    pub async fn actions(
        &self,
        filter: &ActionFilter,
        limit: u32,
    ) -> Result<Vec<Action>, StoreError> {
        let rows = sqlx::query(
            "SELECT * FROM actions
             WHERE ($1 IS NULL OR workload = $1) AND ($2 IS NULL OR state = $2)
               AND ($3 IS NULL OR (created_at, id) < (SELECT created_at, id FROM actions WHERE id = $3))
             ORDER BY created_at DESC, id DESC LIMIT $4",
        )
        .bind(&filter.workload)
        .bind(filter.state.map(State::as_str))
        .bind(filter.before.map(|id| id.to_string()))
        .bind(i64::from(limit))
        .fetch_all(&self.readers)
        .await
        .map_err(doing("list actions"))?;
        rows.iter().map(rows::action).collect()
    }

    /// Identifiers of actions that begin with a text of hexadecimal digits and dashes: at most `limit`, in order.
    pub async fn actions_beginning_with(
        &self,
        beginning: &str,
        limit: u32,
    ) -> Result<Vec<ActionId>, StoreError> {
        // `g` is what comes after all digits, and after the dash.
        let rows = sqlx::query(
            "SELECT * FROM actions WHERE id >= $1 AND id < $1 || 'g' ORDER BY id LIMIT $2",
        )
        .bind(beginning.to_ascii_lowercase())
        .bind(i64::from(limit))
        .fetch_all(&self.readers)
        .await
        .map_err(doing(
            "look for an action by the beginning of its identifier",
        ))?;
        let id = |row| rows::action(row).map(|action| action.id);
        rows.iter().map(id).collect()
    }

    /// One action as it stands.
    pub async fn current(&self, id: ActionId) -> Result<Action, StoreError> {
        let failed = doing("read an action");
        let mut connection = self.readers.acquire().await.map_err(failed)?;
        transition::fetch(&mut connection, id).await
    }

    /// At most `limit` deliveries, newest first.
    pub async fn deliveries(&self, limit: u32) -> Result<Vec<RecordedDelivery>, StoreError> {
        let rows = sqlx::query("SELECT * FROM deliveries ORDER BY received_at DESC LIMIT $1")
            .bind(i64::from(limit))
            .fetch_all(&self.readers)
            .await
            .map_err(doing("list deliveries"))?;
        rows.iter().map(rows::delivery).collect()
    }

    /// At most `limit` beginnings that were heard of right after their end and have not been ended again for as long
    /// as a late copy would be, oldest first: they fire anew.
    pub async fn doubted(
        &self,
        now: Timestamp,
        limit: u32,
    ) -> Result<Vec<RecordedDelivery>, StoreError> {
        let rows = sqlx::query(
            "SELECT * FROM firing WHERE outcome = 'ignored' AND received_at <= $1
             ORDER BY received_at LIMIT $2",
        )
        .bind((now - DOUBT).as_millis())
        .bind(i64::from(limit))
        .fetch_all(&self.readers)
        .await
        .map_err(doing("list alerts that may fire anew"))?;
        rows.iter().map(rows::delivery).collect()
    }

    /// For each of these workloads the action that ended last, among those whose effect was ordered.
    pub async fn all_last_finished(&self, workloads: &[&str]) -> Result<Vec<Finished>, StoreError> {
        let rows = sqlx::query(
            "SELECT past.id, past.workload, past.updated_at FROM json_each($1) AS asked JOIN actions AS past
                 ON past.id = (
                     SELECT last.id FROM actions AS last
                     WHERE last.workload = asked.value AND last.applied_at IS NOT NULL
                       AND last.state NOT IN ('applying', 'verifying', 'paused', 'rolling_back')
                     ORDER BY last.moved DESC LIMIT 1)",
        )
        .bind(serde_json::json!(workloads).to_string())
        .fetch_all(&self.urgent)
        .await
        .map_err(doing("look for the last actions on workloads"))?;
        rows.iter().map(rows::finished).collect()
    }

    /// The action on a workload that ended last, among those whose effect was ordered.
    pub async fn last_finished(&self, workload: &str) -> Result<Option<Action>, StoreError> {
        let row = sqlx::query(
            "SELECT * FROM actions
             WHERE workload = $1 AND applied_at IS NOT NULL
               AND state NOT IN ('applying', 'verifying', 'paused', 'rolling_back')
             ORDER BY moved DESC LIMIT 1",
        )
        .bind(workload)
        .fetch_optional(&self.urgent)
        .await
        .map_err(doing("look for the last action on a workload"))?;
        row.map(|row| rows::action(&row)).transpose()
    }

    /// At most `limit` actions on a workload of which something was measured, the last ordered first.
    pub async fn measured(&self, workload: &str, limit: u32) -> Result<Vec<Action>, StoreError> {
        let rows = sqlx::query(
            "SELECT * FROM actions WHERE workload = $1 AND effect IS NOT NULL AND applied_at IS NOT NULL
             ORDER BY applied_at DESC, id DESC LIMIT $2",
        )
        .bind(workload)
        .bind(i64::from(limit))
        .fetch_all(&self.readers)
        .await
        .map_err(doing("list measured actions"))?;
        rows.iter().map(rows::action).collect()
    }

    /// The alerts that call for an action and have not resolved, oldest first.
    pub async fn firing_alerts(&self, id: ActionId) -> Result<Vec<RecordedDelivery>, StoreError> {
        let rows = sqlx::query("SELECT * FROM firing WHERE action = $1 ORDER BY received_at")
            .bind(id.to_string())
            .fetch_all(&self.readers)
            .await
            .map_err(doing("list the alerts of an action"))?;
        rows.iter().map(rows::delivery).collect()
    }

    /// The actions whose effect was ordered at or after a time, and when it was, newest first; at most `limit`.
    pub async fn ordered_since(
        &self,
        since: Timestamp,
        limit: u32,
    ) -> Result<Vec<(ActionId, Timestamp)>, StoreError> {
        let rows = sqlx::query(
            "SELECT id, applied_at FROM actions WHERE applied_at >= $1
             ORDER BY applied_at DESC LIMIT $2",
        )
        .bind(since.as_millis())
        .bind(i64::from(limit))
        .fetch_all(&self.readers)
        .await
        .map_err(doing("list the effects of late"))?;
        rows.iter().map(rows::order).collect()
    }

    /// At most `limit` actions on a workload whose effect was ordered, in the order in which they were proposed.
    pub async fn effects(&self, workload: &str, limit: u32) -> Result<Vec<Action>, StoreError> {
        let rows = sqlx::query(
            "SELECT * FROM (
                 SELECT * FROM actions WHERE workload = $1 AND applied_at IS NOT NULL
                 ORDER BY begun DESC LIMIT $2) ORDER BY begun",
        )
        .bind(workload)
        .bind(i64::from(limit))
        .fetch_all(&self.readers)
        .await
        .map_err(doing("list the effects on a workload"))?;
        rows.iter().map(rows::action).collect()
    }

    /// How many of the alerts that called for an action have not resolved.
    pub async fn firing(&self, id: ActionId) -> Result<u64, StoreError> {
        let failed = doing("count the alerts of an action");
        let mut connection = self.readers.acquire().await.map_err(failed)?;
        lookup::firing(&mut connection, id)
            .await
            .map(i64::unsigned_abs)
    }
}
