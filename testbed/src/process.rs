//! One child process with a log file, which never outlives the value that stands for it.

use crate::http_client;
use anyhow::{Context, bail};
use std::{
    ffi::OsStr,
    fs::File,
    path::{Path, PathBuf},
    process::{ExitStatus, Stdio},
    time::Duration,
};
use tokio::{
    process::{Child, Command},
    time::{Instant, sleep, timeout},
};

/// How often a starting process is asked whether it is up.
const POLL: Duration = Duration::from_millis(50);
/// The longest that one such question may take.
const ASK: Duration = Duration::from_secs(2);
/// How much of a log is worth reading when a start fails.
const TAIL_LINES: usize = 12;

/// A running program. Dropping it kills the program.
#[derive(Debug)]
pub struct Process {
    name: String,
    child: Child,
    log: PathBuf,
}

impl Process {
    /// Starts `program` with its output in `DIR/NAME.log`, which is created with its folder.
    pub fn spawn<A: AsRef<OsStr>>(
        dir: &Path,
        name: &str,
        program: &Path,
        args: impl IntoIterator<Item = A>,
    ) -> anyhow::Result<Self> {
        std::fs::create_dir_all(dir)
            .with_context(|| format!("cannot create the folder {}", dir.display()))?;
        let log = dir.join(format!("{name}.log"));
        let out = File::create(&log)
            .with_context(|| format!("cannot create the log {}", log.display()))?;
        let err = out.try_clone().context("cannot share the log")?;
        let child = Command::new(program)
            .args(args)
            .current_dir(dir)
            .stdin(Stdio::null())
            .stdout(out)
            .stderr(err)
            .kill_on_drop(true)
            .spawn()
            .with_context(|| format!("cannot start {}", program.display()))?;
        Ok(Self {
            name: name.to_owned(),
            child,
            log,
        })
    }

    /// Waits until `url` answers 2xx.
    ///
    /// # Errors
    /// When the program ends first or `patience` runs out; the message has the last lines of its log.
    pub async fn wait_until_up(&mut self, url: &str, patience: Duration) -> anyhow::Result<()> {
        let client = http_client(ASK)?;
        let deadline = Instant::now() + patience;
        loop {
            if let Some(status) = self.exit_status()? {
                bail!("{} ended ({status})\n{}", self.name, self.log_tail());
            }
            let answer = client.get(url).send().await;
            if answer.is_ok_and(|answer| answer.status().is_success()) {
                return Ok(());
            }
            if Instant::now() >= deadline {
                bail!(
                    "{} did not answer at {url} within {patience:?}\n{}",
                    self.name,
                    self.log_tail()
                );
            }
            sleep(POLL).await;
        }
    }

    /// Sends SIGTERM, waits, and after `patience` sends SIGKILL.
    pub async fn terminate(&mut self, patience: Duration) -> anyhow::Result<()> {
        if self.exit_status()?.is_some() {
            return Ok(());
        }
        self.signal("TERM").await?;
        match timeout(patience, self.child.wait()).await {
            Ok(ended) => ended.map(drop).context("cannot wait for the program's end"),
            Err(_) => self.kill().await,
        }
    }

    /// Sends SIGKILL and waits for the end.
    pub async fn kill(&mut self) -> anyhow::Result<()> {
        self.child
            .kill()
            .await
            .with_context(|| format!("cannot kill {}", self.name))
    }

    /// Sends SIGHUP, by which servers reload their configuration.
    pub async fn hang_up(&self) -> anyhow::Result<()> {
        self.signal("HUP").await
    }

    /// How the program ended; `None` while it runs.
    pub fn exit_status(&mut self) -> anyhow::Result<Option<ExitStatus>> {
        self.child
            .try_wait()
            .with_context(|| format!("cannot ask whether {} still runs", self.name))
    }

    /// The process id; `None` after the end was seen.
    pub fn pid(&self) -> Option<u32> {
        self.child.id()
    }

