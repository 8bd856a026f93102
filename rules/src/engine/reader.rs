//! Reads series for a forecast in pieces of bounded size, and takes nothing partial for the whole.

use super::{Context, State, samples::Samples};
use crate::{Failure, FailureReason, ForecastRule, Source};
use prometheus_api::{Answer, MAX_POINTS, pieces};
use series::{Labels, Step, Timestamp};
use std::{sync::Arc, time::Duration};

/// Reads what one rule's expression gives.
pub(super) struct Reader<'e, S> {
    pub(super) context: &'e Context<'e, S>,
    pub(super) state: &'e Arc<State>,
    rule: &'e ForecastRule,
}

/// Samples that one answer should have at most: some seventy megabytes of JSON.
const MAX_ANSWER: usize = 2_000_000;

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
        self.state.labelling.merge(samples)
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
    ) -> Result<Samples, Failure> {
        let max_points = (MAX_ANSWER / n_series.max(1)).clamp(1, MAX_POINTS);
        let n_points = step.count(range.1.since(range.0)) + 1;
        let mut all = Samples::default();
        for (start, end) in pieces(range, step, max_points) {
            let answer = self.context.source.range(&self.rule.expr, start, end, step);
            let series = complete(answer.await?)?;
            self.context
                .count(series.iter().map(|series| series.samples.len()).sum());
            let series = series
                .into_iter()
                .map(|series| (series.labels, series.samples));
            let mut piece = self.state.labelling.merge(series)?;
            piece.retain(&is_wanted);
            all.absorb(piece, n_points);
        }
        Ok(all)
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
