//! The axes of a plot: round values on the left, clock times below.

use series::Timestamp;
use std::time::Duration;

/// Round values within a range.
#[derive(Debug)]
pub(super) struct Scale {
    values: Vec<f64>,
    /// Between two values: one, two or five times this power of ten.
    exponent: i32,
}

/// Values that are wanted on the axis, about.
const N_VALUES: f64 = 4.0;

/// From here on a number is written with a power of ten.
const HUGE: f64 = 1e15;

/// The smallest power of ten that is written with decimals.
const SMALLEST_EXPONENT: i32 = -6;

impl Scale {
    /// The round values from `low` to `high`; none where the range is no number.
    pub(super) fn of(low: f64, high: f64) -> Self {
        let range = high - low;
        if !range.is_finite() || range <= 0.0 {
            let (values, exponent) = (Vec::new(), 0);
            return Self { values, exponent };
        }
        let wanted = range / N_VALUES;
        #[expect(
            clippy::cast_possible_truncation,
            reason = "the logarithm of a finite number lies between -324 and 309"
        )]
        let exponent = wanted.log10().floor() as i32;
        let power = 10f64.powi(exponent);
        let (mantissa, exponent) = match wanted / power {
            m if m < 1.5 => (1.0, exponent),
            m if m < 3.5 => (2.0, exponent),
            m if m < 7.5 => (5.0, exponent),
            _ => (1.0, exponent + 1),
        };
        let step = mantissa * 10f64.powi(exponent);
        let first = (low / step).ceil();
        let values = (0..16).map(|idx| (first + f64::from(idx)) * step);
        // A negative zero is a zero.
        let values = values
            .take_while(|value| *value <= high)
            .map(|value| value + 0.0);
        Self {
            values: values.collect(),
            exponent,
        }
    }

    /// Each value with its label. Labels are as distinct as the values.
    pub(super) fn labels(&self) -> impl Iterator<Item = (f64, String)> + '_ {
        self.values.iter().map(|value| (*value, self.label(*value)))
    }

    /// Columns of the longest label.
    pub(super) fn width(&self) -> usize {
        let widths = self.labels().map(|(_, text)| text.chars().count());
        widths.max().unwrap_or(0)
    }

    fn label(&self, value: f64) -> String {
        let largest = self
            .values
            .iter()
            .fold(0.0, |max: f64, value| max.max(value.abs()));
        if largest >= HUGE || self.exponent < SMALLEST_EXPONENT {
            #[expect(
                clippy::cast_possible_truncation,
                reason = "the logarithm of a finite number lies between -324 and 309"
            )]
            let leading = largest.log10().floor() as i32;
            let digits = usize::try_from(leading - self.exponent)
                .unwrap_or(0)
                .min(16);
            return format!("{value:.digits$e}");
        }
        let (unit, name) = match self.exponent {
            9.. => (1e9, "G"),
            6.. => (1e6, "M"),
            3.. if largest >= 1e4 => (1e3, "k"),
            _ => (1.0, ""),
        };
        if unit > 1.0 {
            let name = if value == 0.0 { "" } else { name };
            return format!("{:.0}{name}", value / unit);
        }
        let decimals = usize::try_from(-self.exponent).unwrap_or(0);
        format!("{value:.decimals$}")
    }
}

/// The time of each column.
#[derive(Debug)]
pub(super) struct Clock {
    pub(super) start: Timestamp,
    /// From the first column's beginning to the last one's end.
    pub(super) span: Duration,
    pub(super) width: usize,
}

const MINUTE: u64 = 60;
const HOUR: u64 = 60 * MINUTE;
const DAY: u64 = 24 * HOUR;

/// Distances between two clock times, in seconds.
const DISTANCES: [u64; 20] = [
    1,
    5,
    15,
    30,
    MINUTE,
    2 * MINUTE,
    5 * MINUTE,
    10 * MINUTE,
    15 * MINUTE,
    30 * MINUTE,
    HOUR,
    2 * HOUR,
    3 * HOUR,
    6 * HOUR,
    12 * HOUR,
    DAY,
    2 * DAY,
    7 * DAY,
    28 * DAY,
    364 * DAY,
];

/// Columns between two clock times, at least.
const GAP: usize = 3;

