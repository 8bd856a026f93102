//! Forecast models on histories and states that nobody would think of.

use crate::input::Input;
use forecast::{Bounds, Fitted, History, ModelKind, Settings, fit, restore};
use series::{Quantile, Sample, Step, Timestamp};
use std::{sync::LazyLock, time::Duration};

const HOUR: Duration = Duration::from_hours(1);

/// Any history that can be fitted gives forecasts that are finite and do not cross, before and after more
/// samples have come.
pub fn forecast_fit(bytes: &[u8]) {
    let mut input = Input::new(bytes);
    let step = any_step(&mut input);
    let settings = any_settings(&mut input, step);
    let samples = any_samples(&mut input, step);
    let (seen, later) = samples.split_at(samples.len() - samples.len() / 4);
    let Ok(history) = History::from_samples(seen, step) else {
        return;
    };
    let Ok(mut model) = fit(&history, &settings) else {
        return;
    };
    check_forecasts(&*model, settings.bounds);
    for sample in later {
        // Samples of a step that is over are refused, and the model goes on as before.
        let _ = model.update(*sample);
    }
    check_forecasts(&*model, settings.bounds);
    check_curve(&*model);
    check_saved(&*model, &settings, step);
}

/// A saved state that was changed here and there, with its checksum made right again, is refused or is a model.
pub fn forecast_state(bytes: &[u8]) {
    let (step, settings) = (SAVED.step, &SAVED.settings);
    drop(restore(bytes, settings, step));
    let Ok(mut model) = restore(&changed(bytes), settings, step) else {
        return;
    };
    check_forecasts(&*model, settings.bounds);
    let mut input = Input::new(bytes);
    for _ in 0..20 {
        let at = model.origin() + step.get();
        let value = input.value();
        let _ = model.update(Sample { at, value });
    }
    check_forecasts(&*model, settings.bounds);
    // From numbers that no history leads to, others may grow that are refused in their turn.
    if let Some(bytes) = model.save() {
        drop(restore(&bytes, settings, step));
    }
}

fn any_step(input: &mut Input) -> Step {
    let seconds = input.pick(&[300, 60, 15, 3_600, 86_400, 1]);
    Step::new(Duration::from_secs(seconds)).expect("it is a second or more")
}

fn any_settings(input: &mut Input, step: Step) -> Settings {
    use ModelKind::{Auto, Mstl, Online, SeasonalNaive};
    let seasons = match input.u8() % 4 {
        0 => None,
        1 => Some(Vec::new()),
        n => Some((1..n).map(|_| step.get() * u32::from(input.u8())).collect()),
    };
    let bounds = match input.u8() % 3 {
        0 => Bounds::UNLIMITED,
        1 => Bounds {
            lower: 0.0,
            upper: 1.0,
        },
        _ => {
            let (one, other) = (input.value(), input.value());
            Bounds {
                lower: one.min(other),
                upper: one.max(other),
            }
        }
    };
    Settings {
        model: input.pick(&[Online, Online, Online, SeasonalNaive, Mstl, Auto]),
        seasons,
        bounds,
        max_horizon: step.get() * u32::from(input.u8()),
    }
}

/// The most samples of a history: a model takes longer for more, and a fuzzer wants many tries.
const MAX_SAMPLES: usize = 600;

/// Runs of a pattern, single values, gaps and jumps in time; ascending.
fn any_samples(input: &mut Input, step: Step) -> Vec<Sample> {
    let mut at = match input.u8() {
        255 => Timestamp::from_millis(input.i64()),
        n => Timestamp::from_seconds(1_700_000_000 + i64::from(n)),
    };
    let mut samples: Vec<Sample> = Vec::new();
    while !input.is_empty() && samples.len() < MAX_SAMPLES {
        let (kind, value) = (input.u8(), input.value());
        let n_steps = match kind % 8 {
            0 => u32::from(input.u8()),
            _ => 1,
        };
        let n_repeats = if kind >= 192 {
            usize::from(input.u8())
        } else {
            1
        };
        at = at + step.get() * n_steps;
        for idx in 0..n_repeats {
            samples.push(Sample {
                at,
                value: value + idx as f64 % 12.0,
            });
            at = at + step.get();
        }
    }
    samples.truncate(MAX_SAMPLES);
    samples
}

