//! Level, slope, seasons and a fading deviation, each moved a little by every sample.
//!
//! Double-seasonal exponential smoothing with an autoregressive error (Taylor 2003; De Livera, Hyndman and Snyder
//! 2011), robust as in Gelper, Fried and Croux (2010): no sample moves level or seasons by more than three of the
//! usual deviations. Level shifts are noticed by a two-sided cumulative sum (Page 1954).

use super::{parameters::Parameters, profile::Profile};

/// Numbers for `N` variants side by side.
pub(crate) type Lanes<const N: usize> = [f32; N];

/// The state of `N` variants of one model, which differ in their parameters.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Smoother<const N: usize> {
    pub(crate) parameters: [Parameters; N],
    pub(crate) level: Lanes<N>,
    /// Change of the level a step.
    pub(crate) slope: Lanes<N>,
    /// The part of the last deviation that will be felt a while.
    pub(crate) deviation: Lanes<N>,
    /// The usual size of what a sample deviates from level and seasons; positive.
    pub(crate) size: Lanes<N>,
    /// The usual size of what was not foreseen one step ahead; positive.
    pub(crate) surprise: Lanes<N>,
    pub(crate) shift: [Shift; N],
    /// The horizon after which a slope has lost half its effect, in steps.
    pub(crate) patience: f32,
    /// Ascending by length; the first is the profile, the others correct it.
    pub(crate) seasons: Vec<Profile<N>>,
}

/// Evidence for a shift of the level.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub(crate) struct Shift {
    /// The cumulative sum of deviations, in usual sizes; upwards positive.
    pub(crate) sum: f32,
    /// Deviations since the sum was last zero: their total and number.
    pub(crate) total: f32,
    pub(crate) n: f32,
    /// Samples in a row that were wild on one side; negative below.
    pub(crate) wild: f32,
    /// Whether the last sample completed the evidence.
    pub(crate) noticed: bool,
}

/// Deviations count up to this many sizes: what one sample may move.
const CLIP: f32 = 3.0;

/// How fast the usual size of deviations is learned.
const SIZE_RATE: f32 = 0.01;

/// How fast the usual size of surprises is learned.
const SURPRISE_RATE: f32 = 0.02;


/// A mean absolute deviation times this is a normal distribution's standard deviation.
const TO_SIGMA: f32 = 1.2533;

/// The smallest size there is; the scale's spread is one.
pub(crate) const MIN_SIZE: f32 = 1e-7;

/// Deviations below this many sizes are no evidence of a shift.
const SHIFT_SLACK: f32 = 1.0;

/// Evidence of one sample is cut here, so that a single wild one proves nothing.
const SHIFT_CLIP: f32 = 4.0;

/// A surprise of more sizes than this is wild, and not believed until the next sample repeats it.
const WILD: f32 = 4.0;

impl<const N: usize> Smoother<N> {
    /// Level and seasons some steps ahead, at least one.
    #[inline]
    pub(crate) fn base(&self, ahead: u32) -> Lanes<N> {
        let seasonal = self.seasonal(ahead);
        let ahead = ahead as f32;
        let reach = ahead * self.patience / (ahead + self.patience);
        std::array::from_fn(|n| self.level[n] + self.slope[n] * reach + seasonal[n])
    }

    /// What the seasons add some steps ahead.
    #[inline]
    pub(crate) fn seasonal(&self, ahead: u32) -> Lanes<N> {
        let mut sum = [0.0; N];
        if let Some((profile, corrections)) = self.seasons.split_first() {
            let cell = profile.at(ahead);
            for n in 0..N {
                sum[n] = self.parameters[n].believed * cell[n];
            }
            for correction in corrections {
                let cell = correction.at(ahead);
                for n in 0..N {
                    sum[n] += cell[n];
                }
            }
        }
        sum
    }

    /// Takes the next sample. Returns what was not foreseen of it.
    #[inline]
    pub(crate) fn observe(&mut self, value: f32) -> Lanes<N> {
        let base = self.base(1);
        let mut learned = [0.0; N];
        let mut surprises = [0.0; N];
        for n in 0..N {
            let Parameters {
                level,
                memory,
                gain,
                slope,
                ..
            } = self.parameters[n];
            let off = value - base[n];
            let foreseen = memory * self.deviation[n];
            let surprise = off - foreseen;
            surprises[n] = surprise;
            let limit = CLIP * self.size[n];
            let clipped = off.clamp(-limit, limit);
            learned[n] = clipped;
            let size = self.size[n];
            self.size[n] =
                (size + SIZE_RATE * (off.abs().min(6.0 * size) * TO_SIGMA - size)).max(MIN_SIZE);
            self.level[n] += self.slope[n] + level * clipped;
            self.slope[n] += slope * level * clipped;
            let believed = self.believable(n, surprise);
            self.deviation[n] = foreseen + gain * believed;
            let usual = self.surprise[n];
            self.surprise[n] = (usual
                + SURPRISE_RATE * (surprise.abs().min(6.0 * usual) * TO_SIGMA - usual))
                .max(MIN_SIZE);
            self.watch(n, off, size);
        }
        self.learn(&learned);
        self.advance(1);
        surprises
    }

