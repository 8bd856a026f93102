//! Forecast models with calibrated quantiles: fit a history, then ask for the distribution at any time ahead.

mod distribution;
mod history;
mod model;

pub use distribution::Distribution;
pub use history::{History, HistoryError};
pub use model::{Bounds, FitError, Fitted, ModelKind, Settings, UpdateError, fit};
