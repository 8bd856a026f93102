//! How one forecast turned out.

use super::{Forecast, LEVELS};
use crate::statistics::mean;

/// Scores of one window up to a horizon. Lower is better, but for the coverages, which should be what they are
/// called.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Score {
    /// Mean absolute error of the median, scaled.
    pub mase: f64,
    /// Mean over the nine deciles of twice the pinball loss, scaled.
    pub sql: f64,
    /// Share of the values inside the central 80 % band.
    pub cov80: f64,
    /// Share of the values inside the central 95 % band.
    pub cov95: f64,
}

/// The median, and the first and last decile, among the levels.
const MEDIAN: usize = 5;
const DECILES: std::ops::RangeInclusive<usize> = 1..=9;

/// Scores a forecast by what came; gaps are left out. `None` when nothing came.
pub(super) fn score(forecast: &Forecast, came: &[f64], scale: f64) -> Option<Score> {
    let rows = forecast.values.iter().zip(came);
    let rows: Vec<_> = rows.filter(|(_, came)| !came.is_nan()).collect();
    if rows.is_empty() {
        return None;
    }
    let over = |of: fn(&[f64; LEVELS.len()], f64) -> f64| {
        mean(rows.iter().map(|(values, came)| of(values, **came)))
    };
    let inside =
        |band: std::ops::RangeInclusive<f64>, came| f64::from(u8::from(band.contains(&came)));
    Some(Score {
        mase: over(|values, came| (came - values[MEDIAN]).abs()) / scale,
        sql: over(|values, came| mean(DECILES.map(|idx| pinball(LEVELS[idx], values[idx], came))))
            / scale,
        cov80: mean(rows.iter().map(|(v, came)| inside(v[1]..=v[9], **came))),
        cov95: mean(rows.iter().map(|(v, came)| inside(v[0]..=v[10], **came))),
    })
}

/// Twice the pinball loss, so that the median's is the absolute error.
fn pinball(level: f64, quantile: f64, came: f64) -> f64 {
    let miss = came - quantile;
    2.0 * (level * miss).max((level - 1.0) * miss)
}

#[cfg(test)]
mod tests {
    use super::*;
    use series::Timestamp;

    /// Reference values by the definitions, worked out by hand: quantiles 0 to 10, what came is 5 and 12.
    #[test]
    fn scores_are_as_defined() {
        let row = std::array::from_fn(|idx| f64::from(u8::try_from(idx).unwrap()));
        let forecast = Forecast {
            origin: Timestamp::default(),
            values: vec![row, row, row],
        };
        let got = score(&forecast, &[5.0, 12.0, f64::NAN], 2.0).unwrap();
        // Misses of the median: 0 and 7.
        assert!((got.mase - 3.5 / 2.0).abs() < 1e-12);
        // For 5: 2 (0.1·4 + 0.2·3 + 0.3·2 + 0.4·1) both ways; for 12: 2 Σ p (12 − 10p).
        let near = 2.0 * 2.0 * (0.4 + 0.6 + 0.6 + 0.4) / 9.0;
        let far = 2.0 * (12.0 * 4.5 - 10.0 * 2.85) / 9.0;
        assert!(
            (got.sql - f64::midpoint(near, far) / 2.0).abs() < 1e-12,
            "{}",
            got.sql
        );
        assert!((got.cov80 - 0.5).abs() < 1e-12 && (got.cov95 - 0.5).abs() < 1e-12);
        assert_eq!(score(&forecast, &[f64::NAN], 1.0), None);
    }
}
