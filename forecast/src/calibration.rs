//! Quantiles from forecast errors, by split-conformal ranks, at a few horizons and between them.

use crate::{Distribution, FitError, distribution::Quantiles, statistics::index_below};

/// The level 0.5 among the levels.
const MEDIAN: usize = 6;

/// Fewer errors than these say nothing about a spread.
pub(crate) const MIN_ERRORS: usize = 8;

/// What lies between a foreseen value and each quantile, at growing horizons.
#[derive(Debug, Clone)]
pub(crate) struct Spreads {
    /// Ascending horizons in steps, at least one.
    knots: Vec<usize>,
    /// For each knot, one offset per level.
    offsets: Vec<Quantiles>,
}

impl Spreads {
    /// Learns from one list of errors (value minus forecast, no NaN) for each knot.
    ///
    /// The quantile at level p is the error of rank (n + 1)p, rounded outwards, which covers p of fresh errors
    /// of the same kind in finite samples (Vovk, Gammerman and Shafer 2005). The distance of a level from the
    /// median never shrinks as the horizon grows. Knots with too few errors, which lie beyond what the history
    /// could replay, take the last good one's spread, growing with the root of the horizon as a random walk's.
    pub(crate) fn learn(knots: Vec<usize>, errors: Vec<Vec<f64>>) -> Result<Self, FitError> {
        let mut offsets: Vec<Quantiles> = Vec::with_capacity(knots.len());
        let mut good = 0;
        for (idx, mut errors) in errors.into_iter().enumerate() {
            let enough = errors.len() >= MIN_ERRORS;
            let fresh = match offsets.get(good) {
                None if !enough => return Err(too_few(errors.len())),
                Some(last) if !enough => {
                    let growth = (knots[idx] as f64 / knots[good] as f64).sqrt();
                    stretched(last, growth)
                }
                _ => {
                    good = idx;
                    quantiles(&mut errors)
                }
            };
            let widened = match offsets.last() {
                Some(nearer) => at_least_as_wide(fresh, nearer),
                None => fresh,
            };
            offsets.push(widened);
        }
        if offsets.is_empty() {
            return Err(too_few(0));
        }
        Ok(Self { knots, offsets })
    }

    /// The offsets at a horizon in steps; beyond the last knot they stay as wide as there.
    pub(crate) fn at(&self, ahead: usize) -> Quantiles {
        let next = self.knots.partition_point(|knot| *knot < ahead);
        if next == 0 {
            return self.offsets[0];
        }
        let Some(after) = self.offsets.get(next) else {
            return self.offsets[self.offsets.len() - 1];
        };
        let (before, from, to) = (
            &self.offsets[next - 1],
            self.knots[next - 1],
            self.knots[next],
        );
        let weight = (ahead - from) as f64 / (to - from) as f64;
        std::array::from_fn(|i| before[i] + (after[i] - before[i]) * weight)
    }
}

fn too_few(got: usize) -> FitError {
    FitError::NotEnoughHistory {
        got,
        need: MIN_ERRORS + 2,
    }
}

/// The horizons at which errors are collected: each half as far again as the one before, up to the reach.
pub(crate) fn knots(reach: usize) -> Vec<usize> {
    let next = |knot: &usize| Some((*knot + 1).max(knot + knot / 2));
    let mut knots: Vec<usize> = std::iter::successors(Some(1), next)
        .take_while(|knot| *knot < reach)
        .collect();
    knots.push(reach.max(1));
    knots
}

/// The errors at the conformal rank of each level.
fn quantiles(errors: &mut [f64]) -> Quantiles {
    errors.sort_by(f64::total_cmp);
    let n = errors.len();
    std::array::from_fn(|i| {
        let rank = (n + 1) as f64 * Distribution::LEVELS[i];
        let outwards = match i.cmp(&MEDIAN) {
            std::cmp::Ordering::Less => rank.floor(),
            std::cmp::Ordering::Equal => rank.round(),
            std::cmp::Ordering::Greater => rank.ceil(),
        };
        errors[index_below(outwards - 1.0).min(n - 1)]
    })
}

