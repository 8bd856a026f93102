//! `foreshadow serve`: from the command line to a listening server, and back down in order.

use crate::{
    app::App, certified::CertifiedAcceptor, cli::Serve, door::Door, http, keeper, logs, report,
};
use anyhow::Context as _;
use axum_server::Handle;
use std::{net::SocketAddr, sync::Arc, time::Duration};
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio_util::task::TaskTracker;
use tracing::{error, info, warn};

/// How often open actions are looked at when nothing woke the loop.
const TICK: Duration = Duration::from_millis(500);

/// Time between two ticks even when one after the other alert or decision comes in; a storm of them would otherwise
/// have open actions looked at all the time.
const MIN_TICK: Duration = Duration::from_millis(100);

/// Time that requests under way have to end after a signal to stop.
const GRACE: Duration = Duration::from_secs(10);

/// Runs the service until a signal ends it.
pub(crate) async fn serve(flags: Serve) -> anyhow::Result<()> {
    logs::start(flags.log_level, flags.log_format)?;
    // Before anything that takes its time: a signal without a listener ends the program on the spot.
    let signals = Signals::listen()?;
    let (door, listener) = Door::open(&flags)?;
    let (address, tls) = (listener.local_addr()?, door.tls());
    let app = App::start(flags.config_file, door).await?;
    let actions = tokio::spawn(act(app.clone()));
    let keeper = tokio::spawn(keeper::keep(app.clone()));
    info!(version = env!("CARGO_PKG_VERSION"), %address, tls = tls.is_some(), "server is ready to receive web requests");

    let handle = Handle::new();
    let signals = tokio::spawn(signals.obey(app.clone(), handle.clone()));
    let router = http::router(app.clone()).into_make_service();
    match tls {
        Some(config) => {
            axum_server::from_tcp_rustls(listener, config)?
                .map(CertifiedAcceptor)
                .handle(handle)
                .serve(router)
                .await
        }
        None => {
            axum_server::from_tcp(listener)?
                .handle(handle)
                .serve(router)
                .await
        }
    }
    .context("serving HTTP")?;

    signals.abort();
    app.stopped().await;
    actions.await.context("the loop over actions broke off")?;
    keeper.await.context("the keeping of models broke off")?;
    info!("stopped");
    Ok(())
}

/// Moves open actions on, until the program stops. A tick waits for the slowest actuator that it calls, so
/// the next one does not wait for it: each action is worked on by one tick at a time.
async fn act(app: Arc<App>) {
    let ticks = TaskTracker::new();
    while !app.is_stopping() {
        ticks.spawn(tick(app.clone()));
        tokio::time::sleep(MIN_TICK).await;
        tokio::select! {
            () = tokio::time::sleep(TICK) => {}
            () = app.wake.notified() => {}
        }
    }
    ticks.close();
    if tokio::time::timeout(GRACE, ticks.wait()).await.is_err() {
        warn!("an actuator has not answered; its action is taken up at the next start");
    }
}

async fn tick(app: Arc<App>) {
    match app.remediation.tick(app.now()).await {
        Ok(done) => report::tick(&app.metrics.actions, &done),
        Err(error) => {
            let error = format!("{:#}", anyhow::Error::new(error));
            error!(error, "open actions could not be moved on");
        }
    }
}

/// What the program listens to.
struct Signals {
    hangup: Signal,
    terminate: Signal,
    interrupt: Signal,
}

impl Signals {
    fn listen() -> anyhow::Result<Self> {
        let listen = |kind| signal(kind).context("listening for signals");
        Ok(Self {
            hangup: listen(SignalKind::hangup())?,
            terminate: listen(SignalKind::terminate())?,
            interrupt: listen(SignalKind::interrupt())?,
        })
    }

    /// Reloads for each SIGHUP, and stops the program for anything else.
    async fn obey(mut self, app: Arc<App>, handle: Handle<SocketAddr>) {
        loop {
            tokio::select! {
                // What a reload found wrong is logged there.
                _ = self.hangup.recv() => drop(app.reload().await),
                _ = self.terminate.recv() => break,
                _ = self.interrupt.recv() => break,
            }
        }
        info!("stopping");
        app.begin_to_stop();
        handle.graceful_shutdown(Some(GRACE));
    }
}
