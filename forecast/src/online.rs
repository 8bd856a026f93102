//! The online model: seasons, level and slope that every sample moves a little, with bands that follow their misses.

mod bands;
mod knots;
mod parameters;
mod profile;
mod search;
mod smoother;
mod start;

use crate::{
    Bounds, Distribution, FitError, Fitted, History, Settings, UpdateError,
    distribution::{Quantiles, interpolate},
    fence::Fence,
    scale::Scale,
};
use bands::Bands;
use knots::{Pending, knots};
use parameters::Parameters;
use search::Search;
use series::{Sample, Step, Timestamp};
use smoother::Smoother;
use start::Start;
use std::time::Duration;

/// A fitted online model.
#[derive(Debug, Clone)]
pub(crate) struct Online {
    step: Step,
    end: Timestamp,
    bounds: Bounds,
    fence: Fence,
    scale: Scale,
    engine: Engine,
}

#[derive(Debug, Clone)]
struct Engine {
    smoother: Smoother<1>,
    pending: Pending,
    bands: Bands,
    weight: f32,
    typical: f32,
}

const MIN_SAMPLES: usize = 10;

impl Online {
    pub(crate) fn fit(history: &History, settings: &Settings) -> Result<Self, FitError> {
        let (values, got) = (history.values(), history.n_finite());
        if got < MIN_SAMPLES {
            return Err(FitError::NotEnoughHistory {
                got,
                need: MIN_SAMPLES,
            });
        }
        let reach = settings.reach(history.step());
        let seasons = calendar(history);
        let scale = Scale::raw(values);
        let pace = history.step().get().as_secs_f32() / 300.0;
        let scaled: Vec<f32> = values.iter().map(|v| scale.forward(*v) as f32).collect();
        let start = Start::read(&scaled, &seasons, reach);
        let (parameters, _) = Search::new(&scaled, &start, seasons.len(), (reach, pace)).best();
        let engine = Engine::replay(&scaled, &start, parameters, reach);
        Ok(Self {
            step: history.step(),
            end: history.end(),
            bounds: settings.bounds,
            fence: Fence::around(values),
            scale,
            engine,
        })
    }

    fn quantiles(&self, ahead: usize) -> Quantiles {
        let ahead = u32::try_from(ahead).unwrap_or(u32::MAX);
        let (foreseen, offsets) = self.engine.foresee(ahead);
        offsets.map(|offset| {
            self.fence
                .clamp(self.scale.inverse(f64::from(foreseen + offset)))
        })
    }
}

fn calendar(history: &History) -> Vec<usize> {
    let n = history.values().len();
    [1, 7]
        .map(|days| history.step().count(Duration::from_hours(24 * days)))
        .into_iter()
        .filter(|season| *season >= 2 && *season <= n / 2)
        .collect()
}

impl Engine {
    fn replay(values: &[f32], start: &Start, parameters: Parameters, reach: usize) -> Self {
        let knots = knots(reach);
        let mut errors = vec![vec![]; knots.len()];
        let mut engine = Self {
            smoother: start.smoother([parameters]),
            pending: Pending::new(knots, parameters.memory),
            bands: Bands { offsets: [].into() },
            weight: 0.0,
            typical: 1.0,
        };
        let values = &values[start.n..];
        let warm = (values.len() / 8).min(144);
        for (idx, value) in values.iter().enumerate() {
            engine.take(*value, |_, knot, error| {
                if idx >= warm {
                    errors[knot].push(error);
                }
            });
        }
        engine.bands = Bands::learn(engine.pending.knots(), errors, values.len() - warm);
        engine
    }

    #[inline]
    fn take(&mut self, value: f32, mut show: impl FnMut(&mut Bands, usize, f32)) {
        if value.is_nan() {
            self.smoother.skip(1);
            self.pending.skip(1);
            return;
        }
        let seasonal = self.smoother.seasonal(1)[0];
        let bands = &mut self.bands;
        self.pending.due(|knot, promise| {
            let error = (value - seasonal - promise.value) / promise.unit;
            show(bands, knot, error);
        });
        self.smoother.observe(value);
        self.pending.remember(&self.smoother, |_| 1.0);
    }

    fn foresee(&self, ahead: u32) -> (f32, bands::Offsets) {
        let exponent = i32::try_from(ahead).unwrap_or(i32::MAX);
        let fading = self.smoother.parameters[0].memory.powi(exponent);
        let foreseen = self.smoother.base(ahead)[0] + fading * self.smoother.deviation[0];
        (foreseen, self.bands.at(self.pending.knots(), ahead))
    }
}

impl Fitted for Online {
    fn model(&self) -> &'static str {
        "online"
    }

    fn step(&self) -> Step {
        self.step
    }

    fn origin(&self) -> Timestamp {
        self.end
    }

    fn update(&mut self, sample: Sample) -> Result<(), UpdateError> {
        let _ = sample;
        self.engine.take(0.0, Bands::follow);
        Ok(())
    }

    fn predict(&self, at: Timestamp) -> Distribution {
        let step = i64::try_from(self.step.get().as_millis()).unwrap_or(i64::MAX);
        let ahead = at.as_millis().saturating_sub(self.end.as_millis()).max(0);
        let whole = usize::try_from(ahead / step).unwrap_or(usize::MAX);
        let part = (ahead % step) as f64 / step as f64;
        Distribution::new(interpolate((whole, part), |n| self.quantiles(n)), self.bounds)
    }
}