fn stretched(offsets: &Quantiles, factor: f64) -> Quantiles {
    offsets.map(|offset| offsets[MEDIAN] + (offset - offsets[MEDIAN]) * factor)
}

/// Moves each level away from the median where a nearer horizon's was further from its own.
fn at_least_as_wide(offsets: Quantiles, nearer: &Quantiles) -> Quantiles {
    let median = offsets[MEDIAN];
    std::array::from_fn(|i| {
        let (here, there) = (offsets[i] - median, nearer[i] - nearer[MEDIAN]);
        median
            + if i < MEDIAN {
                here.min(there)
            } else {
                here.max(there)
            }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn knots_are_dense_near_and_sparse_far() {
        assert_eq!(knots(0), [1]);
        assert_eq!(knots(1), [1]);
        assert_eq!(knots(20), [1, 2, 3, 4, 6, 9, 13, 19, 20]);
    }

    #[test]
    fn the_rank_is_rounded_outwards() {
        let mut errors: Vec<f64> = (1..=19).map(f64::from).collect();
        let offsets = quantiles(&mut errors);
        // Twenty ranks: 5 % below the first of nineteen, 95 % at the last.
        let expect = [1., 1., 1., 2., 4., 7., 10., 13., 16., 18., 19., 19., 19.];
        let alike = offsets
            .iter()
            .zip(expect)
            .all(|(o, e)| (o - e).abs() < 1e-9);
        assert!(alike, "{offsets:?}");
    }

    #[test]
    fn a_band_never_narrows_with_the_horizon() {
        let wide: Vec<f64> = (-50..=50).map(f64::from).collect();
        let narrow: Vec<f64> = wide.iter().map(|e| e / 10.0 + 3.0).collect();
        let spreads = Spreads::learn(vec![1, 10], vec![wide, narrow]).unwrap();
        let (near, far) = (spreads.at(1), spreads.at(10));
        assert!((far[MEDIAN] - 3.0).abs() < 1e-9);
        assert!(far[12] - far[0] >= near[12] - near[0]);
    }

    #[test]
    fn where_the_history_ends_the_spread_grows_as_a_random_walks() {
        let errors: Vec<f64> = (-50..=50).map(f64::from).collect();
        let spreads = Spreads::learn(vec![4, 16], vec![errors, vec![]]).unwrap();
        let (near, far) = (spreads.at(4), spreads.at(16));
        assert!((far[9] - 2.0 * near[9]).abs() < 1e-9);
        assert!((spreads.at(1_000)[9] - far[9]).abs() < 1e-9);
    }

    #[test]
    fn no_errors_are_not_enough_history() {
        assert!(Spreads::learn(vec![1], vec![vec![0.0; MIN_ERRORS - 1]]).is_err());
        assert!(Spreads::learn(vec![], vec![]).is_err());
    }

    #[test]
    fn of_fresh_errors_a_band_holds_what_it_promises() {
        let scattered = |i: u64| {
            let mixed = (i + 1).wrapping_mul(0x9e37_79b9_7f4a_7c15);
            let mixed = (mixed ^ (mixed >> 31)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
            ((mixed >> 33) as f64 / f64::from(1_u32 << 31) - 0.5).powi(3)
        };
        let seen = (0..2_000).map(scattered).collect();
        let offsets = Spreads::learn(vec![1], vec![seen]).unwrap().at(1);
        for (lower, upper, promised) in [(3, 9, 0.8), (1, 11, 0.95)] {
            let band = offsets[lower]..=offsets[upper];
            let inside = (2_000..4_000).filter(|i| band.contains(&scattered(*i)));
            let share = inside.count() as f64 / 2_000.0;
            assert!((share - promised).abs() < 0.03, "{share} for {promised}");
        }
    }
}
