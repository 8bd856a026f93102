//! Health of the journal: the outcome of the last attempt to write it.

use crate::{Journal, StoreError, error::doing, file::JournalFile};
use std::{
    pin::pin,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};
use tokio::task::spawn_blocking;

/// Time within which a disk should answer.
const PATIENCE: Duration = Duration::from_secs(5);

/// The outcome of the last attempt to write.
#[derive(Debug, Default)]
pub(crate) struct Health {
    trouble: Mutex<Option<String>>,
}

impl Health {
    /// Remembers an outcome, unless it says nothing about the files.
    pub(crate) fn note<T>(&self, outcome: &Result<T, StoreError>) {
        let trouble = match outcome {
            Ok(_) => None,
            Err(error) if error.is_fault() => Some(error.in_full()),
            Err(_) => return,
        };
        *self.trouble.lock().unwrap_or_else(PoisonError::into_inner) = trouble;
    }

    fn trouble(&self) -> Option<String> {
        let trouble = self.trouble.lock();
        trouble.unwrap_or_else(PoisonError::into_inner).clone()
    }
}

impl Journal {
    /// The trouble that keeps the journal from being written, as a sentence; none while it can be.
    ///
    /// It is what the last write or [`Journal::probe`] found.
    pub fn trouble(&self) -> Option<String> {
        let cause = self.health.trouble()?;
        let path = self.file.path().display();
        Some(format!("the journal {path} cannot be written: {cause}"))
    }

    /// Looks whether the file is still the one that was opened, without writing anything.
    pub async fn look_for_file(&self) -> Result<(), StoreError> {
        let found = self.find_file().await;
        if found.is_err() {
            self.health.note(&found);
        }
        found
    }

    /// Writes what says nothing new, to find out whether the journal can be written.
    pub async fn probe(&self) -> Result<(), StoreError> {
        let mut probing = pin!(self.write_version());
        let in_time = tokio::time::timeout(PATIENCE, &mut probing).await;
        if let Ok(probed) = in_time {
            return probed;
        }
        // It is not given up: another one would hang at the same place.
        self.health.note::<()>(&Err(StoreError::Slow));
        probing.await
    }

    async fn write_version(&self) -> Result<(), StoreError> {
        let mut tx = self.write().await?;
        let stamped = stamp(&mut tx).await;
        tx.finish("commit a probe", stamped).await
    }

    /// Refuses to go on without the database at its path.
    pub(crate) async fn find_file(&self) -> Result<(), StoreError> {
        self.find(JournalFile::check).await
    }

    /// The same for all files that there are while a connection is open.
    pub(crate) async fn find_all_files(&self) -> Result<(), StoreError> {
        self.find(JournalFile::check_all).await
    }

    /// Looks where blocking is allowed: they may be on a file system that hangs.
    async fn find(
        &self,
        look: fn(&JournalFile) -> Result<(), StoreError>,
    ) -> Result<(), StoreError> {
        let file = Arc::clone(&self.file);
        let looked = spawn_blocking(move || look(&file)).await;
        looked.unwrap_or(Err(StoreError::Interrupted))
    }
}

/// Writes the version that the file has.
async fn stamp(connection: &mut sqlx::SqliteConnection) -> Result<(), StoreError> {
    let failed = doing("probe the journal");
    let version: i64 = sqlx::query_scalar("PRAGMA user_version")
        .fetch_one(&mut *connection)
        .await
        .map_err(&failed)?;
    let stamp = format!("PRAGMA user_version = {version}");
    sqlx::raw_sql(sqlx::AssertSqlSafe(stamp))
        .execute(connection)
        .await
        .map_err(failed)?;
    Ok(())
}
