//! The yardstick: the value a season ago, with normal errors as large as such forecasts' errors were.

use super::{Forecast, LEVELS};
use crate::{Bounds, History, statistics::mean};

/// The standard normal quantiles at [`LEVELS`].
const Z: [f64; LEVELS.len()] = [
    -1.959_964, -1.281_552, -0.841_621, -0.524_401, -0.253_347, 0.0, 0.253_347, 0.524_401,
    0.841_621, 1.281_552, 1.959_964,
];

/// Differences across a season, without those that touch a gap.
pub(crate) fn residuals(values: &[f64], season: usize) -> impl Iterator<Item = f64> + '_ {
    let later = values.iter().skip(season);
    values
        .iter()
        .zip(later)
        .map(|(before, after)| after - before)
        .filter(|residual| !residual.is_nan())
}

/// The seasonal naive forecast. Where a season ago there is a gap, the season before it is asked.
pub(super) fn forecast(
    history: &History,
    season: usize,
    n_steps: usize,
    bounds: Bounds,
) -> Forecast {
    let values = history.values();
    let sigma = mean(residuals(values, season).map(|r| r * r)).sqrt();
    let row = |ahead: usize| {
        let seasons = ahead / season + 1;
        let past = (0..).map_while(|back: usize| {
            let lag = (seasons + back) * season - ahead;
            values.len().checked_sub(lag)
        });
        let value = past.map(|idx| values[idx]).find(|value| !value.is_nan());
        let spread = sigma * (seasons as f64).sqrt();
        Z.map(|z| bounds.clamp(value.unwrap_or(0.0) + spread * z))
    };
    Forecast {
        origin: history.end(),
        values: (0..n_steps).map(row).collect(),
    }
}
