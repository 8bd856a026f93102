//! The parameters with the smallest replayed errors, by coordinate search.

use super::{
    lanes::Lanes,
    parameters::{Coordinate, Parameters},
    start::Start,
};

/// A stretch of history to be replayed with any parameters.
#[derive(Debug)]
pub(crate) struct Search<'a> {
    /// Scaled values; NaN is a gap.
    values: &'a [f32],
    start: &'a Start,
    /// Horizons at which errors count, in steps.
    ahead: [usize; 4],
    /// Steps per five minutes, for rates.
    pace: f32,
    has: Has,
}

#[derive(Debug)]
struct Has {
    season: bool,
    correction: bool,
}

/// Errors are taken at every eighth step; those between hardly differ.
const STRIDE: usize = 8;

/// The furthest horizon counts half as much again: it is what seasons are learned for.
const WEIGHTS: [f32; 4] = [1.0, 1.0, 1.0, 1.5];

/// Changes that do not improve the score by this are not worth their wider errors on data not seen.
const WORTHWHILE: f32 = 0.003;

impl<'a> Search<'a> {
    /// A search over everything after the start.
    pub(crate) fn new(
        values: &'a [f32],
        start: &'a Start,
        n_seasons: usize,
        (reach, pace): (usize, f32),
    ) -> Self {
        let longest = reach.min(values.len().saturating_sub(start.n) / 2).max(1);
        Self {
            values,
            start,
            ahead: [1, longest.div_ceil(24), longest.div_ceil(4), longest],
            pace,
            has: Has {
                season: n_seasons > 0,
                correction: n_seasons > 1,
            },
        }
    }

    /// The best parameters found.
    pub(crate) fn best(&self) -> Parameters {
        let mut best = Parameters::start(self.pace);
        let mut least = self.scores([best])[0];
        let mut moved = [false; Coordinate::ALL.len()];
        for round in 0..2 {
            for (idx, coordinate) in Coordinate::ALL.into_iter().enumerate() {
                let is_settled = round > 0 && !moved[idx] && coordinate.stands_alone();
                if is_settled || !self.has.use_for(coordinate) {
                    continue;
                }
                let variants = if round == 0 {
                    Some(coordinate.wide(best, self.pace))
                } else {
                    coordinate.near(best, self.pace)
                };
                let Some(variants) = variants else { continue };
                for (variant, score) in variants.iter().zip(self.scores(variants)) {
                    if score < least - WORTHWHILE {
                        (best, least) = (*variant, score);
                        moved[idx] = true;
                    }
                }
            }
        }
        best
    }

    /// The weighted sum of the logarithms of the mean absolute errors at each horizon.
    fn scores<const N: usize>(&self, parameters: [Parameters; N]) -> [f32; N] {
        let mut model = self.start.smoother(parameters);
        let mut sums = [Lanes::<N>::ZERO; 4];
        let mut counts = [0.0_f32; 4];
        let ahead = self.ahead;
        let fading = ahead.map(|ahead| {
            let exponent = i32::try_from(ahead).unwrap_or(i32::MAX);
            Lanes(parameters.map(|p| p.memory.powi(exponent)))
        });
        let far = ahead.map(|ahead| {
            let ahead = u32::try_from(ahead).unwrap_or(u32::MAX);
            (ahead, model.reach(ahead))
        });
        let values = &self.values[self.start.n..];
        let warm = (values.len() / 8).min(144);
        for (idx, value) in values.iter().enumerate() {
            if idx >= warm && idx % STRIDE == 0 {
                for (k, ahead) in ahead.iter().enumerate() {
                    let Some(came) = values.get(idx + ahead - 1).filter(|v| !v.is_nan()) else {
                        continue;
                    };
                    let base = model.base_with(far[k].0, far[k].1);
                    counts[k] += 1.0;
                    let foreseen = base + fading[k] * model.deviation;
                    sums[k] = sums[k] + (Lanes::all(*came) - foreseen).abs();
                }
            }
            if value.is_nan() {
                model.skip(1);
            } else {
                model.observe(*value);
            }
        }
        std::array::from_fn(|n| {
            let part = |k: usize| WEIGHTS[k] * (sums[k].0[n] / counts[k].max(1.0) + 1e-9).ln();
            (0..4).map(part).sum()
        })
    }
}

impl Has {
    fn use_for(&self, coordinate: Coordinate) -> bool {
        match coordinate {
            Coordinate::Season | Coordinate::Believed | Coordinate::Spread => self.season,
            Coordinate::Kept => self.correction,
            Coordinate::Level
            | Coordinate::Memory
            | Coordinate::Gain
            | Coordinate::Slope
            | Coordinate::Shift => true,
        }
    }
}
