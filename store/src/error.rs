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

/// Wraps what the database says; `what` completes "cannot …".
pub(crate) fn doing(what: &'static str) -> impl Fn(sqlx::Error) -> StoreError {
    move |source| StoreError::Database { what, source }
}
