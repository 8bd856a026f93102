//! Samples, series and the time they are stamped with.

use crate::Labels;
use std::{
    ops::{Add, Sub},
    time::Duration,
};

/// Milliseconds since the Unix epoch, as Prometheus counts time.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Timestamp(i64);

impl Timestamp {
    /// Wraps milliseconds since the epoch.
    pub const fn from_millis(millis: i64) -> Self {
        Self(millis)
    }

    /// Wraps whole seconds since the epoch; saturates at the ends of the range.
    pub const fn from_seconds(seconds: i64) -> Self {
        Self(seconds.saturating_mul(1_000))
    }

    /// Milliseconds since the epoch.
    pub const fn as_millis(self) -> i64 {
        self.0
    }

    /// Seconds since the epoch, with fraction.
    pub fn as_seconds_f64(self) -> f64 {
        self.0 as f64 / 1e3
    }

    /// The latest multiple of `step` at or before this time.
    #[must_use]
    pub fn align_down(self, step: Duration) -> Self {
        let step = millis(step).max(1);
        Self(self.0 - self.0.rem_euclid(step))
    }

    /// The time since `earlier`; zero when that lies later.
    pub fn since(self, earlier: Self) -> Duration {
        let millis = self.0.saturating_sub(earlier.0);
        Duration::from_millis(u64::try_from(millis).unwrap_or(0))
    }
}

fn millis(duration: Duration) -> i64 {
    i64::try_from(duration.as_millis()).unwrap_or(i64::MAX)
}

impl Add<Duration> for Timestamp {
    type Output = Self;

    fn add(self, duration: Duration) -> Self {
        Self(self.0.saturating_add(millis(duration)))
    }
}

impl Sub<Duration> for Timestamp {
    type Output = Self;

    fn sub(self, duration: Duration) -> Self {
        Self(self.0.saturating_sub(millis(duration)))
    }
}

/// One observation. A NaN is a value that was seen; the end of a series is the [`STALE_MARKER`].
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Sample {
    /// When it was observed.
    pub at: Timestamp,
    /// What was observed.
    pub value: f64,
}

/// The NaN by which Prometheus marks that a series has ended.
pub const STALE_MARKER: f64 = f64::from_bits(0x7ff0_0000_0000_0002);

/// Whether a value is the staleness marker; an ordinary NaN is not.
pub fn is_stale_marker(value: f64) -> bool {
    value.to_bits() == STALE_MARKER.to_bits()
}

/// Labels and their samples, oldest first.
#[derive(Debug, Clone, PartialEq)]
pub struct Series {
    /// What identifies the series.
    pub labels: Labels,
    /// Oldest first, timestamps strictly ascending.
    pub samples: Vec<Sample>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn aligns_times_before_the_epoch_downwards_too() {
        let minute = Duration::from_mins(1);
        assert_eq!(
            Timestamp::from_millis(-1).align_down(minute),
            Timestamp::from_seconds(-60)
        );
        assert_eq!(
            Timestamp::from_seconds(119).align_down(minute),
            Timestamp::from_seconds(60)
        );
    }

    #[test]
    fn an_ordinary_nan_is_no_stale_marker() {
        assert!(STALE_MARKER.is_nan() && is_stale_marker(STALE_MARKER));
        assert!(!is_stale_marker(f64::NAN));
    }
}
