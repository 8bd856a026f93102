//! Rolling-origin tests: forecasts made at past times that do not know their future, and how they turned out.
//!
//! The last window ends with the series, the earlier ones a stride apart. Scores are those of the public
//! forecasting literature: MASE (Hyndman and Koehler 2006), the scaled quantile loss over the nine deciles, and
//! the share of values inside the central bands; each beside a seasonal naive forecast of the same window.

mod naive;
mod score;
mod summary;
mod window;

pub(crate) use naive::residuals;
pub use score::Score;
pub use summary::{Relative, Row, relative, summarise};
pub use window::{Protocol, Window, windows};

use crate::Fitted;
use series::{Quantile, Timestamp};

/// Levels of every tested forecast: the deciles and the edges of the 95 % band.
pub const LEVELS: [f64; 11] = [0.025, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 0.975];

/// What was foreseen from one origin.
#[derive(Debug, Clone, PartialEq)]
pub struct Forecast {
    /// The time of the last sample seen.
    pub origin: Timestamp,
    /// For each step ahead, one value for each of [`LEVELS`]: finite and non-decreasing.
    pub values: Vec<[f64; LEVELS.len()]>,
}

impl Forecast {
    /// What a model foresees from its origin on.
    pub fn of(model: &dyn Fitted, n_steps: usize) -> Self {
        let levels = LEVELS.map(|level| Quantile::new(level).expect("levels lie between 0 and 1"));
        let origin = model.origin();
        let step = model.step().get();
        let mut at = origin;
        let values = (0..n_steps).map(|_| {
            at = at + step;
            let foreseen = model.predict(at);
            levels.map(|level| foreseen.quantile(level))
        });
        Self {
            origin,
            values: values.collect(),
        }
    }
}
