//! Files that users name: regular ones only, bounded in size, and read in bounded time.
//!
//! A file may lie on a mount that hangs, or be a named pipe that nobody writes to. Neither may stop the program.

mod patience;

pub use patience::{Unfinished, within};

use std::{
    fs::{File, FileType, Metadata, OpenOptions},
    io::{self, ErrorKind, Read as _},
    os::unix::fs::{FileTypeExt as _, OpenOptionsExt as _},
    path::Path,
};

/// Opens a regular file for reading.
///
/// # Errors
///
/// Anything else, such as a folder, a named pipe or a device, is refused with a sentence.
pub fn open(path: &Path) -> io::Result<File> {
    // Opening some devices does something, so that is asked before.
    regular(&path.metadata()?)?;
    let without_waiting = rustix::fs::OFlags::NONBLOCK.bits();
    let flags = i32::try_from(without_waiting).map_err(io::Error::other)?;
    let file = OpenOptions::new()
        .read(true)
        .custom_flags(flags)
        .open(path)?;
    // Another may have taken its place meanwhile.
    regular(&file.metadata()?)?;
    Ok(file)
}

/// Reads a regular file of at most `limit` bytes.
pub fn read(path: &Path, limit: u64) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    open(path)?
        .take(limit.saturating_add(1))
        .read_to_end(&mut bytes)?;
    if bytes.len() as u64 > limit {
        let sentence = format!("it is larger than {limit} bytes");
        return Err(io::Error::new(ErrorKind::FileTooLarge, sentence));
    }
    Ok(bytes)
}

/// Reads a regular file of at most `limit` bytes as text.
pub fn read_to_string(path: &Path, limit: u64) -> io::Result<String> {
    let bytes = read(path, limit)?;
    String::from_utf8(bytes).map_err(|error| io::Error::new(ErrorKind::InvalidData, error))
}

fn regular(found: &Metadata) -> io::Result<()> {
    if found.is_file() {
        return Ok(());
    }
    let sentence = format!(
        "it is {} and not a regular file",
        kind_of(found.file_type())
    );
    Err(io::Error::new(ErrorKind::InvalidInput, sentence))
}

fn kind_of(kind: FileType) -> &'static str {
    if kind.is_dir() {
        "a folder"
    } else if kind.is_fifo() {
        "a pipe"
    } else if kind.is_socket() {
        "a socket"
    } else {
        "a device"
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rustix::fs::{CWD, Mode, mkfifoat};
    use std::{fs, path::PathBuf};

    #[track_caller]
    fn check(path: &Path, limit: u64, expect: Result<&str, &str>) {
        let told = read_to_string(path, limit).map_err(|error| error.to_string());
        assert_eq!(
            told.as_deref().map_err(String::as_str),
            expect,
            "{}",
            path.display()
        );
    }

    fn folder() -> (tempfile::TempDir, PathBuf) {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("file");
        (folder, path)
    }

    #[test]
    fn a_regular_file_is_read_up_to_its_limit() {
        let (_folder, path) = folder();
        fs::write(&path, "12345").unwrap();
        check(&path, 5, Ok("12345"));
        check(&path, 4, Err("it is larger than 4 bytes"));
    }

    #[test]
    fn a_link_to_a_regular_file_is_followed() {
        let (folder, path) = folder();
        fs::write(&path, "x").unwrap();
        let link = folder.path().join("link");
        std::os::unix::fs::symlink("file", &link).unwrap();
        check(&link, 9, Ok("x"));
    }

    #[test]
    fn what_is_no_regular_file_is_refused_without_waiting() {
        let (folder, path) = folder();
        mkfifoat(CWD, &path, Mode::RUSR | Mode::WUSR).unwrap();
        check(&path, 9, Err("it is a pipe and not a regular file"));
        let expect = Err("it is a folder and not a regular file");
        check(folder.path(), 9, expect);
        let expect = Err("it is a device and not a regular file");
        check(Path::new("/dev/zero"), 9, expect);
    }

    #[test]
    fn text_that_is_no_utf_8_is_refused() {
        let (_folder, path) = folder();
        fs::write(&path, [0xff, 0xfe]).unwrap();
        assert_eq!(
            read_to_string(&path, 9).unwrap_err().kind(),
            ErrorKind::InvalidData
        );
    }
}
