//! The chance that a series rises above a threshold within a horizon, calibrated on its own past.

use crate::{FitError, Fitted, History, Paths, Settings, fit, statistics::index_below};
use series::{Probability, Sample};

/// What past horizons of a series say about the chance of a breach: how their largest values ranked among those
/// foreseen, and how large they were.
///
/// The share of joint paths that breach is a raw probability, and an over-confident one. Past ranks recalibrate it
/// whatever the threshold (Kuleshov, Fenner and Ermon 2018): if the largest value came out above 90 % of those
/// foreseen three times in ten, then a breach that one path in ten foresees has a chance of three in ten. Neither
/// the ranks of a few days nor the paths of one model are proof, so both are weighed with how often the history
/// crossed the threshold.
#[derive(Debug, Clone, PartialEq)]
pub struct BreachOdds {
    n_steps: usize,
    /// For each replayed origin, how the largest value that came ranked among those of the paths.
    ranks: Vec<f64>,
    /// About how many of the ranks are independent.
    n_independent: f64,
    /// The largest values of consecutive horizons of the history.
    maxima: Vec<f64>,
}

/// Paths drawn where a probability is asked for, and at each replayed origin.
const N_PATHS: usize = 400;
const N_REPLAYED: usize = 150;

/// Origins replayed, at most.
const MAX_ORIGINS: usize = 60;

/// Origins are no closer than this share of a horizon: those between share most of their future.
const OVERLAP: usize = 4;

/// The share of the history that the replayed model is fitted to, the rest being its future.
const FITTED: f64 = 0.55;

/// How many ranks the raw share of paths is worth, and how many the history's own share of breaches. Set on
/// operational series, so that neither one day of ranks nor a threshold never crossed decides alone.
const RAW_WEIGHT: f64 = 10.0;
const HISTORY_WEIGHT: f64 = 4.0;

impl BreachOdds {
    /// Replays a model over the later part of a history, for each of some horizons in steps. Its first half must
    /// be enough for a fit.
    pub fn replayed(
        history: &History,
        settings: &Settings,
        horizons: &[usize],
    ) -> Result<Vec<Self>, FitError> {
        let values = history.values();
        let cut = index_below(values.len() as f64 * FITTED);
        let Some(part) = history.part(0..cut) else {
            return Err(FitError::NotEnoughHistory { got: 0, need: 1 });
        };
        let mut model = fit(&part, settings)?;
        let odds = |n_steps: &usize| Self::unranked(values, cut, *n_steps);
        let mut all: Vec<Self> = horizons.iter().map(odds).collect();
        let mut at = part.end();
        for (idx, value) in values.iter().enumerate().skip(cut) {
            at = at + history.step().get();
            let sample = Sample { at, value: *value };
            model
                .update(sample)
                .expect("each sample is a step later than the one before");
            for odds in &mut all {
                odds.look(&*model, idx - cut, &values[idx + 1..]);
            }
        }
        Ok(all)
    }

    /// The chance that the value exceeds the threshold at least once in the horizon that the model foresees next;
    /// `None` where the history was too short to try a single forecast so far ahead. The same seed gives the same
    /// answer.
    pub fn probability(
        &self,
        model: &dyn Fitted,
        threshold: f64,
        seed: u64,
    ) -> Option<Probability> {
        if self.ranks.is_empty() {
            return None;
        }
        let paths = model.paths(N_PATHS, self.n_steps, seed);
        let raw = paths.probability(|path| path.iter().any(|value| *value > threshold));
        let raw = corrected(raw.get(), paths.len());
        let outranked = share(&self.ranks, |rank| *rank > 1.0 - raw);
        let crossed = share(&self.maxima, |largest| *largest > threshold);
        let usual = corrected(crossed, self.maxima.len());
        let n_ranks = self.n_independent.min(self.ranks.len() as f64);
        let weight = n_ranks + RAW_WEIGHT + HISTORY_WEIGHT;
        let sum = outranked * n_ranks + raw * RAW_WEIGHT + usual * HISTORY_WEIGHT;
        Probability::new((sum / weight).clamp(0.0, 1.0)).ok()
    }

