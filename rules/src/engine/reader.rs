//! Reads series for a forecast in pieces of bounded size, and takes nothing partial for the whole.

use super::{Context, State, history::Unread, samples::Samples};
use crate::{Failure, FailureReason, ForecastRule, Source};
use prometheus_api::{MAX_POINTS, QueryError, Reason, Refusal, Shrinking};
use series::{Labels, Step, Timestamp};
use std::{sync::Arc, time::Duration};

/// Reads what one rule's expression gives, or what it gives for one value of a label.
pub(super) struct Reader<'e, S> {
    pub(super) context: &'e Context<'e, S>,
    pub(super) state: &'e Arc<State>,
    pub(super) rule: &'e ForecastRule,
    shard: Shard,
}

/// A part of a rule's series.
pub(super) struct Shard {
    /// PromQL.
    pub(super) expr: String,
    /// How many series to expect at a time.
    pub(super) n_series: usize,
}

/// Samples that one answer should have at most: some seventy megabytes of JSON.
const MAX_ANSWER: usize = 2_000_000;

/// A gap of at most so many steps is read at once, and ahead of all history. Before a longer one is read, it is asked how
/// many series there are now.
pub(super) const SHORT_GAP: usize = 100;

/// Points in time at which a history is sounded for the beginning of a new series.
const SOUNDINGS: u32 = 100;

impl<'e, S: Source> Reader<'e, S> {
    pub(super) fn new(
        context: &'e Context<'e, S>,
        state: &'e Arc<State>,
        rule: &'e ForecastRule,
        shard: Shard,
    ) -> Self {
        Self {
            context,
            state,
            rule,
            shard,
        }
    }

    /// The series that exist at one time. Asked before any history, so that an expression that gives too many
    /// costs one small answer.
    pub(super) async fn at(&self, at: Timestamp) -> Result<Samples, Failure> {
        let answer = self.context.source.instant(&self.shard.expr, at).await?;
        let series = self.context.complete(answer)?;
        self.context.count(series.len());
        if series.len() > self.context.limit {
            return Err(Failure::too_many_series(series.len(), self.context.limit));
        }
        let samples = series
            .into_iter()
            .map(|(labels, sample)| (labels, vec![sample]));
        self.state.labelling.merge(samples)
    }

    /// All series in a short range, both ends included.
    pub(super) async fn range(&self, range: (Timestamp, Timestamp)) -> Result<Samples, Failure> {
        let n_series = self.shard.n_series;
        let reading = self.read(range, self.rule.step, n_series, |_| true).await?;
        match reading.unread {
            Some(Unread { error, .. }) => Err(error.into()),
            None => Ok(reading.samples),
        }
    }

    /// The series in a range of history whose labels, as the rule serves them, are wanted; `n_series` is how many to
    /// expect at a time, others included. Where Prometheus refuses even small pieces, the beginning is missing, and
    /// that is noted.
    pub(super) async fn history(
        &self,
        range: (Timestamp, Timestamp),
        n_series: usize,
        is_wanted: impl Fn(&Labels) -> bool,
    ) -> Result<Samples, Failure> {
        let reading = self
            .read(range, self.rule.step, n_series, is_wanted)
            .await?;
        self.note(reading.unread)?;
        Ok(reading.samples)
    }

    fn note(&self, unread: Option<Unread>) -> Result<(), Failure> {
        let (now, interval) = (self.context.now, self.context.interval);
        match unread {
            Some(unread) => self
                .state
                .with_history(|log| log.note_unread(unread, now, interval)),
            None => Ok(()),
        }
    }

    /// Fails when a part is empty that was counted a moment ago: its expression means something else than the whole.
    pub(super) fn check_present(&self, n_series: usize) -> Result<(), Failure> {
        let is_missing = n_series == 0 && self.shard.n_series > 0;
        let Some(label) = self.rule.for_each.as_ref().filter(|_| is_missing) else {
            return Ok(());
        };
        let (expr, n_counted) = (&self.shard.expr, self.shard.n_series);
        let message = format!(
            "{expr} gives no series, although {n_counted} were counted for this value: `for_each: {label}` needs every \
             metric of the expression to have the label, and every aggregation to keep it"
        );
        let reason = FailureReason::Query(Reason::Rejected);
        Err(Failure::new(reason, message))
    }

