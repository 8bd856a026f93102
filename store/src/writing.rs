//! Transactions that write: as a whole or not at all, and never left open.

use crate::{Journal, StoreError, error::doing};
use sqlx::{Sqlite, SqliteConnection, pool::PoolConnection};
use std::ops::{Deref, DerefMut};

/// A transaction that holds the write lock from its beginning, so that what it reads stays true.
///
/// A connection on which anything went wrong is closed and not used again: SQLite ends some transactions by itself,
/// such as when the disk is full, and leaves others open. Whoever drops this without [`Writing::finish`], as a
/// caller who hangs up does, has written nothing.
pub(crate) struct Writing {
    /// Given back once the transaction has ended as it should.
    connection: Option<PoolConnection<Sqlite>>,
    journal: Journal,
}

/// The reason that a connection is there until the end.
const HELD: &str = "only the end gives the connection back";

impl Deref for Writing {
    type Target = SqliteConnection;

    fn deref(&self) -> &SqliteConnection {
        self.connection.as_ref().expect(HELD)
    }
}

impl DerefMut for Writing {
    fn deref_mut(&mut self) -> &mut SqliteConnection {
        self.connection.as_mut().expect(HELD)
    }
}

impl Drop for Writing {
    fn drop(&mut self) {
        if let Some(connection) = &mut self.connection {
            connection.close_on_drop();
        }
    }
}

impl Journal {
    /// Begins to write. Nothing is written to a file that is not at its place any more.
    pub(crate) async fn write(&self) -> Result<Writing, StoreError> {
        let begun = self.begin().await;
        if begun.is_err() {
            self.health.note(&begun);
        }
        begun
    }

    async fn begin(&self) -> Result<Writing, StoreError> {
        self.find_file().await?;
        let failed = doing("begin to write to the journal");
        let connection = self.writer.acquire().await.map_err(&failed)?;
        let mut tx = Writing {
            connection: Some(connection),
            journal: self.clone(),
        };
        let begin = sqlx::query("BEGIN IMMEDIATE").execute(&mut *tx);
        begin.await.map_err(failed)?;
        Ok(tx)
    }
}

impl Writing {
    /// Commits what went well, and takes back what did not; `what` completes "cannot …". Once this returns a value, it
    /// is on the disk, in the file that is at the journal's path.
    pub(crate) async fn finish<T>(
        mut self,
        what: &'static str,
        done: Result<T, StoreError>,
    ) -> Result<T, StoreError> {
        let outcome = match done {
            Ok(value) => self.commit(what).await.map(|()| value),
            Err(error) => {
                self.take_back(&error).await;
                Err(error)
            }
        };
        self.journal.health.note(&outcome);
        outcome
    }

    async fn commit(&mut self, what: &'static str) -> Result<(), StoreError> {
        let commit = sqlx::query("COMMIT").execute(&mut **self);
        commit.await.map_err(doing(what))?;
        if let Err(error) = self.journal.find_all_files().await {
            // This connection still holds a log that is gone: what it has goes into the database while that is so.
            let checkpoint = sqlx::raw_sql("PRAGMA wal_checkpoint(PASSIVE)");
            let _ = checkpoint.execute(&mut **self).await;
            return Err(error);
        }
        self.connection = None;
        Ok(())
    }

    async fn take_back(&mut self, error: &StoreError) {
        if error.is_fault() {
            return;
        }
        let rollback = sqlx::query("ROLLBACK").execute(&mut **self);
        if rollback.await.is_ok() {
            self.connection = None;
        }
    }
}
