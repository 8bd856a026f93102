//! Level, slope, seasons and a fading deviation, each moved a little by every sample.
//!
//! Double-seasonal exponential smoothing with an autoregressive error (Taylor 2003; De Livera, Hyndman and Snyder
//! 2011), robust as in Gelper, Fried and Croux (2010): no sample moves level or seasons by more than three of the
//! usual deviations. Level shifts are noticed by a two-sided cumulative sum (Page 1954).

use super::{lanes::Lanes, parameters::Parameters, profile::Profile};

/// The state of `N` variants of one model, which differ in their parameters.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Smoother<const N: usize> {
    pub(crate) rates: Rates<N>,
    pub(crate) level: Lanes<N>,
    /// Change of the level a step.
    pub(crate) slope: Lanes<N>,
    /// The part of the last deviation that will be felt a while.
    pub(crate) deviation: Lanes<N>,
    /// The usual size of what a sample deviates from level and seasons; positive.
    pub(crate) size: Lanes<N>,
    /// The usual size of what was not foreseen one step ahead; positive.
    pub(crate) surprise: Lanes<N>,
    pub(crate) shift: Shift<N>,
    /// The horizon after which a slope has lost half its effect, in steps.
    pub(crate) patience: f32,
    /// How much larger than usual the next surprise may be: one, and more after a gap.
    pub(crate) slack: f32,
    /// Ascending by length; the first is the profile, the others correct it.
    pub(crate) seasons: Vec<Profile<N>>,
}

/// How many rates there are.
pub(crate) const N_RATES: usize = 9;

/// The parameters of each variant, side by side.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Rates<const N: usize> {
    pub(crate) level: Lanes<N>,
    season: Lanes<N>,
    correction: Lanes<N>,
    pub(crate) believed: Lanes<N>,
    pub(crate) memory: Lanes<N>,
    pub(crate) gain: Lanes<N>,
    slope: Lanes<N>,
    spread: Lanes<N>,
    shift: Lanes<N>,
}

impl<const N: usize> Rates<N> {
    /// All of them, in the order in which they are kept.
    pub(crate) fn all(&self) -> [Lanes<N>; N_RATES] {
        [
            self.level,
            self.season,
            self.correction,
            self.believed,
            self.memory,
            self.gain,
            self.slope,
            self.spread,
            self.shift,
        ]
    }

    /// Whether all but the evidence for a shift are shares of something.
    pub(crate) fn are_shares(&self) -> bool {
        let [shares @ .., _] = self.all();
        shares
            .iter()
            .all(|rate| rate.0.iter().all(|rate| (0.0..=1.0).contains(rate)))
    }

    fn of(parameters: &[Parameters; N]) -> Self {
        let each =
            |get: fn(&Parameters) -> f32| Lanes(std::array::from_fn(|n| get(&parameters[n])));
        Self {
            level: each(|p| p.level),
            season: each(|p| p.season),
            correction: each(|p| CORRECTION_SHARE * p.correction),
            believed: each(|p| p.believed),
            memory: each(|p| p.memory),
            gain: each(|p| p.gain),
            slope: each(|p| p.slope * p.level),
            spread: each(|p| p.spread),
            shift: each(|p| p.shift),
        }
    }
}

impl<const N: usize> From<[Lanes<N>; N_RATES]> for Rates<N> {
    fn from(all: [Lanes<N>; N_RATES]) -> Self {
        let [
            level,
            season,
            correction,
            believed,
            memory,
            gain,
            slope,
            spread,
            shift,
        ] = all;
        Self {
            level,
            season,
            correction,
            believed,
            memory,
            gain,
            slope,
            spread,
            shift,
        }
    }
}

/// Evidence for a shift of the level.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Shift<const N: usize> {
    /// The cumulative sum of deviations, in usual sizes; upwards positive.
    pub(crate) sum: Lanes<N>,
    /// Deviations since the sum was last zero, weighted by their evidence: their total and weight.
    pub(crate) total: Lanes<N>,
    pub(crate) n: Lanes<N>,
    /// Samples in a row that were wild on one side; negative below.
    pub(crate) wild: Lanes<N>,
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

/// After more wild samples than this in a row, on one side, each counts more: that is no noise.
const REPEATED: f32 = 2.5;
const REPEATED_CLIP: f32 = 12.0;

/// A surprise of more sizes than this is wild, and not believed until the next sample repeats it.
const WILD: f32 = 4.0;

