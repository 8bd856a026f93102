//! Work on files that is waited for no longer than a limit.

use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicU8, Ordering},
    },
    time::Duration,
};
use tokio::{task::spawn_blocking, time::timeout};

/// Accesses to one path that may hang at once. Each takes a thread for as long as its mount hangs.
const MAX_HANGING: usize = 3;

/// Accesses that were given up and have not ended, by path.
static HANGING: Mutex<BTreeMap<PathBuf, usize>> = Mutex::new(BTreeMap::new());

/// Why work on files did not end.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Unfinished {
    /// It goes on, and nobody waits for it any more.
    #[error("{} gives no answer within {limit:?}, as on a mount that hangs", path.display())]
    TimedOut {
        /// Where it began.
        path: PathBuf,
        /// Time that it had.
        limit: Duration,
    },
    /// It was not begun.
    #[error(
        "{} is not read: {MAX_HANGING} earlier attempts hang, as on a mount that hangs",
        .0.display()
    )]
    StillHanging(PathBuf),
    /// It panicked.
    #[error("reading {} broke off", .0.display())]
    Died(PathBuf),
}

/// Does work that may block, beginning at `path`, on a thread of its own, and gives it up after `limit`.
///
/// # Errors
///
/// Refuses to begin while several attempts at the same path that were given up before have not ended.
pub async fn within<T: Send + 'static>(
    path: &Path,
    limit: Duration,
    work: impl FnOnce() -> T + Send + 'static,
) -> Result<T, Unfinished> {
    if hanging().get(path).is_some_and(|&n| n >= MAX_HANGING) {
        return Err(Unfinished::StillHanging(path.to_owned()));
    }
    let attempt = Arc::new(Attempt {
        path: path.to_owned(),
        stage: AtomicU8::new(RUNNING),
    });
    // Gives the work up also where the caller itself is dropped.
    let _waiting = Waiting(Arc::clone(&attempt));
    let working = Working(attempt);
    let work = spawn_blocking(move || {
        let _working = working;
        work()
    });
    match timeout(limit, work).await {
        Ok(done) => done.map_err(|_| Unfinished::Died(path.to_owned())),
        Err(_) => Err(Unfinished::TimedOut {
            path: path.to_owned(),
            limit,
        }),
    }
}

const RUNNING: u8 = 0;
const GIVEN_UP: u8 = 1;
const ENDED: u8 = 2;

struct Attempt {
    path: PathBuf,
    stage: AtomicU8,
}

/// The side that waits.
struct Waiting(Arc<Attempt>);

impl Drop for Waiting {
    fn drop(&mut self) {
        // Under the lock, so that it is counted before the other side looks.
        let mut hanging = hanging();
        if self.0.stage.swap(GIVEN_UP, Ordering::SeqCst) == RUNNING {
            *hanging.entry(self.0.path.clone()).or_default() += 1;
        }
    }
}

/// The side that works.
struct Working(Arc<Attempt>);

impl Drop for Working {
    fn drop(&mut self) {
        let mut hanging = hanging();
        if self.0.stage.swap(ENDED, Ordering::SeqCst) == GIVEN_UP
            && let Some(n) = hanging.get_mut(&self.0.path)
        {
            *n -= 1;
            if *n == 0 {
                hanging.remove(&self.0.path);
            }
        }
    }
}

fn hanging() -> MutexGuard<'static, BTreeMap<PathBuf, usize>> {
    HANGING.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::mpsc;

    const LONG: Duration = Duration::from_mins(1);

    /// Work that hangs until the sender is dropped.
    fn hang() -> (mpsc::Sender<()>, impl Fn() + Clone + Send + 'static) {
        let (release, hang) = mpsc::channel();
        let hang = Arc::new(Mutex::new(hang));
        let work = move || {
            if let Ok(hang) = hang.lock() {
                let _ = hang.recv();
            }
        };
        (release, work)
    }

    async fn until_none_hangs(path: &Path) {
        while hanging().contains_key(path) {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    }

    #[tokio::test]
    async fn work_that_hangs_is_given_up_and_begun_a_few_times_only() {
        let path = Path::new("/hangs");
        let (release, work) = hang();
        let limit = Duration::from_millis(10);
        for _ in 0..MAX_HANGING {
            let told = within(path, limit, work.clone()).await;
            let path = path.to_owned();
            assert_eq!(told, Err(Unfinished::TimedOut { path, limit }));
        }
        let told = within(path, LONG, work).await;
        assert_eq!(told, Err(Unfinished::StillHanging(path.to_owned())));
        // Others are not concerned.
        assert_eq!(within(Path::new("/other"), LONG, || 7).await, Ok(7));
        drop(release);
        until_none_hangs(path).await;
        assert_eq!(within(path, LONG, || 7).await, Ok(7));
    }

    #[tokio::test]
    async fn work_that_nobody_waits_for_any_more_is_counted_until_it_ends() {
        let path = Path::new("/left");
        let (release, work) = hang();
        tokio::select! {
            biased;
            _ = within(path, LONG, work) => panic!("it hangs"),
            () = tokio::task::yield_now() => {}
        }
        assert_eq!(hanging().get(path), Some(&1));
        drop(release);
        until_none_hangs(path).await;
    }
}
