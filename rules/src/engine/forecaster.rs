//! Evaluates a `forecast:` rule: one query, and a history for those series that need one.

use super::{
    Context, State,
    labelling::Samples,
    models::{Due, Models},
    reader::{Reader, SHORT_GAP},
    state::Done,
    tracked::{Seen, Tracked},
};
use crate::{Failure, FailureReason, ForecastRule, Source};
use futures::future::join_all;
use prometheus_api::pieces;
use series::{Labels, Sample, Timestamp};
use std::{collections::HashSet, sync::Arc};
use tokio::{
    sync::Semaphore,
    task::{JoinError, spawn_blocking},
};

/// Reads what is new, fits what is due, and foresees. Of an evaluation that fails on the way nothing is remembered but
/// how much of a long gap was made up for, so that the next one begins where this one got to.
pub(super) async fn evaluate<S: Source>(
    context: &Context<'_, S>,
    state: &Arc<State>,
    rule: &ForecastRule,
) -> Result<Done, Failure> {
    let reader = Reader::new(context, state, rule);
    let end = context.queried_at.align_down(rule.step.get());
    let upto = state.with_models(|models| models.upto(end, rule));
    let recent = match upto {
        None => reader.at(end).await?,
        // The step that was seen last is asked for again: it shows who is there while no new one has come.
        Some(upto) => recent(&reader, rule, (upto.min(end), end)).await?,
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
    on_cpu(context.cores, foresee).await.map_err(panicked)
}

fn panicked(_: JoinError) -> Failure {
    Failure::new(
        FailureReason::Internal,
        "a model panicked when it was brought up to date",
    )
}

/// The samples since the last evaluation; of a long gap those of its end alone, since the models have taken what came
/// before by then, in pieces that memory can hold.
async fn recent<S: Source>(
    reader: &Reader<'_, S>,
    rule: &ForecastRule,
    (start, end): (Timestamp, Timestamp),
) -> Result<Samples, Failure> {
    let (state, step) = (reader.state, rule.step);
    let n_known = state.with_models(Models::len);
    if step.count(end.since(start)) < SHORT_GAP {
        return reader.range((start, end), n_known).await;
    }
    let there = reader.at(end).await?;
    let n_series = n_known.max(there.len()).max(1);
    let is_known = |labels: &Labels| state.with_models(|models| models.get(labels).is_some());
    let max_points = reader.context.max_batch / n_series;
    for piece in pieces((start, end - step.get()), step, max_points) {
        let samples = reader.range_of(piece, n_series, is_known).await?;
        let (state, rule) = (Arc::clone(state), rule.clone());
        let take = move || {
            state.with_models_mut(|models| models.advance(&samples, piece.1, &rule));
        };
        on_cpu(reader.context.cores, take).await.map_err(panicked)?;
    }
    Ok(there)
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
    for batch in due.chunks((reader.context.max_batch / n_points).max(1)) {
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