impl<const N: usize> Smoother<N> {
    /// A model that has seen nothing but its level, slope, usual size and seasons.
    pub(crate) fn new(
        parameters: &[Parameters; N],
        [level, slope, size]: [Lanes<N>; 3],
        patience: f32,
        seasons: Vec<Profile<N>>,
    ) -> Self {
        let zero = Lanes::ZERO;
        Self {
            rates: Rates::of(parameters),
            level,
            slope,
            deviation: zero,
            size,
            surprise: size,
            shift: Shift {
                sum: zero,
                total: zero,
                n: zero,
                wild: zero,
            },
            patience,
            slack: 1.0,
            seasons,
        }
    }

    /// The numbers that are kept beside rates and seasons, in order.
    pub(crate) fn numbers(&self) -> [Lanes<N>; 9] {
        let Shift {
            sum,
            total,
            n,
            wild,
        } = self.shift;
        [
            self.level,
            self.slope,
            self.deviation,
            self.size,
            self.surprise,
            sum,
            total,
            n,
            wild,
        ]
    }

    /// The horizon after which a slope has lost half its effect, when it is foreseen so far.
    pub(crate) fn patience_for(reach: usize) -> f32 {
        2.0 * reach.max(1) as f32
    }

    /// Level and seasons some steps ahead, at least one.
    #[inline]
    pub(crate) fn base(&self, ahead: u32) -> Lanes<N> {
        self.base_with(ahead, self.reach(ahead))
    }

    /// The same when it is known how many steps' worth of slope lie ahead.
    #[inline]
    pub(crate) fn base_with(&self, ahead: u32, reach: f32) -> Lanes<N> {
        let mut base = self.level + self.slope * Lanes::all(reach);
        if let Some((profile, corrections)) = self.seasons.split_first() {
            base = base + self.rates.believed * profile.at(ahead);
            for correction in corrections {
                base = base + correction.at(ahead);
            }
        }
        base
    }

    /// How many steps' worth of slope lie ahead: all of the near ones, and ever fewer of the far ones.
    #[inline]
    pub(crate) fn reach(&self, ahead: u32) -> f32 {
        let ahead = ahead as f32;
        ahead * self.patience / (ahead + self.patience)
    }

    /// Takes the next sample. Returns what was not foreseen of it.
    #[inline]
    pub(crate) fn observe(&mut self, value: f32) -> Lanes<N> {
        let off = Lanes::all(value) - self.base_with(1, 1.0);
        let limit = Lanes::all(CLIP) * self.size;
        let learned = off.within(limit);
        self.level = self.level + self.slope + self.rates.level * learned;
        self.slope = self.slope + self.rates.slope * learned;
        let foreseen = self.rates.memory * self.deviation;
        let surprise = off - foreseen;
        let one = Lanes::all(1.0);
        // The longer nothing was seen, the more the first sample says.
        let gain = one - (one - self.rates.gain) / Lanes::all(self.slack);
        self.deviation = foreseen + gain * self.believable(surprise);
        self.slack = 1.0;
        self.watch(off);
        self.size = followed(self.size, off, SIZE_RATE);
        self.surprise = followed(self.surprise, surprise, SURPRISE_RATE);
        self.learn(learned);
        self.advance(1);
        surprise
    }

    /// Lets steps pass without samples: the deviation fades, nothing is learned.
    pub(crate) fn skip(&mut self, steps: u32) {
        let exponent = i32::try_from(steps).unwrap_or(i32::MAX);
        let reach = self.reach(steps);
        let faded = Lanes(self.rates.memory.0.map(|memory| memory.powi(exponent)));
        self.deviation = self.deviation * faded;
        self.level = self.level + self.slope * Lanes::all(reach);
        // What was not seen has wandered as a random walk does.
        self.slack = self.slack.hypot((steps as f32 / WANDERS).sqrt());
        self.advance(steps);
    }

    /// Changes to a scale whose unit is `factor` times as large.
    pub(crate) fn rescale(&mut self, factor: f32) {
        let factor = Lanes::all(factor);
        for number in [
            &mut self.level,
            &mut self.slope,
            &mut self.deviation,
            &mut self.size,
            &mut self.surprise,
            &mut self.shift.total,
        ] {
            *number = *number / factor;
        }
        self.size = self.size.max(Lanes::all(MIN_SIZE));
        self.surprise = self.surprise.max(Lanes::all(MIN_SIZE));
        for season in &mut self.seasons {
            for cell in season.cells_mut() {
                *cell = *cell / factor;
            }
        }
    }

