//! Quantiles of forecast errors at each knot: conformal ranks at first, then followed online.

use super::knots::Knot;
use crate::{Distribution, distribution::Quantiles, statistics::index_below};

const N_LEVELS: usize = Distribution::LEVELS.len();

/// One offset per level.
pub(crate) type Offsets = [f32; N_LEVELS];

/// The level 0.5 among the levels.
pub(crate) const MEDIAN: usize = 6;

/// What lies between a forecast and each quantile, in units, for each knot.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Bands {
    pub(crate) offsets: Box<[Offsets]>,
}

/// How far one error moves a quantile, in widths of the 80 % band.
const STEP: f32 = 0.02;

impl Bands {
    /// Learns from replayed errors of each knot, in units.
    pub(crate) fn learn(knots: &[Knot], mut errors: Vec<Vec<f32>>, n_steps: usize) -> Self {
        let mut offsets: Vec<Offsets> = vec![];
        for (knot, errors) in knots.iter().zip(&mut errors) {
            let fresh = match offsets.last() {
                _ if errors.len() >= 8 => {
                    quantiles(errors, (n_steps as f32 / knot.ahead as f32).max(1.0))
                }
                Some(nearer) => nearer.map(|o| o * 1.4),
                None => [0.0; N_LEVELS],
            };
            offsets.push(fresh);
        }
        Self {
            offsets: offsets.into(),
        }
    }

    /// Moves a knot's quantiles towards an error.
    #[inline]
    pub(crate) fn follow(&mut self, knot: usize, error: f32) {
        let offsets = &mut self.offsets[knot];
        let step = STEP * (offsets[9] - offsets[3]);
        for (offset, level) in offsets.iter_mut().zip(Distribution::LEVELS) {
            let share = if error < *offset { level - 1.0 } else { level };
            *offset += step * share as f32;
        }
    }

    /// The offsets some steps ahead.
    #[inline]
    pub(crate) fn at(&self, knots: &[Knot], ahead: u32) -> Offsets {
        let next = knots.partition_point(|knot| knot.ahead < ahead);
        if next == 0 {
            return self.offsets[0];
        }
        let Some(after) = self.offsets.get(next) else {
            return self.offsets[self.offsets.len() - 1];
        };
        let (before, from, to) = (&self.offsets[next - 1], knots[next - 1].ahead, knots[next].ahead);
        let weight = (ahead - from) as f32 / (to - from) as f32;
        std::array::from_fn(|i| before[i] + (after[i] - before[i]) * weight)
    }
}

/// The errors at each level's rank, widened for how few of them are independent.
fn quantiles(errors: &mut [f32], n_independent: f32) -> Offsets {
    errors.sort_unstable_by(f32::total_cmp);
    let n = errors.len();
    let raw: Offsets = std::array::from_fn(|i| {
        let rank = (n + 1) as f64 * Distribution::LEVELS[i] - 1.0;
        let rank = rank.clamp(0.0, (n - 1) as f64);
        let below = index_below(rank);
        let part = (rank - below as f64) as f32;
        errors[below] + part * (errors[(below + 1).min(n - 1)] - errors[below])
    });
    raw
}

#[allow(dead_code)]
type Unused = Quantiles;
