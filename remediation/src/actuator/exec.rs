//! An actuator that sets and reads a replica count by running programs.

use super::{Actuator, ActuatorError, Occasion, environment, reading};
use crate::{
    Shape,
    config::{CommandLine, ExecActuator},
};
use futures::future::BoxFuture;
use rustix::process::{Pid, Signal, kill_process_group};
use std::{
    io,
    process::{ExitStatus, Stdio},
    time::Duration,
};
use tokio::{
    io::{AsyncRead, AsyncReadExt as _},
    process::{Child, Command},
};

/// Carries out what an [`ExecActuator`] describes.
#[derive(Debug, Clone)]
pub struct ExecDriver {
    config: ExecActuator,
}

/// What is kept of standard output and of standard error; the rest is read and dropped.
const MAX_OUTPUT_BYTES: usize = 64 << 10;

/// How much of an error is quoted.
const MAX_QUOTED_CHARS: usize = 300;

/// How long output is waited for once the program has ended, in case something that it started holds on to it.
const AFTERMATH: Duration = Duration::from_millis(500);

impl ExecDriver {
    /// Runs nothing before the first call.
    pub fn new(config: ExecActuator) -> Self {
        Self { config }
    }

    /// Runs a program to its end, and returns what it printed.
    async fn run(
        &self,
        line: &CommandLine,
        occasion: Occasion<'_>,
        shape: Option<Shape>,
    ) -> Result<Vec<u8>, ActuatorError> {
        let not_run = |source| ActuatorError::NotRun {
            program: line.program.clone(),
            source,
        };
        let mut child = Command::new(&line.program)
            .args(line.arguments(occasion.target, shape)?)
            .env_clear()
            .envs(&self.config.environment)
            .envs(environment::variables(occasion, shape))
            .current_dir("/")
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .process_group(0)
            .spawn()
            .map_err(not_run)?;
        let mut group = Group::of(&child);
        let limit = self.config.timeout;
        let ended = tokio::time::timeout(limit, to_the_end(&mut child, &mut group)).await;
        // Whatever it left behind goes with it, as does all of it when the time is up.
        drop(group);
        match ended {
            Err(_) => Err(ActuatorError::TimedOut(limit)),
            Ok(Err(error)) => Err(not_run(error)),
            Ok(Ok((status, output, _))) if status.success() => Ok(output),
            Ok(Ok((status, _, errors))) => Err(ActuatorError::Ended {
                program: line.program.clone(),
                code: status.code(),
                how: status.to_string(),
                message: last_words(&errors),
            }),
        }
    }
}

impl Actuator for ExecDriver {
    fn observe<'a>(
        &'a self,
        occasion: Occasion<'a>,
    ) -> BoxFuture<'a, Result<Shape, ActuatorError>> {
        Box::pin(async move {
            let output = self.run(&self.config.observe, occasion, None).await?;
            reading::shape(&output, &self.config.output).map_err(ActuatorError::Unreadable)
        })
    }

    fn ensure<'a>(
        &'a self,
        occasion: Occasion<'a>,
        shape: Shape,
    ) -> BoxFuture<'a, Result<(), ActuatorError>> {
        Box::pin(async move {
            let run = self.run(&self.config.ensure, occasion, Some(shape));
            run.await.map(drop)
        })
    }

    fn rehearse<'a>(
        &'a self,
        occasion: Occasion<'a>,
        shape: Shape,
    ) -> BoxFuture<'a, Result<Option<String>, ActuatorError>> {
        Box::pin(async move {
            let Some(dry_run) = &self.config.dry_run else {
                let line = &self.config.ensure;
                let arguments = line.arguments(occasion.target, Some(shape))?;
                let words = [line.program.display().to_string()]
                    .into_iter()
                    .chain(arguments);
                let words: Vec<_> = words.map(|word| format!("{word:?}")).collect();
                return Ok(Some(format!("would run [{}]", words.join(", "))));
            };
            let output = self.run(dry_run, occasion, Some(shape)).await?;
            Ok(Some(last_words(&output)))
        })
    }
}

/// The process group of a program; dropping it kills all that is in it.
struct Group(Option<Pid>);

impl Group {
    fn of(child: &Child) -> Self {
        let id = child.id().and_then(|id| i32::try_from(id).ok());
        Self(id.and_then(Pid::from_raw))
    }

    fn kill(&mut self) {
        if let Some(group) = self.0.take() {
            // It may have ended by itself, all of it.
            let _ = kill_process_group(group, Signal::KILL);
        }
    }
}

impl Drop for Group {
    fn drop(&mut self) {
        self.kill();
    }
}

async fn to_the_end(
    child: &mut Child,
    group: &mut Group,
) -> io::Result<(ExitStatus, Vec<u8>, Vec<u8>)> {
    let (mut output, mut errors) = (Vec::new(), Vec::new());
    let (stdout, stderr) = (child.stdout.take(), child.stderr.take());
    let status = {
        let reading = async {
            futures::join!(drain(stdout, &mut output), drain(stderr, &mut errors));
        };
        let mut reading = std::pin::pin!(reading);
        let mut is_read = false;
        let status = loop {
            tokio::select! {
                status = child.wait() => break status?,
                () = &mut reading, if !is_read => is_read = true,
            }
        };
        // The leader has ended, so its number may be another's soon: end what is left of the group now.
        group.kill();
        if !is_read {
            let _ = tokio::time::timeout(AFTERMATH, &mut reading).await;
        }
        status
    };
    Ok((status, output, errors))
}

/// Reads to the end and keeps the beginning, so that a program that prints without end does not stand still.
async fn drain(from: Option<impl AsyncRead + Unpin>, kept: &mut Vec<u8>) {
    let Some(mut from) = from else { return };
    let mut buffer = vec![0; 8 << 10];
    while let Ok(n_bytes @ 1..) = from.read(&mut buffer).await {
        let room = MAX_OUTPUT_BYTES.saturating_sub(kept.len());
        kept.extend_from_slice(&buffer[..n_bytes.min(room)]);
    }
}

fn last_words(output: &[u8]) -> String {
    let text = String::from_utf8_lossy(output);
    let text = text.trim();
    let skipped = text.chars().count().saturating_sub(MAX_QUOTED_CHARS);
    text.chars().skip(skipped).collect()
}

#[cfg(test)]
mod tests;
