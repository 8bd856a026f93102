//! Numbers that were checked where they came in, so that the inside can trust them.

use crate::PromDuration;
use std::{fmt, time::Duration};

/// Why a number was refused.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum QuantityError {
    /// Outside the open interval from 0 to 1.
    #[error("quantile {0} is not between 0 and 1")]
    Quantile(f64),
    /// Outside the closed interval from 0 to 1.
    #[error("probability {0} is not within 0 to 1")]
    Probability(f64),
    /// Zero, or finer than a millisecond.
    #[error("step must be at least 1ms")]
    Step,
    /// Zero, or finer than a millisecond.
    #[error("horizon must be at least 1ms")]
    Horizon,
    /// Fewer than two samples.
    #[error("season length {0} is shorter than 2 samples")]
    SeasonLength(usize),
}

/// A level strictly between 0 and 1.
#[derive(Debug, Clone, Copy, PartialEq, PartialOrd)]
pub struct Quantile(f64);

impl Quantile {
    /// The level 0.5.
    pub const MEDIAN: Self = Self(0.5);

    /// Checks a level.
    pub fn new(level: f64) -> Result<Self, QuantityError> {
        let inside = level > 0.0 && level < 1.0;
        if inside {
            Ok(Self(level))
        } else {
            Err(QuantityError::Quantile(level))
        }
    }

    /// The level, strictly between 0 and 1.
    pub fn level(self) -> f64 {
        self.0
    }
}

impl fmt::Display for Quantile {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// A probability from 0 to 1, both included.
#[derive(Debug, Clone, Copy, PartialEq, PartialOrd)]
pub struct Probability(f64);

impl Probability {
    /// Checks a probability; NaN is refused.
    pub fn new(value: f64) -> Result<Self, QuantityError> {
        let inside = (0.0..=1.0).contains(&value);
        if inside {
            Ok(Self(value))
        } else {
            Err(QuantityError::Probability(value))
        }
    }

    /// The value, 0 to 1.
    pub fn get(self) -> f64 {
        self.0
    }
}

/// The time from one evaluation of a series to the next; at least a millisecond.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Step(PromDuration);

impl Step {
    /// Checks a step.
    pub fn new(length: Duration) -> Result<Self, QuantityError> {
        positive(length).map(Self).ok_or(QuantityError::Step)
    }

    /// The length of one step.
    pub fn get(self) -> Duration {
        self.0.get()
    }

    /// How many steps reach at least `ahead`, so that a horizon is never cut short.
    pub fn count(self, ahead: Duration) -> usize {
        let steps = ahead.as_millis().div_ceil(self.get().as_millis());
        usize::try_from(steps).unwrap_or(usize::MAX)
    }
}

impl fmt::Display for Step {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// How far ahead a forecast speaks; at least a millisecond.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Horizon(PromDuration);

impl Horizon {
    /// Checks a horizon.
    pub fn new(ahead: Duration) -> Result<Self, QuantityError> {
        positive(ahead).map(Self).ok_or(QuantityError::Horizon)
    }

    /// The distance from the origin.
    pub fn get(self) -> Duration {
        self.0.get()
    }
}

impl fmt::Display for Horizon {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

fn positive(length: Duration) -> Option<PromDuration> {
    let length = PromDuration::new(length);
    (!length.get().is_zero()).then_some(length)
}

/// Samples per season; at least two.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SeasonLength(usize);

impl SeasonLength {
    /// Checks a season length.
    pub fn new(n_samples: usize) -> Result<Self, QuantityError> {
        if n_samples >= 2 {
            Ok(Self(n_samples))
        } else {
            Err(QuantityError::SeasonLength(n_samples))
        }
    }

    /// Samples per season.
    pub fn get(self) -> usize {
        self.0
    }
}

/// A lower and an upper value, in order.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Band {
    lower: f64,
    upper: f64,
}

impl Band {
    /// Puts two values in order.
    pub fn new(one: f64, other: f64) -> Self {
        Self {
            lower: one.min(other),
            upper: one.max(other),
        }
    }

    /// The smaller end.
    pub fn lower(self) -> f64 {
        self.lower
    }

    /// The larger end.
    pub fn upper(self) -> f64 {
        self.upper
    }

    /// Whether a value lies inside, ends included.
    pub fn contains(self, value: f64) -> bool {
        (self.lower..=self.upper).contains(&value)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn borders_refuse_what_the_inside_could_not_mean() {
        assert_eq!(Quantile::new(0.0), Err(QuantityError::Quantile(0.0)));
        assert!(Quantile::new(f64::NAN).is_err() && Quantile::new(1.0).is_err());
        assert!(Probability::new(1.0).is_ok() && Probability::new(f64::NAN).is_err());
        assert_eq!(Step::new(Duration::from_nanos(1)), Err(QuantityError::Step));
        assert_eq!(Horizon::new(Duration::ZERO), Err(QuantityError::Horizon));
        assert!(SeasonLength::new(1).is_err() && SeasonLength::new(2).is_ok());
    }

    #[test]
    fn a_horizon_is_never_cut_short_by_the_step() {
        let step = Step::new(Duration::from_mins(5)).unwrap();
        assert_eq!(step.count(Duration::from_mins(5)), 1);
        assert_eq!(step.count(Duration::from_secs(301)), 2);
    }
}
