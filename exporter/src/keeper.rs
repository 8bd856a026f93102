//! Keeps what the models have learned: saves it at intervals and at the end, and goes on from it at the next start.

mod folder;

pub(crate) use folder::Folder;

use crate::{
    app::App, clock, config::MIN_SAVE_INTERVAL, metrics::StateMetrics, sources::PromSource,
};
use anyhow::Context as _;
use rules::{Engine, Restored, Restoring};
use std::{collections::BTreeSet, sync::Arc, time::Duration};
use tokio::{task::spawn_blocking, time::Instant};
use tokio_util::sync::CancellationToken;
use tracing::{debug, error, info, warn};

/// Time for the last save, from the signal to stop on; requests under way have as long to end.
const LAST_SAVE: Duration = Duration::from_secs(10);

/// Saves all models again and again, and once more when the program stops and no evaluation is under way.
///
/// The first saves come sooner than the configured interval: weeks of history were read, and a program that
/// crashes soon after is not to ask for them at each start.
pub(crate) async fn keep(app: Arc<App>) {
    let mut wait = MIN_SAVE_INTERVAL;
    while !app.is_stopping() {
        tokio::select! {
            () = tokio::time::sleep(wait) => {
                let outcome = save(&app, app.stopping().clone()).await;
                // One that was cut off by the end is followed by the last.
                if !app.is_stopping() {
                    tell(&app.metrics.state, outcome);
                }
            }
            () = app.stopping().cancelled() => {}
        }
        wait = (wait * 2).min(app.running().save_interval);
    }
    let out_of_time = CancellationToken::new();
    let alarm = out_of_time.clone();
    let alarm = tokio::spawn(async move {
        tokio::time::sleep(LAST_SAVE).await;
        alarm.cancel();
    });
    app.evaluated().await;
    tell(&app.metrics.state, save(&app, out_of_time).await);
    alarm.abort();
}

/// Saves all models, unless it is cancelled between two batches of series. Returns the size of the files.
async fn save(app: &Arc<App>, cancelled: CancellationToken) -> anyhow::Result<u64> {
    let app = Arc::clone(app);
    let work = move || {
        let (begun, now) = (Instant::now(), clock::now());
        let engine = &app.running().engine;
        let configured: BTreeSet<_> = engine
            .restorings()
            .iter()
            .map(Restoring::file_name)
            .collect();
        let n_bytes = app
            .models
            .save(engine.savings(now), &configured, &cancelled)?;
        let metrics = &app.metrics.state;
        metrics.last_save.set(now.as_seconds_f64());
        metrics.save_duration.observe(begun.elapsed().as_secs_f64());
        anyhow::Ok(n_bytes)
    };
    spawn_blocking(work).await.context("the save broke off")?
}

fn tell(metrics: &StateMetrics, outcome: anyhow::Result<u64>) {
    match outcome {
        Ok(n_bytes) => {
            metrics.size.set(n_bytes as f64);
            debug!(bytes = n_bytes, "models saved");
        }
        Err(error) => {
            metrics.save_failures.inc();
            let error = format!("{error:#}");
            error!(
                error,
                "models could not be saved; those that were saved before stay"
            );
        }
    }
}

/// Lets the rules of an engine that has not evaluated anything yet go on from their files.
pub(crate) fn restore(folder: &Folder, engine: &Engine<PromSource>, metrics: &StateMetrics) {
    for restoring in engine.restorings() {
        let rule = restoring.rule_name();
        let restored = metrics.restored.with_label_values(&[rule]);
        let Some(Restored { series, refused }) = folder.restore(&restoring, clock::now()) else {
            continue;
        };
        restored.add(i64::try_from(series).unwrap_or(i64::MAX));
        let file = folder.path(&restoring.file_name());
        let file = file.display();
        if series > 0 {
            info!(rule, series, %file, "models go on from where they were saved");
        }
        if refused.is_empty() {
            continue;
        }
        for one in &refused {
            metrics.refused.with_label_values(&[one.reason()]).inc();
        }
        let why = refused
            .into_iter()
            .map(|one| format!("{:#}", anyhow::Error::new(one)));
        let why = why.collect::<Vec<_>>().join(", and ");
        warn!(rule, %file, error = why, "saved models were refused; this part is read anew from Prometheus");
    }
}
