//! What every model offers: fit, update, predict.

use crate::{
    Anomaly, Distribution, History, Paths, StateError, mstl::Mstl, online::Online, paths,
    seasonal_naive::SeasonalNaive,
};
use series::{Quantile, Sample, Step, Timestamp};
use std::time::Duration;

/// Fits the model that the settings name.
pub fn fit(history: &History, settings: &Settings) -> Result<Box<dyn Fitted>, FitError> {
    let naive = || SeasonalNaive::fit(history, settings).map(boxed);
    match settings.model {
        ModelKind::Online => Online::fit(history, settings).map(boxed),
        ModelKind::Mstl => Mstl::fit(history, settings).map(boxed),
        ModelKind::SeasonalNaive => naive(),
        ModelKind::Auto => Mstl::fit(history, settings).map(boxed).or_else(|_| naive()),
    }
}

/// Takes up a model where [`Fitted::save`] left it, when settings and step are still the same.
pub fn restore(
    bytes: &[u8],
    settings: &Settings,
    step: Step,
) -> Result<Box<dyn Fitted>, StateError> {
    if settings.model != ModelKind::Online {
        return Err(StateError::OtherSettings);
    }
    Online::from_bytes(bytes, settings, step).map(boxed)
}

fn boxed(model: impl Fitted + 'static) -> Box<dyn Fitted> {
    Box::new(model)
}

/// A model that has seen a history.
pub trait Fitted: Send + Sync {
    /// The model's name, as `model` labels show it.
    fn model(&self) -> &'static str;

    /// The spacing of the samples it has seen.
    fn step(&self) -> Step;

    /// The time of the last sample seen, on the grid of whole steps.
    fn origin(&self) -> Timestamp;

    /// Takes one more sample; steps left out since the last are gaps, and so is a value that is not finite.
    fn update(&mut self, sample: Sample) -> Result<(), UpdateError>;

    /// The distribution foreseen at a time. Times at or before the origin are answered as one step ahead;
    /// times beyond the calibrated horizon with the distribution's widest spread.
    fn predict(&self, at: Timestamp) -> Distribution;

    /// The values foreseen at some levels, time after time: those of [`Fitted::predict`] up to rounding, in less time
    /// where the times ascend. Those of one time never cross where the levels ascend.
    fn curve(&self, times: &[Timestamp], levels: &[Quantile]) -> Vec<f64> {
        let mut values = Vec::with_capacity(times.len() * levels.len());
        for at in times {
            let foreseen = self.predict(*at);
            values.extend(levels.iter().map(|level| foreseen.quantile(*level)));
        }
        values
    }

    /// What the last sample looked like to the model before it took it; `None` from a model that does not judge.
    fn anomaly(&self) -> Option<Anomaly> {
        None
    }

    /// Joint futures over the next whole steps: at each step they are spread as [`Fitted::predict`] says. The same
    /// seed gives the same paths. Fewer come back than asked for where they would fill the memory.
    fn paths(&self, n: usize, n_steps: usize, seed: u64) -> Paths {
        let (n, n_steps) = paths::limited(n, n_steps);
        let templates = paths::fading(n, n_steps, seed);
        let step = self.step().get();
        paths::shuffled(&templates, n_steps, |ahead| {
            let ahead = step.saturating_mul(u32::try_from(ahead).unwrap_or(u32::MAX));
            self.predict(self.origin() + ahead)
        })
    }

    /// The state as bytes for [`restore`]; `None` from a model that is fitted anew instead.
    fn save(&self) -> Option<Vec<u8>> {
        None
    }
}

/// Which model forecasts a series.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum ModelKind {
    /// Seasons, level and slope that every sample moves a little.
    #[default]
    Online,
    /// MSTL with an `AutoETS` trend where there is history enough, the seasonal naive model elsewhere.
    Auto,
    /// MSTL with an `AutoETS` trend, from augurs; the trend alone where the series has no season.
    Mstl,
    /// The value one season ago; the last value where there is no season.
    SeasonalNaive,
}

/// Values that a series cannot leave; infinite where there is no limit.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Bounds {
    /// Nothing lies below.
    pub lower: f64,
    /// Nothing lies above.
    pub upper: f64,
}

impl Bounds {
    /// No limit on either side.
    pub const UNLIMITED: Self = Self {
        lower: f64::NEG_INFINITY,
        upper: f64::INFINITY,
    };

    /// The value, or the limit that it lies beyond. A NaN limit limits nothing.
    pub fn clamp(self, value: f64) -> f64 {
        value.max(self.lower).min(self.upper)
    }
}

/// How a series is to be forecast.
#[derive(Debug, Clone, PartialEq)]
pub struct Settings {
    /// The model.
    pub model: ModelKind,
    /// Season lengths; `None` when they are to be found in the history. Those that the history is too short
    /// for are left out.
    pub seasons: Option<Vec<Duration>>,
    /// What the values cannot leave.
    pub bounds: Bounds,
    /// The furthest time ahead that will be asked for; bands are calibrated up to it.
    pub max_horizon: Duration,
}

impl Settings {
    /// The furthest horizon that is calibrated, in steps: two weeks of minutes. What lies beyond has seasons
    /// repeated into it and gets the widest spread.
    const MAX_REACH: usize = 20_160;

    /// Steps up to the furthest horizon, at least one.
    pub(crate) fn reach(&self, step: Step) -> usize {
        step.count(self.max_horizon).clamp(1, Self::MAX_REACH)
    }
}

/// Why a model could not be fitted.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum FitError {
    /// Too few samples to say anything honest.
    #[error("not enough history: {got} samples, need at least {need}")]
    NotEnoughHistory {
        /// Finite samples seen.
        got: usize,
        /// How many it takes.
        need: usize,
    },
    /// Enough samples, but too far apart on the grid for their step: hardly a forecast could be tried on them.
    #[error(
        "not enough history: only {got} forecasts could be replayed, need at least {need}; is the step right?"
    )]
    TooFewReplays {
        /// Forecasts one step ahead whose outcome is known.
        got: usize,
        /// How many it takes.
        need: usize,
    },
    /// The decomposition refused the history.
    #[error("cannot decompose the history: {0}")]
    Decomposition(String),
}

/// Why a fitted model refused a sample.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum UpdateError {
    /// The sample does not come after the last one.
    #[error("sample at {at}ms does not come after the last one at {origin}ms")]
    NotAfterOrigin {
        /// The sample's time.
        at: i64,
        /// The last time seen.
        origin: i64,
    },
}
