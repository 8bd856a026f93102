//! Who threw the kill switch or took it back, append-only like all history.

use crate::{Journal, StoreError, action::rfc3339, error::doing, rows};
use serde::Serialize;
use series::Timestamp;

/// One turn of the kill switch by a person.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct SwitchTurn {
    /// Grows with each turn.
    pub seq: i64,
    /// Whether it was thrown; else it was taken back.
    pub thrown: bool,
    /// When.
    #[serde(serialize_with = "rfc3339")]
    pub at: Timestamp,
    /// Who.
    pub actor: String,
    /// Why, as a sentence.
    pub reason: String,
}

impl Journal {
    /// Writes a turn of the kill switch down.
    pub async fn note_switch(
        &self,
        thrown: bool,
        at: Timestamp,
        actor: &str,
        reason: &str,
    ) -> Result<(), StoreError> {
        let mut tx = self.write().await?;
        let insert = sqlx::query(
            "INSERT INTO kill_switch (thrown, at, actor, reason) VALUES ($1, $2, $3, $4)",
        )
        .bind(thrown)
        .bind(at.as_millis())
        .bind(actor)
        .bind(reason)
        .execute(&mut *tx)
        .await;
        let noted = insert
            .map(drop)
            .map_err(doing("write down a turn of the kill switch"));
        tx.finish("commit a turn of the kill switch", noted).await
    }

    /// The last turn of the kill switch; none where nobody ever turned it here.
    pub async fn last_switch(&self) -> Result<Option<SwitchTurn>, StoreError> {
        let row = sqlx::query("SELECT * FROM kill_switch ORDER BY seq DESC LIMIT 1")
            .fetch_optional(&self.readers)
            .await
            .map_err(doing("read the last turn of the kill switch"))?;
        row.map(|row| rows::switch_turn(&row)).transpose()
    }

    /// At most `limit` turns of the kill switch at or after `since` with a larger number than `after`, oldest
    /// first.
    pub async fn switches(
        &self,
        since: Option<Timestamp>,
        after: i64,
        limit: u32,
    ) -> Result<Vec<SwitchTurn>, StoreError> {
        let rows = sqlx::query(
            "SELECT * FROM kill_switch WHERE seq > $1 AND ($2 IS NULL OR at >= $2) ORDER BY seq LIMIT $3",
        )
        .bind(after)
        .bind(since.map(Timestamp::as_millis))
        .bind(i64::from(limit))
        .fetch_all(&self.readers)
        .await
        .map_err(doing("list the turns of the kill switch"))?;
        rows.iter().map(rows::switch_turn).collect()
    }
}
