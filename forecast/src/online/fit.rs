//! From a history to a model: scale, seasons and parameters by replay, and bands from the errors of the replay.

use super::{
    bands::Bands, engine::Engine, knots::Promise, knots::knots, parameters::Parameters,
    search::Search, start::Start,
};
use crate::{Distribution, History, scale::Scale, seasons, statistics::mean};
use std::time::Duration;

/// A model, and the scale that it works on.
#[derive(Debug)]
pub(crate) struct Fit {
    pub(crate) scale: Scale,
    pub(crate) engine: Engine,
    /// Replayed forecasts one step ahead whose outcome is known.
    pub(crate) n_replays: usize,
    /// The replayed pinball loss on the scale that all candidates share; lower is better.
    loss: f64,
}

const DAY: Duration = Duration::from_hours(24);
const WEEK: Duration = Duration::from_hours(7 * 24);

/// A profile believed less than this is hardly there, and another season may be.
const HARDLY: f32 = 0.35;

/// Candidates replace the plain scale, and the calendar's seasons, when they lose this much less, as a logarithm:
/// the choice should not hang on chance.
const CLEARLY: f64 = 0.02;

/// How far ahead is foreseen, and how the step compares to the day.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Frame {
    /// The furthest horizon in steps.
    pub(crate) reach: usize,
    /// Steps a day; less than one where a step is longer.
    pub(crate) day: f32,
}

impl Frame {
    /// The frame of a history.
    pub(crate) fn of(history: &History, reach: usize) -> Self {
        let step = history.step().get().as_secs_f32();
        Self {
            reach,
            day: DAY.as_secs_f32() / step,
        }
    }

    /// Rates are thought of in five minutes; this is how many of them a step is worth.
    fn pace(self) -> f32 {
        288.0 / self.day
    }
}

/// Fits the model with the seasons given, or those of the calendar, or those found.
pub(crate) fn fit(history: &History, given: Option<&[Duration]>, frame: Frame) -> Fit {
    if given.is_some() {
        let seasons = seasons::lengths(history, given);
        return best_scale(history.values(), &nested(&seasons), frame);
    }
    let calendar = seasons::lengths(history, Some(&[DAY, WEEK]));
    let first = best_scale(history.values(), &calendar, frame);
    let clear = !calendar.is_empty() && first.engine.smoother.rates.believed.0[0] >= HARDLY;
    if clear {
        return first;
    }
    let found = nested(&seasons::lengths(history, None));
    if found.is_empty() || found == calendar {
        return first;
    }
    let second = best_scale(history.values(), &found, frame);
    if second.loss < first.loss - CLEARLY {
        second
    } else {
        first
    }
}

/// Leaves out a season that a longer one repeats many times: the longer one's profile holds it.
fn nested(seasons: &[usize]) -> Vec<usize> {
    let held = |season: &usize| {
        let longer = seasons.iter().filter(|other| *other > season);
        longer
            .into_iter()
            .any(|other| other % season == 0 && other / season > MANY)
    };
    let kept = seasons.iter().filter(|season| !held(season));
    kept.copied().collect()
}

/// A week is seven days, and a day deserves a profile of its own; an hour of a day does not.
const MANY: usize = 7;

/// The better of plain values and logarithms.
fn best_scale(values: &[f64], seasons: &[usize], frame: Frame) -> Fit {
    let plain = Scale::raw(values);
    let on = |scale| Scaled::new(values, seasons, frame, scale);
    let first = on(plain);
    let parameters = first.search();
    let best = first.fit(parameters, plain);
    let Some(log) = Scale::candidates(values).into_iter().nth(1) else {
        return best;
    };
    // With the parameters that suit the plain values, logarithms show what they are worth, at a fraction of what a
    // search costs.
    let other = on(log);
    if other.fit(parameters, plain).loss > best.loss + HOPELESS {
        return best;
    }
    let other = other.fit(other.search(), plain);
    if other.loss < best.loss - CLEARLY {
        other
    } else {
        best
    }
}

/// Logarithms that lose this much more before their own search hardly ever win after it.
const HOPELESS: f64 = 0.05;

/// A history on one scale.
struct Scaled<'a> {
    values: Vec<f32>,
    start: Start,
    seasons: &'a [usize],
    frame: Frame,
    scale: Scale,
}

impl<'a> Scaled<'a> {
    fn new(values: &[f64], seasons: &'a [usize], frame: Frame, scale: Scale) -> Self {
        let values: Vec<f32> = values.iter().map(|value| scale.narrow(*value)).collect();
        Self {
            start: Start::read(&values, seasons, frame.reach),
            values,
            seasons,
            frame,
            scale,
        }
    }

