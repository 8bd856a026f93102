//! Actions with all that belongs to them, page by page, for whoever keeps the journal elsewhere.

use crate::{
    Action, ActionId, Journal, Look, RecordedDelivery, StoreError, Transition, error::doing, look,
    rows, transition,
};
use serde::Serialize;
use series::Timestamp;
use sqlx::SqliteConnection;

/// An action with all that the journal holds of it, as it was at one moment.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Record {
    /// The action.
    #[serde(flatten)]
    pub action: Action,
    /// Its history, oldest first.
    pub transitions: Vec<Transition>,
    /// What each look at its effect found, oldest first.
    pub looks: Vec<Look>,
    /// The alerts that brought it about, joined it or ended it, oldest first, as far as they are still kept.
    pub deliveries: Vec<RecordedDelivery>,
    /// How many of those alerts there are, read or not.
    #[serde(skip)]
    pub n_deliveries: u64,
}

impl Journal {
    /// All that belongs to one action.
    pub async fn record(&self, id: ActionId) -> Result<Record, StoreError> {
        self.record_up_to(id, u32::MAX).await
    }

    /// What belongs to one action, with the oldest `limit` of its alerts.
    pub async fn record_up_to(&self, id: ActionId, limit: u32) -> Result<Record, StoreError> {
        let failed = doing("read an action with its history");
        let mut tx = self.readers.begin().await.map_err(failed)?;
        Ok(Record {
            action: transition::fetch(&mut tx, id).await?,
            transitions: transition::history(&mut tx, id).await?,
            looks: look::looks(&mut tx, id).await?,
            deliveries: deliveries(&mut tx, id, limit).await?,
            n_deliveries: count(&mut tx, id).await?,
        })
    }

    /// At most `limit` actions that changed at or after `since`, oldest first, from the one proposed after
    /// `after` on. The last of one answer leads to the next.
    pub async fn changed_since(
        &self,
        since: Option<Timestamp>,
        after: Option<ActionId>,
        limit: u32,
    ) -> Result<Vec<ActionId>, StoreError> {
        let ids: Vec<String> = sqlx::query_scalar(
            "SELECT id FROM actions
             WHERE ($1 IS NULL OR updated_at >= $1)
               AND ($2 IS NULL OR (created_at, id) > (SELECT created_at, id FROM actions WHERE id = $2))
             ORDER BY created_at, id LIMIT $3",
        )
        .bind(since.map(Timestamp::as_millis))
        .bind(after.map(|id| id.to_string()))
        .bind(i64::from(limit))
        .fetch_all(&self.readers)
        .await
        .map_err(doing("list actions to export"))?;
        ids.iter()
            .map(|id| id.parse().map_err(rows::unreadable))
            .collect()
    }
}

async fn deliveries(
    connection: &mut SqliteConnection,
    id: ActionId,
    limit: u32,
) -> Result<Vec<RecordedDelivery>, StoreError> {
    let sql =
        "SELECT * FROM deliveries WHERE action = $1 ORDER BY received_at, fingerprint LIMIT $2";
    let rows = sqlx::query(sql)
        .bind(id.to_string())
        .bind(i64::from(limit))
        .fetch_all(connection)
        .await
        .map_err(doing("list the alerts of an action"))?;
    rows.iter().map(rows::delivery).collect()
}

async fn count(connection: &mut SqliteConnection, id: ActionId) -> Result<u64, StoreError> {
    let n: i64 = sqlx::query_scalar("SELECT count(*) FROM deliveries WHERE action = $1")
        .bind(id.to_string())
        .fetch_one(connection)
        .await
        .map_err(doing("count the alerts of an action"))?;
    Ok(n.unsigned_abs())
}
