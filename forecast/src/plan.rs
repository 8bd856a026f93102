//! Which past origins are replayed, and how far.

use crate::calibration::knots;

/// Where the replay starts from and how far it goes.
#[derive(Debug)]
pub(crate) struct Plan {
    /// Past origins as indices of the first sample not seen, oldest first.
    pub(crate) origins: Vec<usize>,
    /// Steps replayed from each origin.
    pub(crate) length: usize,
    /// Steps from each origin on that are not judged, as live forecasts never stand there.
    pub(crate) warm_up: usize,
    /// Horizons at which errors are collected, ascending, in steps.
    pub(crate) knots: Vec<usize>,
    /// Steps between two forecasts that are judged.
    pub(crate) stride: usize,
}

impl Plan {
    /// The replay covers the end of the history, one shortest season from each origin where possible, so that
    /// every phase is seen; the first origin still knows the longest season twice, or half of the history.
    pub(crate) fn new(n_samples: usize, seasons: &[usize], reach: usize) -> Self {
        let spare = n_samples - 2 * seasons.last().copied().unwrap_or(0).min(n_samples / 2);
        let room = if spare < n_samples / 5 {
            n_samples / 3
        } else {
            spare.min(n_samples / 2)
        };
        let shortest = seasons.first().copied().unwrap_or(n_samples);
        let span = room.min(MAX_ORIGINS * shortest.max(2 * MIN_LENGTH));
        let n_origins = (span / MIN_LENGTH).clamp(1, MAX_ORIGINS);
        let length = span / n_origins;
        Self {
            origins: (1..=n_origins)
                .rev()
                .map(|n| n_samples - n * length)
                .collect(),
            length,
            warm_up: warm_up(n_samples),
            knots: knots(reach),
            stride: (span / MAX_ERRORS).max(1),
        }
    }
}

/// Past origins, at most: a week of days. Each costs a fit.
const MAX_ORIGINS: usize = 7;

/// A replay shorter than this is not worth its fit.
const MIN_LENGTH: usize = 30;

/// Errors that a quantile is learned from, at most; neighbours in time hardly add to it.
const MAX_ERRORS: usize = 4_096;

/// Samples at the end of the history that each fit is kept from, so that a new path can show its misses before it
/// speaks: enough to know the level by, and little of a short history.
pub(crate) fn warm_up(n_samples: usize) -> usize {
    (n_samples / 50).min(30)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn three_weeks_of_minutes_are_replayed_day_by_day() {
        let plan = Plan::new(30_240, &[1_440, 10_080], 60);
        assert_eq!(plan.length, 1_440);
        assert_eq!(plan.origins[0], 30_240 - 7 * 1_440);
        assert_eq!(plan.origins.len(), 7);
    }

    #[test]
    fn every_plan_stays_inside_the_history() {
        for n_samples in [2, 10, 60, 100, 1_000, 4_032, 200_000] {
            for seasons in [&[][..], &[2], &[24], &[288, 2_016], &[100_000]] {
                let plan = Plan::new(n_samples, seasons, 5);
                for origin in &plan.origins {
                    assert!(*origin >= n_samples / 2 && origin + plan.length <= n_samples);
                }
            }
        }
    }
}