    /// The best parameters, found on the latest stretch of history.
    fn search(&self) -> Parameters {
        let Frame { reach, day } = self.frame;
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "the cast saturates, and a long window is a whole one"
        )]
        let window = self.start.n + (SEARCHED_DAYS * day) as usize + reach;
        let from = self.values.len().saturating_sub(window);
        let recent = &self.values[from..];
        let late;
        let start = if from == 0 {
            &self.start
        } else {
            late = Start::read(recent, self.seasons, reach);
            &late
        };
        Search::new(
            recent,
            start,
            self.seasons.len(),
            (reach, self.frame.pace()),
        )
        .best()
    }

    /// The model that some parameters make, with the bands that they earn. Its loss is taken on a common scale.
    fn fit(&self, parameters: Parameters, common: Scale) -> Fit {
        let mut replay = Replay::new(&self.start, parameters, self.frame);
        let replayed = &self.values[self.start.n..];
        replay.run(replayed);
        let engine = replay.calibrated(replayed.len(), self.frame.day);
        let value = |scaled: f32| common.forward(self.scale.inverse(f64::from(scaled)));
        Fit {
            scale: self.scale,
            loss: replay.loss(&engine, value),
            n_replays: replay.trials.first().map_or(0, Vec::len),
            engine,
        }
    }
}

/// Days that parameters are searched on: longer ago, a series was another.
const SEARCHED_DAYS: f32 = 7.0;

/// The forecasts that the chosen parameters would have made.
struct Replay {
    engine: Engine,
    /// For each knot, what was foreseen and what came.
    trials: Vec<Vec<(Promise, f32)>>,
}

/// Trials of a knot that a loss is taken over, at most.
const MAX_TRIALS: usize = 64;

/// Errors of a knot that its quantiles are learned from, about; those between hardly differ.
const MAX_ERRORS: usize = 400;

impl Replay {
    fn new(start: &Start, parameters: Parameters, frame: Frame) -> Self {
        let knots = knots(frame.reach);
        Self {
            trials: vec![vec![]; knots.len()],
            engine: Engine::new(start.smoother([parameters]), knots),
        }
    }

    /// Runs through the values after the start; NaN is a gap. The first of them only warm the model up.
    fn run(&mut self, values: &[f32]) {
        let warm = (values.len() / 8).min(144);
        let strides: Vec<usize> = self
            .engine
            .pending
            .knots()
            .iter()
            .map(|knot| knot.stride as usize)
            .collect();
        let thinned = |stride: usize| (values.len() / stride / MAX_ERRORS).max(1);
        for (idx, value) in values.iter().enumerate() {
            if value.is_nan() {
                self.engine.skip(1);
                continue;
            }
            self.engine.replay(*value, |knot, promise| {
                let stride = strides[knot];
                if idx >= warm && (idx / stride).is_multiple_of(thinned(stride)) {
                    self.trials[knot].push((promise, *value));
                }
            });
        }
    }

    /// The engine at the end of the replay, with bands from its errors.
    fn calibrated(&self, n_steps: usize, day: f32) -> Engine {
        let error = |(promise, came): &(Promise, f32)| (came - promise.value) / promise.unit;
        let errors = self
            .trials
            .iter()
            .map(|trials| trials.iter().map(error).collect());
        let mut engine = self.engine.clone();
        engine.bands = Bands::learn(
            engine.pending.knots(),
            &mut errors.collect::<Vec<_>>(),
            n_steps,
            day,
        );
        engine
    }

    /// The mean logarithm of the pinball losses of the knots, on a common scale.
    fn loss(&self, engine: &Engine, common: impl Fn(f32) -> f64) -> f64 {
        let knots = self.trials.iter().zip(&engine.bands.offsets);
        let losses = knots
            .filter(|(trials, _)| !trials.is_empty())
            .map(|(trials, offsets)| {
                let stride = trials.len().div_ceil(MAX_TRIALS);
                let losses = trials.iter().step_by(stride).map(|(promise, came)| {
                    let came = common(*came);
                    mean(LOSS_LEVELS.map(|idx| {
                        let level = Distribution::LEVELS[idx];
                        let miss = came - common(promise.value + promise.unit * offsets[idx]);
                        (level * miss).max((level - 1.0) * miss)
                    }))
                });
                (mean(losses) + 1e-9).ln()
            });
        mean(losses)
    }
}

/// The levels that a loss is taken over: 10, 35, 50, 65 and 90 %.
const LOSS_LEVELS: [usize; 5] = [3, 5, 6, 7, 9];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_hour_within_a_day_is_left_to_the_day() {
        assert_eq!(nested(&[60, 1_440, 10_080]), [1_440, 10_080]);
        assert_eq!(nested(&[288, 2_016]), [288, 2_016]);
        assert_eq!(nested(&[37, 288]), [37, 288]);
    }
}
