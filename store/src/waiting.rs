//! Alerts that fire while no action is open for them, and the next action for those of one workload.

use crate::{
    Action, ActionId, AlertStatus, Delivery, Ending, Journal, Outcome, Proposal, RecordedDelivery,
    StoreError, accept::propose, error::doing, lookup::open_on, rows,
};
use series::Timestamp;
use sqlx::SqliteConnection;

/// Alerts of one workload that fire and have the same past: no action yet, or the same one that has ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Waiting {
    /// The workload.
    pub workload: String,
    /// The action that ended last for them; none where they are deferred.
    pub action: Option<ActionId>,
    /// What its end means to them.
    pub ending: Option<Ending>,
    /// Whether it calls for another action; not where an end stands against it.
    pub calls: bool,
    /// How many alerts.
    pub n_alerts: u32,
    /// When the first of them was heard of.
    pub first_heard_at: Timestamp,
    /// When one of them was heard of last.
    pub last_heard_at: Timestamp,
}

impl Journal {
    /// All alerts that fire about a workload without an open action of theirs, but for those that a person said no
    /// to; grouped, the workload's group whose action moved last being first.
    pub async fn waiting(&self) -> Result<Vec<Waiting>, StoreError> {
        let rows = sqlx::query(
            "SELECT firing.workload, firing.action, actions.ending, count(*) AS n_alerts,
                 firing.action IS NULL OR actions.ending <> 'undone' AND NOT EXISTS (
                     SELECT 1 FROM actions AS other
                     WHERE other.workload = actions.workload AND other.moved > actions.moved
                       AND other.ending IN ('refused', 'undone')
                       AND other.state IN ('rejected', 'rolled_back', 'failed')) AS calls,
                 min(firing.received_at) AS first_heard_at, max(firing.heard_at) AS last_heard_at
             FROM firing LEFT JOIN actions ON actions.id = firing.action
             WHERE firing.workload IS NOT NULL AND (firing.outcome = 'deferred' OR (
                 actions.ending <> 'refused'
                 AND actions.id NOT IN (SELECT id FROM open_actions)))
             GROUP BY firing.workload, firing.action
             ORDER BY firing.workload, actions.moved DESC",
        )
        .fetch_all(&self.readers)
        .await
        .map_err(doing("list the alerts that wait"))?;
        rows.iter().map(rows::waiting).collect()
    }

    /// At most `limit` of the alerts of a workload that [`Journal::waiting`] counts, oldest first.
    pub async fn waiting_alerts(
        &self,
        workload: &str,
        limit: u32,
    ) -> Result<Vec<RecordedDelivery>, StoreError> {
        let rows = sqlx::query(
            "SELECT firing.* FROM firing LEFT JOIN actions ON actions.id = firing.action
             WHERE firing.workload = $1 AND (firing.outcome = 'deferred' OR (
                 actions.ending <> 'refused'
                 AND actions.id NOT IN (SELECT id FROM open_actions)))
             ORDER BY firing.received_at, firing.seq LIMIT $2",
        )
        .bind(workload)
        .bind(i64::from(limit))
        .fetch_all(&self.readers)
        .await
        .map_err(doing("list the alerts of a workload that wait"))?;
        rows.iter().map(rows::delivery).collect()
    }

    /// Proposes an action for the alerts of a workload that wait, heard of at or after `since`, in one
    /// transaction: all of them call for it from now on. Where the workload has an open action, the deferred ones
    /// join that. None when there is such an action, or when no alert waits any more.
    pub async fn propose_waiting(
        &self,
        proposal: &Proposal,
        since: Timestamp,
        now: Timestamp,
    ) -> Result<Option<ActionId>, StoreError> {
        let mut tx = self.write().await?;
        let proposed = propose_waiting(&mut tx, proposal, since, now).await;
        let proposed = tx.finish("commit another action", proposed).await?;
        self.note_change();
        Ok(proposed)
    }

    /// At most `limit` firing alerts beyond the one numbered `after` that no action is open for and nobody said no to,
    /// whether or not a workload is about them, each with its number, in the order of these: those to be matched anew
    /// after a reload.
    pub async fn unsettled(
        &self,
        after: i64,
        limit: u32,
    ) -> Result<Vec<(i64, RecordedDelivery)>, StoreError> {
        let rows = sqlx::query(
            "SELECT firing.* FROM firing LEFT JOIN actions ON actions.id = firing.action
             WHERE firing.seq > $1 AND firing.outcome <> 'ignored' AND (firing.action IS NULL OR (
                 actions.ending <> 'refused'
                 AND actions.id NOT IN (SELECT id FROM open_actions)))
             ORDER BY firing.seq LIMIT $2",
        )
        .bind(after)
        .bind(i64::from(limit))
        .fetch_all(&self.readers)
        .await
        .map_err(doing("list alerts to be matched anew"))?;
        rows.iter().map(rows::numbered).collect()
    }

