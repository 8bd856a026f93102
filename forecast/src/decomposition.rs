//! The path that augurs foresees: MSTL seasons on an `AutoETS` trend.

use crate::{gaps, trend::BlockTrend};
use augurs::{
    forecaster::Forecaster,
    mstl::{MSTLModel, TrendModel},
};

/// Values foreseen one by one from an origin on, on the scale of the input.
#[derive(Debug, Clone)]
pub(crate) struct Path {
    values: Vec<f64>,
    /// The longest season in it; 0 when there is none.
    season: usize,
}

/// Decomposes scaled values (finite or NaN, oldest first, of the order of one) and foresees the next `length`.
/// Seasons must ascend; those that do not fit in twice are left out, and without any the trend speaks alone.
pub(crate) fn foresee(scaled: &[f64], seasons: &[usize], length: usize) -> Result<Path, String> {
    let seasons = fitting_twice(seasons, scaled.len());
    let filled = gaps::fill(scaled, seasons);
    let length = length.max(1);
    let values = if is_flat(&filled) {
        // Neither STL nor AutoETS has anything to hold on to in a constant.
        vec![filled.last().copied().unwrap_or_default(); length]
    } else if seasons.is_empty() {
        let trend = BlockTrend.fit(&filled).map_err(|e| e.to_string())?;
        trend
            .predict(length, None)
            .map_err(|e| e.to_string())?
            .point
    } else {
        let model = MSTLModel::new(seasons.to_vec(), BlockTrend);
        let mut forecaster = Forecaster::new(model);
        forecaster.fit(&filled[..]).map_err(|e| e.to_string())?;
        let forecast = forecaster.predict(length, None);
        forecast.map_err(|e| e.to_string())?.point
    };
    if values.len() != length || values.iter().any(|v| !v.is_finite()) {
        return Err("it foresees what is not finite".to_owned());
    }
    let season = seasons.last().copied().unwrap_or(0);
    Ok(Path { values, season })
}

impl Path {
    /// The value foreseen some steps after the origin, counted from 1. Beyond its end, the path repeats its
    /// last season; without one it stays where it ended.
    pub(crate) fn at(&self, ahead: usize) -> f64 {
        let (idx, n) = (ahead.saturating_sub(1), self.values.len());
        if idx < n {
            return self.values[idx];
        }
        if self.season == 0 || self.season > n {
            return self.values[n - 1];
        }
        self.values[n - self.season + (idx - n) % self.season]
    }
}

/// The ascending seasons that repeat at least once within `n_samples`.
pub(crate) fn fitting_twice(seasons: &[usize], n_samples: usize) -> &[usize] {
    &seasons[..seasons.partition_point(|season| *season <= n_samples / 2)]
}

/// Whether scaled values move by no more than 32-bit rounding.
fn is_flat(values: &[f64]) -> bool {
    values.iter().all(|value| (value - values[0]).abs() < 1e-6)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn wave(n: usize) -> Vec<f64> {
        (0..n)
            .map(|i| (i as f64 * std::f64::consts::TAU / 24.0).sin() + 1e-3 * ((i * 7) % 11) as f64)
            .collect()
    }

    #[test]
    fn a_season_goes_on() {
        let path = foresee(&wave(240), &[24], 48).unwrap();
        for (ahead, expect) in [(6, 1.0), (18, -1.0), (30, 1.0), (24 * 1_000 + 6, 1.0)] {
            let got = path.at(ahead);
            assert!((got - expect).abs() < 0.05, "{ahead}: {got}");
        }
    }

    #[test]
    fn gaps_do_not_reach_the_model() {
        let mut values = wave(240);
        values[..5].fill(f64::NAN);
        values[100..140].fill(f64::NAN);
        values[235..].fill(f64::NAN);
        let path = foresee(&values, &[24], 24).unwrap();
        assert!((path.at(6) - 1.0).abs() < 0.05, "{}", path.at(6));
    }

    #[test]
    fn what_augurs_cannot_take_never_gets_there() {
        for values in [&[][..], &[0.0; 3], &[f64::NAN; 50], &[1.0], &[0.5; 500]] {
            for seasons in [&[][..], &[2], &[2, 24], &[24, 1_000]] {
                let path = foresee(values, seasons, 5).unwrap();
                assert!(path.at(5).is_finite() && path.at(10_000).is_finite());
            }
        }
    }
}