    /// How many past forecasts the probability was checked against.
    pub fn n_replayed(&self) -> usize {
        self.ranks.len()
    }

    /// Nothing replayed yet of what comes after `cut`.
    fn unranked(values: &[f64], cut: usize, n_steps: usize) -> Self {
        let n_steps = n_steps.max(1);
        let maxima = values.rchunks_exact(n_steps).filter_map(largest).collect();
        Self {
            n_steps,
            ranks: vec![],
            n_independent: (values.len() - cut) as f64 / n_steps as f64,
            maxima,
        }
    }

    /// Takes the rank of what came after one origin, if it is one to be looked at.
    fn look(&mut self, model: &dyn Fitted, n_seen: usize, future: &[f64]) {
        let n_live = n_seen + 1 + future.len();
        let spacing = (self.n_steps / OVERLAP)
            .max(n_live.div_ceil(MAX_ORIGINS))
            .max(1);
        let Some(came) = future.get(..self.n_steps).and_then(largest) else {
            return;
        };
        if n_seen.is_multiple_of(spacing) {
            let paths = model.paths(N_REPLAYED, self.n_steps, n_seen as u64);
            self.ranks.push(rank(&paths, came));
        }
    }
}

/// The share of paths whose largest value lies below another; of those that reach it exactly, half. Never quite 0 or
/// 1: paths that all agree are no proof.
fn rank(paths: &Paths, came: f64) -> f64 {
    let below = paths.probability(|path| path.iter().all(|value| *value < came));
    let not_above = paths.probability(|path| path.iter().all(|value| *value <= came));
    corrected(f64::midpoint(below.get(), not_above.get()), paths.len())
}

/// A share of so many, with half of one added on each side.
fn corrected(share: f64, n: usize) -> f64 {
    (share * n as f64 + 0.5) / (n as f64 + 1.0)
}

/// The largest value; `None` of nothing but gaps.
fn largest(values: &[f64]) -> Option<f64> {
    let known = values.iter().copied().filter(|value| !value.is_nan());
    known.reduce(f64::max)
}

