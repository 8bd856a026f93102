//! What the program that holds this crate lends it: forecasts, and answers from Prometheus.

use futures::future::BoxFuture;
use series::{Horizon, Labels, Quantile, Timestamp};

/// The demand that is foreseen for a workload.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Foreseen {
    /// The largest over all horizons; NaN and infinities cannot be sized for.
    pub value: f64,
    /// When it is foreseen.
    pub at: Timestamp,
    /// Which horizon that is.
    pub horizon: Horizon,
    /// The demand now, where it is known.
    pub current: Option<f64>,
}

impl Foreseen {
    /// The demand to be met: what is foreseen, or what there is now where that is more.
    pub fn demand(&self) -> f64 {
        // `max` passes over a NaN on either side, and an infinite present is a fault of the measurement.
        let current = self.current.filter(|value| value.is_finite());
        self.value.max(current.unwrap_or(f64::NAN))
    }
}

/// Where forecasts come from.
pub trait Foresight: Send + Sync {
    /// The largest demand that the forecast `name` foresees, over its horizons and all series with these
    /// labels, at this level. None when there is no fresh forecast, which is never taken for "no demand".
    fn demand(
        &self,
        name: &str,
        labels: &Labels,
        quantile: Quantile,
        now: Timestamp,
    ) -> Option<Foreseen>;
}

/// Where the effect of an action is judged.
pub trait Evidence: Send + Sync {
    /// Evaluates an instant PromQL query, within a time limit of its own. Warnings count as errors: a part of
    /// an answer is no evidence.
    fn query<'a>(
        &'a self,
        expr: &'a str,
        at: Timestamp,
    ) -> BoxFuture<'a, Result<Vec<(Labels, f64)>, String>>;
}