    /// A time at or before which the wanted series begin, at most one history ago. Costs a hundredth of the
    /// history; a series that came and went between two soundings is taken for younger than it is.
    pub(super) async fn sound(
        &self,
        end: Timestamp,
        n_series: usize,
        is_wanted: impl Fn(&Labels) -> bool,
    ) -> Result<Timestamp, Failure> {
        let earliest = self.earliest(end);
        let n_steps = self.rule.step.count(self.rule.history / SOUNDINGS).max(1);
        let spacing = self.rule.step.get() * u32::try_from(n_steps).unwrap_or(u32::MAX);
        let spacing = Step::new(spacing).expect("it is at least the rule's own step");
        let n_spacings = end.since(earliest).as_millis() / spacing.get().as_millis();
        let start = end - spacing.get() * u32::try_from(n_spacings).unwrap_or(u32::MAX);
        let seen = self
            .read((start, end), spacing, n_series, is_wanted)
            .await?;
        if seen.unread.is_some() {
            self.note(seen.unread)?;
            return Ok(earliest);
        }
        let seen = seen.samples;
        let first = seen
            .iter()
            .filter_map(|(_, samples)| samples.first())
            .map(|sample| sample.at);
        let first = first.min().unwrap_or(end);
        Ok(earliest.max(first - spacing.get()))
    }

    /// The first time of a whole history that ends at `end`.
    pub(super) fn earliest(&self, end: Timestamp) -> Timestamp {
        let step = self.rule.step.get();
        let beyond = |length: Duration| length.saturating_sub(step);
        (end - beyond(self.rule.history)).align_down(step)
    }

    async fn read(
        &self,
        range: (Timestamp, Timestamp),
        step: Step,
        n_series: usize,
        is_wanted: impl Fn(&Labels) -> bool,
    ) -> Result<Reading, Failure> {
        let n_points = step.count(range.1.since(range.0)) + 1;
        let way = if n_points > SHORT_GAP {
            Way::History
        } else {
            Way::Range
        };
        let allowed = (MAX_ANSWER / n_series.max(1)).clamp(1, MAX_POINTS);
        let max_points = match way {
            Way::History => self.state.with_history(|log| log.max_points(allowed)),
            Way::Range => allowed,
        };
        let mut pieces = Shrinking::new(range, step, max_points);
        let (mut all, mut refused) = (Samples::default(), None);
        while let Some(piece) = pieces.piece() {
            match self.piece(piece, step, way).await? {
                Ok(mut samples) => {
                    pieces.answered();
                    samples.retain(&is_wanted);
                    // The newest come first, and each piece is put behind what there is.
                    samples.reverse();
                    all.absorb(samples, n_points);
                }
                Err(error) => {
                    // What is asked for at each evaluation is asked for again at the next.
                    let is_patient = |kind| way == Way::History || kind == Refusal::Size;
                    let kind = error.refusal().filter(|kind| is_patient(*kind));
                    let is_over = kind.is_none_or(|kind| !pieces.refused(kind));
                    refused = Some(error);
                    if is_over {
                        break;
                    }
                }
            }
        }
        all.reverse();
        if way == Way::History {
            let size = pieces.max_points();
            self.state.with_history(|log| match &refused {
                Some(_) => log.note_refusals(size),
                None => log.note_no_refusal(),
            });
        }
        let missing = pieces
            .read_from(range.1)
            .map_or_else(|| range.1.since(range.0), |from| from.since(range.0));
        let unread = refused.filter(|_| !pieces.is_complete());
        Ok(Reading {
            samples: all,
            unread: unread.map(|error| Unread { missing, error }),
        })
    }

    /// One piece, or the error by which it was refused for its size or the time that it takes.
    async fn piece(
        &self,
        (start, end): (Timestamp, Timestamp),
        step: Step,
        way: Way,
    ) -> Result<Result<Samples, QueryError>, Failure> {
        let (source, expr) = (&self.context.source, &self.shard.expr);
        let answer = match way {
            Way::History => source.history(expr, start, end, step).await,
            Way::Range => source.range(expr, start, end, step).await,
        };
        let answer = match answer {
            Ok(answer) => answer,
            Err(error) if error.refusal().is_some() => return Ok(Err(error)),
            Err(error) => return Err(error.into()),
        };
        let series = self.context.complete(answer)?;
        self.context
            .count(series.iter().map(|series| series.samples.len()).sum());
        let series = series
            .into_iter()
            .map(|series| (series.labels, series.samples));
        self.state.labelling.merge(series).map(Ok)
    }
}

/// How a range is asked for.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Way {
    /// In its turn, and within what histories may cost.
    History,
    /// At once.
    Range,
}

/// What came of a range.
struct Reading {
    samples: Samples,
    /// What is missing at its beginning.
    unread: Option<Unread>,
}
