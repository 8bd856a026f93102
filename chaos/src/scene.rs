//! Where and when something happens: the world, the round and the time, for what is noted and logged.

use crate::{
    findings::{Count, Findings, Kind, Violation},
    journal::Journal,
};
use anyhow::Context as _;
use std::{
    fs::{File, OpenOptions},
    io::Write as _,
    path::Path,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicU32, Ordering::Relaxed},
    },
};
use tokio::time::Instant;

/// The stage of one world; all of its parts know it.
#[derive(Debug)]
pub struct Scene {
    world: u32,
    round: AtomicU32,
    began: Mutex<Instant>,
    log: Mutex<File>,
    /// Counts and violations, of all worlds together.
    pub findings: Arc<Findings>,
    /// The world's journal.
    pub journal: Journal,
    n_violations: AtomicU32,
}

pub(crate) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Scene {
    /// A world that logs to `dir/chaos.log`.
    pub fn new(
        world: u32,
        dir: &Path,
        findings: Arc<Findings>,
        journal: Journal,
    ) -> anyhow::Result<Self> {
        let path = dir.join("chaos.log");
        let log = OpenOptions::new()
            .create(true)
            .append(true)
            .open(&path)
            .with_context(|| format!("cannot write {}", path.display()))?;
        Ok(Self {
            world,
            round: AtomicU32::new(0),
            began: Mutex::new(Instant::now()),
            log: Mutex::new(log),
            findings,
            journal,
            n_violations: AtomicU32::new(0),
        })
    }

    /// Begins a round.
    pub fn begin_round(&self, round: u32) {
        self.round.store(round, Relaxed);
        *lock(&self.began) = Instant::now();
        self.say("the round begins");
    }

    fn place(&self) -> String {
        let (world, round) = (self.world, self.round.load(Relaxed));
        let seconds = lock(&self.began).elapsed().as_secs_f64();
        format!("world {world}, round {round}, at {seconds:.2} s")
    }

    /// Writes a line to the world's log.
    pub fn say(&self, what: &str) {
        let at = jiff::Timestamp::from_millisecond(crate::clock::now_millis());
        let at = at.map(|at| at.to_string()).unwrap_or_default();
        let line = format!("{at} {}: {what}\n", self.place());
        // A log that cannot be written is no reason to stop.
        let _ = lock(&self.log).write_all(line.as_bytes());
    }

    /// Counts one.
    pub fn count(&self, what: Count) {
        self.findings.count(what);
    }

    /// Notes something wrong, with the history of the action that it is about.
    pub async fn violation(&self, kind: Kind, sentence: String, action: Option<&str>) {
        self.n_violations.fetch_add(1, Relaxed);
        let history = match action {
            Some(action) => {
                let history = self.journal.history(action).await;
                format!(
                    "  action {action}\n{}",
                    history.unwrap_or_else(|e| format!("{e:#}"))
                )
            }
            None => String::new(),
        };
        let violation = Violation {
            kind,
            place: self.place(),
            sentence,
            history,
        };
        self.say(&format!("WRONG: {violation}"));
        self.findings.note(violation);
    }

    /// True while nothing was wrong in this world.
    pub fn is_clean(&self) -> bool {
        self.n_violations.load(Relaxed) == 0
    }
}
