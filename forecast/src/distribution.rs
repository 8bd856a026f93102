//! The predictive distribution at one time.

use crate::Bounds;
use series::Quantile;

/// One value per entry of [`Distribution::LEVELS`].
pub(crate) type Quantiles = [f64; Distribution::LEVELS.len()];

/// A distribution given by its quantiles at fixed levels; between them it is linear, outside it stops.
#[derive(Debug, Clone, PartialEq)]
pub struct Distribution {
    /// Non-decreasing, finite, one per entry of [`Distribution::LEVELS`].
    values: [f64; Distribution::LEVELS.len()],
}

impl Distribution {
    /// The levels at which the quantiles are kept.
    pub const LEVELS: [f64; 13] = [
        0.005, 0.025, 0.05, 0.1, 0.2, 0.35, 0.5, 0.65, 0.8, 0.9, 0.95, 0.975, 0.995,
    ];

    /// Takes one value per level and makes a distribution of them whatever they are: crossed quantiles are put
    /// in order (Chernozhukov, Fernández-Val and Galichon 2010), values outside the bounds moved to their edge,
    /// NaN takes its neighbour's value, and infinities become the largest finite number.
    pub fn new(mut values: [f64; Self::LEVELS.len()], bounds: Bounds) -> Self {
        let mut known = values.iter().copied().find(|v| !v.is_nan()).unwrap_or(0.0);
        for value in &mut values {
            known = if value.is_nan() { known } else { *value };
            *value = bounds.clamp(known).clamp(f64::MIN, f64::MAX);
        }
        values.sort_by(f64::total_cmp);
        Self { values }
    }

    /// The quantiles, one per entry of [`Distribution::LEVELS`]: finite and non-decreasing.
    pub fn values(&self) -> &[f64; Self::LEVELS.len()] {
        &self.values
    }

    /// The value at a level. Levels beyond the outermost known ones get the outermost value.
    pub fn quantile(&self, level: Quantile) -> f64 {
        Place::of(level).value(&self.values)
    }
}

/// Where a level lies among others: on the way from one to the next, or at one of them.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Place {
    pub(crate) below: usize,
    pub(crate) above: usize,
    pub(crate) weight: f64,
}

impl Place {
    /// The place among [`Distribution::LEVELS`].
    pub(crate) fn of(level: Quantile) -> Self {
        let (level, all) = (level.level(), &Distribution::LEVELS);
        let idx = all.partition_point(|known| *known <= level);
        let below = idx.saturating_sub(1);
        if idx == 0 || idx == all.len() || all[below] >= level {
            return Self {
                below,
                above: below,
                weight: 0.0,
            };
        }
        Self {
            below,
            above: idx,
            weight: (level - all[below]) / (all[idx] - all[below]),
        }
    }

    /// The value there, of values that belong to the levels.
    #[inline]
    pub(crate) fn value(&self, values: &[f64]) -> f64 {
        if self.below == self.above {
            return values[self.below];
        }
        between(values[self.below], values[self.above], self.weight)
    }
}

/// Quantiles at a distance of whole steps and a fraction of one more, from those at whole steps; anything nearer
/// than one step is answered as one step ahead.
pub(crate) fn interpolate(
    (whole, part): (usize, f64),
    at: impl Fn(usize) -> Quantiles,
) -> Quantiles {
    if whole == 0 || part <= 0.0 {
        return at(whole.max(1));
    }
    let (before, after) = (at(whole), at(whole.saturating_add(1)));
    std::array::from_fn(|i| between(before[i], after[i], part))
}

/// The value at a `weight` from 0 to 1 of the way between two finite values; never outside them.
#[inline]
pub(crate) fn between(from: f64, to: f64, weight: f64) -> f64 {
    let span = to - from;
    let value = if span.is_finite() {
        from + span * weight
    } else {
        // Values at both ends of the number range are further apart than a number can say.
        (from / 2.0 + (to / 2.0 - from / 2.0) * weight) * 2.0
    };
    value.clamp(from.min(to), from.max(to))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn spread(scale: f64) -> [f64; 13] {
        Distribution::LEVELS.map(|level| level * scale)
    }

    #[track_caller]
    fn check(distribution: &Distribution, level: f64, expect: f64) {
        let got = distribution.quantile(Quantile::new(level).unwrap());
        assert!((got - expect).abs() < 1e-9, "{level}: {got}, not {expect}");
    }

    #[test]
    fn a_quantile_between_two_known_ones_lies_on_the_line() {
        let distribution = Distribution::new(spread(10.0), Bounds::UNLIMITED);
        check(&distribution, 0.5, 5.0);
        check(&distribution, 0.425, 4.25);
        check(&distribution, 0.001, 0.05);
        check(&distribution, 0.999, 9.95);
    }

    #[test]
    fn crossed_quantiles_are_put_in_order() {
        let mut values = spread(1.0);
        values.reverse();
        let distribution = Distribution::new(values, Bounds::UNLIMITED);
        assert_eq!(
            distribution,
            Distribution::new(spread(1.0), Bounds::UNLIMITED)
        );
        check(&distribution, 0.1, 0.1);
    }

    #[test]
    fn nothing_leaves_the_bounds() {
        let bounds = Bounds {
            lower: 2.0,
            upper: 7.0,
        };
        let distribution = Distribution::new(spread(10.0), bounds);
        check(&distribution, 0.005, 2.0);
        check(&distribution, 0.995, 7.0);
    }

    #[test]
    fn what_is_not_finite_becomes_finite() {
        let mut values = [f64::NAN; 13];
        values[5] = f64::INFINITY;
        let distribution = Distribution::new(values, Bounds::UNLIMITED);
        assert!(distribution.values().iter().all(|v| v.is_finite()));
        let nothing = Distribution::new([f64::NAN; 13], Bounds::UNLIMITED);
        check(&nothing, 0.5, 0.0);
    }

    #[test]
    fn the_whole_number_range_can_be_spanned() {
        let mut values = [f64::MAX; 13];
        values[..6].fill(f64::MIN);
        let distribution = Distribution::new(values, Bounds::UNLIMITED);
        let middle = distribution.quantile(Quantile::new(0.425).unwrap());
        assert!(middle.abs() < 1e-9 * f64::MAX, "{middle}");
    }
}
