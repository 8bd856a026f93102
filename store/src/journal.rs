//! Opening the file.

use crate::{StoreError, error::doing, intake::Line, schema};
use sqlx::{
    Sqlite, SqlitePool, Transaction,
    sqlite::{SqliteConnectOptions, SqliteJournalMode, SqlitePoolOptions, SqliteSynchronous},
};
use std::{fs, path::Path, sync::Arc, time::Duration};

/// The action journal. Cheap to clone; all clones share the file.
#[derive(Debug, Clone)]
pub struct Journal {
    /// One connection, so that writers of this process queue here instead of polling SQLite's lock.
    pub(crate) writer: SqlitePool,
    /// Readers see the last commit and never wait for the writer.
    pub(crate) readers: SqlitePool,
    /// What a notification has to know before it is taken in; it does not wait behind those who look at all actions.
    pub(crate) urgent: SqlitePool,
    /// Notifications that wait for the next commit.
    pub(crate) line: Arc<Line>,
}

/// How long another process, such as the command line, may hold the lock before we give up.
const BUSY_TIMEOUT: Duration = Duration::from_secs(5);

/// How long an operation waits for a connection of ours; beyond it the caller is better told.
const ACQUIRE_TIMEOUT: Duration = Duration::from_secs(10);

/// Pages of the write-ahead log at which a commit moves them into the database by itself; what notifications write
/// is moved before, beside the writer.
const MAX_LOG_PAGES: &str = "8000";

/// Enough for the API and a tick at once; each costs a thread.
const MAX_READERS: u32 = 4;

impl Journal {
    /// Opens the file, or makes it and its folder, and brings its tables up to date.
    pub async fn open(path: &Path) -> Result<Self, StoreError> {
        if let Some(folder) = path.parent().filter(|f| !f.as_os_str().is_empty()) {
            fs::create_dir_all(folder).map_err(|source| StoreError::Folder {
                path: path.to_owned(),
                source,
            })?;
        }
        Self::connect(path)
            .await
            .map_err(|source| StoreError::Open {
                path: path.to_owned(),
                source: Box::new(source),
            })
    }

    async fn connect(path: &Path) -> Result<Self, StoreError> {
        let failed = doing("connect to the file");
        let options = SqliteConnectOptions::new()
            .filename(path)
            .create_if_missing(true)
            .journal_mode(SqliteJournalMode::Wal)
            .synchronous(SqliteSynchronous::Full)
            .busy_timeout(BUSY_TIMEOUT)
            .foreign_keys(true)
            .pragma("wal_autocheckpoint", MAX_LOG_PAGES);
        let pool = |size| {
            SqlitePoolOptions::new()
                .max_connections(size)
                .acquire_timeout(ACQUIRE_TIMEOUT)
                // A file does not hang up, as a server does.
                .test_before_acquire(false)
        };
        let writer = pool(1)
            .connect_with(options.clone())
            .await
            .map_err(&failed)?;
        schema::check(&writer).await?;
        schema::migrate(&writer).await?;
        let readers = pool(MAX_READERS)
            .connect_with(options.clone())
            .await
            .map_err(&failed)?;
        let urgent = pool(1).connect_with(options).await.map_err(&failed)?;
        Ok(Self {
            writer,
            readers,
            urgent,
            line: Arc::default(),
        })
    }

    /// Waits for running operations and closes the file. Dropping the journal is safe too.
    pub async fn close(&self) {
        self.urgent.close().await;
        self.readers.close().await;
        self.writer.close().await;
    }

    /// A transaction that holds the write lock from its beginning, so that what it reads stays true.
    pub(crate) async fn write(&self) -> Result<Transaction<'static, Sqlite>, StoreError> {
        let failed = doing("begin to write to the journal");
        self.writer
            .begin_with("BEGIN IMMEDIATE")
            .await
            .map_err(failed)
    }
}
