//! The model that serves: a smoother, the forecasts it waits to see judged, and the bands that follow the verdicts.

use super::{
    anomaly::Anomaly,
    bands::{Bands, Offsets},
    knots::{Knot, Pending, Promise},
    lanes::Lanes,
    recent::Recent,
    smoother::Smoother,
};

/// Everything that a sample changes, on the scale of the series.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Engine {
    pub(crate) smoother: Smoother<1>,
    pub(crate) pending: Pending,
    pub(crate) bands: Bands,
    /// The surprises of late, for sample paths.
    pub(crate) recent: Recent,
    /// What the last sample looked like.
    pub(crate) anomaly: Anomaly,
}

/// Surprises smaller than this share of the series' spread make no band narrower.
const MIN_UNIT: f32 = 1e-3;

/// How much of the current size of surprises enters the unit of errors: all of it one step ahead, a fifth less at
/// each further knot. A calm or stormy hour says much about the next one and little about tomorrow.
const UNIT_FADES: f32 = 0.8;

/// Steps of quantiles are measured by this share of the usual surprise at least, so that a band of no width can
/// open again.
const LEAST_WIDTH: f32 = 0.1;

/// What single precision leaves unknown of a series without noise, where the scale's spread is one.
const ROUNDING: Offsets = {
    let mut rounding = [0.0; 13];
    let mut idx = 0;
    while idx < 13 {
        rounding[idx] = (idx as f32 - 6.0) * 2e-7;
        idx += 1;
    }
    rounding
};

impl Engine {
    /// A model that has not made any forecast yet, and has no bands.
    pub(crate) fn new(smoother: Smoother<1>, knots: Box<[Knot]>) -> Self {
        let memory = smoother.rates.memory.0[0];
        Self {
            smoother,
            pending: Pending::new(knots, memory),
            bands: Bands { offsets: [].into() },
            recent: Recent::default(),
            anomaly: Anomaly::default(),
        }
    }

    /// Takes the next sample, and moves the bands by what became of the forecasts for it.
    #[inline]
    pub(crate) fn observe(&mut self, value: f32) {
        let foreseen = self.one_ahead();
        let unit = self.units().of(0);
        let usual = self.smoother.surprise.0[0];
        self.anomaly = Anomaly::judge(
            (value - foreseen) / unit,
            &self.bands.offsets[0],
            usual / unit,
        );
        let bands = &mut self.bands;
        self.pending.due(
            |idx,
             knot,
             Promise {
                 value: foreseen,
                 unit,
             }| {
                let least = LEAST_WIDTH * usual / unit;
                bands.follow(idx, (value - foreseen) / unit, (knot.stride, least));
            },
        );
        self.learn(value);
        self.anomaly.is_shift = self.smoother.has_shifted();
    }

    /// Takes the next sample without touching the bands, and shows what became of the forecasts for it.
    pub(crate) fn replay(&mut self, value: f32, mut show: impl FnMut(usize, Promise)) {
        self.pending.due(|idx, _, promise| show(idx, promise));
        self.learn(value);
    }

    #[inline]
    fn learn(&mut self, value: f32) {
        let usual = self.smoother.surprise.0[0];
        let Lanes([surprise]) = self.smoother.observe(value);
        self.recent.push(surprise / usual);
        let units = self.units();
        self.pending.remember(&self.smoother, |idx| units.of(idx));
    }

    /// Bytes of memory beside its own.
    pub(crate) fn heap_size(&self) -> usize {
        let seasons = &self.smoother.seasons;
        let cells: usize = seasons
            .iter()
            .map(|season| size_of_val(season.cells()))
            .sum();
        size_of_val(seasons.as_slice())
            + cells
            + self.pending.heap_size()
            + size_of_val(&*self.bands.offsets)
            + size_of_val(&*self.recent.values)
    }

    /// Whether the last sample was wild, and the next one decides what to make of it.
    #[inline]
    pub(crate) fn is_wild(&self) -> bool {
        self.smoother.shift.wild.0[0].abs() >= 1.0
    }

    /// Lets steps pass without samples.
    pub(crate) fn skip(&mut self, steps: u32) {
        self.smoother.skip(steps);
        self.pending.skip(steps);
    }

    /// The forecast some steps ahead, and the distance of each level from it.
    #[inline]
    pub(crate) fn foresee(&self, ahead: u32) -> (f32, Offsets) {
        let ahead = ahead.max(1);
        let knots = self.pending.knots();
        let exponent = i32::try_from(ahead).unwrap_or(i32::MAX);
        let fading = self.smoother.rates.memory.0[0].powi(exponent);
        let foreseen = self.smoother.base(ahead).0[0] + fading * self.smoother.deviation.0[0];
        let next = knots.partition_point(|knot| knot.ahead < ahead);
        let unit = self.units().of(next.min(knots.len() - 1));
        let offsets = self.bands.at(knots, ahead);
        (
            foreseen,
            std::array::from_fn(|idx| offsets[idx] * unit + ROUNDING[idx]),
        )
    }

    #[inline]
    fn one_ahead(&self) -> f32 {
        self.smoother.base(1).0[0] + self.smoother.rates.memory.0[0] * self.smoother.deviation.0[0]
    }

    #[inline]
    fn units(&self) -> Units {
        Units {
            log: self.smoother.surprise.0[0].max(MIN_UNIT).log2(),
        }
    }

    /// Changes to a scale whose unit is `factor` times as large.
    pub(crate) fn rescale(&mut self, factor: f32) {
        let before = self.units();
        self.smoother.rescale(factor);
        let after = self.units();
        for (idx, offsets) in self.bands.offsets.iter_mut().enumerate() {
            let change = before.of(idx) / after.of(idx) / factor;
            *offsets = offsets.map(|offset| offset * change);
        }
        self.pending
            .rescale(factor, |idx| after.of(idx) / before.of(idx));
    }
}

/// The units that errors are measured in.
#[derive(Debug, Clone, Copy)]
struct Units {
    log: f32,
}

impl Units {
    /// The unit of a knot.
    #[inline]
    fn of(self, knot: usize) -> f32 {
        (self.log * SHARES[knot.min(SHARES.len() - 1)]).exp2()
    }
}

/// What is left of the unit at each knot.
const SHARES: [f32; 20] = {
    let mut shares = [1.0; 20];
    let mut i = 1;
    while i < 20 {
        shares[i] = shares[i - 1] * UNIT_FADES;
        i += 1;
    }
    shares
};
