//! Evaluates a `forecast:` rule: one query, and a history for those series that need one.

use super::{
    Context, State,
    labelling::Samples,
    models::Due,
    reader::Reader,
    state::Done,
    tracked::{Seen, Tracked},
};
use crate::{Failure, FailureReason, ForecastRule, Source};
use futures::future::join_all;
use series::{Labels, Sample, Timestamp};
use std::{collections::HashSet, sync::Arc};
use tokio::{
    sync::Semaphore,
    task::{JoinError, spawn_blocking},
};

/// Samples of histories that are held at once, 16 bytes each. What a rule has more is fitted batch by batch.
const MAX_BATCH: usize = 32_000_000;

/// Reads what is new, fits what is due, and foresees. Nothing is remembered of an evaluation that fails on the
/// way, so that the next one begins where the last successful one ended.
pub(super) async fn evaluate<S: Source>(
    context: &Context<'_, S>,
    state: &Arc<State>,
    rule: &ForecastRule,
) -> Result<Done, Failure> {
    let reader = Reader::new(context, state, rule);
    let end = context.queried_at.align_down(rule.step.get());
    let (upto, n_known) = state.with_models(|models| (models.upto(end, rule), models.len()));
    let recent = match upto {
        None => reader.at(end).await?,
        // The step that was seen last is asked for again: it shows who is there while no new one has come.
        Some(upto) => reader.range((upto.min(end), end), n_known).await?,
    };
    let present = present(&recent, end);
    reader.check_limit(present.len())?;
    let due = state.with_models(|models| models.due(&present));
    let start = match upto {
        None => reader.earliest(end),
        Some(_) => beginning(&reader, &due, end, present.len()).await?,
    };
    let rule = Arc::new(rule.clone());
    let fitted = fit_due(&reader, &rule, &due, (start, end), present.len()).await?;

    let (state, now) = (Arc::clone(state), context.now);
    let foresee = move || {
        state.with_models_mut(|models| {
            models.advance(&recent, end, &rule);
            models.adopt(fitted);
        });
        // Apart from the change, so that curves can be asked for meanwhile.
        state.with_models(|models| models.foresee(&present, &rule, now))
    };
    on_cpu(context.cores, foresee).await.map_err(|_| {
        Failure::new(
            FailureReason::Internal,
            "a model panicked when it was asked to foresee",
        )
    })
}

/// The series that exist at the present step, each with its sample.
fn present(recent: &Samples, end: Timestamp) -> Vec<(Labels, Sample)> {
    let at_end = |(labels, samples): (&Labels, &Vec<Sample>)| {
        let last = samples.last().filter(|sample| sample.at == end)?;
        Some((labels.clone(), *last))
    };
    recent.iter().filter_map(at_end).collect()
}

/// From when on the histories of the due series are read.
async fn beginning<S: Source>(
    reader: &Reader<'_, S>,
    due: &[Due],
    end: Timestamp,
    n_series: usize,
) -> Result<Timestamp, Failure> {
    let new: HashSet<_> = due
        .iter()
        .filter(|due| due.first.is_none())
        .map(|due| &due.labels)
        .collect();
    let known = due.iter().filter_map(|due| due.first).min().unwrap_or(end);
    if new.is_empty() {
        return Ok(reader.earliest(end).max(known));
    }
    let sounded = reader
        .sound(end, n_series, |labels| new.contains(labels))
        .await?;
    Ok(reader.earliest(end).max(known.min(sounded)))
}

async fn fit_due<S: Source>(
    reader: &Reader<'_, S>,
    rule: &Arc<ForecastRule>,
    due: &[Due],
    (start, end): (Timestamp, Timestamp),
    n_series: usize,
) -> Result<Vec<(Labels, Tracked)>, Failure> {
    let n_points = rule.step.count(end.since(start)) + 1;
    let mut fitted = Vec::with_capacity(due.len());
    for batch in due.chunks((MAX_BATCH / n_points).max(1)) {
        let wanted: HashSet<_> = batch.iter().map(|due| &due.labels).collect();
        let is_wanted = |labels: &Labels| wanted.contains(labels);
        let mut histories = reader.range_of((start, end), n_series, is_wanted).await?;
        let fits = batch.iter().map(|due| {
            let samples = histories.remove(&due.labels).unwrap_or_default();
            fit(reader.context.cores, rule, due, samples)
        });
        fitted.extend(join_all(fits).await);
    }
    Ok(fitted)
}

async fn fit(
    cores: &Arc<Semaphore>,
    rule: &Arc<ForecastRule>,
    due: &Due,
    samples: Vec<Sample>,
) -> (Labels, Tracked) {
    let seen = Seen::of(&samples, due.known);
    let for_fit = Arc::clone(rule);
    let fit = move || Tracked::fit(&samples, seen, &for_fit);
    let fitted = on_cpu(cores, fit).await;
    (
        due.labels.clone(),
        fitted.unwrap_or_else(|_| Tracked::panicked(seen, rule)),
    )
}

/// Runs heavy work beside the executor's threads, no more of it at once than there are cores.
async fn on_cpu<T: Send + 'static>(
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