impl Clock {
    /// Two lines: the axis, with marks where there are clock times and where now is, and the times.
    pub(super) fn axis(&self, now: usize) -> [String; 2] {
        let mut line = vec!['─'; self.width];
        let mut times = vec![' '; self.width + 1];
        let mut free = 0;
        for (column, text) in self.times() {
            line[column] = '┬';
            let length = text.chars().count();
            // In the middle under its mark, and never beyond an edge.
            let begin = (column + 1).saturating_sub(length / 2);
            let begin = begin.min(times.len().saturating_sub(length));
            if begin < free {
                continue;
            }
            for (place, letter) in times[begin..].iter_mut().zip(text.chars()) {
                *place = letter;
            }
            free = begin + length + 1;
        }
        line[now] = if line[now] == '┬' { '┼' } else { '┴' };
        let line: String = line.into_iter().collect();
        let times: String = times.into_iter().collect();
        [format!("└{line}"), times.trim_end().to_owned()]
    }

    /// Columns with their clock times, as many as have room.
    fn times(&self) -> Vec<(usize, String)> {
        let seconds = self.span.as_secs_f64();
        let columns = |distance: &u64| *distance as f64 / seconds * self.width as f64;
        let has_room = |distance: &&u64| columns(distance) >= (longest(**distance) + GAP) as f64;
        let distance = *DISTANCES.iter().find(has_room).unwrap_or(&DISTANCES[19]);
        let distance = i64::try_from(distance).unwrap_or(i64::MAX) * 1_000;
        let first = self.start.as_millis().div_euclid(distance) + 1;
        let all = (first..).map(|n| n.saturating_mul(distance));
        let mut times = Vec::new();
        for at in all.take(self.width) {
            let since = at.saturating_sub(self.start.as_millis()) as f64 / 1_000.0;
            #[expect(
                clippy::cast_possible_truncation,
                clippy::cast_sign_loss,
                reason = "a share of the width, which begins at 0"
            )]
            let column = (since / seconds * self.width as f64) as usize;
            if column >= self.width {
                break;
            }
            times.push((column, text(at, distance)));
        }
        times
    }
}

/// Columns of the longest text at a distance.
fn longest(distance: u64) -> usize {
    match distance {
        ..MINUTE => 8,
        _ => 6,
    }
}

/// The time, or the date where a day begins.
fn text(at: i64, distance: i64) -> String {
    let is_day = at.rem_euclid(DAY.cast_signed() * 1_000) == 0;
    let format = if is_day {
        "%b %d"
    } else if distance < MINUTE.cast_signed() * 1_000 {
        "%H:%M:%S"
    } else {
        "%H:%M"
    };
    written(at, format)
}

/// Date and time of a moment, in UTC.
pub(super) fn day_and_time(at: Timestamp) -> String {
    written(at.as_millis(), "%Y-%m-%d %H:%M")
}

fn written(millis: i64, format: &str) -> String {
    let at = jiff::Timestamp::from_millisecond(millis);
    at.map_or_else(|_| millis.to_string(), |at| at.strftime(format).to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(low: f64, high: f64, expect: &[&str]) {
        let labels: Vec<String> = Scale::of(low, high)
            .labels()
            .map(|(_, text)| text)
            .collect();
        assert_eq!(labels, expect);
    }

    #[test]
    fn values_on_the_axis_are_round_and_distinct() {
        check(0.0, 100.0, &["0", "20", "40", "60", "80", "100"]);
        check(118.3, 282.9, &["150", "200", "250"]);
        check(
            1000.001,
            1000.009,
            &["1000.002", "1000.004", "1000.006", "1000.008"],
        );
        check(-1.2, 1.1, &["-1.0", "-0.5", "0.0", "0.5", "1.0"]);
        check(0.0, 5e9, &["0", "1G", "2G", "3G", "4G", "5G"]);
        check(0.0, 90_000.0, &["0", "20k", "40k", "60k", "80k"]);
        check(1e-9, 4e-9, &["1e-9", "2e-9", "3e-9", "4e-9"]);
        check(f64::NAN, 1.0, &[]);
    }

    #[test]
    fn clock_times_stand_under_their_marks_and_days_are_named() {
        let clock = Clock {
            start: Timestamp::from_seconds(1_764_590_400 - 3 * 3600),
            span: Duration::from_hours(24),
            width: 72,
        };
        let [line, times] = clock.axis(36);
        assert_eq!(line.chars().count(), 73);
        assert_eq!(
            times.split_whitespace().collect::<Vec<_>>(),
            [
                "12:00", "15:00", "18:00", "21:00", "Dec", "02", "03:00", "06:00"
            ]
        );
        for (mark, letter) in line.chars().zip(times.chars()) {
            assert!(
                letter != ':' || matches!(mark, '┬' | '┼'),
                "\n{line}\n{times}"
            );
        }
    }
}
