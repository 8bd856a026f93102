//! Forecasts made again from past origins that do not know their future, for their errors.

use crate::{
    FitError,
    calibration::{Spreads, knots},
    correction::{Correction, Level},
    decomposition::{self, Path},
    scale::Scale,
    statistics::{mean, quantile_of},
};

/// What the replay has settled: how values are scaled, how the path is corrected, how far off it will be.
#[derive(Debug, Clone)]
pub(crate) struct Calibrated {
    pub(crate) scale: Scale,
    pub(crate) correction: Correction,
    pub(crate) spreads: Spreads,
}

/// A logarithm is preferred to the plain values when its loss is smaller by this factor: the choice should not
/// flicker from one calibration to the next.
const CLEARLY_BETTER: f64 = 0.98;

/// Errors that a quantile is learned from, at most; neighbours in time hardly add to it.
const MAX_ERRORS: usize = 4_096;

/// Replays a history (NaN is a gap) from several origins and settles on what would have been best there.
pub(crate) fn calibrate(
    values: &[f64],
    seasons: &[usize],
    reach: usize,
) -> Result<Calibrated, FitError> {
    let plan = Plan::new(values.len(), seasons, reach);
    let raw = Scale::raw(values);
    let mut best: Option<(f64, Calibrated)> = None;
    for scale in Scale::candidates(values) {
        let replay = Replay::run(values, &scale, seasons, &plan)?;
        let correction = replay.best_correction();
        let spreads = Spreads::learn(plan.knots.clone(), replay.errors(&correction))?;
        let calibrated = Calibrated {
            scale,
            correction,
            spreads,
        };
        let loss = replay.loss(&calibrated, &raw);
        let better = match &best {
            Some((least, _)) => loss < CLEARLY_BETTER * least,
            None => true,
        };
        if better {
            best = Some((loss, calibrated));
        }
    }
    best.map(|(_, calibrated)| calibrated)
        .ok_or_else(|| FitError::Decomposition("no scale suits the values".to_owned()))
}

/// Samples kept from each fit, on which a new path shows its first misses before it speaks: a twentieth of an
/// hour-long trend's worth at one minute, and little of a short history.
pub(crate) fn warm_up(n_samples: usize) -> usize {
    (n_samples / 50).min(30)
}

/// Where the replay starts from and how far it goes.
#[derive(Debug)]
struct Plan {
    /// Past origins as indices of the first sample not seen, oldest first.
    origins: Vec<usize>,
    /// Steps replayed from each origin.
    length: usize,
    warm_up: usize,
    knots: Vec<usize>,
    /// Steps between two forecasts that are judged.
    stride: usize,
}

/// Past origins, at most: a week of days. Each costs a fit.
const MAX_ORIGINS: usize = 7;

/// A replay shorter than this is not worth its fit.
const MIN_LENGTH: usize = 30;

impl Plan {
    /// The replay covers the end of the history, one shortest season from each origin where possible, so that
    /// every phase is seen; the first origin still knows the longest season twice, or half of the history.
    fn new(n_samples: usize, seasons: &[usize], reach: usize) -> Self {
        let spare = n_samples - 2 * seasons.last().copied().unwrap_or(0).min(n_samples / 2);
        let room = if spare < n_samples / 5 {
            n_samples / 3
        } else {
            spare.min(n_samples / 2)
        };
        let shortest = seasons.first().copied().unwrap_or(n_samples);
        let span = room.min(MAX_ORIGINS * shortest.max(2 * MIN_LENGTH));
        let n_origins = (span / MIN_LENGTH).clamp(1, MAX_ORIGINS);
        let length = span / n_origins;
        Self {
            origins: (1..=n_origins)
                .rev()
                .map(|n| n_samples - n * length)
                .collect(),
            length,
            warm_up: warm_up(n_samples),
            knots: knots(reach),
            stride: (span / MAX_ERRORS).max(1),
        }
    }
}

/// The misses of the paths foreseen from each past origin.
struct Replay<'a> {
    plan: &'a Plan,
    values: &'a [f64],
    scale: &'a Scale,
    tracks: Vec<Track>,
}

struct Track {
    origin: usize,
    path: Path,
    /// Scaled value minus path for each step after the origin; NaN at a gap.
    misses: Vec<f64>,
}

/// One forecast made again.
struct Trial {
    /// Index of the knot, and of the value that was foreseen.
    knot: usize,
    at: usize,
    /// What was foreseen, scaled, and how far off it was.
    foreseen: f64,
    error: f64,
}

impl<'a> Replay<'a> {
    fn run(
        values: &'a [f64],
        scale: &'a Scale,
        seasons: &[usize],
        plan: &'a Plan,
    ) -> Result<Self, FitError> {
        let scaled: Vec<f64> = values.iter().map(|v| scale.forward(*v)).collect();
        let reach = plan.knots.last().copied().unwrap_or(1);
        let track = |&origin: &usize| {
            let ahead = (scaled.len() - origin).min(plan.length + reach);
            let path = decomposition::foresee(&scaled[..origin], seasons, ahead)?;
            let actual = &scaled[origin..origin + ahead];
            let misses = (1..).zip(actual).map(|(i, v)| v - path.at(i)).collect();
            Ok(Track {
                origin,
                path,
                misses,
            })
        };
        let tracks: Result<Vec<Track>, String> = plan.origins.iter().map(track).collect();
        Ok(Self {
            plan,
            values,
            scale,
            tracks: tracks.map_err(FitError::Decomposition)?,
        })
    }

