//! Signals: SIGHUP reloads, SIGTERM and SIGINT end the program, in bounded time whatever hangs.

use crate::app::App;
use anyhow::Context as _;
use std::{
    sync::{Arc, mpsc},
    thread,
    time::Duration,
};
use tokio::{
    runtime,
    signal::unix::{Signal, SignalKind, signal},
};
use tracing::info;

/// Time from a signal to the end of the program, above what all steps of an orderly end take together.
const HARD_LIMIT: Duration = Duration::from_secs(25);

/// Waits for signals to end.
pub(crate) struct Signals {
    hangup: Signal,
    end: End,
}

/// SIGTERM or SIGINT.
struct End {
    terminate: Signal,
    interrupt: Signal,
}

impl Signals {
    /// Listens from now on, and sees to it that the program ends after a signal to do so.
    pub(crate) fn listen() -> anyhow::Result<Self> {
        enforce()?;
        Ok(Self {
            hangup: listen(SignalKind::hangup())?,
            end: End::listen()?,
        })
    }

    /// Waits for a signal to end; one to reload is not taken.
    pub(crate) async fn end(&mut self) {
        self.end.recv().await;
        info!("stopping");
    }

    /// Reloads for each SIGHUP until a signal to end comes. One that comes during a reload asks for one more.
    pub(crate) async fn obey(&mut self, app: &Arc<App>) {
        let hangup = &mut self.hangup;
        let reload = async {
            while hangup.recv().await.is_some() {
                // What a reload found wrong is logged there.
                drop(app.reload().await);
            }
        };
        tokio::select! {
            () = reload => {}
            () = self.end.recv() => info!("stopping"),
        }
    }
}

impl End {
    fn listen() -> anyhow::Result<Self> {
        Ok(Self {
            terminate: listen(SignalKind::terminate())?,
            interrupt: listen(SignalKind::interrupt())?,
        })
    }

    async fn recv(&mut self) {
        tokio::select! {
            _ = self.terminate.recv() => {}
            _ = self.interrupt.recv() => {}
        }
    }
}

fn listen(kind: SignalKind) -> anyhow::Result<Signal> {
    signal(kind).context("listening for signals")
}

/// Ends the program some time after a signal to do so, from a thread that depends on nothing else of the program.
fn enforce() -> anyhow::Result<()> {
    let (listening, until_listening) = mpsc::channel();
    let wait = move || {
        let listened = listening.clone();
        let waited = wait(|| drop(listened.send(Ok(()))));
        if let Err(error) = waited {
            drop(listening.send(Err(error)));
        }
    };
    let thread = thread::Builder::new().name("end".to_owned());
    thread.spawn(wait).context("waiting for signals")?;
    until_listening.recv().context("waiting for signals")?
}

fn wait(listening: impl FnOnce()) -> anyhow::Result<()> {
    let runtime = runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    runtime.block_on(async {
        let mut end = End::listen()?;
        listening();
        end.recv().await;
        tokio::time::sleep(HARD_LIMIT).await;
        anyhow::Ok(())
    })?;
    eprintln!(
        "foreshadow: not everything ended within {HARD_LIMIT:?} of the signal, so the program ends now"
    );
    std::process::exit(1);
}
