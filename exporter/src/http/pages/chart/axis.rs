//! Scales with round numbers.

use super::Tick;
use crate::figures::number;
use series::Timestamp;
use std::time::Duration;

/// Spacings of times, in minutes: those that a clock face knows, then days.
const TIME_SPACINGS: [u64; 14] = [
    1, 2, 5, 10, 15, 30, 60, 120, 180, 360, 720, 1_440, 2_880, 10_080,
];

/// The most lines that a scale has.
const MAX_VALUES: f64 = 5.0;
const MAX_TIMES: u128 = 9;

/// A scale of values between two places.
#[derive(Debug, Clone, Copy)]
pub(super) struct Axis {
    low: f64,
    high: f64,
    spacing: f64,
    /// The place of `low`, and the pixels of one unit upwards.
    bottom: f64,
    pixels: f64,
}

impl Axis {
    /// A scale that holds all of these finite values, from zero where they are near it.
    pub(super) fn new(values: impl Iterator<Item = f64>, top: f64, bottom: f64) -> Self {
        let (mut low, mut high) = (f64::INFINITY, f64::NEG_INFINITY);
        for value in values.filter(|value| value.is_finite()) {
            (low, high) = (low.min(value), high.max(value));
        }
        if low > 0.0 && low < high * 0.6 || high - low <= high.abs() * 1e-6 {
            (low, high) = (low.min(0.0), high.max(0.0));
        }
        // No value, or only zeros.
        if low >= high {
            (low, high) = (0.0, 1.0);
        }
        let spacing = round_up((high / MAX_VALUES - low / MAX_VALUES).max(f64::MIN_POSITIVE));
        let low = (low / spacing).floor() * spacing;
        let high = ((high / spacing).ceil() * spacing).max(low + spacing);
        Self {
            low,
            high,
            spacing,
            bottom,
            pixels: (bottom - top) / (high - low),
        }
    }

    /// The place of a value; one that does not fit is put at the nearer end.
    pub(super) fn place(self, value: f64) -> f64 {
        round(self.bottom - (value.clamp(self.low, self.high) - self.low) * self.pixels)
    }

    /// The lines of the scale, lowest first.
    pub(super) fn ticks(self) -> Vec<Tick> {
        let values = (0..).map(|n| self.low + f64::from(n) * self.spacing);
        let within = values.take_while(|value| *value <= self.high + self.spacing / 2.0);
        // A bound for scales whose spacing is lost in rounding.
        let within = within.take(2 * MAX_TIMES as usize);
        let tick = |value: f64| Tick {
            place: self.place(value),
            text: number(value),
        };
        within.map(tick).collect()
    }
}

/// The next of 1, 2 and 5 times a power of ten.
fn round_up(size: f64) -> f64 {
    let power = 10_f64.powf(size.log10().floor());
    let steps = [1.0, 2.0, 5.0].map(|step| step * power);
    let fits = steps.into_iter().find(|step| *step >= size * 0.999);
    fits.unwrap_or(power * 10.0)
}

/// A place to a tenth of a pixel.
pub(super) fn round(place: f64) -> f64 {
    (place * 10.0).round() / 10.0
}

/// Full minutes, hours or days of a range, each at its place, oldest first.
pub(super) fn times(
    start: Timestamp,
    end: Timestamp,
    place: impl Fn(Timestamp) -> f64,
) -> Vec<Tick> {
    let minutes = end.since(start).as_millis() / 60_000;
    let fits = |spacing: &u64| minutes / u128::from(*spacing) < MAX_TIMES;
    let spacing = TIME_SPACINGS.into_iter().find(fits);
    let Some(spacing) = spacing.map(|minutes| Duration::from_secs(minutes * 60)) else {
        return Vec::new();
    };
    let format = if spacing >= Duration::from_hours(24) {
        "%b %d"
    } else {
        "%H:%M"
    };
    let first = start.align_down(spacing) + spacing;
    let all = std::iter::successors(Some(first), |at| Some(*at + spacing));
    let tick = |at: Timestamp| Tick {
        place: place(at),
        text: written(at, format),
    };
    all.take_while(|at| *at < end).map(tick).collect()
}

/// A time in UTC.
pub(super) fn written(at: Timestamp, format: &str) -> String {
    let known = jiff::Timestamp::from_millisecond(at.as_millis());
    known.map_or_else(|_| String::new(), |at| at.strftime(format).to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(values: &[f64], expect: &[&str]) {
        let axis = Axis::new(values.iter().copied(), 0.0, 100.0);
        let texts: Vec<_> = axis.ticks().into_iter().map(|tick| tick.text).collect();
        assert_eq!(texts, expect, "{values:?}");
        for value in values.iter().filter(|value| !value.is_nan()) {
            assert!((0.0..=100.0).contains(&axis.place(*value)), "{value}");
        }
    }

    #[test]
    fn a_scale_has_round_numbers_and_holds_all_values() {
        check(&[120.0, 424.0], &["0", "100", "200", "300", "400", "500"]);
        check(&[0.2, 0.93], &["0", "0.2", "0.4", "0.6", "0.8", "1"]);
        check(&[980.0, 1_000.0], &["980", "985", "990", "995", "1000"]);
        check(&[-3.0, 4.0], &["-4", "-2", "0", "2", "4"]);
        check(&[7.0], &["0", "2", "4", "6", "8"]);
        check(&[0.0], &["0", "0.2", "0.4", "0.6", "0.8", "1"]);
        check(&[], &["0", "0.2", "0.4", "0.6", "0.8", "1"]);
        check(&[f64::NAN, f64::INFINITY, 3.0, 0.0], &["0", "1", "2", "3"]);
    }

    #[test]
    fn times_stand_at_full_hours_or_minutes() {
        let texts = |from: i64, to: i64| {
            let [start, end] = [from, to].map(Timestamp::from_seconds);
            let ticks = times(start, end, |at| at.as_millis() as f64);
            ticks.into_iter().map(|tick| tick.text).collect::<Vec<_>>()
        };
        assert_eq!(
            texts(90, 420),
            ["00:02", "00:03", "00:04", "00:05", "00:06"]
        );
        assert_eq!(texts(0, 5 * 3_600), ["01:00", "02:00", "03:00", "04:00"]);
        assert_eq!(
            texts(0, 3 * 86_400),
            ["12:00", "00:00", "12:00", "00:00", "12:00"]
        );
        assert_eq!(texts(0, 6 * 86_400).first().unwrap(), "Jan 02");
        assert_eq!(texts(0, 10_000 * 86_400), [""; 0]);
    }
}