    /// Makes the forecasts of every origin again with a correction, and shows each whose outcome is known.
    fn visit(&self, correction: &Correction, mut show: impl FnMut(Trial)) {
        let Plan { knots, stride, .. } = self.plan;
        let fading: Vec<_> = knots.iter().map(|k| correction.fading(*k)).collect();
        for track in &self.tracks {
            let mut level = Level::default();
            for seen in 0..self.plan.length.min(track.misses.len()) {
                let judged = seen >= self.plan.warm_up && seen % stride == 0;
                let knots = knots.iter().enumerate().take_while(|_| judged);
                for (knot, ahead) in knots {
                    let idx = seen + ahead - 1;
                    let Some(miss) = track.misses.get(idx) else {
                        break;
                    };
                    let corrected = level.faded(fading[knot]);
                    if !miss.is_nan() {
                        show(Trial {
                            knot,
                            at: track.origin + idx,
                            foreseen: track.path.at(idx + 1) + corrected,
                            error: miss - corrected,
                        });
                    }
                }
                level = correction.after(level, track.misses[seen]);
            }
        }
    }

    /// The correction with the smallest misses, all horizons counting alike.
    fn best_correction(&self) -> Correction {
        let misses = self.tracks.iter().flat_map(|track| &track.misses);
        let mut sizes: Vec<f64> = misses.map(|m| m.abs()).filter(|m| !m.is_nan()).collect();
        let candidates = Correction::candidates(quantile_of(&mut sizes, 0.5));
        let score = |correction: &Correction| {
            let mut sums = vec![(0.0, 0_usize); self.plan.knots.len()];
            self.visit(correction, |trial| {
                let (sum, n) = &mut sums[trial.knot];
                *sum += trial.error.abs();
                *n += 1;
            });
            geometric_mean(sums.iter().map(|(sum, n)| sum / (*n).max(1) as f64))
        };
        let scored = candidates.into_iter().map(|c| (score(&c), c));
        let best = scored.min_by(|(one, _), (other, _)| one.total_cmp(other));
        best.expect("the slow correction alone is always a candidate")
            .1
    }

    /// The errors at each knot.
    fn errors(&self, correction: &Correction) -> Vec<Vec<f64>> {
        let mut errors = vec![vec![]; self.plan.knots.len()];
        self.visit(correction, |trial| errors[trial.knot].push(trial.error));
        errors
    }

    /// The pinball loss of all levels on the scale that candidates share, all horizons counting alike.
    fn loss(&self, calibrated: &Calibrated, common: &Scale) -> f64 {
        let knots = &self.plan.knots;
        let offsets: Vec<_> = knots.iter().map(|k| calibrated.spreads.at(*k)).collect();
        let mut sums = vec![(0.0, 0_usize); knots.len()];
        self.visit(&calibrated.correction, |trial| {
            let actual = common.forward(self.values[trial.at]);
            let quantiles = offsets[trial.knot].map(|offset| {
                let value = self.scale.inverse(trial.foreseen + offset);
                common.forward(value)
            });
            let (sum, n) = &mut sums[trial.knot];
            *sum += pinball(&quantiles, actual);
            *n += 1;
        });
        geometric_mean(sums.iter().map(|(sum, n)| sum / (*n).max(1) as f64))
    }
}

/// The mean pinball loss over the levels of a distribution.
fn pinball(quantiles: &[f64; 13], actual: f64) -> f64 {
    let levels = crate::Distribution::LEVELS.iter();
    mean(levels.zip(quantiles).map(|(level, quantile)| {
        let miss = actual - quantile;
        (level * miss).max((level - 1.0) * miss)
    }))
}

/// The geometric mean of means that may be zero; knots without any trial are zero everywhere and change nothing.
fn geometric_mean(means: impl Iterator<Item = f64>) -> f64 {
    mean(means.map(|m| (m + 1e-9).ln())).exp()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn three_weeks_of_minutes_are_replayed_day_by_day() {
        let plan = Plan::new(30_240, &[1_440, 10_080], 60);
        assert_eq!(plan.length, 1_440);
        assert_eq!(plan.origins[0], 30_240 - 7 * 1_440);
        assert_eq!(plan.origins.len(), 7);
    }

    #[test]
    fn every_plan_stays_inside_the_history() {
        for n_samples in [2, 10, 60, 100, 1_000, 4_032, 200_000] {
            for seasons in [&[][..], &[2], &[24], &[288, 2_016], &[100_000]] {
                let plan = Plan::new(n_samples, seasons, 5);
                for origin in &plan.origins {
                    assert!(*origin >= n_samples / 2 && origin + plan.length <= n_samples);
                }
            }
        }
    }

    #[test]
    fn multiplicative_noise_and_growth_are_replayed_best_as_logarithms() {
        let values: Vec<f64> = (0..960_u32)
            .map(|i| {
                let day = f64::from(i) * std::f64::consts::TAU / 48.0;
                let noise = f64::from((i * 7_919) % 101) / 500.0;
                100.0 * (0.002 * f64::from(i) + day.sin() + noise).exp()
            })
            .collect();
        let calibrated = calibrate(&values, &[48], 10).unwrap();
        let at = |scaled| calibrated.scale.inverse(scaled);
        let (below, above) = (at(0.0) - at(-0.5), at(0.5) - at(0.0));
        assert!(above > 2.0 * below, "{below} {above}");
    }

    #[test]
    fn a_constant_has_no_error() {
        let calibrated = calibrate(&[3.0; 200], &[24], 10).unwrap();
        assert!(calibrated.spreads.at(10).iter().all(|o| o.abs() < 1e-9));
    }
}
