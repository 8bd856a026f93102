//! Reads series for a forecast in pieces of bounded size, and takes nothing partial for the whole.

use super::{Context, State, labelling::Samples};
use crate::{Failure, FailureReason, ForecastRule, Source};
use prometheus_api::{Answer, MAX_POINTS, pieces};
use series::{Labels, Sample, Step, Timestamp};
use std::{sync::Arc, time::Duration};

/// Reads what one rule's expression gives.
pub(super) struct Reader<'e, S> {
    pub(super) context: &'e Context<'e, S>,
    pub(super) state: &'e Arc<State>,
    rule: &'e ForecastRule,
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
    ) -> Self {
        Self {
            context,
            state,
            rule,
        }
    }

    /// The series that exist at one time. Asked before any history, so that an expression that gives too many
    /// costs one small answer.
    pub(super) async fn at(&self, at: Timestamp) -> Result<Samples, Failure> {
        let answer = self.context.source.instant(&self.rule.expr, at).await?;
        let series = complete(answer)?;
        self.context.count(series.len());
        self.check_limit(series.len())?;
        let samples = series
            .into_iter()
            .map(|(labels, sample)| (labels, vec![sample]));
        self.state.labelling.merge(samples.collect())
    }

    /// All series in a range, both ends included; `n_series` is how many to expect at a time.
    pub(super) async fn range(
        &self,
        range: (Timestamp, Timestamp),
        n_series: usize,
    ) -> Result<Samples, Failure> {
        self.range_of(range, n_series, |_| true).await
    }

    /// The series in a range whose labels, as the rule serves them, are wanted.
    pub(super) async fn range_of(
        &self,
        range: (Timestamp, Timestamp),
        n_series: usize,
        is_wanted: impl Fn(&Labels) -> bool,
    ) -> Result<Samples, Failure> {
        self.read(range, self.rule.step, n_series, is_wanted).await
    }

    /// Fails when more series exist than the rule may have.
    pub(super) fn check_limit(&self, n_series: usize) -> Result<(), Failure> {
        if n_series > self.context.limit {
            return Err(Failure::too_many_series(n_series, self.context.limit));
        }
        Ok(())
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
        let first = seen
            .values()
            .filter_map(|samples| samples.first())
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
    ) -> Result<Samples, Failure> {
        let is_history = self.rule.step.count(range.1.since(range.0)) >= SHORT_GAP;
        let max_points = (MAX_ANSWER / n_series.max(1)).clamp(1, MAX_POINTS);
        let mut samples = Samples::new();
        for (start, end) in pieces(range, step, max_points) {
            let (source, expr) = (&self.context.source, &self.rule.expr);
            let answer = if is_history {
                source.history(expr, start, end, step).await?
            } else {
                source.range(expr, start, end, step).await?
            };
            for series in complete(answer)? {
                self.context.count(series.samples.len());
                if is_wanted(&self.state.labelling.apply(&series.labels)) {
                    let all: &mut Vec<Sample> = samples.entry(series.labels).or_default();
                    all.extend(series.samples);
                }
            }
        }
        self.state.labelling.merge(samples)
    }
}

/// The value of an answer without warnings. One with warnings may hold half a fleet, and would look like all.
fn complete<T>(answer: Answer<T>) -> Result<T, Failure> {
    if answer.warnings.is_empty() {
        return Ok(answer.value);
    }
    let warnings = answer.warnings.join("; ");
    let message = format!("the answer may be partial: {warnings}");
    Err(Failure::new(FailureReason::Partial, message))
}
