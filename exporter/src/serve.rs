//! `foreshadow serve`: from the command line to a listening server, and back down in order.

use crate::{
    app::{App, Files},
    cli::Serve,
    config::WebConfig,
    http, logs, report,
};
use anyhow::{Context as _, ensure};
use axum_server::{Handle, tls_rustls::RustlsConfig};
use std::{net::TcpListener, sync::Arc, time::Duration};
use tokio::signal::unix::{SignalKind, signal};
use tokio_util::task::TaskTracker;
use tracing::{error, info, warn};

/// How often open actions are looked at when nothing woke the loop.
const TICK: Duration = Duration::from_millis(500);

/// Time that requests under way have to end after a signal to stop.
const GRACE: Duration = Duration::from_secs(10);

/// Runs the service until a signal ends it.
pub(crate) async fn serve(flags: Serve) -> anyhow::Result<()> {
    logs::start(flags.log_level, flags.log_format)?;
    let web = flags
        .web_config_file
        .as_deref()
        .map(WebConfig::load)
        .transpose()?;
    let web = web.unwrap_or_default();
    check_exposure(&flags, &web)?;
    let tls = web
        .tls
        .as_ref()
        .map(|tls| tls.server_config())
        .transpose()?;
    let listener = TcpListener::bind(flags.listen_address)
        .with_context(|| format!("listening on {}", flags.listen_address))?;
    listener.set_nonblocking(true)?;
    let address = listener.local_addr()?;

    let files = Files {
        config: flags.config_file,
        web: flags.web_config_file,
    };
    let app = App::start(files, web).await?;
    let actions = tokio::spawn(act(app.clone()));
    info!(version = env!("CARGO_PKG_VERSION"), %address, tls = tls.is_some(), "server is ready to receive web requests");

    let handle = Handle::new();
    let signals = tokio::spawn(obey_signals(app.clone(), handle.clone()));
    let router = http::router(app.clone()).into_make_service();
    match tls {
        Some(config) => {
            let config = RustlsConfig::from_config(Arc::new(config));
            axum_server::from_tcp_rustls(listener, config)?
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
    info!("stopped");
    Ok(())
}

/// Whoever reaches the server can have a workload scaled, so strangers must not reach it unawares.
fn check_exposure(flags: &Serve, web: &WebConfig) -> anyhow::Result<()> {
    let safe = flags.listen_address.ip().is_loopback()
        || web.authenticates()
        || flags.allow_unauthenticated;
    ensure!(
        safe,
        "{} is not a loopback address and no users are configured: give --web.config.file with \
         basic_auth_users or required client certificates, or say --web.allow-unauthenticated",
        flags.listen_address
    );
    Ok(())
}

/// Moves open actions on, until the program stops. A tick waits for the slowest actuator that it calls, so
/// the next one does not wait for it: each action is worked on by one tick at a time.
async fn act(app: Arc<App>) {
    let ticks = TaskTracker::new();
    while !app.is_stopping() {
        ticks.spawn(tick(app.clone()));
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

async fn obey_signals(app: Arc<App>, handle: Handle<std::net::SocketAddr>) -> anyhow::Result<()> {
    let mut hangup = signal(SignalKind::hangup())?;
    let mut terminate = signal(SignalKind::terminate())?;
    loop {
        tokio::select! {
            // What a reload found wrong is logged there.
            _ = hangup.recv() => drop(app.reload().await),
            _ = terminate.recv() => break,
            _ = tokio::signal::ctrl_c() => break,
        }
    }
    info!("stopping");
    app.begin_to_stop();
    handle.graceful_shutdown(Some(GRACE));
    Ok(())
}
