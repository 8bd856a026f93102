//! Curves of the future, made from models when they are asked for.

use super::{
    Engine, State,
    gauges::{QUANTILE, SOURCE},
};
use crate::{ForecastRule, RuleKind, Source};
use series::{Labels, Quantile, STALE_MARKER, Sample, Selector, Series, Timestamp};
use std::time::Duration;

/// Why curves were not made.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum CurveError {
    /// More samples than may be held at once.
    #[error(
        "the curves asked for have {wanted} samples, limit is {limit}; ask for fewer series or a shorter range"
    )]
    TooManySamples {
        /// Samples in the answer.
        wanted: usize,
        /// How many there may be.
        limit: usize,
    },
}

/// The value of the `source` label.
const FORESHADOW: &str = "foreshadow";

/// The widest spacing of a curve: wider, and the look-back of PromQL would tear it.
const MAX_SPACING: Duration = Duration::from_mins(1);

impl<S: Source> Engine<S> {
    /// The curves that a selector picks, within a range whose ends are included; sorted by labels.
    ///
    /// A curve begins after the evaluation that it was made from and ends with the longest horizon. One spacing
    /// later stands a staleness marker, so that look-back does not drag it on. Only rules that are
    /// fresh have curves. Heavy for many series: call it where blocking is allowed.
    pub fn curves(
        &self,
        selector: &Selector,
        start: Timestamp,
        end: Timestamp,
        now: Timestamp,
    ) -> Result<Vec<Series>, CurveError> {
        let picked = self.picked(selector, now);
        let spans: Vec<_> = picked.iter().map(|p| p.grid().within(start, end)).collect();
        let counts = picked
            .iter()
            .zip(&spans)
            .map(|(p, span)| p.curves.len() * span.len());
        let wanted = counts.fold(0, usize::saturating_add);
        let limit = self.options.max_curve_samples;
        if wanted > limit {
            return Err(CurveError::TooManySamples { wanted, limit });
        }
        let drawn = picked.iter().zip(spans).flat_map(|(p, span)| p.draw(&span));
        let mut series: Vec<_> = drawn.collect();
        series.sort_by(|a, b| a.labels.cmp(&b.labels));
        series.dedup_by(|later, earlier| later.labels == earlier.labels);
        Ok(series)
    }

    /// The labels of the curves that a selector picks, sorted.
    pub fn curve_labels(&self, selector: &Selector, now: Timestamp) -> Vec<Labels> {
        let picked = self.picked(selector, now).into_iter();
        let curves = picked.flat_map(|picked| picked.curves);
        let mut labels: Vec<_> = curves.map(|(labels, _)| labels).collect();
        labels.sort();
        labels.dedup();
        labels
    }

    fn picked(&self, selector: &Selector, now: Timestamp) -> Vec<Picked<'_>> {
        let mut picked = Vec::new();
        for state in self.states() {
            let RuleKind::Forecast(rule) = &state.kind else {
                continue;
            };
            let Some(output) = state.fresh(now).filter(|_| may_match(selector, rule)) else {
                continue;
            };
            picked.extend(output.rows.iter().map(|row| Picked {
                state,
                rule,
                evaluated_at: output.at,
                curves: curves_of(&row.labels, rule, selector),
                labels: row.labels.clone(),
            }));
        }
        picked.retain(|picked| !picked.curves.is_empty());
        picked
    }
}

/// Whether the name alone lets a rule's curves pass, before labels are made for each series.
fn may_match(selector: &Selector, rule: &ForecastRule) -> bool {
    let name = Labels::default().named(rule.curve());
    let mut of_name = selector
        .matchers()
        .iter()
        .filter(|m| m.name() == "__name__");
    of_name.all(|matcher| matcher.matches(&name))
}

fn curves_of(labels: &Labels, rule: &ForecastRule, selector: &Selector) -> Vec<(Labels, Quantile)> {
    let named = labels.named(rule.curve()).with(SOURCE, FORESHADOW);
    let of_level = |level: &Quantile| (named.with(QUANTILE, level.to_string()), *level);
    let curves = rule.quantiles.iter().map(of_level);
    curves
        .filter(|(labels, _)| selector.matches(labels))
        .collect()
}

/// One series, and those of its quantiles that are asked for.
struct Picked<'e> {
    state: &'e State,
    rule: &'e ForecastRule,
    evaluated_at: Timestamp,
    labels: Labels,
    curves: Vec<(Labels, Quantile)>,
}

impl Picked<'_> {
    fn grid(&self) -> Grid {
        Grid::new(self.evaluated_at, self.rule)
    }

    fn draw(&self, span: &Span) -> Vec<Series> {
        let (labels, levels): (Vec<_>, Vec<_>) = self.curves.iter().cloned().unzip();
        let mut curves = vec![Vec::with_capacity(span.len()); levels.len()];
        let last = self.grid().last;
        self.state.with_models(|models| {
            let Some(model) = models.get(&self.labels).and_then(|tracked| tracked.model()) else {
                return;
            };
            for at in span.times() {
                // The marker is no forecast: the curve has ended.
                let foreseen = (at <= last).then(|| model.predict(at));
                for (curve, level) in curves.iter_mut().zip(&levels) {
                    let value = foreseen
                        .as_ref()
                        .map_or(STALE_MARKER, |f| f.quantile(*level));
                    curve.push(Sample { at, value });
                }
            }
        });
        let series = labels.into_iter().zip(curves);
        series
            .map(|(labels, samples)| Series { labels, samples })
            .collect()
    }
}

/// The times that a curve has samples at: multiples of the spacing, so that two answers never disagree.
struct Grid {
    first: Timestamp,
    last: Timestamp,
    spacing: Duration,
}

impl Grid {
    fn new(evaluated_at: Timestamp, rule: &ForecastRule) -> Self {
        let spacing = rule.step.get().min(MAX_SPACING);
        let first = evaluated_at.align_down(spacing) + spacing;
        let last = (evaluated_at + rule.longest_horizon()).align_down(spacing);
        Self {
            first,
            last: last.max(first),
            spacing,
        }
    }

    /// The part that lies in a range, marker included.
    fn within(&self, start: Timestamp, end: Timestamp) -> Span {
        let marker = self.last + self.spacing;
        let skipped = start.max(self.first).since(self.first);
        let n_skipped = skipped.as_millis().div_ceil(self.spacing.as_millis());
        let until = end.min(marker);
        let n_all = if until < self.first {
            0
        } else {
            until.since(self.first).as_millis() / self.spacing.as_millis() + 1
        };
        Span {
            first: self.first,
            spacing: self.spacing,
            n_skipped,
            n_all,
        }
    }
}

/// A run of times on a grid, given by their numbers.
struct Span {
    first: Timestamp,
    spacing: Duration,
    n_skipped: u128,
    n_all: u128,
}

impl Span {
    fn len(&self) -> usize {
        usize::try_from(self.n_all.saturating_sub(self.n_skipped)).unwrap_or(usize::MAX)
    }

    fn times(&self) -> impl Iterator<Item = Timestamp> {
        let skip = |n: u128| {
            self.spacing
                .saturating_mul(u32::try_from(n).unwrap_or(u32::MAX))
        };
        let first = self.first + skip(self.n_skipped);
        std::iter::successors(Some(first), |at| Some(*at + self.spacing)).take(self.len())
    }
}
