//! Breaches of thresholds, in both directions: how likely they were thought, and whether they came.

use super::Reported;
use crate::{cli::Threshold, offline::input::Named};
use forecast::{Bounds, BreachOdds, Fitted, History, Settings, backtest::Window};
use series::{Probability, Sample};

/// Sample paths are drawn with this seed, so that a backtest gives the same numbers each time.
const SEED: u64 = 1;

/// What was foreseen of a breach within a horizon, and whether it came.
#[derive(Debug, Clone, Copy)]
pub(super) struct Breach {
    /// Which of the request's thresholds.
    pub(super) threshold: usize,
    /// Which of the reported horizons.
    pub(super) horizon: usize,
    /// The probability; `None` where the history was too short to check one.
    pub(super) foreseen: Option<f64>,
    /// `None` where a gap may hide one.
    pub(super) came: Option<bool>,
}

/// The thresholds for a series, by their place in the request.
pub(super) fn for_series<'t>(
    thresholds: &'t [Threshold],
    named: &Named,
) -> Vec<(usize, &'t Threshold)> {
    let all = thresholds.iter().enumerate();
    all.filter(|(_, threshold)| threshold.is_for(&named.name, named.labels.as_ref()))
        .collect()
}

/// What a model foresees of breaches in a window.
pub(super) fn breaches(
    window: &Window,
    fitted: &dyn Fitted,
    settings: &Settings,
    thresholds: &[(usize, &Threshold)],
    horizons: &[Reported<'_>],
) -> Vec<Breach> {
    let lengths: Vec<usize> = horizons.iter().map(|(_, n_steps)| *n_steps).collect();
    let has = |is_below: bool| thresholds.iter().any(|(_, one)| one.is_below == is_below);
    let upwards = has(false).then(|| replayed(&window.history, settings, &lengths));
    // Whatever falls below a value rises above it in the mirror.
    let mirror = has(true).then(|| Mirror::of(&window.history, settings, &lengths));
    let mut breaches = Vec::new();
    for (threshold, wanted) in thresholds {
        for (horizon, n_steps) in lengths.iter().enumerate() {
            let foreseen = if wanted.is_below {
                mirror
                    .as_ref()
                    .and_then(|mirror| mirror.probability(horizon, wanted.value))
            } else {
                let odds = upwards.as_ref().and_then(|odds| odds.get(horizon));
                odds.and_then(|odds| odds.probability(fitted, wanted.value, SEED))
            };
            breaches.push(Breach {
                threshold: *threshold,
                horizon,
                foreseen: foreseen.map(Probability::get),
                came: has_come(&window.came[..*n_steps], wanted),
            });
        }
    }
    breaches
}

fn replayed(history: &History, settings: &Settings, lengths: &[usize]) -> Vec<BreachOdds> {
    BreachOdds::replayed(history, settings, lengths).unwrap_or_default()
}

/// A series turned upside down, forecast as such.
struct Mirror {
    fitted: Option<Box<dyn Fitted>>,
    odds: Vec<BreachOdds>,
}

impl Mirror {
    fn of(history: &History, settings: &Settings, lengths: &[usize]) -> Self {
        let settings = Settings {
            bounds: Bounds {
                lower: -settings.bounds.upper,
                upper: -settings.bounds.lower,
            },
            ..settings.clone()
        };
        let Some(mirrored) = mirrored(history) else {
            return Self {
                fitted: None,
                odds: Vec::new(),
            };
        };
        Self {
            fitted: forecast::fit(&mirrored, &settings).ok(),
            odds: replayed(&mirrored, &settings, lengths),
        }
    }

    fn probability(&self, horizon: usize, threshold: f64) -> Option<Probability> {
        let fitted = self.fitted.as_deref()?;
        self.odds
            .get(horizon)?
            .probability(fitted, -threshold, SEED)
    }
}

fn mirrored(history: &History) -> Option<History> {
    let step = history.step().get();
    let n_back = |idx: usize| u32::try_from(history.values().len() - 1 - idx).ok();
    let sample = |(idx, value): (usize, &f64)| {
        Some(Sample {
            at: history.end() - step * n_back(idx)?,
            value: -value,
        })
    };
    let samples: Vec<Sample> = history
        .values()
        .iter()
        .enumerate()
        .filter_map(sample)
        .collect();
    History::from_samples(&samples, history.step()).ok()
}

fn has_come(came: &[f64], threshold: &Threshold) -> Option<bool> {
    let is_seen = came.iter().any(|value| threshold.is_passed_by(*value));
    let is_whole = came.iter().all(|value| !value.is_nan());
    (is_seen || is_whole).then_some(is_seen)
}

#[cfg(test)]
mod tests {
    use super::*;
    use series::{Step, Timestamp};
    use std::time::Duration;

    #[test]
    fn the_mirror_has_the_same_times_and_gaps() {
        let step = Step::new(Duration::from_mins(1)).unwrap();
        let sample = |minute: i64, value: f64| Sample {
            at: Timestamp::from_seconds(minute * 60),
            value,
        };
        let history = History::from_samples(&[sample(0, 1.0), sample(2, -3.0)], step).unwrap();
        let mirror = mirrored(&history).unwrap();
        assert_eq!(mirror.end(), history.end());
        let values: Vec<String> = mirror.values().iter().map(f64::to_string).collect();
        assert_eq!(values, ["-1", "NaN", "3"]);
    }

    #[test]
    fn a_gap_hides_a_breach_only_where_none_was_seen() {
        let below: Threshold = "< 2".parse().unwrap();
        assert_eq!(has_come(&[3.0, 1.0, f64::NAN], &below), Some(true));
        assert_eq!(has_come(&[3.0, f64::NAN], &below), None);
        assert_eq!(has_come(&[3.0, 2.0], &below), Some(false));
    }
}