    /// Hands the firing alert of a number to another workload, for which it is deferred, or to none.
    pub async fn rematch(
        &self,
        seq: i64,
        workload: Option<&str>,
        reason: &str,
    ) -> Result<(), StoreError> {
        let outcome = match workload {
            Some(_) => Outcome::Deferred,
            None => Outcome::Unmatched,
        };
        let mut tx = self.write().await?;
        let handed = sqlx::query(
            "UPDATE deliveries SET workload = $2, outcome = $3, reason = $4, action = NULL
             WHERE seq = $1 AND status = 'firing'
               AND (action IS NULL OR action NOT IN (SELECT id FROM open_actions))",
        )
        .bind(seq)
        .bind(workload)
        .bind(outcome.as_str())
        .bind(reason)
        .execute(&mut *tx)
        .await
        .map(drop)
        .map_err(doing("hand an alert to another workload"));
        tx.finish("commit a rematched alert", handed).await?;
        self.note_change();
        Ok(())
    }
}

async fn propose_waiting(
    connection: &mut SqliteConnection,
    proposal: &Proposal,
    since: Timestamp,
    now: Timestamp,
) -> Result<Option<ActionId>, StoreError> {
    let workload = proposal.workload.as_str();
    let open = open_on(connection, &[workload].into()).await?;
    if let Some(open) = open.first() {
        let reason = format!("action {} on {workload} is {}", open.id, open.state);
        join_deferred(connection, workload, open.id, &reason).await?;
        return Ok(None);
    }
    let Some((seq, first)) = first_waiting(connection, workload, since).await? else {
        return Ok(None);
    };
    let delivery = Delivery {
        cause: first.cause,
        status: AlertStatus::Firing,
        ends_at: None,
        received_at: now,
        alert: first.alert,
    };
    let id = propose(connection, &delivery, proposal, first.received_at).await?;
    if first.outcome == Outcome::Deferred {
        act(connection, seq, id, &proposal.reason).await?;
    }
    let reason = format!("action {id} on {workload} was proposed");
    join_deferred(connection, workload, id, &reason).await?;
    Ok(Some(id))
}

/// The ended action that the alerts of a workload call for again: the one that moved last.
pub(crate) async fn last_called_for(
    connection: &mut SqliteConnection,
    workload: &str,
) -> Result<Option<Action>, StoreError> {
    let row = sqlx::query(
        "SELECT * FROM actions WHERE workload = $1
             AND EXISTS (SELECT 1 FROM calling WHERE calling.action = actions.id)
         ORDER BY moved DESC LIMIT 1",
    )
    .bind(workload)
    .fetch_optional(connection)
    .await
    .map_err(doing("look for the last attempt on a workload"))?;
    row.map(|row| rows::action(&row)).transpose()
}

/// Hands the alerts that outlasted earlier actions on a workload to a new one.
pub(crate) async fn hand_on(
    connection: &mut SqliteConnection,
    id: ActionId,
    proposal: &Proposal,
) -> Result<(), StoreError> {
    sqlx::query(
        "UPDATE deliveries SET action = $1, reason = $2
         WHERE status = 'firing' AND ended_at IS NULL
           AND action IN (SELECT id FROM actions WHERE workload = $3)
           AND seq IN (SELECT seq FROM calling WHERE calling.action = deliveries.action)",
    )
    .bind(id.to_string())
    .bind(&proposal.reason)
    .bind(&proposal.workload)
    .execute(connection)
    .await
    .map_err(doing("hand alerts on to another action"))?;
    Ok(())
}

/// The alert that has waited for longest, with its number.
async fn first_waiting(
    connection: &mut SqliteConnection,
    workload: &str,
    since: Timestamp,
) -> Result<Option<(i64, RecordedDelivery)>, StoreError> {
    let row = sqlx::query(
        "SELECT * FROM firing WHERE workload = $1 AND heard_at >= $2 AND (outcome = 'deferred' OR (
             action IN (SELECT id FROM actions WHERE workload = $1)
             AND seq IN (SELECT seq FROM calling WHERE calling.action = firing.action)))
         ORDER BY received_at, seq LIMIT 1",
    )
    .bind(workload)
    .bind(since.as_millis())
    .fetch_optional(connection)
    .await
    .map_err(doing("look for an alert that still fires"))?;
    row.map(|row| rows::numbered(&row)).transpose()
}

/// The alert that has brought an action about, after it was deferred.
async fn act(
    connection: &mut SqliteConnection,
    seq: i64,
    id: ActionId,
    reason: &str,
) -> Result<(), StoreError> {
    sqlx::query("UPDATE deliveries SET outcome = 'acted', action = $2, reason = $3 WHERE seq = $1")
        .bind(seq)
        .bind(id.to_string())
        .bind(reason)
        .execute(connection)
        .await
        .map_err(doing("take up a deferred alert"))?;
    Ok(())
}

async fn join_deferred(
    connection: &mut SqliteConnection,
    workload: &str,
    id: ActionId,
    reason: &str,
) -> Result<(), StoreError> {
    sqlx::query(
        "UPDATE deliveries SET outcome = 'joined', action = $1, reason = $2
         WHERE status = 'firing' AND ended_at IS NULL AND outcome = 'deferred' AND workload = $3",
    )
    .bind(id.to_string())
    .bind(reason)
    .bind(workload)
    .execute(connection)
    .await
    .map_err(doing("join deferred alerts to an action"))?;
    Ok(())
}
