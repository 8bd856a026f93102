//! The time: the real one, and the one that the program is shown.

use anyhow::Context as _;
use std::{
    fs,
    path::{Path, PathBuf},
};

/// Milliseconds since the epoch.
#[expect(
    clippy::disallowed_methods,
    reason = "a test bed is an edge: alerts begin when they begin"
)]
pub fn now_millis() -> i64 {
    let since_epoch = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
    let millis = since_epoch.unwrap_or_default().as_millis();
    i64::try_from(millis).unwrap_or(i64::MAX)
}

/// A clock that can be put ahead and back, by libfaketime.
#[derive(Debug, Clone)]
pub struct FakeClock {
    library: PathBuf,
    file: PathBuf,
}

impl FakeClock {
    /// A clock whose offset is kept in a folder; none where libfaketime is not installed.
    pub fn find(folder: &Path) -> Option<Self> {
        let folders = fs::read_dir("/usr/lib").ok()?.flatten();
        let candidates = folders.map(|f| f.path().join("faketime/libfaketimeMT.so.1"));
        let library = candidates.into_iter().find(|file| file.is_file())?;
        let file = folder.join("clock");
        Some(Self { library, file })
    }

    /// Puts it so many seconds ahead of the machine's, or behind; in one step, as the program reads it all the time.
    pub fn set(&self, offset_seconds: i64) -> anyhow::Result<()> {
        let next = self.file.with_extension("next");
        let set = fs::write(&next, format!("{offset_seconds:+}"));
        set.and_then(|()| fs::rename(&next, &self.file))
            .with_context(|| format!("cannot set the clock {}", self.file.display()))
    }

    /// Environment of the program, as `NAME=VALUE`.
    pub fn environment(&self) -> Vec<String> {
        vec![
            format!("LD_PRELOAD={}", self.library.display()),
            format!("FAKETIME_TIMESTAMP_FILE={}", self.file.display()),
            "FAKETIME_NO_CACHE=1".to_owned(),
            "FAKETIME_DONT_FAKE_MONOTONIC=1".to_owned(),
            "DONT_FAKE_MONOTONIC=1".to_owned(),
        ]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_offset_is_written_with_its_sign() {
        let dir = tempfile::tempdir().unwrap();
        let clock = FakeClock {
            library: PathBuf::new(),
            file: dir.path().join("clock"),
        };
        for (offset, text) in [(0, "+0"), (3_600, "+3600"), (-30, "-30")] {
            clock.set(offset).unwrap();
            assert_eq!(fs::read_to_string(&clock.file).unwrap(), text);
        }
    }
}
