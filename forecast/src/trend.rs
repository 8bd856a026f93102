//! The trend of a deseasonalised series: `AutoETS` on means of blocks.

use augurs::{
    Fit, Forecast, Predict,
    ets::{AutoETS, FittedAutoETS},
    mstl::{FittedTrendModel, TrendModel},
};
use std::{borrow::Cow, error::Error};

/// An `AutoETS` trend fitted to means of blocks. `AutoETS` runs through its data some thousand times, and noise from
/// one minute to the next says nothing about a trend: on three weeks of minutes, blocks take a hundredth of the time.
#[derive(Debug)]
pub(crate) struct BlockTrend;

/// The most blocks that `AutoETS` is given.
const MAX_BLOCKS: usize = 256;

/// Fewer blocks than these carry no trend that would be worth extrapolating.
const MIN_BLOCKS: usize = 20;

/// A difference between blocks, relative to values of the order of one, that is rounding rather than trend.
const ROUNDING: f64 = 1e-6;

type Failure = Box<dyn Error + Send + Sync + 'static>;

impl TrendModel for BlockTrend {
    fn name(&self) -> Cow<'_, str> {
        Cow::Borrowed("AutoETS on block means")
    }

    fn fit(&self, y: &[f64]) -> Result<Box<dyn FittedTrendModel + Sync + Send>, Failure> {
        if y.is_empty() {
            return Err("nothing to fit a trend to".into());
        }
        let length = y.len().div_ceil(MAX_BLOCKS);
        // Blocks end with the series; an incomplete one at its start is left out.
        let blocks = y[y.len() % length..].chunks(length);
        let means: Vec<f64> = blocks
            .map(|block| block.iter().sum::<f64>() / length as f64)
            .collect();
        Ok(Box::new(FittedBlockTrend {
            length,
            n_samples: y.len(),
            last: means.last().copied().unwrap_or_default(),
            // Where AutoETS finds no model, the trend stays where it was.
            ets: fit_ets(&means)?,
        }))
    }
}

/// `AutoETS` without seasons and with additive errors; none where the means do not move, which it cannot take.
fn fit_ets(means: &[f64]) -> Result<Option<FittedAutoETS>, Failure> {
    let moves = means.iter().any(|m| (m - means[0]).abs() > ROUNDING);
    if means.len() < MIN_BLOCKS || !moves {
        return Ok(None);
    }
    Ok(AutoETS::new(1, "AZN")?.fit(means).ok())
}

#[derive(Debug)]
struct FittedBlockTrend {
    /// Samples a block.
    length: usize,
    n_samples: usize,
    last: f64,
    ets: Option<FittedAutoETS>,
}

impl FittedBlockTrend {
    /// Samples ahead from block values: a block's mean stands at its middle, and lines run between.
    fn spread_out(&self, blocks: &[f64], horizon: usize) -> Vec<f64> {
        let length = self.length as f64;
        let at = |ahead: usize| {
            let position = (ahead as f64 - 0.5) / length - 0.5;
            let from = crate::statistics::index_below(position).min(blocks.len() - 2);
            let (one, next) = (blocks[from], blocks[from + 1]);
            one + (next - one) * (position - from as f64)
        };
        (1..=horizon).map(at).collect()
    }
}

impl FittedTrendModel for FittedBlockTrend {
    /// Points only: whatever the level, intervals are left to the calibration.
    fn predict_inplace(
        &self,
        horizon: usize,
        _level: Option<f64>,
        forecast: &mut Forecast,
    ) -> Result<(), Failure> {
        let n_blocks = horizon.div_ceil(self.length) + 2;
        let blocks = match &self.ets {
            Some(ets) => ets.predict(n_blocks, None)?.point,
            None => vec![self.last; n_blocks],
        };
        forecast.point = self.spread_out(&blocks, horizon);
        forecast.intervals = None;
        Ok(())
    }

    fn predict_in_sample_inplace(
        &self,
        _level: Option<f64>,
        forecast: &mut Forecast,
    ) -> Result<(), Failure> {
        let blocks = match &self.ets {
            Some(ets) => ets.predict_in_sample(None)?.point,
            None => vec![self.last; self.n_samples / self.length],
        };
        let n_left_out = self.n_samples - blocks.len() * self.length;
        let first = blocks.first().copied().unwrap_or(self.last);
        forecast.point = std::iter::repeat_n(first, n_left_out)
            .chain(
                blocks
                    .iter()
                    .flat_map(|mean| std::iter::repeat_n(*mean, self.length)),
            )
            .collect();
        forecast.intervals = None;
        Ok(())
    }

    fn training_data_size(&self) -> Option<usize> {
        Some(self.n_samples)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(y: &[f64], ahead: usize, expect: f64, tolerance: f64) {
        let fitted = BlockTrend.fit(y).unwrap();
        let point = fitted.predict(ahead, None).unwrap().point;
        assert_eq!(point.len(), ahead);
        let got = point[ahead - 1];
        assert!((got - expect).abs() <= tolerance, "{got}, not {expect}");
        assert_eq!(fitted.predict_in_sample(None).unwrap().point.len(), y.len());
    }

    fn line(n: u32) -> Vec<f64> {
        (0..n)
            .map(|i| f64::from(i) * 1e-3 + f64::from(i % 7) * 1e-3)
            .collect()
    }

    #[test]
    fn a_line_goes_on_whatever_the_blocks() {
        check(&line(100), 10, 0.113, 0.005);
        check(&line(5_003), 500, 5.505, 0.05);
    }

    #[test]
    fn what_does_not_move_stays() {
        check(&[0.25; 1_000], 50, 0.25, 1e-9);
        check(&[0.25], 3, 0.25, 1e-9);
    }

    #[test]
    fn nothing_has_no_trend() {
        assert!(BlockTrend.fit(&[]).is_err());
    }
}