/// The share that something is true of; zero of none.
fn share(values: &[f64], of: impl Fn(&f64) -> bool) -> f64 {
    let n = values.iter().filter(|value| of(value)).count();
    n as f64 / values.len().max(1) as f64
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Bounds, ModelKind, noise::Noise};
    use series::{Step, Timestamp};
    use std::time::Duration;

    const HOUR: usize = 12;

    fn history(values: &[f64]) -> History {
        let samples: Vec<Sample> = (0..)
            .zip(values)
            .map(|(idx, value)| Sample {
                at: Timestamp::from_seconds(300 * idx),
                value: *value,
            })
            .collect();
        History::from_samples(&samples, Step::new(Duration::from_mins(5)).unwrap()).unwrap()
    }

    fn settings() -> Settings {
        Settings {
            model: ModelKind::Online,
            seasons: None,
            bounds: Bounds::UNLIMITED,
            max_horizon: Duration::from_hours(1),
        }
    }

    /// Deviations that last for an hour or two, around a day.
    fn load(seed: u64, n: usize) -> Vec<f64> {
        let mut noise = Noise::new(seed);
        let mut lasting = 0.0;
        let value = |idx: usize| {
            lasting = 0.95 * lasting + f64::from(noise.normal());
            10.0 * (idx as f64 * std::f64::consts::TAU / 288.0).sin() + lasting
        };
        (0..n).map(value).collect()
    }

    /// The chance of a breach of a threshold within the hour, and whether it came, for one series.
    fn try_one(seed: u64, n_known: usize) -> (f64, bool) {
        let values = load(seed, n_known + HOUR);
        let (known, came) = values.split_at(n_known);
        let threshold = 9.0;
        let history = history(known);
        let odds = &BreachOdds::replayed(&history, &settings(), &[HOUR]).unwrap()[0];
        let model = fit(&history, &settings()).unwrap();
        let chance = odds.probability(&*model, threshold, 1).unwrap();
        (chance.get(), came.iter().any(|value| *value > threshold))
    }

    #[test]
    fn of_those_called_likely_most_come_and_of_the_unlikely_few() {
        let tried: Vec<_> = (0..160_u16)
            .map(|seed| try_one(seed.into(), 1_500 + 7 * usize::from(seed)))
            .collect();
        let came = |(_, came): &(f64, bool)| f64::from(u8::from(*came));
        let mean = |of: &dyn Fn(&(f64, bool)) -> f64| {
            tried.iter().map(of).sum::<f64>() / tried.len() as f64
        };
        let base = mean(&came);
        let brier = mean(&|one| (one.0 - came(one)).powi(2));
        assert!((mean(&|one| one.0) - base).abs() < 0.08, "{base}");
        assert!(brier < 0.6 * base * (1.0 - base), "{brier} of {base}");
    }

    #[test]
    fn a_threshold_never_approached_is_unlikely_and_one_always_crossed_is_certain() {
        let history = history(&load(3, 2_000));
        let odds = &BreachOdds::replayed(&history, &settings(), &[HOUR]).unwrap()[0];
        let model = fit(&history, &settings()).unwrap();
        let chance = |threshold| odds.probability(&*model, threshold, 1).unwrap().get();
        assert!(chance(1e6) < 0.02 && chance(-1e6) > 0.98);
        let rising: Vec<f64> = (-20..20).map(|at| chance(f64::from(at))).collect();
        assert!(rising.is_sorted_by(|a, b| a >= b), "{rising:?}");
        assert!((chance(9.0) - chance(9.0)).abs() < f64::EPSILON);
        assert!(odds.n_replayed() >= 40, "{}", odds.n_replayed());
    }

    #[track_caller]
    fn certain(values: &[f64], bounds: Bounds, (below, above): (f64, f64)) {
        let (history, settings) = (
            history(values),
            Settings {
                bounds,
                ..settings()
            },
        );
        let odds = &BreachOdds::replayed(&history, &settings, &[HOUR]).unwrap()[0];
        let model = fit(&history, &settings).unwrap();
        let chance = |threshold| odds.probability(&*model, threshold, 1).unwrap().get();
        let [sure, never] = [below, above].map(chance);
        assert!(
            sure > 0.95 && never < 0.05,
            "{sure} above {below}, {never} above {above}"
        );
    }

    #[test]
    fn values_that_repeat_exactly_are_as_sure_as_others() {
        certain(&[5.0; 2_000], Bounds::UNLIMITED, (4.0, 5.0));
        let ratio = Bounds {
            lower: 0.0,
            upper: 1.0,
        };
        certain(&[1.0; 2_000], ratio, (0.8, 1.0));
        let counts: Vec<f64> = load(7, 2_000)
            .iter()
            .map(|v| (v - 9.0).max(0.0).round())
            .collect();
        certain(
            &counts,
            Bounds {
                lower: 0.0,
                ..Bounds::UNLIMITED
            },
            (-1.0, 1e3),
        );
        let ramp: Vec<f64> = (0..2_000).map(|idx| f64::from(idx.min(1_000))).collect();
        certain(&ramp, Bounds::UNLIMITED, (-1e6, 1e6));
        let leak: Vec<f64> = (0..2_000).map(f64::from).collect();
        certain(&leak, Bounds::UNLIMITED, (1_000.0, 1e9));
    }

    #[test]
    fn what_was_never_tried_has_no_probability() {
        let history = history(&load(3, 400));
        let all = BreachOdds::replayed(&history, &settings(), &[HOUR, 300]).unwrap();
        let model = fit(&history, &settings()).unwrap();
        assert!(all[0].probability(&*model, 0.0, 1).is_some());
        assert_eq!(all[1].probability(&*model, 0.0, 1), None);
        let short = BreachOdds::replayed(&self::history(&load(3, 40)), &settings(), &[HOUR]);
        assert!(
            matches!(short, Err(FitError::NotEnoughHistory { .. })),
            "{short:?}"
        );
    }
}
