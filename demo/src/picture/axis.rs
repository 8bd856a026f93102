//! From values to pixels, and where the ticks stand.

use series::Timestamp;
use std::time::Duration;

/// A linear scale. Values outside are placed at its ends.
#[derive(Debug, Clone, Copy)]
pub(super) struct Axis {
    values: (f64, f64),
    pixels: (f64, f64),
}

/// Ticks of an axis that begins at zero.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Ticks {
    /// From zero on; the last is at or above the highest value.
    pub(super) values: Vec<f64>,
    /// Digits behind the point that all of them are written with.
    pub(super) n_decimals: usize,
}

/// Spacings of ticks on a time axis, in minutes.
const MINUTES: [u64; 8] = [1, 2, 5, 10, 15, 30, 60, 120];
const MAX_TIME_TICKS: u128 = 10;
/// Enough to read a value off, few enough to look past.
const MAX_VALUE_STEPS: f64 = 4.0;

impl Axis {
    /// Spreads values over pixels; one value alone lies in the middle.
    pub(super) fn new(values: (f64, f64), pixels: (f64, f64)) -> Self {
        Self { values, pixels }
    }

    /// The pixel of a value; NaN for NaN.
    pub(super) fn at(&self, value: f64) -> f64 {
        let ((low, high), (begin, end)) = (self.values, self.pixels);
        if high <= low {
            return f64::midpoint(begin, end);
        }
        begin + ((value - low) / (high - low)).clamp(0.0, 1.0) * (end - begin)
    }
}

/// Round times within a span, evenly spaced.
pub(super) fn time_ticks(from: Timestamp, until: Timestamp) -> Vec<Timestamp> {
    let length = until.since(from).as_secs();
    let fits = |minutes: &u64| u128::from(length / (minutes * 60)) < MAX_TIME_TICKS;
    let minutes = MINUTES.into_iter().find(fits).unwrap_or(24 * 60);
    let spacing = Duration::from_mins(minutes);
    let before = from.align_down(spacing);
    let first = if before == from {
        from
    } else {
        before + spacing
    };
    std::iter::successors(Some(first), |at| Some(*at + spacing))
        .take_while(|at| *at <= until)
        .collect()
}

/// Round values from zero to just above the highest, which is taken for 1 when there is none.
pub(super) fn value_ticks(highest: f64) -> Ticks {
    let highest = if highest.is_finite() && highest > 0.0 {
        highest
    } else {
        1.0
    };
    let decade = 10_f64.powf((highest / MAX_VALUE_STEPS).log10().floor());
    let fits = |step: &f64| highest / step <= MAX_VALUE_STEPS;
    let steps = [1.0, 2.0, 5.0, 10.0].map(|factor| factor * decade);
    let step = steps.into_iter().find(fits).unwrap_or(10.0 * decade);
    let n_decimals = (0..6).find(|n| is_written_by(step, *n)).unwrap_or(6);
    let n_steps = (highest / step).ceil();
    let values = std::iter::successors(Some(0.0), |n| Some(n + 1.0));
    Ticks {
        values: values
            .take_while(|n| *n <= n_steps)
            .map(|n| n * step)
            .collect(),
        n_decimals,
    }
}

/// Whether so many digits behind the point suffice to write a value.
fn is_written_by(value: f64, n_decimals: usize) -> bool {
    let written: f64 = format!("{value:.n_decimals$}").parse().unwrap_or(f64::NAN);
    (written - value).abs() < value * 1e-6
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(highest: f64, expect: &str) {
        let Ticks { values, n_decimals } = value_ticks(highest);
        let written: Vec<_> = values.iter().map(|v| format!("{v:.n_decimals$}")).collect();
        assert_eq!(written.join(" "), expect);
    }

    #[test]
    fn values_have_few_and_round_ticks() {
        check(603.0, "0 200 400 600 800");
        check(600.0, "0 200 400 600");
        check(2.48, "0 1 2 3");
        check(1.7, "0.0 0.5 1.0 1.5 2.0");
        check(0.09, "0.00 0.05 0.10");
        check(f64::NAN, "0.0 0.5 1.0");
        check(0.0, "0.0 0.5 1.0");
    }

    #[test]
    fn times_have_few_and_round_ticks() {
        let minute = |n: i64| Timestamp::from_seconds(60 * n);
        assert_eq!(
            time_ticks(minute(0), minute(2)),
            [minute(0), minute(1), minute(2)]
        );
        let from = Timestamp::from_seconds(61);
        assert_eq!(
            time_ticks(from, minute(17)),
            (1..=8).map(|n| minute(2 * n)).collect::<Vec<_>>()
        );
        assert!(time_ticks(minute(0), minute(60 * 24 * 9)).len() < 12);
    }

    #[test]
    fn what_lies_outside_is_placed_at_the_end() {
        let axis = Axis::new((0.0, 10.0), (100.0, 0.0));
        let placed = [-5.0, 0.0, 2.5, 10.0, f64::INFINITY].map(|value| axis.at(value));
        assert_eq!(
            placed.map(f64::to_bits),
            [100.0, 100.0, 75.0, 0.0, 0.0].map(f64::to_bits)
        );
        assert!(axis.at(f64::NAN).is_nan());
        assert!((Axis::new((1.0, 1.0), (0.0, 8.0)).at(1.0) - 4.0).abs() < 1e-9);
    }
}
