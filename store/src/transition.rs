//! Moving an action from state to state, by compare-and-swap.

use crate::{
    Action, ActionId, Ending, Journal, State, StoreError, action::rfc3339, error::doing, rows,
};
use serde::Serialize;
use serde_json::Value;
use series::Timestamp;
use sqlx::SqliteConnection;

/// One line of an action's history.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Transition {
    /// Grows over the whole journal.
    pub seq: i64,
    /// None for the first one.
    pub from: Option<State>,
    /// The state that was entered; the same as `from` where only a remark was made.
    pub to: State,
    /// When.
    #[serde(serialize_with = "rfc3339")]
    pub at: Timestamp,
    /// Who: a person's name, or a part of the program.
    pub actor: String,
    /// Why, as a sentence.
    pub reason: String,
}

/// What a transition changes in an action.
#[derive(Debug, Clone, PartialEq)]
pub struct Change {
    /// The state to enter; the present one makes a remark.
    pub to: State,
    /// When.
    pub at: Timestamp,
    /// Who: a person's name, or a part of the program.
    pub actor: String,
    /// Why, as a sentence.
    pub reason: String,
    /// When the new state runs out.
    pub deadline: Option<Timestamp>,
    /// A new plan; none keeps the old one.
    pub plan: Option<Value>,
    /// What was found in the world; none keeps what was noted before.
    pub pre_image: Option<Value>,
    /// The stage of the rollout to begin; none keeps the present one.
    pub stage: Option<u32>,
    /// What the end means to the alerts that called for the action; none keeps what was said before.
    pub ending: Option<Ending>,
    /// When it began to wait for its turn; none keeps what was noted before.
    pub queued_at: Option<Timestamp>,
    /// The [`Action::plan_no`] that the decision is about; none holds for any plan.
    pub of_plan: Option<u32>,
}

impl Change {
    /// A change of state, without a deadline, that leaves all else as it is.
    pub fn new(
        to: State,
        at: Timestamp,
        actor: impl Into<String>,
        reason: impl Into<String>,
    ) -> Self {
        Self {
            to,
            at,
            actor: actor.into(),
            reason: reason.into(),
            deadline: None,
            plan: None,
            pre_image: None,
            stage: None,
            ending: None,
            queued_at: None,
            of_plan: None,
        }
    }
}

impl Journal {
    /// Moves an action if it is still in the state `from`, and writes the line of history with it.
    ///
    /// Entering `applying` stamps [`Action::applied_at`] the first time, and [`Action::stage_at`] each time.
    /// Answers [`StoreError::Conflict`] or [`StoreError::PlanChanged`] when somebody was faster, and
    /// [`StoreError::Busy`] when a closed action would reopen beside another.
    pub async fn transition(
        &self,
        id: ActionId,
        from: State,
        change: &Change,
    ) -> Result<Action, StoreError> {
        let mut tx = self.write().await?;
        let moved = swap(&mut tx, id, from, change).await;
        let moved = tx.finish("commit a transition", moved).await?;
        self.note_change();
        Ok(moved)
    }

    /// Keeps what was measured of an action, in place of what was kept before. It moves nothing.
    pub async fn note_effect(&self, id: ActionId, effect: &Value) -> Result<(), StoreError> {
        let mut tx = self.write().await?;
        let update = sqlx::query("UPDATE actions SET effect = $2 WHERE id = $1")
            .bind(id.to_string())
            .bind(effect.to_string())
            .execute(&mut *tx)
            .await;
        let noted = update
            .map(drop)
            .map_err(doing("write down what was measured"));
        tx.finish("commit what was measured", noted).await
    }
}

