//! The windows of a series: what may be seen, and what came.

use super::{Forecast, Score, naive, score};
use crate::{Bounds, History, statistics::mean};

/// Which windows are tested; everything in steps.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Protocol {
    /// How far ahead each window reaches.
    pub horizon: usize,
    /// Windows a series.
    pub origins: usize,
    /// From one origin to the next.
    pub stride: usize,
    /// The most history that a window sees.
    pub history: usize,
    /// The season of the naive forecast and of the scale; a day as a rule.
    pub season: usize,
}

/// One origin of a series.
#[derive(Debug, Clone, PartialEq)]
pub struct Window {
    /// What a model may see.
    pub history: History,
    /// What came after it, one value a step; NaN is a gap.
    pub came: Vec<f64>,
    /// The mean absolute difference across a season of the history: the unit of MASE and of the quantile loss.
    pub scale: f64,
    season: usize,
}

/// An origin with fewer seasons behind it is left out.
const MIN_SEASONS: usize = 3;

/// A history whose values a season apart differ less than this share of their size has no error to scale by.
const MIN_SCALE: f64 = 1e-6;

/// The windows of a series, the earliest first. Left out are origins with less than three seasons behind them, and
/// those whose history repeats itself exactly.
pub fn windows(series: &History, protocol: Protocol) -> Vec<Window> {
    let n = series.values().len();
    let origin = |back: usize| {
        let until_end = protocol
            .horizon
            .checked_add(back.checked_mul(protocol.stride)?)?;
        n.checked_sub(until_end)
    };
    let origins = (0..protocol.origins).rev().filter_map(origin);
    origins
        .filter(|origin| *origin >= protocol.season.saturating_mul(MIN_SEASONS).max(1))
        .filter_map(|origin| Window::at(series, origin, protocol))
        .collect()
}

impl Window {
    fn at(series: &History, origin: usize, protocol: Protocol) -> Option<Self> {
        let history = series.part(origin.saturating_sub(protocol.history)..origin)?;
        let came = series.values()[origin..origin + protocol.horizon].to_vec();
        let scale = mean(naive::residuals(history.values(), protocol.season).map(f64::abs));
        let known = history.values().iter().filter(|value| !value.is_nan());
        let size = mean(known.map(|value| value.abs()));
        (scale > MIN_SCALE * size.max(1e-12)).then_some(Self {
            history,
            came,
            scale,
            season: protocol.season,
        })
    }

    /// Bounds that the history suggests: nothing negative where nothing negative was seen.
    pub fn bounds(&self) -> Bounds {
        let negative = self.history.values().iter().any(|value| *value < 0.0);
        if negative {
            return Bounds::UNLIMITED;
        }
        Bounds {
            lower: 0.0,
            ..Bounds::UNLIMITED
        }
    }

    /// What the seasonal naive model foresees, with normal errors: the yardstick of relative scores.
    pub fn naive(&self) -> Forecast {
        naive::forecast(&self.history, self.season, self.came.len(), self.bounds())
    }

    /// How a forecast turned out over its first steps; `None` when none of them has a value.
    pub fn score(&self, forecast: &Forecast, n_steps: usize) -> Option<Score> {
        score::score(
            forecast,
            &self.came[..n_steps.min(self.came.len())],
            self.scale,
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use series::{Sample, Step, Timestamp};
    use std::time::Duration;

    fn series(values: impl IntoIterator<Item = f64>) -> History {
        let samples: Vec<Sample> = (0..)
            .zip(values)
            .map(|(minute, value)| Sample {
                at: Timestamp::from_seconds(60 * minute),
                value,
            })
            .collect();
        History::from_samples(&samples, Step::new(Duration::from_mins(1)).unwrap()).unwrap()
    }

    const PROTOCOL: Protocol = Protocol {
        horizon: 4,
        origins: 3,
        stride: 5,
        history: 20,
        season: 3,
    };

    #[test]
    fn the_last_window_ends_with_the_series_and_the_others_a_stride_earlier() {
        let windows = windows(&series((0..40).map(f64::from)), PROTOCOL);
        let ends: Vec<i64> = windows
            .iter()
            .map(|w| w.history.end().as_millis() / 60_000)
            .collect();
        assert_eq!(ends, [25, 30, 35]);
        assert_eq!(windows[2].came, [36.0, 37.0, 38.0, 39.0]);
        assert_eq!(windows[2].history.values().len(), 20);
        assert!((windows[2].scale - 3.0).abs() < 1e-12);
    }

    #[test]
    fn short_and_repeating_histories_are_left_out() {
        assert_eq!(windows(&series((0..18).map(f64::from)), PROTOCOL).len(), 2);
        assert_eq!(windows(&series((0..3).map(f64::from)), PROTOCOL).len(), 0);
        let repeating = (0..40).map(|i| f64::from(i % 3));
        assert_eq!(windows(&series(repeating), PROTOCOL).len(), 0);
        let endless = Protocol {
            stride: usize::MAX,
            ..PROTOCOL
        };
        assert_eq!(windows(&series((0..40).map(f64::from)), endless).len(), 1);
    }
}
