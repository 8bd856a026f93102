//! The program under test: started, killed, and started again.

use crate::{clock::FakeClock, listener};
use anyhow::Context as _;
use rustix::process::{Pid, Signal, kill_process};
use std::{
    path::{Path, PathBuf},
    sync::{
        Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, Ordering::SeqCst},
    },
    time::Duration,
};
use testbed::{Process, http_client};
use tokio::time::{Instant, sleep};

/// Interval between looks at the process.
const POLL: Duration = Duration::from_millis(40);

/// Time between two starts, where the program ends by itself.
const RESTART: Duration = Duration::from_millis(700);

/// Time for a graceful end.
const STOP: Duration = Duration::from_secs(15);

/// Time limit of a health check.
const ASK: Duration = Duration::from_secs(2);

/// Starts the program such that a file beyond a limit is an error, as a full disk is, and not its end.
const SHELL: &str = "trap '' XFSZ; exec env \"$@\"";

/// One program on one storage folder, at one address.
#[derive(Debug)]
pub struct Program {
    binary: PathBuf,
    dir: PathBuf,
    address: String,
    clock: Option<FakeClock>,
    http: reqwest::Client,
    inner: Mutex<Inner>,
    /// True once the program has answered since its start.
    up: AtomicBool,
    stopping: AtomicBool,
}

#[derive(Debug, Default)]
struct Inner {
    process: Option<Process>,
    /// True once its end was ordered.
    ordered: bool,
    start_at: Option<Instant>,
    n_starts: u32,
}

/// The result of a look at the process.
#[derive(Debug, PartialEq, Eq)]
pub enum Seen {
    /// Nothing new.
    Nothing,
    /// It ended although nobody had ordered that; the last lines of its log.
    Ended(String),
}

impl Program {
    /// A program that is not started yet, with its configuration at `dir/foreshadow.yml`.
    pub fn new(binary: &Path, dir: &Path, clock: Option<FakeClock>) -> anyhow::Result<Self> {
        Ok(Self {
            binary: binary.to_owned(),
            dir: dir.to_owned(),
            address: format!("127.0.0.1:{}", listener::port()?),
            clock,
            http: http_client(ASK)?,
            inner: Mutex::default(),
            up: AtomicBool::new(false),
            stopping: AtomicBool::new(false),
        })
    }

    fn inner(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The address of a path.
    pub fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.address)
    }

    /// True once it has answered since its start.
    pub fn is_up(&self) -> bool {
        self.up.load(SeqCst)
    }

    /// Its process, while it runs.
    pub fn pid(&self) -> Option<u32> {
        self.inner().process.as_ref().and_then(Process::pid)
    }

    /// Ends it with SIGKILL, and has it started some time later; false where it does not run.
    pub fn kill(&self, down: Duration) -> bool {
        let mut inner = self.inner();
        let Some(process) = &inner.process else {
            return false;
        };
        if !signal(process, Signal::KILL) {
            return false;
        }
        inner.ordered = true;
        inner.start_at = Some(Instant::now() + down);
        self.up.store(false, SeqCst);
        true
    }

    /// Has it read its configuration again; false where it is not up.
    pub fn reload(&self) -> bool {
        let inner = self.inner();
        let process = inner.process.as_ref().filter(|_| self.is_up());
        process.is_some_and(|process| signal(process, Signal::HUP))
    }

    /// Looks after the program until it is stopped: starts it when it is time, and tells of each end by itself.
    pub async fn keep(&self, tell: impl Fn(String)) -> anyhow::Result<()> {
        while !self.stopping.load(SeqCst) {
            if let Seen::Ended(log) = self.look()? {
                tell(log);
            }
            if !self.is_up() && self.pid().is_some() {
                self.ask().await;
            }
            sleep(POLL).await;
        }
        Ok(())
    }

    /// One look, and a start where it is time for one.
    fn look(&self) -> anyhow::Result<Seen> {
        let mut inner = self.inner();
        if let Some(process) = &mut inner.process {
            let Some(status) = process.exit_status()? else {
                return Ok(Seen::Nothing);
            };
            let log = format!("{status}\n{}", process.log_tail());
            inner.process = None;
            self.up.store(false, SeqCst);
            if !std::mem::take(&mut inner.ordered) {
                inner.start_at = Some(Instant::now() + RESTART);
                return Ok(Seen::Ended(log));
            }
        }
        if inner.start_at.is_none_or(|at| Instant::now() >= at) {
            inner.n_starts += 1;
            inner.process = Some(self.spawn(inner.n_starts)?);
        }
        Ok(Seen::Nothing)
    }

    fn spawn(&self, number: u32) -> anyhow::Result<Process> {
        let mut args = vec!["-c".to_owned(), SHELL.to_owned(), "sh".to_owned()];
        args.extend(self.clock.iter().flat_map(FakeClock::environment));
        args.push(self.binary.display().to_string());
        args.extend(["serve", "--config.file", "foreshadow.yml"].map(str::to_owned));
        args.extend(["--web.listen-address".to_owned(), self.address.clone()]);
        let name = format!("foreshadow-{number}");
        Process::spawn(&self.dir, &name, Path::new("/bin/sh"), args)
            .context("cannot start the program under test")
    }

    async fn ask(&self) {
        let pid = self.pid();
        let answer = self.http.get(self.url("/-/healthy")).send().await;
        let is_well = answer.is_ok_and(|answer| answer.status().is_success());
        let inner = self.inner();
        let is_same = inner.process.as_ref().and_then(Process::pid) == pid && !inner.ordered;
        if is_well && is_same {
            self.up.store(true, SeqCst);
        }
    }

    /// Ends it politely, and for good.
    pub async fn stop(&self) -> anyhow::Result<()> {
        self.stopping.store(true, SeqCst);
        self.up.store(false, SeqCst);
        let process = self.inner().process.take();
        match process {
            Some(mut process) => process.terminate(STOP).await,
            None => Ok(()),
        }
    }
}

fn signal(process: &Process, signal: Signal) -> bool {
    let pid = process.pid().and_then(|pid| i32::try_from(pid).ok());
    let pid = pid.and_then(Pid::from_raw);
    pid.is_some_and(|pid| kill_process(pid, signal).is_ok())
}
