//! Forecast models with calibrated quantiles: fit a history, then ask for the distribution at any time ahead.
//!
//! A model foresees one path of values; what is left of past forecasts, replayed from origins that did not know
//! their future, becomes the quantiles around it. The bands that models claim for themselves are not used.

pub mod backtest;

mod breach;
mod bytes;
mod calibration;
mod correction;
mod decomposition;
mod distribution;
mod fence;
mod gaps;
mod history;
mod model;
mod mstl;
mod noise;
mod online;
mod paths;
mod plan;
mod replay;
mod scale;
mod seasonal_naive;
mod seasons;
mod statistics;
mod track_record;
mod trend;

pub use breach::BreachOdds;
pub use bytes::StateError;
pub use distribution::Distribution;
pub use history::{History, HistoryError};
pub use model::{Bounds, FitError, Fitted, ModelKind, Settings, UpdateError, fit, restore};
pub use online::{Anomaly, Online};
pub use paths::Paths;
pub use track_record::{Standing, TrackRecord};
