//! Storage that can be full.

use anyhow::{Context as _, bail};
use std::{
    fs::{self, File},
    io::Write as _,
    path::{Path, PathBuf},
    process::Command,
};

/// Size of the file system that is filled up; journal and models take a few megabytes.
const SIZE: &str = "size=48m";

/// Bytes that are written at a time to fill it up, largest first.
const CHUNKS: [usize; 3] = [1 << 20, 4_096, 1];

/// The storage folder, and the way in which it gets full.
#[derive(Debug)]
pub enum Disk {
    /// A file system of its own, in memory. Needs root.
    Small {
        /// Mount point.
        folder: PathBuf,
    },
    /// No file of the program may become larger, by `RLIMIT_FSIZE`.
    Limited {
        /// The storage folder.
        folder: PathBuf,
    },
}

impl Disk {
    /// Makes the folder, as a file system of its own where this user may mount one.
    pub fn make(folder: &Path) -> anyhow::Result<Self> {
        fs::create_dir_all(folder)
            .with_context(|| format!("cannot create the folder {}", folder.display()))?;
        let folder = folder.to_owned();
        let mut mount = Command::new("mount");
        mount.args(["-t", "tmpfs", "-o", SIZE, "foreshadow-chaos"]);
        match mount.arg(&folder).output() {
            Ok(output) if output.status.success() => Ok(Self::Small { folder }),
            _ => Ok(Self::Limited { folder }),
        }
    }

    /// The storage folder without a file system of its own.
    pub fn limited(folder: &Path) -> Self {
        let folder = folder.to_owned();
        Self::Limited { folder }
    }

    /// Description for the report.
    pub fn how(&self) -> &'static str {
        match self {
            Self::Small { .. } => "a tmpfs that is filled up",
            Self::Limited { .. } => "RLIMIT_FSIZE, as nothing can be mounted here",
        }
    }

    fn filling(folder: &Path) -> PathBuf {
        folder.join("filling")
    }

    /// Leaves no room.
    pub fn fill(&self, pid: Option<u32>) -> anyhow::Result<()> {
        match self {
            Self::Small { folder } => {
                let path = Self::filling(folder);
                let mut file = File::create(&path)
                    .with_context(|| format!("cannot create {}", path.display()))?;
                for size in CHUNKS {
                    let chunk = vec![0; size];
                    while file.write_all(&chunk).is_ok() {}
                }
                Ok(())
            }
            Self::Limited { folder } => match pid {
                Some(pid) => limit(pid, &largest(folder).to_string()),
                None => Ok(()),
            },
        }
    }

    /// Makes room again.
    pub fn free(&self, pid: Option<u32>) -> anyhow::Result<()> {
        match self {
            Self::Small { folder } => {
                let path = Self::filling(folder);
                match fs::remove_file(&path) {
                    Err(error) if path.exists() => {
                        Err(error).with_context(|| format!("cannot remove {}", path.display()))
                    }
                    _ => Ok(()),
                }
            }
            Self::Limited { .. } => pid.map_or(Ok(()), |pid| limit(pid, "unlimited")),
        }
    }
}

impl Drop for Disk {
    fn drop(&mut self) {
        if let Self::Small { folder } = self {
            let unmounted = Command::new("umount").arg(&*folder).status();
            if !unmounted.is_ok_and(|status| status.success()) {
                // What still holds a file there is on its way out.
                let _ = Command::new("umount").arg("-l").arg(&*folder).status();
            }
        }
    }
}

/// The size of the journal's log, beyond which the next commit would go.
fn largest(folder: &Path) -> u64 {
    let size = |name: &str| fs::metadata(folder.join(name)).map_or(0, |file| file.len());
    size("journal.sqlite-wal").max(4_096)
}

/// Limits the files of a running program.
fn limit(pid: u32, bytes: &str) -> anyhow::Result<()> {
    let mut prlimit = Command::new("prlimit");
    prlimit.args(["--pid", &pid.to_string(), &format!("--fsize={bytes}:")]);
    let output = prlimit.output().context("cannot run `prlimit`")?;
    // A program that was killed meanwhile needs no limit.
    if !output.status.success() && Path::new(&format!("/proc/{pid}/exe")).exists() {
        let words = String::from_utf8_lossy(&output.stderr);
        bail!("cannot limit the files of process {pid}: {}", words.trim());
    }
    Ok(())
}
