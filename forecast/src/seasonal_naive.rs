//! The seasonal naive model: what was one season ago will be again.

use crate::{
    Bounds, Distribution, FitError, Fitted, History, Settings, UpdateError,
    calibration::{MIN_ERRORS, Spreads, knots},
    distribution::{Quantiles, interpolate},
    fence::Fence,
    scale::Scale,
    seasons,
    statistics::mean,
};
use series::{Sample, Step, Timestamp};

/// A fitted seasonal naive model.
#[derive(Debug)]
pub(crate) struct SeasonalNaive {
    recent: History,
    keep: usize,
    rule: Rule,
    bounds: Bounds,
    reach: usize,
    fence: Fence,
    scale: Scale,
    spreads: Spreads,
    since_calibration: usize,
}

/// Fewer samples than these give too few errors for a band. Nine differences of ten samples are hardly more than
/// their own range, and that is what the band then is.
const MIN_SAMPLES: usize = MIN_ERRORS + 2;

/// Errors are learned anew after this many steps; it takes a millisecond or so.
const CALIBRATE_AFTER: usize = 240;

/// Errors that a quantile is learned from, at most.
const MAX_ERRORS: usize = 4_096;

/// Seasons back that are asked for a value where the last one has a gap.
const MAX_SEASONS_BACK: usize = 8;

impl SeasonalNaive {
    /// Fits a history of at least ten samples.
    pub(crate) fn fit(history: &History, settings: &Settings) -> Result<Self, FitError> {
        let (values, got) = (history.values(), history.n_finite());
        if got < MIN_SAMPLES {
            return Err(FitError::NotEnoughHistory {
                got,
                need: MIN_SAMPLES,
            });
        }
        let reach = settings.reach(history.step());
        let scale = Scale::raw(values);
        let seasons = seasons::lengths(history, settings.seasons.as_deref());
        let (rule, spreads) = choose(values, &seasons, &scale, reach)?;
        Ok(Self {
            recent: history.clone(),
            keep: values.len(),
            rule,
            bounds: settings.bounds,
            reach,
            fence: Fence::around(values),
            scale,
            spreads,
            since_calibration: 0,
        })
    }

    fn calibrate(&mut self) {
        let values = self.recent.values();
        let scale = Scale::raw(values);
        let knots = knots(self.reach);
        let errors = self.rule.errors(values, &scale, &knots);
        if let Ok(spreads) = Spreads::learn(knots, errors) {
            (self.scale, self.spreads) = (scale, spreads);
        }
    }

    /// The quantiles some whole steps ahead, at least one.
    fn quantiles(&self, ahead: usize) -> Quantiles {
        let foreseen = self.rule.foresee(self.recent.values(), ahead);
        let scaled = self.scale.forward(foreseen);
        let value = |offset| self.fence.clamp(self.scale.inverse(scaled + offset));
        self.spreads.at(ahead).map(value)
    }
}

/// The best of the seasons by the size of its errors; without any season the last value, with its errors.
fn choose(
    values: &[f64],
    seasons: &[usize],
    scale: &Scale,
    reach: usize,
) -> Result<(Rule, Spreads), FitError> {
    let knots = knots(reach);
    let replayed = |rule: Rule| (rule, rule.errors(values, scale, &knots));
    let size = |errors: &[Vec<f64>]| mean(errors.iter().flatten().map(|e| e.abs()));
    let seasonal = seasons.iter().map(|season| Rule {
        season: Some(*season),
    });
    let (rule, errors) = seasonal
        .map(replayed)
        .filter(|(_, errors)| errors[0].len() >= MIN_ERRORS)
        .min_by(|(_, one), (_, other)| size(one).total_cmp(&size(other)))
        .unwrap_or_else(|| replayed(Rule { season: None }));
    Ok((rule, Spreads::learn(knots, errors)?))
}

/// Which past value stands for a future one.
#[derive(Debug, Clone, Copy)]
struct Rule {
    /// In steps; without one, the last value.
    season: Option<usize>,
}

impl Rule {
    /// How far back from the foreseen value the one that stands for it lies.
    fn lag(self, ahead: usize) -> usize {
        self.season.map_or(ahead, |season| {
            ahead.div_ceil(season).saturating_mul(season)
        })
    }

    /// The value that stands for the one some steps ahead; where that is a gap, the one a season earlier, and
    /// where there is none, the last value.
    fn foresee(self, values: &[f64], ahead: usize) -> f64 {
        let last = || values.iter().rev().copied().find(|v| !v.is_nan());
        let at_phase = self.season.and_then(|season| {
            let lag = self.lag(ahead);
            (0..MAX_SEASONS_BACK)
                .filter_map(|n| {
                    let back = (lag - ahead).checked_add(n * season)?;
                    values.len().checked_sub(back.checked_add(1)?)
                })
                .map(|idx| values[idx])
                .find(|v| !v.is_nan())
        });
        at_phase.or_else(last).unwrap_or_default()
    }

    /// The scaled errors that the rule would have made at each knot, all over the history.
    fn errors(self, values: &[f64], scale: &Scale, knots: &[usize]) -> Vec<Vec<f64>> {
        let scaled: Vec<f64> = values.iter().map(|v| scale.forward(*v)).collect();
        let stride = (values.len() / MAX_ERRORS).max(1);
        let at = |ahead: &usize| {
            let lag = self.lag(*ahead);
            (lag..scaled.len())
                .step_by(stride)
                .map(|idx| scaled[idx] - scaled[idx - lag])
                .filter(|error| !error.is_nan())
                .collect()
        };
        knots.iter().map(at).collect()
    }
}

impl Fitted for SeasonalNaive {
    fn model(&self) -> &'static str {
        "seasonal_naive"
    }

    fn step(&self) -> Step {
        self.recent.step()
    }

    fn origin(&self) -> Timestamp {
        self.recent.end()
    }

    fn update(&mut self, sample: Sample) -> Result<(), UpdateError> {
        let advanced = self.recent.push(sample, self.keep)?;
        let value = self.recent.values()[self.recent.values().len() - 1];
        self.fence = self.fence.with(value);
        self.since_calibration = self.since_calibration.saturating_add(advanced);
        if self.since_calibration >= CALIBRATE_AFTER {
            self.since_calibration = 0;
            self.calibrate();
        }
        Ok(())
    }

    fn predict(&self, at: Timestamp) -> Distribution {
        let ahead = self.recent.steps_until(at);
        Distribution::new(interpolate(ahead, |n| self.quantiles(n)), self.bounds)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(season: Option<usize>, values: &[f64], ahead: usize, expect: f64) {
        let got = Rule { season }.foresee(values, ahead);
        assert!((got - expect).abs() < 1e-12, "{got}, not {expect}");
    }

    #[test]
    fn the_value_a_season_ago_stands_for_the_future() {
        let values = [1., 2., 3., 4., 5., 6.];
        check(Some(3), &values, 1, 4.0);
        check(Some(3), &values, 3, 6.0);
        check(Some(3), &values, 4, 4.0);
        check(Some(3), &values, 300, 6.0);
        check(None, &values, 5, 6.0);
    }

    #[test]
    fn a_gap_a_season_ago_is_looked_up_a_season_earlier() {
        check(Some(3), &[1., 2., 3., f64::NAN, 5., 6.], 1, 1.0);
        check(Some(3), &[f64::NAN, 2., 3., f64::NAN, 5., 6.], 1, 6.0);
        check(Some(3), &[f64::NAN; 6], 1, 0.0);
        check(Some(3), &[1., 2., 3.], usize::MAX, 3.0);
    }
}
