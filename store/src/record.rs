//! Writing a delivery down, and forgetting the oldest ones in turn.

use crate::{Accepted, Delivery, StoreError, accept::Verdict, error::doing, rows};
use serde_json::Value;
use sqlx::{Sqlite, SqliteConnection, Transaction};
use std::time::Duration;

/// How long deliveries are kept. An alert that fires for longer is new when it is heard of again.
const RETENTION: Duration = Duration::from_hours(30 * 24);

/// How many old deliveries go for each new one: more than one, so that a backlog shrinks, and few, so that
/// no delivery waits for a great clean-up.
const MAX_FORGOTTEN: usize = 10;

/// Writes down what became of a delivery.
pub(crate) async fn record(
    tx: &mut Transaction<'static, Sqlite>,
    delivery: &Delivery,
    verdict: Verdict,
) -> Result<Accepted, StoreError> {
    let row = sqlx::query(
        "INSERT INTO deliveries
             (fingerprint, starts_at, status, workload, received_at, outcome, reason, action, alert)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)
         ON CONFLICT (fingerprint, starts_at, status) DO UPDATE
             SET workload = excluded.workload, outcome = excluded.outcome, reason = excluded.reason,
                 action = excluded.action, alert = coalesce(excluded.alert, alert)
         RETURNING *",
    )
    .bind(&delivery.cause.fingerprint)
    .bind(delivery.cause.starts_at.as_millis())
    .bind(delivery.status.as_str())
    .bind(&verdict.workload)
    .bind(delivery.received_at.as_millis())
    .bind(verdict.outcome.as_str())
    .bind(&verdict.reason)
    .bind(verdict.action.map(|id| id.to_string()))
    .bind(delivery.alert.as_ref().map(Value::to_string))
    .fetch_one(&mut **tx)
    .await
    .map_err(doing("write down a delivery"))?;
    let recorded = rows::delivery(&row)?;
    Ok(Accepted::New(recorded))
}

/// Deletes old deliveries for those that are new. Those of open actions stay: whether their alerts still fire is
/// asked for.
pub(crate) async fn make_room(
    connection: &mut SqliteConnection,
    accepted: &[Accepted],
) -> Result<(), StoreError> {
    let new = accepted.iter().filter_map(|accepted| match accepted {
        Accepted::New(delivery) => Some(delivery.received_at),
        Accepted::Duplicate(_) => None,
    });
    let Some(now) = new.clone().max() else {
        return Ok(());
    };
    let n_forgotten = new.count().saturating_mul(MAX_FORGOTTEN);
    sqlx::query(
        "DELETE FROM deliveries WHERE rowid IN (
             SELECT rowid FROM deliveries
             WHERE received_at < $1 AND (action IS NULL OR action NOT IN (SELECT id FROM open_actions))
             ORDER BY received_at LIMIT $2)",
    )
    .bind((now - RETENTION).as_millis())
    .bind(i64::try_from(n_forgotten).unwrap_or(i64::MAX))
    .execute(connection)
    .await
    .map_err(doing("delete old deliveries"))?;
    Ok(())
}