    /// The file with everything that the program wrote.
    pub fn log(&self) -> &Path {
        &self.log
    }

    /// The last lines of the log; a note in brackets when it cannot be read.
    pub fn log_tail(&self) -> String {
        let text = match std::fs::read(&self.log) {
            Ok(bytes) => String::from_utf8_lossy(&bytes).into_owned(),
            Err(error) => return format!("(no log: {error})"),
        };
        let lines: Vec<_> = text.lines().collect();
        lines[lines.len().saturating_sub(TAIL_LINES)..].join("\n")
    }

    /// The program `kill` sends what `Child` cannot, without unsafe code.
    async fn signal(&self, signal: &str) -> anyhow::Result<()> {
        let Some(pid) = self.pid() else {
            bail!("{} has already ended", self.name);
        };
        let sent = Command::new("kill")
            .args(["-s", signal, &pid.to_string()])
            .status()
            .await
            .context("cannot run the program `kill`")?;
        if !sent.success() {
            bail!("cannot send SIG{signal} to {} (process {pid})", self.name);
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shell(dir: &Path, script: &str) -> Process {
        Process::spawn(dir, "script", Path::new("/bin/sh"), ["-c", script]).unwrap()
    }

    const PATIENCE: Duration = Duration::from_secs(10);

    #[tokio::test]
    async fn a_failed_start_shows_the_last_lines_of_the_log() {
        let dir = tempfile::tempdir().unwrap();
        let mut process = shell(dir.path(), "seq 1 99; echo no such flag >&2; exit 3");
        let error = process.wait_until_up("http://127.0.0.1:1/", PATIENCE).await;
        let text = error.unwrap_err().to_string();
        assert!(
            text.starts_with("script ended (exit status: 3)\n89\n"),
            "{text}"
        );
        assert!(text.ends_with("99\nno such flag"), "{text}");
    }

    #[tokio::test]
    async fn a_silent_program_is_not_waited_for_forever() {
        let dir = tempfile::tempdir().unwrap();
        let mut process = shell(dir.path(), "exec sleep 60");
        let patience = Duration::from_millis(100);
        let error = process.wait_until_up("http://127.0.0.1:1/", patience).await;
        assert!(error.unwrap_err().to_string().contains("did not answer"));
    }

    #[tokio::test]
    async fn termination_is_polite_first_and_firm_in_the_end() {
        let dir = tempfile::tempdir().unwrap();
        let mut polite = shell(
            dir.path(),
            "trap 'echo bye; exit 0' TERM; echo on; while :; do sleep 0.05; done",
        );
        wait_for_line(&polite, "on").await;
        polite.terminate(PATIENCE).await.unwrap();
        assert_eq!(polite.log_tail(), "on\nbye");

        let mut stubborn = shell(
            dir.path(),
            "trap '' TERM; echo on; while :; do sleep 0.05; done",
        );
        wait_for_line(&stubborn, "on").await;
        stubborn
            .terminate(Duration::from_millis(200))
            .await
            .unwrap();
        assert!(
            stubborn
                .exit_status()
                .unwrap()
                .is_some_and(|status| !status.success())
        );
    }

    #[tokio::test]
    async fn dropping_kills() {
        let dir = tempfile::tempdir().unwrap();
        let process = shell(dir.path(), "exec sleep 60");
        let pid = process.pid().unwrap();
        drop(process);
        let state = Path::new("/proc").join(pid.to_string()).join("stat");
        let gone = || std::fs::read_to_string(&state).map_or(true, |stat| stat.contains(") Z "));
        let deadline = Instant::now() + PATIENCE;
        while !gone() {
            assert!(Instant::now() < deadline, "process {pid} still runs");
            sleep(POLL).await;
        }
    }

    async fn wait_for_line(process: &Process, line: &str) {
        let deadline = Instant::now() + PATIENCE;
        while process.log_tail() != line {
            assert!(Instant::now() < deadline, "{}", process.log_tail());
            sleep(POLL).await;
        }
    }
}
