//! The folder of saved models: one file a rule, written whole or not at all.

use anyhow::{Context as _, ensure};
use rules::{Refused, Restored, Restoring, Saving, is_saved_state};
use series::Timestamp;
use std::{
    collections::BTreeSet,
    fs::{self, DirBuilder, File, OpenOptions, TryLockError},
    io::{self, BufReader, ErrorKind, Read as _, Write as _},
    os::unix::fs::{DirBuilderExt as _, MetadataExt as _, OpenOptionsExt as _},
    path::{Path, PathBuf},
    sync::{Mutex, PoisonError},
    time::Duration,
};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

/// The name of the folder inside the storage folder.
const NAME: &str = "models";

/// A file in the storage folder that one program locks while it runs; the system frees it when the program ends,
/// however it ends.
const LOCK: &str = "LOCK";

/// Time that another program may need to end, as after a restart.
const ENDING: Duration = Duration::from_secs(5);

/// What a file is called that is not whole yet.
const UNFINISHED: &str = ".tmp";

/// Locks that keep other programs away.
struct Claim {
    /// The folder itself is locked, too: whoever removes the file does not let another program in.
    folder: File,
    _file: File,
}

/// Where models are saved.
pub(crate) struct Folder {
    storage: PathBuf,
    path: PathBuf,
    /// Taken at the start, and held for good.
    claim: Mutex<Option<Claim>>,
}

impl Folder {
    /// The folder inside the storage folder; made when there is something to save.
    pub(crate) fn inside(storage: &Path) -> Self {
        Self {
            storage: storage.to_owned(),
            path: storage.join(NAME),
            claim: Mutex::default(),
        }
    }

    /// A file in it.
    pub(crate) fn path(&self, file_name: &str) -> PathBuf {
        self.path.join(file_name)
    }

    /// Lets a rule go on from its file; `None` when it has none.
    pub(crate) fn restore(&self, rule: &Restoring, now: Timestamp) -> Option<Restored> {
        match files::open(&self.path(&rule.file_name())) {
            Ok(file) => Some(rule.read(BufReader::new(file), now)),
            Err(error) if error.kind() == ErrorKind::NotFound => None,
            Err(error) => Some(Restored {
                series: 0,
                refused: vec![Refused::Unreadable(error)],
            }),
        }
    }

    /// Saves every rule, and then removes files of rules that are not configured any more. Where one cannot be saved
    /// the others still are. Returns the size of all files in bytes.
    pub(crate) fn save(
        &self,
        rules: Vec<Saving>,
        configured: &BTreeSet<String>,
        cancelled: &CancellationToken,
    ) -> anyhow::Result<u64> {
        self.check_claim()?;
        if rules.is_empty() && !self.path.exists() {
            return Ok(0);
        }
        make(&self.path).with_context(|| format!("opening the folder {}", self.path.display()))?;
        let (mut n_bytes, mut failures) = (0, vec![]);
        for rule in rules {
            match self.save_one(rule, cancelled) {
                Ok(n) => n_bytes += n,
                Err(failure) => failures.push(format!("{failure:#}")),
            }
        }
        ensure!(failures.is_empty(), "{}", failures.join("; "));
        self.sweep(configured)
            .with_context(|| format!("clearing {}", self.path.display()))?;
        Ok(n_bytes)
    }

    /// Keeps other programs away from the storage folder for as long as this one runs. One that is just ending is waited
    /// for.
    pub(crate) async fn claim(&self) -> anyhow::Result<()> {
        let file = self.storage.join(LOCK);
        let deadline = Instant::now() + ENDING;
        while !self
            .try_claim(&file)
            .with_context(|| format!("opening {}", file.display()))?
        {
            ensure!(
                Instant::now() < deadline,
                "another program works with this `storage.path`: it holds {}",
                file.display()
            );
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
        Ok(())
    }

    /// Whether nobody else holds the lock.
    fn try_claim(&self, file: &Path) -> io::Result<bool> {
        make(&self.storage)?;
        let folder = File::open(&self.storage)?;
        let mut options = OpenOptions::new();
        options.create(true).truncate(false).write(true).mode(0o600);
        let file = options.open(file)?;
        for lock in [&folder, &file] {
            // A file system without locks is no reason not to start.
            if matches!(lock.try_lock(), Err(TryLockError::WouldBlock)) {
                return Ok(false);
            }
        }
        let claim = Claim {
            folder,
            _file: file,
        };
        *self.claim.lock().unwrap_or_else(PoisonError::into_inner) = Some(claim);
        Ok(true)
    }

    /// Refuses a storage folder that is not the one that was claimed: it may be another program's by now.
    fn check_claim(&self) -> anyhow::Result<()> {
        let claim = self.claim.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(claim) = &*claim else {
            return Ok(());
        };
        let storage = self.storage.display();
        let found = fs::metadata(&self.storage).with_context(|| {
            format!("the folder {storage} is gone: put it back, or start the program anew")
        })?;
        let claimed = claim.folder.metadata()?;
        ensure!(
            (found.dev(), found.ino()) == (claimed.dev(), claimed.ino()),
            "{storage} is not the folder that this program began with: put that one back, or start the program anew"
        );
        Ok(())
    }

    /// Writes beside the file, and puts it in its place once the disk has it.
    fn save_one(&self, rule: Saving, cancelled: &CancellationToken) -> anyhow::Result<u64> {
        let path = self.path(&rule.file_name());
        let unfinished = self.path(&(rule.file_name() + UNFINISHED));
        let written = write(&unfinished, rule, cancelled)
            .and_then(|n_bytes| {
                fs::rename(&unfinished, &path)?;
                File::open(&self.path)?.sync_all()?;
                Ok(n_bytes)
            })
            .with_context(|| format!("writing {}", path.display()));
        if written.is_err() {
            // It may not be there at all.
            let _ = fs::remove_file(&unfinished);
        }
        written
    }

    /// Removes what belongs to no rule, but nothing that is not ours.
    fn sweep(&self, configured: &BTreeSet<String>) -> io::Result<()> {
        for entry in fs::read_dir(&self.path)? {
            let entry = entry?;
            let name = entry.file_name();
            let name = name.to_string_lossy();
            let rule = name.strip_suffix(UNFINISHED).unwrap_or(&name);
            let is_state = Path::new(rule)
                .extension()
                .is_some_and(|extension| extension == "state")
                && entry.file_type()?.is_file();
            if is_state && !configured.contains(rule) && is_ours(&entry.path())? {
                fs::remove_file(entry.path())?;
            }
        }
        Ok(())
    }
}

fn make(folder: &Path) -> io::Result<()> {
    DirBuilder::new().recursive(true).mode(0o700).create(folder)
}

fn is_ours(path: &Path) -> io::Result<bool> {
    let mut beginning = Vec::new();
    files::open(path)?.take(64).read_to_end(&mut beginning)?;
    Ok(is_saved_state(&beginning))
}

fn write(path: &Path, rule: Saving, cancelled: &CancellationToken) -> anyhow::Result<u64> {
    // What a crash left here is in the way.
    if let Err(error) = fs::remove_file(path)
        && error.kind() != ErrorKind::NotFound
    {
        return Err(error.into());
    }
    let mut options = OpenOptions::new();
    let mut file = options
        .create_new(true)
        .write(true)
        .mode(0o600)
        .open(path)?;
    let mut n_bytes = 0;
    for piece in rule {
        ensure!(!cancelled.is_cancelled(), "there was no time left for it");
        file.write_all(&piece)?;
        n_bytes += piece.len() as u64;
    }
    file.sync_all()?;
    Ok(n_bytes)
}
