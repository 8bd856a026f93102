//! What must be known, within a transaction, before a delivery is judged.

use crate::{
    Action, ActionId, AlertStatus, Cause, Delivery, RecordedDelivery, StoreError, error::doing,
    rows,
};
use sqlx::SqliteConnection;

/// What was written down of the same delivery before.
pub(crate) async fn known(
    connection: &mut SqliteConnection,
    delivery: &Delivery,
) -> Result<Option<RecordedDelivery>, StoreError> {
    let row = sqlx::query(
        "SELECT * FROM deliveries WHERE fingerprint = $1 AND starts_at = $2 AND status = $3",
    )
    .bind(&delivery.cause.fingerprint)
    .bind(delivery.cause.starts_at.as_millis())
    .bind(delivery.status.as_str())
    .fetch_optional(connection)
    .await
    .map_err(doing("look up a delivery"))?;
    row.map(|row| rows::delivery(&row)).transpose()
}

/// What was written down before of the beginning and of the end of one firing, in this order.
pub(crate) async fn both(
    connection: &mut SqliteConnection,
    cause: &Cause,
) -> Result<[Option<RecordedDelivery>; 2], StoreError> {
    let rows = sqlx::query("SELECT * FROM deliveries WHERE fingerprint = $1 AND starts_at = $2")
        .bind(&cause.fingerprint)
        .bind(cause.starts_at.as_millis())
        .fetch_all(connection)
        .await
        .map_err(doing("look up the deliveries of an alert"))?;
    let mut both = [None, None];
    for row in &rows {
        let recorded = rows::delivery(row)?;
        let idx = usize::from(recorded.status == AlertStatus::Resolved);
        both[idx] = Some(recorded);
    }
    Ok(both)
}

/// The one action that holds a workload, if any.
pub(crate) async fn open_action(
    connection: &mut SqliteConnection,
    workload: &str,
) -> Result<Option<Action>, StoreError> {
    let row = sqlx::query("SELECT * FROM open_actions WHERE workload = $1")
        .bind(workload)
        .fetch_optional(connection)
        .await
        .map_err(doing("look for an open action"))?;
    row.map(|row| rows::action(&row)).transpose()
}

/// The action that this firing brought about or joined.
pub(crate) async fn caused_by(
    connection: &mut SqliteConnection,
    cause: &Cause,
) -> Result<Option<Action>, StoreError> {
    let row = sqlx::query(
        "SELECT actions.* FROM actions JOIN deliveries ON deliveries.action = actions.id
         WHERE deliveries.fingerprint = $1 AND deliveries.starts_at = $2
           AND deliveries.status = 'firing'",
    )
    .bind(&cause.fingerprint)
    .bind(cause.starts_at.as_millis())
    .fetch_optional(connection)
    .await
    .map_err(doing("look for the action of an alert"))?;
    row.map(|row| rows::action(&row)).transpose()
}

/// How many alerts that called for an action have not resolved.
pub(crate) async fn firing(
    connection: &mut SqliteConnection,
    id: ActionId,
) -> Result<i64, StoreError> {
    sqlx::query_scalar("SELECT count(*) FROM firing WHERE action = $1")
        .bind(id.to_string())
        .fetch_one(connection)
        .await
        .map_err(doing("count the alerts of an action"))
}
