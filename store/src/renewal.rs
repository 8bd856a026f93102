//! Alerts that go on firing after their action has ended.

use crate::{
    Action, ActionId, AlertStatus, Delivery, Journal, Proposal, StoreError, accept::propose,
    error::doing, lookup::open_action, rows,
};
use series::Timestamp;
use sqlx::SqliteConnection;

impl Journal {
    /// For each workload its last action, if that succeeded or was not needed while one of its alerts, first
    /// heard of since `since`, fires to this day.
    ///
    /// Where a person or a guard said no last, or an effect failed or was undone, there is none.
    pub async fn outlasted(&self, since: Timestamp) -> Result<Vec<Action>, StoreError> {
        let rows = sqlx::query(
            // What fires is read from an index alone, and each action once however many alerts call for it.
            "SELECT past.* FROM (
                 SELECT DISTINCT action FROM firing WHERE action IS NOT NULL AND received_at >= $1) AS called
             JOIN actions AS past ON past.id = called.action
             WHERE past.state IN ('succeeded', 'superseded') AND NOT EXISTS (
                 SELECT 1 FROM actions AS later
                 WHERE later.workload = past.workload
                   AND (later.created_at, later.id) > (past.created_at, past.id))",
        )
        .bind(since.as_millis())
        .fetch_all(&self.readers)
        .await
        .map_err(doing("list actions whose alerts still fire"))?;
        rows.iter().map(rows::action).collect()
    }

    /// Proposes another action on the workload of `past`, in one transaction. All alerts that outlasted an
    /// action on that workload call for the new one from now on. None when no alert outlasts `past` any more,
    /// or when the workload has an open action.
    pub async fn propose_again(
        &self,
        past: ActionId,
        proposal: &Proposal,
        now: Timestamp,
    ) -> Result<Option<ActionId>, StoreError> {
        let mut tx = self.write().await?;
        let proposed = hand_on(&mut tx, past, proposal, now).await;
        tx.finish("commit another action", proposed).await
    }
}

async fn hand_on(
    connection: &mut SqliteConnection,
    past: ActionId,
    proposal: &Proposal,
    now: Timestamp,
) -> Result<Option<ActionId>, StoreError> {
    if open_action(connection, &proposal.workload).await?.is_some() {
        return Ok(None);
    }
    let Some(delivery) = oldest_firing(connection, past, now).await? else {
        return Ok(None);
    };
    let id = propose(connection, &delivery, proposal).await?;
    sqlx::query(
        "UPDATE deliveries SET action = $1, reason = $2
         WHERE seq IN (SELECT seq FROM outlasting WHERE workload = $3)",
    )
    .bind(id.to_string())
    .bind(&proposal.reason)
    .bind(&proposal.workload)
    .execute(connection)
    .await
    .map_err(doing("hand alerts on to another action"))?;
    Ok(Some(id))
}

/// The alert that has called for an action for longest, as if it were heard of now.
async fn oldest_firing(
    connection: &mut SqliteConnection,
    id: ActionId,
    now: Timestamp,
) -> Result<Option<Delivery>, StoreError> {
    let sql = "SELECT * FROM outlasting WHERE action = $1 ORDER BY received_at LIMIT 1";
    let row = sqlx::query(sql)
        .bind(id.to_string())
        .fetch_optional(connection)
        .await
        .map_err(doing("look for an alert that still fires"))?;
    let recorded = row.map(|row| rows::delivery(&row)).transpose()?;
    Ok(recorded.map(|recorded| Delivery {
        cause: recorded.cause,
        status: AlertStatus::Firing,
        ends_at: None,
        received_at: now,
        alert: recorded.alert,
    }))
}
