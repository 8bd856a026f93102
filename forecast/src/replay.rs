//! Forecasts made again from past origins that do not know their future, for their errors.

use crate::{
    FitError,
    calibration::Spreads,
    correction::{Correction, Level},
    decomposition::{self, Path},
    distribution::Quantiles,
    plan::Plan,
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
fn pinball(quantiles: &Quantiles, actual: f64) -> f64 {
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
