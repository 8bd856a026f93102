//! Opening the file.

use crate::{StoreError, error::doing, file::JournalFile, health::Health, intake::Line, schema};
use sqlx::{
    Connection as _, SqlitePool,
    sqlite::{SqliteConnectOptions, SqliteJournalMode, SqlitePoolOptions, SqliteSynchronous},
};
use std::{
    path::Path,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
    time::Duration,
};

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
    pub(crate) file: Arc<JournalFile>,
    pub(crate) health: Arc<Health>,
    /// Grows with each commit that moves an action or an alert.
    changes: Arc<AtomicU64>,
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
        let file = JournalFile::prepare(path)?;
        Self::connect(file)
            .await
            .map_err(|source| StoreError::Open {
                path: path.to_owned(),
                source: Box::new(source),
            })
    }

    async fn connect(file: JournalFile) -> Result<Self, StoreError> {
        let failed = doing("connect to the file");
        let options = SqliteConnectOptions::new()
            .filename(file.path())
            // One that is gone while we run is not made anew, without anything in it.
            .create_if_missing(false)
            .journal_mode(SqliteJournalMode::Wal)
            .synchronous(SqliteSynchronous::Full)
            .busy_timeout(BUSY_TIMEOUT)
            .foreign_keys(true)
            .pragma("wal_autocheckpoint", MAX_LOG_PAGES);
        let pool = |size| {
            SqlitePoolOptions::new()
                .max_connections(size)
                .acquire_timeout(ACQUIRE_TIMEOUT)
                // The last connection that is closed takes the write-ahead log with it.
                .idle_timeout(None)
                .max_lifetime(None)
                .after_release(|connection, _| {
                    Box::pin(async {
                        // A rollback that is under way has ended by the answer.
                        connection.ping().await?;
                        Ok(!connection.is_in_transaction())
                    })
                })
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
            file: Arc::new(file),
            health: Arc::default(),
            changes: Arc::default(),
        })
    }

    /// Waits for running operations and closes the file. Dropping the journal is safe too.
    pub async fn close(&self) {
        if self.find_file().await.is_err() {
            // The last connection deletes the write-ahead log by its name, which may be another journal's by now.
            std::mem::forget(self.clone());
            return;
        }
        self.urgent.close().await;
        self.readers.close().await;
        self.writer.close().await;
    }

    /// A number that grows when an action or an alert was moved by this program, so that what was read before may be
    /// taken to hold as long as it stays the same.
    pub fn changes(&self) -> u64 {
        self.changes.load(Relaxed)
    }

    /// Notes that what was read before holds no more.
    pub(crate) fn note_change(&self) {
        self.changes.fetch_add(1, Relaxed);
    }
}
