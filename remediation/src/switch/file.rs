//! The file that is the kill switch. That something is there is all that counts; what it says is for people.

use std::{
    fs::{self, File, Metadata},
    io::{self, Read as _, Write as _},
    os::unix::fs::MetadataExt as _,
    path::{Path, PathBuf},
};

/// How much of a file is repeated to people.
const MAX_WORDS: u64 = 300;

/// What tells a file from another that takes its place.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Mark {
    device: u64,
    inode: u64,
    modified: (i64, i64),
}

/// Which file is there; none where there is none. A link that leads nowhere is one.
pub(super) fn mark(file: &Path) -> io::Result<Option<Mark>> {
    match fs::symlink_metadata(file) {
        Ok(found) => Ok(Some(Mark::of(&found))),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error),
    }
}

/// Puts a new file in place of whatever is there, and makes the folder where it is missing. What cannot be replaced stops everything as it is.
pub(super) fn make(file: &Path, content: &str) -> io::Result<()> {
    if let Some(folder) = file.parent() {
        // Where that fails, the next steps say why.
        let _ = fs::create_dir(folder);
    }
    let fresh = beside(file);
    let _ = fs::remove_file(&fresh);
    let replaced = write(&fresh, content).and_then(|()| fs::rename(&fresh, file));
    let Err(error) = replaced.or_else(|_| write(file, content)) else {
        return Ok(());
    };
    let _ = fs::remove_file(&fresh);
    match mark(file) {
        Ok(Some(_)) => Ok(()),
        _ => Err(error),
    }
}

/// Makes a file where there is none. A full disk is no reason not to stop: the file counts whatever it says.
fn write(file: &Path, content: &str) -> io::Result<()> {
    let mut made = File::create_new(file)?;
    let _ = made.write_all(content.as_bytes());
    Ok(())
}

/// Takes the file away if it is the one that was seen, or if there is none any more; false where it is another.
pub(super) fn take_away(file: &Path, seen: &Mark) -> io::Result<bool> {
    match mark(file)? {
        Some(found) if found != *seen => Ok(false),
        Some(_) => fs::remove_file(file).map(|()| true),
        None => Ok(true),
    }
}

/// What the file says, as far as it can be read.
pub(super) fn words(file: &Path) -> String {
    let mut bytes = Vec::new();
    let read = files::open(file).map(|file| file.take(MAX_WORDS).read_to_end(&mut bytes));
    match read {
        Ok(Ok(_)) => String::from_utf8_lossy(&bytes).trim().to_owned(),
        _ => "by somebody else".to_owned(),
    }
}

impl Mark {
    fn of(found: &Metadata) -> Self {
        Self {
            device: found.dev(),
            inode: found.ino(),
            modified: (found.mtime(), found.mtime_nsec()),
        }
    }
}

/// A name in the same folder, so that it can be renamed at one stroke.
fn beside(file: &Path) -> PathBuf {
    let mut name = file.as_os_str().to_owned();
    name.push(".new");
    name.into()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn folder() -> (tempfile::TempDir, PathBuf) {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("STOP");
        (dir, file)
    }

    #[test]
    fn what_was_thrown_again_is_not_taken_away() {
        let (dir, file) = folder();
        make(&file, "ann: a drill\n").unwrap();
        let seen = mark(&file).unwrap().unwrap();
        make(&file, "bob: fire\n").unwrap();
        assert!(!take_away(&file, &seen).unwrap());
        assert_eq!(words(&file), "bob: fire");
        let seen = mark(&file).unwrap().unwrap();
        assert!(take_away(&file, &seen).unwrap());
        assert!(take_away(&file, &seen).unwrap(), "there is none any more");
        assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 0);
    }

    #[test]
    fn a_missing_folder_does_not_keep_the_switch_from_being_thrown() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("foreshadow/STOP");
        make(&file, "ann: fire\n").unwrap();
        assert!(mark(&file).unwrap().is_some());
    }

    #[test]
    fn a_link_that_leads_nowhere_is_a_file_that_can_be_taken_away() {
        let (_dir, file) = folder();
        std::os::unix::fs::symlink("nowhere", &file).unwrap();
        let seen = mark(&file).unwrap().expect("it is there");
        assert!(take_away(&file, &seen).unwrap());
        assert_eq!(mark(&file).unwrap(), None);
    }

    #[test]
    fn what_cannot_be_replaced_stops_everything_as_it_is() {
        let (_dir, file) = folder();
        fs::create_dir(&file).unwrap();
        make(&file, "ann: a drill\n").unwrap();
        assert!(mark(&file).unwrap().is_some());
        let nowhere = file.join("no/such/folder");
        assert!(make(&nowhere, "ann: a drill\n").is_err());
    }
}
