//! Fits models to the histories of those series that are due.

use super::{
    models::Due,
    reader::Reader,
    tracked::{Seen, Tracked},
};
use crate::{Failure, ForecastRule, Source};
use futures::{StreamExt as _, stream};
use series::{Labels, Sample, Timestamp};
use std::{
    collections::HashSet,
    panic::{AssertUnwindSafe, catch_unwind},
    sync::Arc,
};
use tokio::{
    sync::Semaphore,
    task::{JoinError, spawn_blocking},
};

/// Series that are fitted in one go: a hundred thousand tasks of their own would take memory for each.
const CHUNK: usize = 64;

/// Goes that wait for a core; more of them than most machines have cores.
const WAITING: usize = 64;

/// Reads the histories of the due series in a range, batch by batch, and fits.
pub(super) async fn fit_due<S: Source>(
    reader: &Reader<'_, S>,
    rule: &Arc<ForecastRule>,
    due: &[Due],
    (start, end): (Timestamp, Timestamp),
    n_series: usize,
) -> Result<Vec<(Labels, Tracked)>, Failure> {
    let n_points = rule.step.count(end.since(start)) + 1;
    let mut fitted = Vec::with_capacity(due.len());
    let (mut n_read, mut n_found) = (0, 0);
    for batch in due.chunks((reader.context.max_batch / n_points).max(1)) {
        let wanted: HashSet<_> = batch.iter().map(|due| &due.labels).collect();
        let is_wanted = |labels: &Labels| wanted.contains(labels);
        let before = reader.context.n_read();
        let mut histories = reader.history((start, end), n_series, is_wanted).await?;
        n_read += reader.context.n_read() - before;
        let goes = batch.chunks(CHUNK).map(|chunk| {
            let chunk = chunk.iter().map(|due| {
                let history = histories.take(&due.labels);
                n_found += usize::from(!history.is_empty());
                Untold::of(due, history)
            });
            fit_all(reader.context.cores, rule, chunk.collect())
        });
        let goes: Vec<_> = goes.collect();
        let mut goes = stream::iter(goes).buffered(WAITING);
        while let Some(chunk) = goes.next().await {
            fitted.extend(chunk?);
        }
    }
    if n_read > 0 && n_found == 0 {
        tracing::warn!(
            rule = rule.name,
            n_read,
            "the history holds none of the series that there are now: do both have the same labels?"
        );
    }
    Ok(fitted)
}

/// A series that is to be fitted.
struct Untold {
    labels: Labels,
    history: Vec<Sample>,
    seen: Seen,
}

impl Untold {
    fn of(due: &Due, history: Vec<Sample>) -> Self {
        Self {
            labels: due.labels.clone(),
            seen: Seen::of(&history, due.known),
            history,
        }
    }

    /// Fits; a model that panics is the failure of this series alone.
    fn fit(self, rule: &ForecastRule) -> (Labels, Tracked) {
        let fit = || Tracked::fit(&self.history, self.seen, rule);
        let tracked = catch_unwind(AssertUnwindSafe(fit));
        let tracked = tracked.unwrap_or_else(|_| Tracked::panicked(self.seen, rule));
        (self.labels, tracked)
    }
}

async fn fit_all(
    cores: &Arc<Semaphore>,
    rule: &Arc<ForecastRule>,
    chunk: Vec<Untold>,
) -> Result<Vec<(Labels, Tracked)>, Failure> {
    let rule = Arc::clone(rule);
    let fit = move || chunk.into_iter().map(|one| one.fit(&rule)).collect();
    on_cpu(cores, fit)
        .await
        .map_err(super::forecaster::panicked)
}

/// Runs heavy work beside the executor's threads, no more of it at once than there are cores.
pub(super) async fn on_cpu<T: Send + 'static>(
    cores: &Arc<Semaphore>,
    work: impl FnOnce() -> T + Send + 'static,
) -> Result<T, JoinError> {
    let permit = Arc::clone(cores).acquire_owned().await;
    spawn_blocking(move || {
        let _permit = permit.expect("the semaphore is never closed");
        work()
    })
    .await
}