    #[inline]
    fn advance(&mut self, steps: u32) {
        for season in &mut self.seasons {
            season.advance(steps);
        }
    }

    /// The part of a surprise that may be true: a wild one counts little until its neighbour repeats it.
    #[inline]
    fn believable(&mut self, surprise: Lanes<N>) -> Lanes<N> {
        let limit = Lanes::all(WILD * self.slack) * self.surprise;
        let wild = surprise.abs().above(limit);
        let one = surprise.sign();
        let repeated = (self.shift.wild * one).above(Lanes::ZERO);
        let run = repeated.pick(self.shift.wild, Lanes::ZERO) + one;
        self.shift.wild = wild.pick(run, Lanes::ZERO);
        wild.and_not(repeated).pick(limit * one, surprise)
    }

    /// Looks for a shift of the level, and follows it.
    #[inline]
    fn watch(&mut self, off: Lanes<N>) {
        let zero = Lanes::ZERO;
        let repeated = self.shift.wild.abs().above(Lanes::all(REPEATED));
        let clip = repeated.pick(Lanes::all(REPEATED_CLIP), Lanes::all(SHIFT_CLIP));
        let Shift { sum, total, n, .. } = &mut self.shift;
        let evidence = (off / self.size).within(clip);
        // A sum of nothing takes the side of the evidence; adding that decides nothing else.
        let side = (*sum * Lanes::all(LARGE) + evidence).sign();
        let grown = (*sum + evidence) * side - Lanes::all(SHIFT_SLACK);
        let goes_on = grown.above(zero);
        let weight = evidence.abs();
        let so_far = goes_on.pick(*total + off * weight, zero);
        let seen = goes_on.pick(n.max(zero) + weight, zero);
        let enough = grown.above(self.rates.shift);
        let by = enough.pick(so_far / seen.max(Lanes::all(MIN_SIZE)), zero);
        self.level = self.level + by;
        // Of the deviation there is left what the shift does not explain; it never turns into its opposite.
        let left = self.deviation - by;
        self.deviation = zero.above(left * self.deviation).pick(zero, left);
        let remains = goes_on.and_not(enough);
        *sum = remains.pick(grown * side, zero);
        *total = remains.pick(so_far, zero);
        *n = enough.pick(Lanes::all(NOTICED), seen);
    }

    /// Whether the last sample of the first variant completed the evidence for a shift.
    #[inline]
    pub(crate) fn has_shifted(&self) -> bool {
        self.shift.n.0[0] < 0.0
    }

    /// Moves the seasons by what was learned.
    #[inline]
    fn learn(&mut self, learned: Lanes<N>) {
        let Some((profile, corrections)) = self.seasons.split_first_mut() else {
            return;
        };
        let Rates {
            season,
            believed,
            spread,
            correction: rate,
            ..
        } = &self.rates;
        let beside = profile.beside_next();
        let cell = profile.next_cell();
        let unbelieved = (Lanes::all(1.0) - *believed) * *cell;
        let change = *season * (learned - unbelieved);
        *cell = *cell + change;
        if spread.0.iter().any(|share| *share > 0.0) {
            for idx in beside {
                let cell = &mut profile.cells_mut()[idx];
                *cell = *cell + *spread * change;
            }
        }
        for correction in corrections {
            let cell = correction.next_cell();
            *cell = *cell + *rate * learned;
        }
    }
}

/// A usual size after one more deviation, which counts up to six sizes.
#[inline]
fn followed<const N: usize>(size: Lanes<N>, off: Lanes<N>, rate: f32) -> Lanes<N> {
    let counted = off.abs().min(Lanes::all(6.0) * size);
    let next = size + Lanes::all(rate) * (counted * Lanes::all(TO_SIGMA) - size);
    next.max(Lanes::all(MIN_SIZE))
}

/// After a gap of so many steps, a deviation is half again as uncertain as the usual surprise.
const WANDERS: f32 = 12.0;

/// Makes any sum outweigh any evidence.
const LARGE: f32 = 1e12;

/// Stands for the number of deviations after a sample that completed the evidence for a shift.
const NOTICED: f32 = -1.0;

/// Each of the steps in a cell of a longer season moves it by this share of its rate.
const CORRECTION_SHARE: f32 = 0.4;
