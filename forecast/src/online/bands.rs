//! Quantiles of forecast errors at each knot: conformal ranks at first, then followed error by error.

use super::knots::Knot;
use crate::{Distribution, statistics::index_below};

const N_LEVELS: usize = Distribution::LEVELS.len();

/// One offset from the forecast for each level, ascending, in units of the forecast.
pub(crate) type Offsets = [f32; N_LEVELS];

/// Places of some levels among them.
pub(crate) const MEDIAN: usize = 6;
const P10: usize = 3;
const P90: usize = 9;

/// What lies between a forecast and each quantile, for each knot.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Bands {
    pub(crate) offsets: Box<[Offsets]>,
}

/// Fewer errors than these say nothing about a spread.
const MIN_ERRORS: usize = 8;

/// How far one error moves the edges of the 80 % band, in its widths. Coverage that halves is back within a hundred
/// errors, and steady coverage wavers by two percent.
const STEP: f32 = 0.02;

/// How far it moves the other levels, in comparison. The rarer a level is crossed, the further it moves: by the inverse of
/// a normal density, which is the best gain of a stochastic quantile (Robbins and Monro 1951).
const GAINS: Offsets = [
    12.14, 3.0, 1.7, 1.0, 0.627, 0.474, 0.44, 0.474, 0.627, 1.0, 1.7, 3.0, 12.14,
];

/// The same where errors come seldom, at most.
const MAX_STEP: f32 = 0.06;

impl Bands {
    /// Learns from replayed errors of each knot, in units. They come from `n_steps` steps of history, of which
    /// `day` make a day. Knots beyond what the history could replay take the last known one's spread, growing
    /// with the root of the horizon as a random walk's.
    pub(crate) fn learn(knots: &[Knot], errors: &mut [Vec<f32>], n_steps: usize, day: f32) -> Self {
        let mut offsets: Vec<Offsets> = vec![];
        let mut known = 0;
        for (idx, (knot, errors)) in knots.iter().zip(errors).enumerate() {
            let fresh = match offsets.get(known) {
                Some(last) if errors.len() < MIN_ERRORS => {
                    let growth = (knot.ahead as f32 / knots[known].ahead as f32).sqrt();
                    last.map(|offset| last[MEDIAN] + (offset - last[MEDIAN]) * growth)
                }
                _ => {
                    known = idx;
                    widened(
                        quantiles(errors),
                        n_steps as f32 / (knot.ahead as f32 + day / 2.0),
                    )
                }
            };
            offsets.push(fresh);
        }
        Self {
            offsets: offsets.into(),
        }
    }

    /// Moves a knot's quantiles towards an error, so that each level's share of errors stays below it in the long
    /// run whatever the errors do (Gibbs and Candès 2021; Angelopoulos, Candès and Tibshirani 2023). `least` is
    /// the smallest width that steps are measured by.
    #[inline]
    pub(crate) fn follow(&mut self, knot: usize, error: f32, (stride, least): (u32, f32)) {
        let offsets = &mut self.offsets[knot];
        let rate = (STEP * (stride as f32).sqrt()).min(MAX_STEP);
        let step = rate * (offsets[P90] - offsets[P10]).max(least);
        let mut below = f32::MIN;
        for ((offset, level), gain) in offsets.iter_mut().zip(LEVELS).zip(GAINS) {
            let share = if error < *offset { level - 1.0 } else { level };
            *offset = (*offset + gain * step * share).max(below);
            below = *offset;
        }
    }

    /// The offsets some steps ahead; beyond the last knot they stay as wide as there.
    #[inline]
    pub(crate) fn at(&self, knots: &[Knot], ahead: u32) -> Offsets {
        let next = knots.partition_point(|knot| knot.ahead < ahead);
        if next == 0 {
            return self.offsets[0];
        }
        let Some(after) = self.offsets.get(next) else {
            return self.offsets[self.offsets.len() - 1];
        };
        let [from, to] = [next - 1, next].map(|idx| knots[idx].ahead);
        let weight = (ahead - from) as f32 / (to - from) as f32;
        let before = &self.offsets[next - 1];
        std::array::from_fn(|i| before[i] + (after[i] - before[i]) * weight)
    }
}

/// The offset at a level, on the line between those at the levels beside it; the outermost one beyond them.
#[inline]
pub(crate) fn between(offsets: &Offsets, level: f64) -> f32 {
    let next = Distribution::LEVELS.partition_point(|known| *known < level);
    if next == 0 || next == N_LEVELS {
        return offsets[next.min(N_LEVELS - 1)];
    }
    let (from, to) = (Distribution::LEVELS[next - 1], Distribution::LEVELS[next]);
    #[expect(clippy::cast_possible_truncation, reason = "a share from 0 to 1")]
    let part = ((level - from) / (to - from)) as f32;
    offsets[next - 1] + part * (offsets[next] - offsets[next - 1])
}

/// [`Distribution::LEVELS`] as the bands count.
const LEVELS: Offsets = {
    let mut levels = [0.0; N_LEVELS];
    let mut i = 0;
    while i < N_LEVELS {
        #[expect(
            clippy::cast_possible_truncation,
            reason = "levels need no more digits"
        )]
        let level = Distribution::LEVELS[i] as f32;
        levels[i] = level;
        i += 1;
    }
    levels
};

/// The errors at each level's conformal rank, interpolated; all zero when there are none.
fn quantiles(errors: &mut [f32]) -> Offsets {
    errors.sort_unstable_by(f32::total_cmp);
    let Some(last) = errors.len().checked_sub(1) else {
        return [0.0; N_LEVELS];
    };
    Distribution::LEVELS.map(|level| {
        let rank = (errors.len() + 1) as f64 * level - 1.0;
        let below = index_below(rank).min(last);
        let above = (below + 1).min(last);
        #[expect(clippy::cast_possible_truncation, reason = "a share from 0 to 1")]
        let part = (rank - below as f64).clamp(0.0, 1.0) as f32;
        errors[below] + part * (errors[above] - errors[below])
    })
}

/// Errors within half a day share their cause, and those of overlapping forecasts their future, so a history holds
/// few independent ones. Quantiles of so few, from a replay that the parameters were chosen on, are too narrow for
/// fresh errors: outer levels more so than inner ones, as with Student's t.
fn widened(offsets: Offsets, n_independent: f32) -> Offsets {
    let allowance = ALLOWANCE / (n_independent + 3.0);
    std::array::from_fn(|i| {
        let factor = 1.0 + allowance * TAILS[i];
        offsets[MEDIAN] + (offsets[i] - offsets[MEDIAN]) * factor
    })
}

/// The allowance at the edge of the 80 % band, times the number of independent errors and three more. Set by the
/// coverage on operational series, long and short histories alike.
const ALLOWANCE: f32 = 2.4;

/// How much more of it a level needs.
const TAILS: Offsets = [
    3.0, 2.2, 1.6, 1.0, 0.6, 0.6, 0.0, 0.6, 0.6, 1.0, 1.6, 2.2, 3.0,
];
