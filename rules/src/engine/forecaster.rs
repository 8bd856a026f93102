//! Evaluates a `forecast:` rule: one query, or one for each value of a label, and a history for those series that
//! need one.

use super::{
    Context, State, census,
    fitting::{fit_due, on_cpu},
    history::too_early,
    models::{Due, Models, is_there},
    reader::{Reader, SHORT_GAP},
    samples::Samples,
    state::Done,
    tracked::Tracked,
};
use crate::{Failure, FailureReason, ForecastRule, Source};
use prometheus_api::pieces;
use series::{Labels, Sample, Timestamp};
use std::{collections::HashSet, sync::Arc};
use tokio::task::JoinError;

/// Reads what is new, fits what is due, and foresees. Of an evaluation that fails on the way nothing is remembered but
/// how much of a long gap was made up for, so that the next one begins where this one got to.
pub(super) async fn evaluate<S: Source>(
    context: &Context<'_, S>,
    state: &Arc<State>,
    rule: &ForecastRule,
) -> Result<Done, Failure> {
    let end = context.queried_at.align_down(rule.step.get());
    let upto = begin(context, state, rule, end)?;
    let mut parts = Vec::new();
    for shard in census::parts(context, state, rule, end).await? {
        let reader = Reader::new(context, state, rule, shard);
        parts.push(Part::read(reader, upto, end).await?);
    }
    let n_series = parts.iter().map(|part| part.n_series).sum();
    if n_series > context.limit {
        return Err(Failure::too_many_series(n_series, context.limit));
    }
    if let Some(gap) = upto.and_then(|upto| long_gap(upto, end, rule)) {
        make_up(&parts, gap, rule).await?;
    }
    let rule = Arc::new(rule.clone());
    let mut fitted = Vec::new();
    for part in &parts {
        fitted.extend(part.fit(&rule, upto, end).await?);
    }
    let not_finite = parts.iter().map(Part::not_finite).sum();
    let recent = Samples::join(parts.into_iter().map(|part| part.recent))?;
    let shortened = state.with_history(|log| {
        log.succeed();
        log.shortened().cloned()
    });

    let (state, now) = (Arc::clone(state), context.now);
    let foresee = move || {
        let present = present(&recent, end);
        state.with_models_mut(|models| {
            models.advance(&recent, end, &rule);
            models.adopt(fitted);
        });
        // Apart from the changes, so that curves can be asked for meanwhile.
        let issued = state.with_models(|models| models.issue(now, &rule));
        state.with_models_mut(|models| models.keep(issued));
        state.with_models(|models| models.foresee(&present, &rule, now))
    };
    let mut done = on_cpu(context.cores, foresee).await.map_err(panicked)?;
    (done.figures.not_finite, done.figures.shortened) = (not_finite, shortened);
    Ok(done)
}

/// The time up to which samples were taken, once what is not to be believed is forgotten. An error where there is nothing
/// to go on with but a history that is not to be asked for yet.
fn begin<S>(
    context: &Context<'_, S>,
    state: &State,
    rule: &ForecastRule,
    end: Timestamp,
) -> Result<Option<Timestamp>, Failure> {
    let n_forgotten = state.with_models_mut(|models| models.begin(context.now, end, rule));
    if n_forgotten > 0 {
        tracing::warn!(
            rule = rule.name,
            models = n_forgotten,
            "the clock was ahead and has been put right; models that saw the time between are fitted anew"
        );
    }
    let upto = state.with_models(|models| models.upto(end, rule));
    let needs_history = upto.is_none_or(|upto| long_gap(upto, end, rule).is_some());
    match state.with_history(|log| log.wait(context.now)) {
        Some(wait) if needs_history => Err(too_early(wait)),
        _ => Ok(upto),
    }
}

/// What one part of a rule's series came with.
struct Part<'e, S> {
    reader: Reader<'e, S>,
    /// The samples since the last evaluation; of a long gap those of its end alone.
    recent: Samples,
    /// The series that exist at the present step, each with its sample, which is a number.
    present: Vec<(Labels, Sample)>,
    /// How many exist, with and without a number.
    n_series: usize,
}

