//! Looks at an effect: what each check found before and after, and what was made of it.

use crate::{ActionId, Journal, StoreError, action::rfc3339, action::words, error::doing, rows};
use serde::Serialize;
use serde_json::Value;
use series::Timestamp;
use sqlx::SqliteConnection;

words! {
    /// What one look of one check came to.
    LookVerdict, "a verdict":
    /// What was found before the effect; it is not judged.
    Baseline = "baseline",
    /// It is as it should be.
    Successful = "successful",
    /// It got worse.
    Failed = "failed",
    /// It cannot be called good or bad.
    Inconclusive = "inconclusive",
    /// It could not be evaluated.
    Error = "error",
}

/// One look of one check at one stage of an action.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Look {
    /// The stage of the rollout, from 0.
    pub stage: u32,
    /// Counts the looks of a stage from 1; 0 is what was found before the effect.
    pub number: u32,
    /// When.
    #[serde(serialize_with = "rfc3339")]
    pub at: Timestamp,
    /// The check's name; unique within the workload.
    pub check: String,
    /// What it came to.
    pub verdict: LookVerdict,
    /// What was found before the effect, where the check compares with that.
    pub before: Option<Value>,
    /// What was found this time.
    pub after: Option<Value>,
    /// Why, as a sentence.
    pub reason: String,
}

impl Journal {
    /// Writes looks down, all or none.
    pub async fn note_looks(&self, id: ActionId, looks: &[Look]) -> Result<(), StoreError> {
        let mut tx = self.write().await?;
        let noted = note(&mut tx, id, looks).await;
        tx.finish("commit a look at an effect", noted).await
    }

    /// All looks at an action's effect, oldest first.
    pub async fn looks(&self, id: ActionId) -> Result<Vec<Look>, StoreError> {
        let failed = doing("read the looks at an effect");
        let mut connection = self.readers.acquire().await.map_err(failed)?;
        looks(&mut connection, id).await
    }
}

async fn note(
    connection: &mut SqliteConnection,
    id: ActionId,
    looks: &[Look],
) -> Result<(), StoreError> {
    for look in looks {
        sqlx::query(
            r#"INSERT INTO looks
                   (action, stage, number, at, "check", verdict, "before", "after", reason)
               VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)"#,
        )
        .bind(id.to_string())
        .bind(look.stage)
        .bind(look.number)
        .bind(look.at.as_millis())
        .bind(&look.check)
        .bind(look.verdict.as_str())
        .bind(look.before.as_ref().map(Value::to_string))
        .bind(look.after.as_ref().map(Value::to_string))
        .bind(&look.reason)
        .execute(&mut *connection)
        .await
        .map_err(doing("write down a look at an effect"))?;
    }
    Ok(())
}

/// All looks at an action's effect, oldest first.
pub(crate) async fn looks(
    connection: &mut SqliteConnection,
    id: ActionId,
) -> Result<Vec<Look>, StoreError> {
    let rows = sqlx::query("SELECT * FROM looks WHERE action = $1 ORDER BY seq")
        .bind(id.to_string())
        .fetch_all(connection)
        .await
        .map_err(doing("read the looks at an effect"))?;
    rows.iter().map(rows::look).collect()
}
