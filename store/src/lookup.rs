//! What must be known, within a transaction, before a delivery is judged.

use crate::{ActionId, State, StoreError, error::doing, rows};
use sqlx::SqliteConnection;
use std::collections::BTreeSet;

/// An action that still runs.
#[derive(Debug, Clone)]
pub(crate) struct Open {
    pub(crate) id: ActionId,
    pub(crate) workload: String,
    pub(crate) state: State,
}

/// The open actions on some workloads.
pub(crate) async fn open_on(
    connection: &mut SqliteConnection,
    workloads: &BTreeSet<&str>,
) -> Result<Vec<Open>, StoreError> {
    let rows = sqlx::query(
        "SELECT id, workload, state FROM open_actions WHERE workload IN (SELECT value FROM json_each($1))",
    )
    .bind(serde_json::json!(workloads).to_string())
    .fetch_all(connection)
    .await
    .map_err(doing("look for open actions"))?;
    rows.iter().map(rows::open).collect()
}

/// The states of some actions.
pub(crate) async fn states(
    connection: &mut SqliteConnection,
    actions: &BTreeSet<ActionId>,
) -> Result<Vec<(ActionId, State)>, StoreError> {
    if actions.is_empty() {
        return Ok(Vec::new());
    }
    let rows = sqlx::query(
        "SELECT id, workload, state FROM actions WHERE id IN (SELECT value FROM json_each($1))",
    )
    .bind(serde_json::json!(actions).to_string())
    .fetch_all(connection)
    .await
    .map_err(doing("look up the states of actions"))?;
    let open = rows.iter().map(rows::open);
    open.map(|one| one.map(|one| (one.id, one.state))).collect()
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
