//! The online model: seasons, level and slope that every sample moves a little, with bands that follow their misses.

mod anomaly;
mod atom;
mod bands;
mod curve;
mod engine;
mod fit;
mod knots;
mod lanes;
mod parameters;
mod profile;
mod recent;
mod search;
mod smoother;
mod start;
mod state;
mod templates;

pub use anomaly::Anomaly;

use crate::{
    Bounds, Distribution, FitError, Fitted, History, Settings, UpdateError,
    distribution::{Quantiles, interpolate},
    fence::Fence,
    history::{cell, finite_or_gap, steps_between, time_of},
    paths::{self, Paths},
    scale::Scale,
};
use atom::Atom;
use engine::Engine;
use fit::Frame;
use series::{Quantile, Sample, Step, Timestamp};

/// A fitted online model. One update and one forecast take a fraction of a microsecond.
#[derive(Debug, Clone, PartialEq)]
pub struct Online {
    /// Tells the settings that it was fitted with from others.
    made_for: u32,
    step: Step,
    /// The grid cell of the last sample.
    cell: i64,
    bounds: Bounds,
    fence: Fence,
    scale: Scale,
    atom: Option<Atom>,
    engine: Engine,
}

/// Fewer samples than these say nothing about a spread.
const MIN_SAMPLES: usize = 32;

/// Fewer replayed errors than these say nothing about its quantiles; a band without them would be a guess.
const MIN_REPLAYS: usize = 16;

/// A series that has moved this many spreads away, and stays, gets a wider scale.
const FAR: f32 = 1_000.0;

impl Online {
    /// Fits a history of at least 32 samples, of which enough must be neighbours on the grid.
    pub fn fit(history: &History, settings: &Settings) -> Result<Self, FitError> {
        let (values, got) = (history.values(), history.n_finite());
        if got < MIN_SAMPLES {
            return Err(FitError::NotEnoughHistory {
                got,
                need: MIN_SAMPLES,
            });
        }
        let step = history.step();
        let frame = Frame::of(history, settings.reach(step));
        let fit = fit::fit(history, settings.seasons.as_deref(), frame);
        if fit.n_replays < MIN_REPLAYS {
            let (got, need) = (fit.n_replays, MIN_REPLAYS);
            return Err(FitError::TooFewReplays { got, need });
        }
        Ok(Self {
            made_for: state::fingerprint(settings, step),
            step,
            cell: cell(history.end(), step),
            bounds: settings.bounds,
            fence: Fence::around(values),
            scale: fit.scale,
            atom: Atom::find(values),
            engine: fit.engine,
        })
    }

    /// The values at some levels, some whole steps ahead, at least one: a fast way when the whole distribution is
    /// not needed. Levels beyond the outermost known ones get the outermost value.
    #[inline]
    pub fn quantiles<const N: usize>(&self, ahead: u32, levels: &[Quantile; N]) -> [f64; N] {
        let (foreseen, offsets) = self.engine.foresee(ahead);
        levels.map(|level| self.value(foreseen + bands::between(&offsets, level.level())))
    }

    /// Bytes of memory that the model takes, on the heap too.
    pub fn size(&self) -> usize {
        size_of::<Self>() + self.engine.heap_size()
    }

    fn all_quantiles(&self, ahead: usize) -> Quantiles {
        let ahead = u32::try_from(ahead).unwrap_or(u32::MAX);
        let (foreseen, offsets) = self.engine.foresee(ahead);
        offsets.map(|offset| self.value(foreseen + offset))
    }

    /// The value of a scaled one, kept within reason and bounds: finite, and growing with its argument.
    #[inline]
    fn value(&self, scaled: f32) -> f64 {
        let value = self.fence.clamp(self.scale.inverse(f64::from(scaled)));
        let value = self.atom.map_or(value, |atom| atom.attract(value));
        self.bounds.clamp(value).clamp(f64::MIN, f64::MAX)
    }

    /// Gives a series that has moved far away a scale on which it can be told from its neighbours again.
    #[cold]
    fn widen(&mut self, factor: f32) {
        self.scale = self.scale.wider(f64::from(factor));
        self.engine.rescale(factor);
    }
}

impl Fitted for Online {
    fn model(&self) -> &'static str {
        "online"
    }

    fn step(&self) -> Step {
        self.step
    }

    fn origin(&self) -> Timestamp {
        time_of(self.cell, self.step)
    }

    fn update(&mut self, sample: Sample) -> Result<(), UpdateError> {
        let new = cell(sample.at, self.step);
        if new <= self.cell {
            return Err(UpdateError::NotAfterOrigin {
                at: sample.at.as_millis(),
                origin: self.origin().as_millis(),
            });
        }
        let gaps = u32::try_from(new.saturating_sub(self.cell) - 1).unwrap_or(u32::MAX);
        self.cell = new;
        if gaps > 0 {
            self.engine.skip(gaps);
        }
        let value = finite_or_gap(sample.value);
        if value.is_nan() {
            self.engine.skip(1);
            return Ok(());
        }
        self.fence = self.fence.with(value);
        self.atom = self.atom.map(|atom| atom.with(value));
        let scaled = self.scale.narrow(value);
        if scaled.abs() > FAR && self.engine.is_wild() {
            self.widen(scaled.abs());
        }
        self.engine.observe(self.scale.narrow(value));
        Ok(())
    }

    fn predict(&self, at: Timestamp) -> Distribution {
        let ahead = steps_between(self.origin(), at, self.step);
        Distribution::new(interpolate(ahead, |n| self.all_quantiles(n)), self.bounds)
    }

    fn curve(&self, times: &[Timestamp], levels: &[Quantile]) -> Vec<f64> {
        curve::draw(self, times, levels)
    }

    fn anomaly(&self) -> Option<Anomaly> {
        Some(self.engine.anomaly)
    }

    fn paths(&self, n: usize, n_steps: usize, seed: u64) -> Paths {
        let (n, n_steps) = paths::limited(n, n_steps);
        let templates = templates::templates(&self.engine, n, n_steps, seed);
        let marginal = |ahead| Distribution::new(self.all_quantiles(ahead), self.bounds);
        paths::shuffled(&templates, n_steps, marginal)
    }

    fn save(&self) -> Option<Vec<u8>> {
        Some(self.to_bytes())
    }
}
