//! The tables, version by version.

use crate::{StoreError, error::doing};
use sqlx::SqlitePool;

/// Each file takes the schema to its version from the one before; a published file is never changed.
const VERSIONS: [(i64, &str); 6] = [
    (1, include_str!("sql/0001_journal.sql")),
    (2, include_str!("sql/0002_views.sql")),
    (3, include_str!("sql/0003_rollouts.sql")),
    (4, include_str!("sql/0004_kill_switch.sql")),
    (5, include_str!("sql/0005_occurrences.sql")),
    (6, include_str!("sql/0006_attention.sql")),
];

/// The version that this program writes.
const NEWEST: i64 = VERSIONS[VERSIONS.len() - 1].0;

/// Marks the file as ours in SQLite's header, so that another program's database is not taken over.
const APPLICATION_ID: i64 = 0x466f_7265;

/// Brings the file to the newest version, each step in a transaction of its own.
pub(crate) async fn migrate(pool: &SqlitePool) -> Result<(), StoreError> {
    let failed = doing("bring the journal's tables up to date");
    for (to, sql) in VERSIONS {
        let mut tx = pool.begin_with("BEGIN IMMEDIATE").await.map_err(&failed)?;
        let version: i64 = sqlx::query_scalar("PRAGMA user_version")
            .fetch_one(&mut *tx)
            .await
            .map_err(&failed)?;
        if version > NEWEST {
            return Err(StoreError::Newer(version));
        }
        if version >= to {
            continue;
        }
        sqlx::raw_sql(sql)
            .execute(&mut *tx)
            .await
            .map_err(&failed)?;
        let stamp = format!("PRAGMA user_version = {to}");
        sqlx::raw_sql(sqlx::AssertSqlSafe(stamp))
            .execute(&mut *tx)
            .await
            .map_err(&failed)?;
        tx.commit().await.map_err(&failed)?;
    }
    Ok(())
}

/// Refuses a database that another program made, and one whose pages do not fit together.
pub(crate) async fn check(pool: &SqlitePool) -> Result<(), StoreError> {
    let failed = doing("read the journal");
    let application: i64 = sqlx::query_scalar("PRAGMA application_id")
        .fetch_one(pool)
        .await
        .map_err(&failed)?;
    let n_tables: i64 = sqlx::query_scalar("SELECT count(*) FROM sqlite_schema")
        .fetch_one(pool)
        .await
        .map_err(&failed)?;
    match (application, n_tables) {
        (APPLICATION_ID, _) => {}
        (0, 0) => {
            let stamp = format!("PRAGMA application_id = {APPLICATION_ID}");
            sqlx::raw_sql(sqlx::AssertSqlSafe(stamp))
                .execute(pool)
                .await
                .map_err(&failed)?;
        }
        _ => return Err(StoreError::Foreign),
    }
    let verdict: String = sqlx::query_scalar("PRAGMA quick_check(1)")
        .fetch_one(pool)
        .await
        .map_err(&failed)?;
    match verdict.as_str() {
        "ok" => Ok(()),
        _ => Err(StoreError::Corrupt(verdict)),
    }
}
