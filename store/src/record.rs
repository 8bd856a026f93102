//! Writing deliveries down, and forgetting the oldest ones in turn.

use crate::{Accepted, StoreError, error::doing, known::Row};
use serde_json::{Value, json};
use series::Timestamp;
use sqlx::SqliteConnection;
use std::time::Duration;

/// How long deliveries are kept. An alert that fires for longer is new when it is heard of again.
const RETENTION: Duration = Duration::from_hours(30 * 24);

/// How many old deliveries go for each new one: more than one, so that a backlog shrinks, and few, so that
/// no delivery waits for a great clean-up.
const MAX_FORGOTTEN: usize = 10;

/// How exactly it is known when an alert was last heard of: to write down each repetition would cost a wait for the
/// disk each.
pub(crate) const HEARING: Duration = Duration::from_mins(10);

/// Writes down what is new of some deliveries, by three statements however many they are.
pub(crate) async fn write_down(
    connection: &mut SqliteConnection,
    rows: &[Row],
) -> Result<(), StoreError> {
    let (old, new): (Vec<_>, Vec<_>) = rows
        .iter()
        .filter(|row| row.is_changed)
        .partition(|row| row.seq.is_some());
    if !old.is_empty() {
        sqlx::query(
            "UPDATE deliveries SET begun_at = value ->> 'begun_at', ended_at = value ->> 'ended_at',
                 heard_at = value ->> 'heard_at',
                 workload = value ->> 'workload', outcome = value ->> 'outcome', reason = value ->> 'reason',
                 action = value ->> 'action', alert = coalesce(value ->> 'alert', alert)
             FROM json_each($1) WHERE seq = value ->> 'seq'",
        )
        .bind(as_json(&old))
        .execute(&mut *connection)
        .await
        .map_err(doing("write down what became of deliveries"))?;
    }
    let heard = rows.iter().filter(|row| row.is_heard && !row.is_changed);
    let heard: Vec<_> = heard
        .filter_map(|row| Some(json!({"seq": row.seq?, "at": row.heard_at.as_millis()})))
        .collect();
    if !heard.is_empty() {
        sqlx::query(
            "UPDATE deliveries SET heard_at = value ->> 'at'
             FROM json_each($1) WHERE seq = value ->> 'seq'",
        )
        .bind(Value::Array(heard).to_string())
        .execute(&mut *connection)
        .await
        .map_err(doing("note repeated alerts"))?;
    }
    if !new.is_empty() {
        sqlx::query(
            "INSERT INTO deliveries (fingerprint, starts_at, status, begun_at, ends_at, ended_at, workload, received_at,
                 heard_at, outcome, reason, action, alert)
             SELECT value ->> 'fingerprint', value ->> 'starts_at', value ->> 'status', value ->> 'begun_at',
                 value ->> 'ends_at', value ->> 'ended_at', value ->> 'workload', value ->> 'received_at',
                 value ->> 'heard_at', value ->> 'outcome', value ->> 'reason', value ->> 'action', value ->> 'alert'
             FROM json_each($1) ORDER BY key",
        )
        .bind(as_json(&new))
        .execute(connection)
        .await
        .map_err(doing("write down deliveries"))?;
    }
    Ok(())
}

fn as_json(rows: &[&Row]) -> String {
    let millis = |at: Option<Timestamp>| at.map(Timestamp::as_millis);
    let row = |row: &&Row| {
        let delivery = &row.delivery;
        json!({
            "seq": row.seq,
            "fingerprint": delivery.cause.fingerprint,
            "starts_at": delivery.cause.starts_at.as_millis(),
            "status": delivery.status,
            "begun_at": row.begun_at.as_millis(),
            "ends_at": millis(row.ends_at),
            "ended_at": millis(row.ended_at),
            "workload": delivery.workload,
            "received_at": delivery.received_at.as_millis(),
            "heard_at": row.heard_at.as_millis(),
            "outcome": delivery.outcome,
            "reason": delivery.reason,
            "action": delivery.action,
            "alert": delivery.alert.as_ref().map(Value::to_string),
        })
    };
    Value::Array(rows.iter().map(row).collect()).to_string()
}

/// Deletes old deliveries for those that are new. Those of open actions stay: whether their alerts still fire is
/// asked for.
pub(crate) async fn make_room(
    connection: &mut SqliteConnection,
    accepted: impl Iterator<Item = &Accepted>,
) -> Result<(), StoreError> {
    let new: Vec<_> = accepted
        .filter_map(|accepted| match accepted {
            Accepted::New(delivery) => Some(delivery.received_at),
            Accepted::Duplicate(_) => None,
        })
        .collect();
    let Some(now) = new.iter().max() else {
        return Ok(());
    };
    let n_forgotten = new.len().saturating_mul(MAX_FORGOTTEN);
    sqlx::query(
        "DELETE FROM deliveries WHERE seq IN (
             SELECT seq FROM deliveries
             WHERE received_at < $1 AND heard_at < $1 AND (action IS NULL OR action NOT IN (SELECT id FROM open_actions))
             ORDER BY received_at LIMIT $2)",
    )
    .bind((*now - RETENTION).as_millis())
    .bind(i64::try_from(n_forgotten).unwrap_or(i64::MAX))
    .execute(connection)
    .await
    .map_err(doing("delete old deliveries"))?;
    Ok(())
}
