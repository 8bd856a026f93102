//! MSTL with an `AutoETS` trend, corrected by its latest misses, with replayed errors as quantiles.

use crate::{
    Bounds, Distribution, FitError, Fitted, History, Settings, UpdateError,
    correction::Level,
    decomposition::{self, Path},
    distribution::{Quantiles, interpolate},
    fence::Fence,
    plan::warm_up,
    replay::{self, Calibrated},
    seasons,
};
use series::{Sample, Step, Timestamp};

/// A fitted MSTL model.
#[derive(Debug)]
pub(crate) struct Mstl {
    /// As long as the history of the fit, or a little longer.
    recent: History,
    /// How many samples are kept for a refit.
    keep: usize,
    seasons: Vec<usize>,
    bounds: Bounds,
    reach: usize,
    fence: Fence,
    calibrated: Calibrated,
    path: Path,
    /// Steps from the path's origin to the last sample.
    age: usize,
    /// How far off the path has been lately, scaled.
    level: Level,
    since_refit: usize,
    since_calibration: usize,
}

/// Fewer samples than these carry no trend; the seasonal naive model needs less.
const MIN_SAMPLES: usize = 60;

/// A path is foreseen anew after this many steps at the earliest: a fit takes 45 ms on three weeks of minutes,
/// and the correction bridges an hour well.
const MIN_REFIT_STEPS: usize = 60;

/// ... and after this part of the shortest season, so that a long season's fit is not repeated for nothing.
const REFITS_PER_SEASON: usize = 24;

/// Refits between two calibrations: a calibration costs fourteen fits, and errors change their size slowly.
const REFITS_PER_CALIBRATION: usize = 24;

impl Mstl {
    /// Fits a history. Needs the shortest given season twice; without any season, an hour of minutes.
    pub(crate) fn fit(history: &History, settings: &Settings) -> Result<Self, FitError> {
        let (values, got) = (history.values(), history.n_finite());
        let seasons = seasons::lengths(history, settings.seasons.as_deref());
        let need = required(history, settings, &seasons);
        if got < need {
            return Err(FitError::NotEnoughHistory { got, need });
        }
        let reach = settings.reach(history.step());
        let calibrated = replay::calibrate(values, &seasons, reach)?;
        let (refit_after, phase) = (Self::refit_after(&seasons), phase(values));
        let mut model = Self {
            recent: history.clone(),
            keep: values.len(),
            bounds: settings.bounds,
            reach,
            fence: Fence::around(values),
            path: foresee(values, &seasons, &calibrated, reach)?,
            seasons,
            calibrated,
            age: 0,
            level: Level::default(),
            since_refit: phase % refit_after,
            since_calibration: phase % (REFITS_PER_CALIBRATION * refit_after),
        };
        model.warm_up();
        Ok(model)
    }

    fn refit_after(seasons: &[usize]) -> usize {
        let shortest = seasons.first().copied().unwrap_or(0);
        (shortest / REFITS_PER_SEASON).max(MIN_REFIT_STEPS)
    }

    /// Foresees a new path, and learns its errors anew when that is due. A history that has become unfit, by
    /// gaps say, leaves everything as it was.
    fn refit(&mut self) {
        let refit_after = Self::refit_after(&self.seasons);
        let values = self.recent.values();
        if self.recent.n_finite() < MIN_SAMPLES.max(values.len() / 2) {
            return;
        }
        let due = self.since_calibration >= REFITS_PER_CALIBRATION * refit_after;
        let calibrated = if due {
            replay::calibrate(values, &self.seasons, self.reach)
        } else {
            Ok(self.calibrated.clone())
        };
        let Ok(calibrated) = calibrated else { return };
        // A path is on the scale that its calibration chose; the two change together or not at all.
        if let Ok(path) = foresee(values, &self.seasons, &calibrated, self.reach) {
            (self.path, self.calibrated) = (path, calibrated);
            self.since_calibration = if due { 0 } else { self.since_calibration };
            self.warm_up();
        }
    }

    /// Lets a new path show its misses on the samples that were kept from it.
    fn warm_up(&mut self) {
        let values = self.recent.values();
        self.age = warm_up(values.len());
        self.level = Level::default();
        let kept = &values[values.len() - self.age..];
        for (ahead, value) in (1..).zip(kept) {
            let miss = self.calibrated.scale.forward(*value) - self.path.at(ahead);
            self.level = self.calibrated.correction.after(self.level, miss);
        }
    }

    /// The quantiles some whole steps ahead, at least one.
    fn quantiles(&self, ahead: usize) -> Quantiles {
        let Calibrated {
            scale,
            correction,
            spreads,
        } = &self.calibrated;
        let path = self.path.at(self.age.saturating_add(ahead));
        let foreseen = path + self.level.faded(correction.fading(ahead));
        let value = |offset| self.fence.clamp(scale.inverse(foreseen + offset));
        spreads.at(ahead).map(value)
    }
}

/// A number that differs from series to series. Series that are fitted together start with it towards their next
/// refit, or all of a rule's series would refit within one evaluation.
fn phase(values: &[f64]) -> usize {
    let mixed = values.iter().fold(0_u64, |mixed, value| {
        (mixed ^ value.to_bits()).wrapping_mul(0x0100_0000_01b3)
    });
    // The upper half; products mix upwards.
    usize::try_from(mixed >> 32).unwrap_or(0)
}

/// The finite samples that a fit needs: the shortest usable season twice, or the shortest wanted where none is
/// usable; and never more gaps than samples.
fn required(history: &History, settings: &Settings, seasons: &[usize]) -> usize {
    let wanted = settings.seasons.as_deref().unwrap_or_default();
    let wanted = seasons::steps_of(wanted, history.step());
    let shortest = seasons.first().or(wanted.first()).copied().unwrap_or(0);
    let half = history.values().len() / 2;
    shortest.saturating_mul(2).max(MIN_SAMPLES).max(half)
}

/// The path from where the warm-up starts up to the furthest horizon asked for before the next refit.
fn foresee(
    values: &[f64],
    seasons: &[usize],
    calibrated: &Calibrated,
    reach: usize,
) -> Result<Path, FitError> {
    let kept = warm_up(values.len());
    let scaled: Vec<f64> = values[..values.len() - kept]
        .iter()
        .map(|v| calibrated.scale.forward(*v))
        .collect();
    let length = kept + Mstl::refit_after(seasons) + reach + 1;
    decomposition::foresee(&scaled, seasons, length).map_err(FitError::Decomposition)
}

impl Fitted for Mstl {
    fn model(&self) -> &'static str {
        "mstl"
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
        self.age = self.age.saturating_add(advanced);
        let Calibrated {
            scale, correction, ..
        } = &self.calibrated;
        let faded = correction.after_gaps(self.level, advanced - 1);
        let miss = scale.forward(value) - self.path.at(self.age);
        self.level = correction.after(faded, miss);
        self.since_calibration = self.since_calibration.saturating_add(advanced);
        self.since_refit = self.since_refit.saturating_add(advanced);
        if self.since_refit >= Self::refit_after(&self.seasons) {
            self.since_refit = 0;
            self.refit();
        }
        Ok(())
    }

    fn predict(&self, at: Timestamp) -> Distribution {
        let ahead = self.recent.steps_until(at);
        Distribution::new(interpolate(ahead, |n| self.quantiles(n)), self.bounds)
    }
}
