//! A curve as it was issued at an earlier evaluation, kept in few bytes, so that it can be held against what happened.

use super::grid::Grid;
use crate::{ForecastRule, bytes::Taker, identity::fnv1a};
use forecast::Fitted;
use series::Timestamp;
use std::time::Duration;

/// The values of a curve at some of its times, all levels one after the other at each; between them it is linear.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Vintage {
    at: Timestamp,
    /// See [`levels_of`].
    levels: u64,
    /// The smallest value, and the size of one unit of an offset.
    low: f64,
    unit: f64,
    /// Sixteen bits are a thousand times finer than a screen.
    offsets: Box<[u16]>,
}

/// Curves that a series keeps. They are issued four times within the longest horizon, so that one of five has always
/// come to its end, and can be held against what happened from beginning to end.
pub(super) const KEPT: usize = 5;

/// Times at which the values of a curve are kept; all of them where the curve has no more.
const MAX_KNOTS: usize = 64;

/// What tells the levels of one rule from those of another: rules that differ in these alone have their models, and
/// what was issued by them, in common.
pub(super) fn levels_of(rule: &ForecastRule) -> u64 {
    let levels = rule.quantiles.iter().map(|level| level.level());
    fnv1a(levels.flat_map(f64::to_le_bytes))
}

impl Vintage {
    /// Keeps what a model foresees from an evaluation.
    pub(super) fn of(model: &dyn Fitted, at: Timestamp, rule: &ForecastRule) -> Self {
        let grid = Grid::new(at, rule);
        let n_knots = n_knots(grid);
        let mut values = Vec::with_capacity(n_knots * rule.quantiles.len());
        for knot in 0..n_knots {
            let foreseen = model.predict(time(grid, knot, n_knots));
            values.extend(rule.quantiles.iter().map(|level| foreseen.quantile(*level)));
        }
        let low = values.iter().copied().fold(f64::INFINITY, f64::min);
        let high = values.iter().copied().fold(f64::NEG_INFINITY, f64::max);
        // Divided first: the difference of two finite values need not be finite.
        let unit = high / f64::from(u16::MAX) - low / f64::from(u16::MAX);
        let offsets = values.iter().map(|value| offset(value - low, unit));
        Self {
            at,
            levels: levels_of(rule),
            low,
            unit,
            offsets: offsets.collect(),
        }
    }

    /// The evaluation that the curve was issued by.
    pub(super) fn at(&self) -> Timestamp {
        self.at
    }

    /// The levels that it has values for, see [`levels_of`].
    pub(super) fn levels(&self) -> u64 {
        self.levels
    }

    /// The same as the label `origin` has it: RFC 3339, in whole seconds.
    pub(super) fn origin(&self) -> String {
        let seconds = self.at.align_down(Duration::from_secs(1)).as_millis() / 1_000;
        // No clock is beyond the year 9999, in which such texts end.
        jiff::Timestamp::from_second(seconds)
            .map_or_else(|_| seconds.to_string(), |at| at.to_string())
    }

    /// Whether another is to be issued at a time: four times within the longest horizon, at the same times for all series.
    pub(super) fn is_followed(&self, now: Timestamp, rule: &ForecastRule) -> bool {
        let spacing = (rule.longest_horizon() / 4).max(rule.step.get());
        self.at < now.align_down(spacing)
    }

    /// The value at a time on the grid of its evaluation, and at the level of this place among so many.
    pub(super) fn value(
        &self,
        (grid, n_levels): (Grid, usize),
        at: Timestamp,
        level: usize,
    ) -> f64 {
        let n_knots = n_knots(grid);
        let length = grid.last.since(grid.first).as_millis().max(1) as f64;
        let position = at.since(grid.first).as_millis() as f64 / length * (n_knots - 1) as f64;
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "a position is not negative, and less than the number of knots"
        )]
        let before = (position as usize).min(n_knots - 1);
        let after = (before + 1).min(n_knots - 1);
        let part = position - before as f64;
        let offset = |knot: usize| {
            let offset = self.offsets.get(knot * n_levels + level);
            f64::from(offset.copied().unwrap_or(0))
        };
        let offset = offset(before) + (offset(after) - offset(before)) * part;
        (self.low + offset * self.unit).clamp(f64::MIN, f64::MAX)
    }

    /// Appends it.
    pub(super) fn put(&self, to: &mut Vec<u8>) {
        to.extend(self.at.as_millis().to_le_bytes());
        to.extend(self.low.to_le_bytes());
        to.extend(self.unit.to_le_bytes());
        for offset in &self.offsets {
            to.extend(offset.to_le_bytes());
        }
    }

    /// Takes one that was issued by a rule; `None` where the bytes cannot be that.
    pub(super) fn take(from: &mut Taker, rule: &ForecastRule) -> Option<Self> {
        let at = Timestamp::from_millis(from.i64()?);
        let (low, unit) = (from.f64()?, from.f64()?);
        let n_offsets = n_knots(Grid::new(at, rule)) * rule.quantiles.len();
        let offsets = (0..n_offsets).map(|_| from.u16()).collect::<Option<_>>()?;
        let is_possible = low.is_finite() && unit.is_finite() && unit >= 0.0;
        is_possible.then_some(Self {
            at,
            levels: levels_of(rule),
            low,
            unit,
            offsets,
        })
    }
}

fn n_knots(grid: Grid) -> usize {
    grid.len().min(MAX_KNOTS)
}

