//! The times that a curve has samples at.

use crate::ForecastRule;
use series::Timestamp;
use std::time::Duration;

/// The widest spacing of a curve: wider, and the look-back of PromQL would tear it.
const MAX_SPACING: Duration = Duration::from_mins(1);

/// Multiples of the spacing, so that two answers never disagree.
#[derive(Debug, Clone, Copy)]
pub(super) struct Grid {
    pub(super) first: Timestamp,
    pub(super) last: Timestamp,
    spacing: Duration,
}

impl Grid {
    /// The grid of a curve that is issued by an evaluation: it begins after it.
    pub(super) fn new(evaluated_at: Timestamp, rule: &ForecastRule) -> Self {
        let spacing = rule.step.get().min(MAX_SPACING);
        let first = evaluated_at.align_down(spacing) + spacing;
        let last = (evaluated_at + rule.longest_horizon()).align_down(spacing);
        Self {
            first,
            last: last.max(first),
            spacing,
        }
    }

    /// The grid of the live curve: its first time is not after the evaluation, so that a query of now finds a sample.
    pub(super) fn live(evaluated_at: Timestamp, rule: &ForecastRule) -> Self {
        let issued = Self::new(evaluated_at, rule);
        issued.since(evaluated_at)
    }

    /// The same grid from another beginning on, at or before the present one.
    pub(super) fn since(self, begin: Timestamp) -> Self {
        let first = begin.align_down(self.spacing).min(self.first);
        Self { first, ..self }
    }

    /// Whether a curve that begins at a time follows this one without a gap.
    pub(super) fn leads_up_to(&self, next: Timestamp) -> bool {
        self.last + self.spacing >= next
    }

    /// How many forecasts there are, the marker not counted.
    pub(super) fn len(&self) -> usize {
        let n_spacings = self.last.since(self.first).as_millis() / self.spacing.as_millis();
        usize::try_from(n_spacings)
            .unwrap_or(usize::MAX)
            .saturating_add(1)
    }

    /// The part that lies in a range, marker included.
    pub(super) fn within(&self, start: Timestamp, end: Timestamp) -> Span {
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
pub(super) struct Span {
    first: Timestamp,
    spacing: Duration,
    n_skipped: u128,
    n_all: u128,
}

impl Span {
    pub(super) fn len(&self) -> usize {
        usize::try_from(self.n_all.saturating_sub(self.n_skipped)).unwrap_or(usize::MAX)
    }

    pub(super) fn times(&self) -> impl Iterator<Item = Timestamp> + use<> {
        let n_skipped = u32::try_from(self.n_skipped).unwrap_or(u32::MAX);
        let (len, spacing) = (self.len(), self.spacing);
        let first = self.first + spacing.saturating_mul(n_skipped);
        std::iter::successors(Some(first), move |at| Some(*at + spacing)).take(len)
    }
}