impl<'e, S: Source> Part<'e, S> {
    async fn read(
        reader: Reader<'e, S>,
        upto: Option<Timestamp>,
        end: Timestamp,
    ) -> Result<Self, Failure> {
        let recent = match upto {
            // The step that was seen last is asked for again: it shows who is there while no new one has come.
            Some(upto) if long_gap(upto, end, reader.rule).is_none() => {
                reader.range((upto.min(end), end)).await?
            }
            _ => reader.at(end).await?,
        };
        let lasts = recent.iter().filter_map(|(_, samples)| samples.last());
        let n_series = lasts.filter(|last| last.at == end).count();
        reader.check_present(n_series)?;
        Ok(Self {
            reader,
            present: present(&recent, end),
            recent,
            n_series,
        })
    }

    fn not_finite(&self) -> usize {
        self.n_series - self.present.len()
    }

    async fn fit(
        &self,
        rule: &Arc<ForecastRule>,
        upto: Option<Timestamp>,
        end: Timestamp,
    ) -> Result<Vec<(Labels, Tracked)>, Failure> {
        let (reader, n_series) = (&self.reader, self.n_series);
        let due = reader.state.with_models(|models| models.due(&self.present));
        let is_put_off = reader
            .state
            .with_history(|log| log.wait(reader.context.now).is_some());
        if due.is_empty() || is_put_off {
            return Ok(Vec::new());
        }
        let start = match upto {
            None => reader.earliest(end),
            Some(_) => beginning(reader, &due, end, n_series).await?,
        };
        if start <= reader.earliest(end) {
            let now = reader.context.now;
            reader.state.with_history(|log| log.begin_anew(now));
        }
        fit_due(reader, rule, &due, (start, end), n_series).await
    }
}

pub(super) fn panicked(_: JoinError) -> Failure {
    Failure::new(
        FailureReason::Internal,
        "a model panicked when it was brought up to date",
    )
}

/// What is missing between two evaluations, the last step apart, where that is long.
fn long_gap(
    upto: Timestamp,
    end: Timestamp,
    rule: &ForecastRule,
) -> Option<(Timestamp, Timestamp)> {
    let step = rule.step;
    (step.count(end.since(upto)) >= SHORT_GAP).then(|| (upto, end - step.get()))
}

/// Brings the models through a long gap, in pieces that memory can hold. All parts come to the end of a piece together:
/// there is one time up to which a rule's samples were taken.
async fn make_up<S: Source>(
    parts: &[Part<'_, S>],
    gap: (Timestamp, Timestamp),
    rule: &ForecastRule,
) -> Result<(), Failure> {
    let Some(Part { reader, .. }) = parts.first() else {
        return Ok(());
    };
    let (state, context) = (reader.state, reader.context);
    let n_present = parts.iter().map(|part| part.n_series).sum();
    let n_series = state.with_models(Models::len).max(n_present).max(1);
    let is_known = |labels: &Labels| state.with_models(|models| models.get(labels).is_some());
    for piece in pieces(gap, rule.step, context.max_batch / n_series) {
        let mut samples = Vec::with_capacity(parts.len());
        for Part { reader, .. } in parts {
            samples.push(reader.history(piece, n_series, is_known).await?);
        }
        let samples = Samples::join(samples)?;
        let (state, rule) = (Arc::clone(state), rule.clone());
        let take = move || {
            state.with_models_mut(|models| models.advance(&samples, piece.1, &rule));
        };
        on_cpu(context.cores, take).await.map_err(panicked)?;
    }
    Ok(())
}

/// The series that exist at the present step, each with its sample; those whose sample is no number are left out.
fn present(recent: &Samples, end: Timestamp) -> Vec<(Labels, Sample)> {
    let at_end = |(labels, samples): (&Labels, &[Sample])| {
        let last = samples.last().filter(|last| is_there(last, end))?;
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