/// The compare-and-swap itself, for transactions that do more.
pub(crate) async fn swap(
    connection: &mut SqliteConnection,
    id: ActionId,
    from: State,
    change: &Change,
) -> Result<Action, StoreError> {
    let updated = sqlx::query(
        "UPDATE actions SET state = $3, updated_at = $4, deadline = $5, reason = $6,
             plan = coalesce($7, plan), pre_image = coalesce($8, pre_image),
             plan_no = plan_no + ($7 IS NOT NULL), stage = coalesce($9, stage),
             applied_at = CASE WHEN $3 = 'applying' THEN coalesce(applied_at, $4) ELSE applied_at END,
             ending = coalesce($11, ending), queued_at = coalesce($12, queued_at),
             moved = (SELECT coalesce(max(seq), 0) + 1 FROM transitions),
             stage_at = CASE WHEN $3 = 'applying' AND $2 <> 'applying' THEN $4 ELSE stage_at END
         WHERE id = $1 AND state = $2 AND ($10 IS NULL OR plan_no = $10) RETURNING *",
    )
    .bind(id.to_string())
    .bind(from.as_str())
    .bind(change.to.as_str())
    .bind(change.at.as_millis())
    .bind(change.deadline.map(Timestamp::as_millis))
    .bind(&change.reason)
    .bind(change.plan.as_ref().map(Value::to_string))
    .bind(change.pre_image.as_ref().map(Value::to_string))
    .bind(change.stage)
    .bind(change.of_plan)
    .bind(change.ending.map(Ending::as_str))
    .bind(change.queued_at.map(Timestamp::as_millis))
    .fetch_optional(&mut *connection)
    .await;
    match updated {
        Ok(Some(row)) => {
            append(connection, id, Some(from), change).await?;
            rows::action(&row)
        }
        Ok(None) => Err(why_not(connection, id, from).await?),
        Err(error) if is_unique_violation(&error) => Err(StoreError::Busy {
            workload: fetch(connection, id).await?.workload,
        }),
        Err(source) => Err(doing("move an action")(source)),
    }
}

async fn why_not(
    connection: &mut SqliteConnection,
    id: ActionId,
    expected: State,
) -> Result<StoreError, StoreError> {
    let found = fetch(connection, id).await?.state;
    if found == expected {
        return Ok(StoreError::PlanChanged { id });
    }
    Ok(StoreError::Conflict {
        id,
        expected,
        found,
    })
}

/// Writes a line of history.
pub(crate) async fn append(
    connection: &mut SqliteConnection,
    id: ActionId,
    from: Option<State>,
    change: &Change,
) -> Result<(), StoreError> {
    sqlx::query(
        "INSERT INTO transitions (action, from_state, to_state, at, actor, reason)
         VALUES ($1, $2, $3, $4, $5, $6)",
    )
    .bind(id.to_string())
    .bind(from.map(State::as_str))
    .bind(change.to.as_str())
    .bind(change.at.as_millis())
    .bind(&change.actor)
    .bind(&change.reason)
    .execute(connection)
    .await
    .map_err(doing("write an action's history"))?;
    Ok(())
}

pub(crate) async fn fetch(
    connection: &mut SqliteConnection,
    id: ActionId,
) -> Result<Action, StoreError> {
    let row = sqlx::query("SELECT * FROM actions WHERE id = $1")
        .bind(id.to_string())
        .fetch_optional(connection)
        .await
        .map_err(doing("read an action"))?;
    row.map_or(Err(StoreError::NotFound(id)), |row| rows::action(&row))
}

/// All lines of an action's history, oldest first.
pub(crate) async fn history(
    connection: &mut SqliteConnection,
    id: ActionId,
) -> Result<Vec<Transition>, StoreError> {
    let rows = sqlx::query("SELECT * FROM transitions WHERE action = $1 ORDER BY seq")
        .bind(id.to_string())
        .fetch_all(connection)
        .await
        .map_err(doing("read an action's history"))?;
    rows.iter().map(rows::transition).collect()
}

pub(crate) fn is_unique_violation(error: &sqlx::Error) -> bool {
    error
        .as_database_error()
        .is_some_and(sqlx::error::DatabaseError::is_unique_violation)
}
