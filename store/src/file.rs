//! The journal's files: readable by their owner alone, and still those that were opened.

use crate::StoreError;
use std::{
    ffi::OsString,
    fs::{self, DirBuilder, Metadata, OpenOptions, Permissions},
    io::{self, ErrorKind},
    os::unix::fs::{
        DirBuilderExt as _, MetadataExt as _, OpenOptionsExt as _, PermissionsExt as _,
    },
    path::{Path, PathBuf},
};

/// Endings that SQLite appends to the names of the files beside the database. What the first holds is not in the database yet.
const COMPANIONS: [&str; 2] = ["-wal", "-shm"];

/// The database as it was when it was opened.
#[derive(Debug)]
pub(crate) struct JournalFile {
    path: PathBuf,
    identity: Identity,
}

/// One file, whatever it is called.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Identity {
    device: u64,
    inode: u64,
}

impl Identity {
    fn of(file: &Metadata) -> Self {
        Self {
            device: file.dev(),
            inode: file.ino(),
        }
    }
}

impl JournalFile {
    /// Makes the file and its folder where they are missing, and takes it from everybody but its owner. Call it
    /// before the first connection: closing another handle would free SQLite's locks.
    pub(crate) fn prepare(path: &Path) -> Result<Self, StoreError> {
        if let Some(folder) = path.parent().filter(|f| !f.as_os_str().is_empty()) {
            let made = DirBuilder::new().recursive(true).mode(0o700).create(folder);
            made.map_err(|source| StoreError::Folder {
                path: path.to_owned(),
                source,
            })?;
        }
        let failed = |source| StoreError::File {
            path: path.to_owned(),
            source,
        };
        let mut options = OpenOptions::new();
        let made = options.create_new(true).write(true).mode(0o600).open(path);
        if let Err(error) = made
            && error.kind() != ErrorKind::AlreadyExists
        {
            return Err(failed(error));
        }
        keep_to_owner(path).map_err(failed)?;
        for companion in COMPANIONS {
            keep_to_owner(&beside(path, companion)).map_err(failed)?;
        }
        Ok(Self {
            path: path.to_owned(),
            identity: Identity::of(&fs::metadata(path).map_err(failed)?),
        })
    }

    /// The path of the database.
    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// Refuses a path that leads to no file, or to another one: what is written then is lost at the next start.
    pub(crate) fn check(&self) -> Result<(), StoreError> {
        let found = fs::metadata(&self.path).map_err(|error| gone(&self.path, error))?;
        if Identity::of(&found) == self.identity {
            return Ok(());
        }
        Err(StoreError::Replaced {
            path: self.path.clone(),
        })
    }

    /// The same, and that the files beside it are there as long as a connection is.
    pub(crate) fn check_all(&self) -> Result<(), StoreError> {
        self.check()?;
        for companion in COMPANIONS {
            let path = beside(&self.path, companion);
            fs::metadata(&path).map_err(|error| gone(&path, error))?;
        }
        Ok(())
    }
}

fn gone(path: &Path, source: io::Error) -> StoreError {
    StoreError::Gone {
        path: path.to_owned(),
        source,
    }
}

fn beside(path: &Path, companion: &str) -> PathBuf {
    let mut name = OsString::from(path);
    name.push(companion);
    name.into()
}

/// Takes a file from group and others, as far as it is ours to decide.
fn keep_to_owner(path: &Path) -> io::Result<()> {
    let mode = match fs::metadata(path) {
        Ok(file) => file.permissions().mode(),
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(()),
        Err(error) => return Err(error),
    };
    let of_others = mode & 0o077;
    if of_others == 0 {
        return Ok(());
    }
    match fs::set_permissions(path, Permissions::from_mode(mode & 0o700)) {
        Err(error) if error.kind() != ErrorKind::PermissionDenied => Err(error),
        // The file is another user's, who lets us write.
        _ => Ok(()),
    }
}
