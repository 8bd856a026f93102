//! `foreshadow serve`: from the command line to a listening server, and back down in order.

use crate::{
    app::App,
    beginning,
    certified::CertifiedAcceptor,
    cli::Serve,
    connections::{self, Connections, HEAD_LIMIT, Listener, Peer, TrackingAcceptor},
    door::Door,
    http, journal, keeper, logs, report,
    signals::Signals,
    totals, version,
};
use anyhow::Context as _;
use axum_server::{Handle, Server};
use hyper_util::rt::TokioTimer;
use std::{net::TcpListener, sync::Arc, time::Duration};
use tokio::time::timeout;
use tokio_util::task::TaskTracker;
use tracing::{error, info, warn};

/// How often open actions are looked at when nothing woke the loop.
const TICK: Duration = Duration::from_millis(500);

/// Time between two ticks even when one after the other alert or decision comes in; a storm of them would otherwise
/// have open actions looked at all the time.
const MIN_TICK: Duration = Duration::from_millis(100);

/// Time that requests under way have to end after a signal to stop.
const GRACE: Duration = Duration::from_secs(10);

/// Time to read the web configuration and the files that it names.
const OPEN_LIMIT: Duration = Duration::from_secs(15);

/// Runs the service until a signal ends it.
pub(crate) async fn serve(flags: Serve) -> anyhow::Result<()> {
    logs::start(flags.log_level, flags.log_format)?;
    tell_start();
    // Before anything that takes its time: a signal without a listener ends the program on the spot.
    let mut signals = Signals::listen()?;
    let started = tokio::select! {
        started = start(flags) => started?,
        // What hangs at the start is not waited for.
        () = signals.end() => return Ok(()),
    };
    let Started {
        app,
        listener,
        max_connections,
    } = started;
    let (address, tls) = (listener.local_addr()?, app.door.tls());
    let connections = Connections::new(max_connections, app.metrics.connections.clone());
    let listener = Listener::new(listener, connections)?;
    let actions = tokio::spawn(act(app.clone()));
    let keeper = tokio::spawn(keeper::keep(app.clone()));
    let watch = tokio::spawn(journal::watch(app.clone()));
    tokio::spawn(beginning::tell_prometheus(app.clone()));
    tokio::spawn(totals::tell(app.clone()));
    info!(%address, tls = tls.is_some(), "server is ready to receive web requests");

    let handle = Handle::new();
    let stop = tokio::spawn(stop(signals, app.clone(), handle.clone()));
    let router = http::router(app.clone()).into_make_service();
    let mut server = Server::from_listener(listener);
    server
        .http_builder()
        .http1()
        .timer(TokioTimer::new())
        .header_read_timeout(HEAD_LIMIT);
    let ended = if let Some(config) = tls {
        let server = server.acceptor(CertifiedAcceptor::new(config));
        server.http1_only().handle(handle).serve(router).await
    } else {
        let server = server.acceptor(TrackingAcceptor);
        server.http1_only().handle(handle).serve(router).await
    };
    ended.context("serving HTTP")?;

    stop.abort();
    let rest = async {
        app.stopped().await;
        actions.await.context("the loop over actions broke off")?;
        keeper.await.context("the keeping of models broke off")?;
        watch
            .await
            .context("the watch over the journal broke off")?;
        // What is in its write-ahead log is moved into the database, even if somebody has deleted the log.
        app.journal.close().await;
        anyhow::Ok(())
    };
    if let Ok(ended) = timeout(GRACE, rest).await {
        ended?;
    } else {
        warn!("not everything ended in time; it is taken up at the next start");
    }
    info!("stopped");
    Ok(())
}

fn tell_start() {
    info!(
        version = version::VERSION,
        commit = version::COMMIT,
        rustc = version::RUSTC,
        target = version::TARGET,
        "starting Foreshadow"
    );
}

/// What runs, and what it will be served on.
struct Started {
    app: Arc<App>,
    listener: TcpListener,
    max_connections: usize,
}

async fn start(flags: Serve) -> anyhow::Result<Started> {
    let config_file = flags.config_file.clone();
    let max_connections = connections::affordable(flags.max_connections);
    if max_connections < flags.max_connections {
        let (asked, limit) = (flags.max_connections, max_connections);
        warn!(
            asked,
            limit,
            "half of the open files allowed are kept for the program's own: fewer connections are taken"
        );
    }
    let first = flags.web_config_file.clone().unwrap_or_default();
    let opened = files::within(&first, OPEN_LIMIT, move || Door::open(&flags)).await;
    let (door, listener) = opened.context("opening the server's address")??;
    let app = App::start(config_file, door).await?;
    Ok(Started {
        app,
        listener,
        max_connections,
    })
}

/// Lets requests under way end once a signal comes.
async fn stop(mut signals: Signals, app: Arc<App>, handle: Handle<Peer>) {
    signals.obey(&app).await;
    app.begin_to_stop();
    handle.graceful_shutdown(Some(GRACE));
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
    // No effect without an entry before it, so nothing can be done; whoever watches the journal says so.
    if app.journal.trouble().is_some() {
        return;
    }
    match app.remediation.tick(app.now()).await {
        Ok(done) => report::tick(&app.metrics.actions, &done),
        Err(error) => {
            let error = format!("{:#}", anyhow::Error::new(error));
            error!(error, "open actions could not be moved on");
        }
    }
}