fn time(grid: Grid, knot: usize, n_knots: usize) -> Timestamp {
    let length = u64::try_from(grid.last.since(grid.first).as_millis()).unwrap_or(u64::MAX);
    let (knot, n_parts) = (knot as u64, (n_knots as u64 - 1).max(1));
    grid.first + Duration::from_millis(length / n_parts * knot + length % n_parts * knot / n_parts)
}

fn offset(above: f64, unit: f64) -> u16 {
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "such casts stop at the ends of the range, and take what is no number for zero"
    )]
    let offset = (above / unit).round() as u16;
    offset
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{RuleKind, parse};
    use forecast::{Bounds, Distribution, Paths, UpdateError};
    use proptest::prelude::*;
    use series::{Sample, Step};

    fn rule(horizon: &str) -> ForecastRule {
        let text = format!(
            "groups: [{{name: g, rules: [{{forecast: a, expr: up, horizons: [{horizon}], quantiles: [0.1, 0.5, 0.9]}}]}}]"
        );
        let groups = parse("r.yml", &text).unwrap_or_else(|problems| panic!("{problems}"));
        match &groups[0].rules[0].kind {
            RuleKind::Forecast(rule) => rule.clone(),
            RuleKind::Record(_) => panic!("a recording"),
        }
    }

    /// Foresees a line between two values within a week, and a band of a tenth of it around.
    struct Line {
        from: f64,
        to: f64,
    }

    const AT: Timestamp = Timestamp::from_seconds(1_000_000_007);

    impl Fitted for Line {
        fn model(&self) -> &'static str {
            "line"
        }

        fn step(&self) -> Step {
            Step::new(Duration::from_mins(1)).unwrap()
        }

        fn origin(&self) -> Timestamp {
            AT
        }

        fn update(&mut self, _: Sample) -> Result<(), UpdateError> {
            Ok(())
        }

        fn predict(&self, at: Timestamp) -> Distribution {
            let part = at.since(AT).as_secs_f64() / (7.0 * 86_400.0);
            let value = self.from * (1.0 - part) + self.to * part;
            let width = (self.to / 10.0 - self.from / 10.0).abs();
            let around = Distribution::LEVELS.map(|level| value + (level - 0.5) * width);
            Distribution::new(around, Bounds::UNLIMITED)
        }

        fn paths(&self, _: usize, _: usize, _: u64) -> Paths {
            panic!("nobody asks for paths")
        }
    }

    fn bytes(vintage: &Vintage) -> Vec<u8> {
        let mut bytes = Vec::new();
        vintage.put(&mut bytes);
        bytes
    }

    /// The largest distance from what the model said, in shares of the range of all values.
    fn distance(line: &Line, rule: &ForecastRule) -> f64 {
        let (vintage, grid) = (Vintage::of(line, AT, rule), Grid::new(AT, rule));
        let range = (line.to / 1e3 - line.from / 1e3)
            .abs()
            .max(f64::MIN_POSITIVE);
        let span = grid.within(grid.first, grid.last);
        let distances = span.times().flat_map(|at| {
            let foreseen = line.predict(at);
            let kept = [0, 1, 2].map(|level| vintage.value((grid, 3), at, level));
            assert!(
                kept.is_sorted() && kept.iter().all(|value| value.is_finite()),
                "{kept:?}"
            );
            let levels = rule.quantiles.iter().zip(kept);
            let distances = levels.map(move |(level, kept)| {
                (kept / 1e3 - foreseen.quantile(*level) / 1e3).abs() / range
            });
            distances.collect::<Vec<_>>()
        });
        distances.fold(0.0, f64::max)
    }

    #[test]
    fn a_day_takes_less_than_half_a_kilobyte() {
        let line = Line {
            from: 3.0,
            to: 70.0,
        };
        let rule = rule("15m, 24h");
        let vintage = Vintage::of(&line, AT, &rule);
        let size = size_of::<Vintage>() + size_of_val(&*vintage.offsets);
        assert!((64 * 3 * 2..=448).contains(&size), "{size} bytes");
        assert_eq!(vintage.origin(), "2001-09-09T01:46:47Z");
    }

    #[test]
    fn bytes_that_are_cut_short_or_no_numbers_are_no_vintage() {
        let rule = rule("1h");
        let whole = bytes(&Vintage::of(&Line { from: 1.0, to: 2.0 }, AT, &rule));
        for n_bytes in 0..whole.len() {
            assert_eq!(Vintage::take(&mut Taker(&whole[..n_bytes]), &rule), None);
        }
        let mut damaged = whole;
        damaged[8..16].copy_from_slice(&f64::NAN.to_le_bytes());
        assert_eq!(Vintage::take(&mut Taker(&damaged), &rule), None);
    }

    proptest! {
        #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]
        #[test]
        fn whatever_was_foreseen_is_kept_to_a_ten_thousandth_of_its_range(
            from in any::<f64>().prop_filter("a band around it is finite", |x| x.abs() < 1e307),
            to in any::<f64>().prop_filter("a band around it is finite", |x| x.abs() < 1e307),
            horizon in prop_oneof![Just("1m"), Just("1h"), Just("7d")],
        ) {
            let (line, rule) = (Line { from, to }, rule(horizon));
            let size = from.abs().max(to.abs());
            // Where the range is below the rounding of the values, there is nothing to tell apart.
            prop_assume!((to / 2.0 - from / 2.0).abs() > size * 1e-6 && size > 1e-290);
            let distance = distance(&line, &rule);
            prop_assert!(distance < 1e-4, "{}", distance);
            let vintage = Vintage::of(&line, AT, &rule);
            prop_assert_eq!(Vintage::take(&mut Taker(&bytes(&vintage)), &rule), Some(vintage));
        }
    }
}