    /// Lets steps pass without samples: the deviation fades, nothing is learned.
    pub(crate) fn skip(&mut self, steps: u32) {
        for n in 0..N {
            let exponent = i32::try_from(steps).unwrap_or(i32::MAX);
            self.deviation[n] *= self.parameters[n].memory.powi(exponent);
            let passed = steps as f32;
            self.level[n] += self.slope[n] * passed * self.patience / (passed + self.patience);
        }
        self.advance(steps);
    }

    /// Changes to a scale whose unit is `factor` times as large.
    pub(crate) fn rescale(&mut self, factor: f32) {
        for n in 0..N {
            self.level[n] /= factor;
            self.slope[n] /= factor;
            self.deviation[n] /= factor;
            self.size[n] = (self.size[n] / factor).max(MIN_SIZE);
            self.surprise[n] = (self.surprise[n] / factor).max(MIN_SIZE);
            self.shift[n].total /= factor;
        }
        for season in &mut self.seasons {
            for cell in season.cells_mut() {
                *cell = cell.map(|value| value / factor);
            }
        }
    }

    #[inline]
    fn advance(&mut self, steps: u32) {
        for season in &mut self.seasons {
            season.advance(steps);
        }
    }

    /// The part of a surprise that may be true: a wild one counts little until its neighbours repeat it.
    #[inline]
    fn believable(&mut self, n: usize, surprise: f32) -> f32 {
        let limit = WILD * self.surprise[n];
        let wild = &mut self.shift[n].wild;
        if surprise.abs() <= limit {
            *wild = 0.0;
            return surprise;
        }
        let sign = surprise.signum();
        *wild = if *wild * sign > 0.0 { *wild + sign } else { sign };
        if wild.abs() >= 2.0 {
            return surprise;
        }
        sign * limit
    }

    /// Looks for a shift of the level, and follows it.
    #[inline]
    fn watch(&mut self, n: usize, off: f32, size: f32) {
        let shift = &mut self.shift[n];
        shift.noticed = false;
        let evidence = (off / size).clamp(-SHIFT_CLIP, SHIFT_CLIP);
        let side = if shift.sum == 0.0 { evidence.signum() } else { shift.sum.signum() };
        let sum = shift.sum * side + evidence * side - SHIFT_SLACK;
        if sum <= 0.0 {
            (shift.sum, shift.total, shift.n) = (0.0, 0.0, 0.0);
            return;
        }
        shift.sum = sum * side;
        shift.total += off;
        shift.n += 1.0;
        if sum >= self.parameters[n].shift {
            let by = shift.total / shift.n;
            self.level[n] += by;
            self.deviation[n] -= by;
            *shift = Shift {
                noticed: true,
                ..Shift::default()
            };
        }
    }

    /// Moves the seasons by what was learned.
    #[inline]
    fn learn(&mut self, learned: &Lanes<N>) {
        let Some((profile, corrections)) = self.seasons.split_first_mut() else {
            return;
        };
        let beside = profile.beside_next();
        let cell = profile.next_cell();
        let mut shared = [0.0; N];
        for n in 0..N {
            let Parameters {
                season,
                believed,
                spread,
                ..
            } = self.parameters[n];
            let change = season * (learned[n] - (1.0 - believed) * cell[n]);
            cell[n] += change;
            shared[n] = spread * change;
        }
        if shared.iter().any(|s| *s != 0.0) {
            for idx in beside {
                let cell = &mut profile.cells_mut()[idx];
                for n in 0..N {
                    cell[n] += shared[n];
                }
            }
        }
        for correction in corrections {
            let cell = correction.next_cell();
            for n in 0..N {
                cell[n] += CORRECTION_SHARE * self.parameters[n].correction * learned[n];
            }
        }
    }
}

/// Each of the steps in a cell of a longer season moves it by this share of its rate.
const CORRECTION_SHARE: f32 = 0.4;
