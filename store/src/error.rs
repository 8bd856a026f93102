//! What can go wrong with the journal.

use crate::{ActionId, State};
use std::{path::PathBuf, sync::Arc};

/// A failed operation on the journal.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// The folder for the file cannot be made.
    #[error("cannot create the folder for the journal {}", path.display())]
    Folder {
        /// The journal's path.
        path: PathBuf,
        /// Why not.
        source: std::io::Error,
    },
    /// The file cannot be made, or cannot be kept to its owner.
    #[error("cannot prepare the journal {}", path.display())]
    File {
        /// The journal's path.
        path: PathBuf,
        /// Why not.
        source: std::io::Error,
    },
    /// A file that was opened is not at its path any more.
    #[error("{} is gone: put it back, or start the program anew", path.display())]
    Gone {
        /// The file.
        path: PathBuf,
        /// What the system says.
        source: std::io::Error,
    },
    /// Another file has taken the place of the one that was opened.
    #[error(
        "{} is not the file that was opened: put that one back, or start the program anew",
        path.display()
    )]
    Replaced {
        /// The file.
        path: PathBuf,
    },
    /// The file cannot be opened, or is no usable journal.
    #[error("cannot open the journal {}", path.display())]
    Open {
        /// The journal's path.
        path: PathBuf,
        /// Why not.
        source: Box<StoreError>,
    },
    /// A later version of the program wrote the file.
    #[error("the journal has schema version {0}, written by a newer version of this program")]
    Newer(i64),
    /// Another program's database.
    #[error("the file is the database of another program")]
    Foreign,
    /// Pages that do not fit together.
    #[error("the file is damaged ({0}): restore it from a backup, or move it away to start anew")]
    Corrupt(String),
    /// The database refused; `what` completes "cannot …".
    #[error("cannot {what}")]
    Database {
        /// The operation.
        what: &'static str,
        /// What the database says.
        source: sqlx::Error,
    },
    /// A row that this program could not have written.
    #[error("the journal holds {what} {text:?}, which this version cannot read")]
    Unreadable {
        /// Which column.
        what: &'static str,
        /// Its content.
        text: String,
    },
    /// No action has this identifier.
    #[error("there is no action {0}")]
    NotFound(ActionId),
    /// The action is no longer in the state that the caller saw; nothing was changed.
    #[error("action {id} is {found}, not {expected}")]
    Conflict {
        /// The action.
        id: ActionId,
        /// The state that the caller saw.
        expected: State,
        /// The state it is in.
        found: State,
    },
    /// The action has another plan than the one that the decision was about; nothing was changed.
    #[error("action {id} has another plan by now")]
    PlanChanged {
        /// The action.
        id: ActionId,
    },
    /// The program ends, or broke off; whether anything was written is not known.
    #[error("writing to the journal was interrupted")]
    Interrupted,
    /// Notifications come in faster than they can be written; nothing was changed.
    #[error("too many alerts wait to be written to the journal")]
    Behind,
    /// The disk does not answer; whether anything was written is not known.
    #[error("the journal's file system does not answer")]
    Slow,
    /// What hindered all that were to share a commit; nothing was changed.
    #[error(transparent)]
    Shared(Arc<StoreError>),
    /// Another action on the same workload is open; nothing was changed.
    #[error("workload {workload} already has an open action; reject that one, or wait for its end")]
    Busy {
        /// The workload.
        workload: String,
    },
}

/// SQLite's primary result codes that tell of the files rather than of the statement.
const FAULTS: [u32; 10] = [5, 6, 7, 8, 10, 11, 13, 14, 15, 26];

impl StoreError {
    /// Tells whether the files, and not what was asked of them, stand in the way of writing.
    pub(crate) fn is_fault(&self) -> bool {
        match self {
            Self::Folder { .. }
            | Self::File { .. }
            | Self::Gone { .. }
            | Self::Replaced { .. }
            | Self::Open { .. }
            | Self::Slow => true,
            Self::Database { source, .. } => is_fault(source),
            Self::Shared(error) => error.is_fault(),
            _ => false,
        }
    }

    /// The error with its causes in one line.
    pub(crate) fn in_full(&self) -> String {
        let first: &dyn std::error::Error = self;
        let causes = std::iter::successors(Some(first), |error| error.source());
        let words: Vec<_> = causes.map(ToString::to_string).collect();
        words.join(": ")
    }
}

fn is_fault(error: &sqlx::Error) -> bool {
    match error {
        sqlx::Error::Database(error) => {
            let code = error.code().and_then(|code| code.parse::<u32>().ok());
            code.is_some_and(|code| FAULTS.contains(&(code & 0xff)))
        }
        sqlx::Error::Io(_)
        | sqlx::Error::PoolTimedOut
        | sqlx::Error::PoolClosed
        | sqlx::Error::WorkerCrashed => true,
        _ => false,
    }
}

/// Wraps what the database says; `what` completes "cannot …".
pub(crate) fn doing(what: &'static str) -> impl Fn(sqlx::Error) -> StoreError {
    move |source| StoreError::Database { what, source }
}