fn check_forecasts(model: &dyn Fitted, bounds: Bounds) {
    let origin = model.origin();
    let step = model.step().get();
    let ahead = [0, 1, 2, 3, 12, 100, 5_000].map(|n| step * n);
    for at in ahead.map(|ahead| origin + ahead + step / 3) {
        let foreseen = model.predict(at);
        let values = foreseen.values();
        assert!(values.iter().all(|value| value.is_finite()), "{values:?}");
        assert!(values.is_sorted(), "{values:?}");
        // A limit that is infinite, on whichever side, or no number limits nothing.
        let inside = |value: &f64| {
            let below = bounds.lower.is_finite() && *value < bounds.lower;
            let above = bounds.upper.is_finite() && *value > bounds.upper;
            !(below || above)
        };
        assert!(values.iter().all(inside), "{values:?} within {bounds:?}");
    }
}

/// A curve in one go says what the forecasts say, one by one, up to rounding, and its values do not cross.
fn check_curve(model: &dyn Fitted) {
    let step = model.step().get();
    let times: Vec<_> = (0..40).map(|n| model.origin() + step / 5 * n).collect();
    let levels = [0.001, 0.05, 0.3, 0.5, 0.975].map(|level| Quantile::new(level).expect("a level"));
    let singly = times.iter().map(|at| model.predict(*at));
    let singly = singly.flat_map(|foreseen| levels.map(|level| foreseen.quantile(level)));
    let curve = model.curve(&times, &levels);
    let largest = curve.iter().copied().map(f64::abs).fold(0.0, f64::max);
    for (value, expect) in curve.iter().zip(singly) {
        // Halves, since the difference of two finite values need not be finite.
        let distance = (value / 2.0 - expect / 2.0).abs();
        assert!(distance <= largest * 1e-6, "{value} instead of {expect}");
    }
    let mut at_once = curve.chunks(levels.len());
    assert!(at_once.all(<[f64]>::is_sorted), "{curve:?}");
}

/// What was saved goes on as if nothing had happened.
fn check_saved(model: &dyn Fitted, settings: &Settings, step: Step) {
    let Some(bytes) = model.save() else {
        return;
    };
    let restored = restore(&bytes, settings, step).expect("what is saved is restored");
    for ahead in [HOUR, 24 * HOUR] {
        let at = model.origin() + ahead;
        assert_eq!(restored.predict(at), model.predict(at));
    }
}

/// A model's state, to be changed.
struct Saved {
    bytes: Vec<u8>,
    settings: Settings,
    step: Step,
}

static SAVED: LazyLock<Saved> = LazyLock::new(|| {
    let step = Step::new(Duration::from_mins(5)).expect("five minutes are a step");
    let settings = Settings {
        model: ModelKind::Online,
        seasons: Some(vec![HOUR]),
        bounds: Bounds {
            lower: -1e9,
            upper: 1e9,
        },
        max_horizon: 6 * HOUR,
    };
    let samples = (0..400_u32).map(|idx| Sample {
        at: Timestamp::from_seconds(300 * i64::from(idx)),
        value: f64::from(idx % 12) + f64::from(idx * 7_919 % 101) / 50.0,
    });
    let samples: Vec<_> = samples.collect();
    let history = History::from_samples(&samples, step).expect("a sample a step is a history");
    let model = fit(&history, &settings).expect("thirty seasons are history enough");
    Saved {
        bytes: model.save().expect("the online model saves"),
        settings,
        step,
    }
});

/// Bytes of the checksum at the end.
const CHECKSUM: usize = 4;

/// The saved state with other bytes at some places, and a checksum that fits.
fn changed(bytes: &[u8]) -> Vec<u8> {
    let mut state = SAVED.bytes.clone();
    state.truncate(state.len() - CHECKSUM);
    let mut input = Input::new(bytes);
    if input.u8() == 0 {
        state.truncate(usize::from(input.u16()));
    }
    while !input.is_empty() && !state.is_empty() {
        let at = input.u32() as usize % state.len();
        let with = match input.u8() % 4 {
            0 => vec![input.u8()],
            1 => input.u32().to_le_bytes().to_vec(),
            2 => input.value().to_le_bytes().to_vec(),
            _ => input.i64().to_le_bytes().to_vec(),
        };
        let end = state.len().min(at + with.len());
        state[at..end].copy_from_slice(&with[..end - at]);
    }
    state.extend(crc32c::crc32c(&state).to_le_bytes());
    state
}
