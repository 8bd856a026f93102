//! The online model over weeks of generated operations: accuracy, coverage, shifts, spikes, leaks, gaps, restarts.

#![expect(clippy::unwrap_used, reason = "helpers of tests may panic as tests do")]

use forecast::{Bounds, Fitted, History, ModelKind, Online, Settings, StateError, fit, restore};
use proptest::prelude::*;
use series::{Quantile, Sample, Step, Timestamp};
use std::time::Duration;

const DAY: usize = 288;
const WEEKS_3: usize = 21 * DAY;

fn step() -> Step {
    Step::new(Duration::from_mins(5)).unwrap()
}

fn time(idx: usize) -> Timestamp {
    Timestamp::from_seconds(1_704_067_200) + step().get() * u32::try_from(idx).unwrap()
}

fn settings() -> Settings {
    Settings {
        model: ModelKind::Online,
        seasons: None,
        bounds: Bounds {
            lower: 0.0,
            upper: f64::INFINITY,
        },
        max_horizon: Duration::from_hours(24),
    }
}

/// As good as standard normal, from a mixed counter.
fn noise(seed: usize, idx: usize) -> f64 {
    let uniform = |k: usize| {
        let mixed = ((seed * 1_000_003 + idx) * 12 + k) as u64 + 1;
        let mixed = mixed.wrapping_mul(0x9e37_79b9_7f4a_7c15);
        let mixed = (mixed ^ (mixed >> 31)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 29)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (mixed >> 40) as f64 / f64::from(1 << 24)
    };
    (0..12).map(uniform).sum::<f64>() - 6.0
}

/// Requests per second without noise: a day, weekends.
fn expected(idx: usize) -> f64 {
    let day = (idx as f64 * std::f64::consts::TAU / DAY as f64).sin();
    let week = if (idx / DAY) % 7 < 5 { 1.0 } else { 0.7 };
    week * (100.0 + 50.0 * day)
}

fn requests(seed: usize) -> impl Fn(usize) -> f64 {
    move |idx| expected(idx) + 3.0 * noise(seed, idx)
}

fn samples(range: std::ops::Range<usize>, value: impl Fn(usize) -> f64) -> Vec<Sample> {
    let sample = |idx| Sample {
        at: time(idx),
        value: value(idx),
    };
    range.map(sample).collect()
}

fn fitted(n: usize, value: impl Fn(usize) -> f64) -> Online {
    let history = History::from_samples(&samples(0..n, value), step()).unwrap();
    Online::fit(&history, &settings()).unwrap()
}

fn feed(model: &mut dyn Fitted, range: std::ops::Range<usize>, value: impl Fn(usize) -> f64) {
    for sample in samples(range, value) {
        model.update(sample).unwrap();
    }
}

fn quantile(model: &dyn Fitted, idx: usize, level: f64) -> f64 {
    model
        .predict(time(idx))
        .quantile(Quantile::new(level).unwrap())
}

/// The share of one range of samples inside the 80 % band of the forecast so many steps before.
fn coverage(
    model: &mut Online,
    range: std::ops::Range<usize>,
    ahead: usize,
    value: &dyn Fn(usize) -> f64,
) -> f64 {
    let n = range.len() as f64;
    let mut inside = 0.0;
    for idx in range {
        let band = quantile(model, idx + ahead - 1, 0.1)..=quantile(model, idx + ahead - 1, 0.9);
        inside += f64::from(u8::from(band.contains(&value(idx + ahead - 1))));
        feed(model, idx..idx + 1, value);
    }
    inside / n
}

#[test]
fn the_default_model_is_the_online_one() {
    let history = History::from_samples(&samples(0..600, requests(1)), step()).unwrap();
    let settings = Settings {
        model: ModelKind::default(),
        ..settings()
    };
    assert_eq!(fit(&history, &settings).unwrap().model(), "online");
}

#[test]
fn day_and_week_are_foreseen_and_the_bands_hold_their_promise() {
    let value = requests(2);
    let mut model = fitted(WEEKS_3, &value);
    for (ahead, tolerance) in [(1, 0.06), (12, 0.08), (DAY, 0.1)] {
        let from = model.origin();
        let idx = WEEKS_3 + usize::try_from(from.since(time(WEEKS_3 - 1)).as_secs() / 300).unwrap();
        let held = coverage(&mut model, idx..idx + 2 * DAY, ahead, &value);
        assert!((held - 0.8).abs() < tolerance, "{ahead} steps: {held}");
    }
    // The next day is the second of a week.
    let idx = WEEKS_3 + 7 * DAY + 100;
    let median = quantile(&model, idx, 0.5);
    assert!(
        (median / expected(idx) - 1.0).abs() < 0.08,
        "{median} for {}",
        expected(idx)
    );
}

#[test]
fn after_noise_has_tripled_coverage_is_back_within_a_day() {
    let calm = requests(3);
    let stormy = |idx: usize| {
        if idx < WEEKS_3 {
            calm(idx)
        } else {
            expected(idx) + 9.0 * noise(3, idx)
        }
    };
    let mut model = fitted(WEEKS_3, stormy);
    for ahead in [1, 12] {
        let mut model = model.clone();
        feed(&mut model, WEEKS_3..WEEKS_3 + DAY, stormy);
        let held = coverage(&mut model, WEEKS_3 + DAY..WEEKS_3 + 2 * DAY, ahead, &stormy);
        assert!((0.7..0.9).contains(&held), "{ahead} steps: {held}");
    }
    let at_once = coverage(&mut model, WEEKS_3..WEEKS_3 + 36, 1, &stormy);
    assert!(at_once < 0.7, "{at_once}: the test would show nothing");
}

#[test]
fn a_doubled_level_is_noticed_as_a_shift_and_followed_within_an_hour_or_two() {
    let before = requests(4);
    let value = |idx: usize| before(idx) + if idx < WEEKS_3 { 0.0 } else { 120.0 };
    let mut model = fitted(WEEKS_3, value);
    let mut shifts = 0;
    for idx in WEEKS_3..WEEKS_3 + 36 {
        feed(&mut model, idx..idx + 1, value);
        shifts += usize::from(Fitted::anomaly(&model).unwrap().is_shift);
    }
    assert!(shifts >= 1);
    for ahead in [1, 12, DAY] {
        let idx = WEEKS_3 + 35 + ahead;
        let median = quantile(&model, idx, 0.5);
        let right = expected(idx) + 120.0;
        assert!(
            (median / right - 1.0).abs() < 0.15,
            "{ahead}: {median} for {right}"
        );
    }
    let held = coverage(&mut model, WEEKS_3 + 36..WEEKS_3 + DAY, 1, &value);
    assert!(held > 0.7, "{held}");
}

#[test]
fn a_spike_is_an_anomaly_and_no_shift_and_leaves_the_forecast_alone() {
    let value = requests(5);
    let now = WEEKS_3 + DAY + 50;
    let mut model = fitted(WEEKS_3, &value);
    feed(&mut model, WEEKS_3..now, &value);
    let usual = Fitted::anomaly(&model).unwrap();
    assert!(usual.score < 1.0 && !usual.is_shift, "{usual:?}");
    let before: Vec<f64> = [2, 12, DAY]
        .map(|ahead| quantile(&model, now + ahead, 0.5))
        .into();
    feed(&mut model, now..now + 1, |_| 1e6);
    let wild = Fitted::anomaly(&model).unwrap();
    assert!(wild.score > 10.0 && !wild.is_shift, "{wild:?}");
    feed(&mut model, now + 1..now + 2, &value);
    let after: Vec<f64> = [3, 12, DAY]
        .map(|ahead| quantile(&model, now + ahead, 0.5))
        .into();
    for (before, after) in before.iter().zip(&after) {
        assert!(
            (before / after - 1.0).abs() < 0.1,
            "{before} became {after}"
        );
    }
}

#[test]
fn a_leak_goes_on_leaking() {
    let value = |idx: usize| 1_000.0 + 0.5 * idx as f64 + 20.0 * noise(6, idx);
    let model = fitted(10 * DAY, value);
    let tomorrow = quantile(&model, 11 * DAY - 1, 0.5);
    let grown = (tomorrow - value(10 * DAY - 1)) / (0.5 * DAY as f64);
    assert!((0.5..1.5).contains(&grown), "{grown} of the growth");
}

#[test]
fn growing_swings_are_foreseen_on_logarithms() {
    let value = |idx: usize| {
        let day = (idx as f64 * std::f64::consts::TAU / DAY as f64).sin();
        (0.08 * idx as f64 / DAY as f64 + day + 0.05 * noise(7, idx)).exp()
    };
    let model = fitted(14 * DAY, value);
    let width = |idx: usize| quantile(&model, idx, 0.9) - quantile(&model, idx, 0.1);
    let (high, low) = (width(14 * DAY + DAY / 4), width(14 * DAY + 3 * DAY / 4));
    assert!(high > 3.0 * low, "{high} {low}");
}

#[test]
fn a_gap_of_a_day_leaves_the_forecast_on_its_path() {
    let value = requests(8);
    let mut model = fitted(WEEKS_3, &value);
    feed(&mut model, WEEKS_3..WEEKS_3 + 2 * DAY, &value);
    feed(&mut model, WEEKS_3 + 3 * DAY..WEEKS_3 + 3 * DAY + 1, &value);
    for ahead in [1, 100] {
        let idx = WEEKS_3 + 3 * DAY + ahead;
        let median = quantile(&model, idx, 0.5);
        assert!(
            (median / expected(idx) - 1.0).abs() < 0.1,
            "{ahead}: {median}"
        );
    }
}

#[test]
fn other_steps_and_seasons_work_too() {
    for minutes in [1_u64, 7, 15, 60] {
        let step = Step::new(Duration::from_mins(minutes)).unwrap();
        let day = usize::try_from(1_440 / minutes).unwrap();
        let value = |idx: usize| {
            let day = (idx as f64 * minutes as f64 * std::f64::consts::TAU / 1_440.0).sin();
            100.0 + 50.0 * day + noise(9, idx)
        };
        let at = |idx: usize| Timestamp::default() + step.get() * u32::try_from(idx).unwrap();
        let all: Vec<Sample> = (0..10 * day)
            .map(|idx| Sample {
                at: at(idx),
                value: value(idx),
            })
            .collect();
        let model = Online::fit(&History::from_samples(&all, step).unwrap(), &settings()).unwrap();
        for ahead in [1, day / 3, day] {
            let idx = 10 * day + ahead - 1;
            let median = model.predict(at(idx)).quantile(Quantile::MEDIAN);
            assert!(
                (median - value(idx)).abs() < 12.0,
                "{minutes}m, {ahead}: {median}"
            );
        }
    }
}

#[test]
fn a_season_off_the_calendar_is_found() {
    let value = |idx: usize| {
        10.0 + 5.0 * (idx as f64 * std::f64::consts::TAU / 37.0).sin() + 0.3 * noise(10, idx)
    };
    let model = fitted(5 * DAY, value);
    for ahead in [5, 18, 200] {
        let idx = 5 * DAY + ahead;
        let clean = 10.0 + 5.0 * (idx as f64 * std::f64::consts::TAU / 37.0).sin();
        let median = quantile(&model, idx, 0.5);
        assert!(
            (median - clean).abs() < 1.0,
            "{ahead}: {median} for {clean}"
        );
    }
}

#[test]
fn a_mostly_empty_queue_is_foreseen_to_be_empty() {
    let value = |idx: usize| if noise(11, idx) > 2.0 { 3.0 } else { 0.0 };
    let model = fitted(7 * DAY, value);
    for ahead in [1, 12, DAY] {
        let median = quantile(&model, 7 * DAY + ahead, 0.5);
        assert!(median.abs() < 1e-12, "{ahead}: {median}");
    }
}

#[test]
fn a_series_that_becomes_a_million_times_larger_is_followed() {
    let value = |idx: usize| {
        if idx < 4 * DAY {
            1.0 + 0.01 * noise(12, idx)
        } else {
            1e6 + 1e4 * noise(12, idx)
        }
    };
    let mut model = fitted(4 * DAY, value);
    feed(&mut model, 4 * DAY..6 * DAY, value);
    let (low, median, high) = (
        quantile(&model, 6 * DAY, 0.1),
        quantile(&model, 6 * DAY, 0.5),
        quantile(&model, 6 * DAY, 0.9),
    );
    assert!((median / 1e6 - 1.0).abs() < 0.05, "{median}");
    assert!((5e3..2e5).contains(&(high - low)), "{low} to {high}");
}

#[test]
fn fast_quantiles_are_those_of_the_distribution() {
    let model = fitted(WEEKS_3, requests(13));
    let levels = [0.05, 0.5, 0.9].map(|level| Quantile::new(level).unwrap());
    for ahead in [1, 2, 7, 100, 288, 1_000] {
        let fast = model.quantiles(ahead, &levels);
        let slow = model.predict(model.origin() + step().get() * ahead);
        for (fast, level) in fast.iter().zip(levels) {
            assert!((fast / slow.quantile(level) - 1.0).abs() < 1e-5);
        }
    }
}

#[test]
fn joint_paths_are_spread_as_the_marginals_and_hang_together() {
    let model = fitted(WEEKS_3, requests(14));
    let paths = model.paths(400, 48, 7);
    assert_eq!(paths.len(), 400);
    for ahead in [1, 12, 48] {
        let upper = quantile(&model, WEEKS_3 - 1 + ahead, 0.9);
        let below = paths.probability(|path| path[ahead - 1] <= upper).get();
        assert!((below - 0.9).abs() < 0.01, "{ahead}: {below}");
    }
    assert_eq!(paths, model.paths(400, 48, 7));
    assert_ne!(paths, model.paths(400, 48, 8));
    let ever = |path: &[f64]| (0..48).any(|k| path[k] > quantile(&model, WEEKS_3 + k, 0.9));
    let ever = paths.probability(ever).get();
    assert!((0.2..1.0).contains(&ever), "{ever}");
}

#[test]
fn a_restored_model_goes_on_as_if_nothing_had_happened() {
    let value = requests(15);
    let mut model = fitted(WEEKS_3, &value);
    feed(&mut model, WEEKS_3..WEEKS_3 + 50, &value);
    let bytes = model.save().unwrap();
    assert!(bytes.len() <= 12 * 1_024, "{} bytes", bytes.len());
    let mut restored = Online::from_bytes(&bytes, &settings(), step()).unwrap();
    assert_eq!(restored, model);
    for model in [&mut model, &mut restored] {
        feed(model, WEEKS_3 + 50..WEEKS_3 + 90, &value);
    }
    assert_eq!(restored, model);
    assert_eq!(
        restore(&bytes, &settings(), step()).unwrap().origin(),
        time(WEEKS_3 + 49)
    );
}

#[test]
fn a_daily_and_a_weekly_season_at_five_minutes_fit_in_twelve_kilobytes() {
    let model = fitted(WEEKS_3, requests(18));
    assert!(
        (4_000..=12 * 1_024).contains(&model.size()),
        "{} bytes",
        model.size()
    );
}

#[test]
fn bytes_that_are_not_this_state_are_refused_in_words() {
    let bytes = fitted(4 * DAY, requests(16)).save().unwrap();
    let refusal = |bytes: &[u8]| Online::from_bytes(bytes, &settings(), step()).unwrap_err();
    assert_eq!(refusal(b"SQLite format 3"), StateError::Foreign);
    assert_eq!(refusal(&[]), StateError::Foreign);
    let mut older = bytes.clone();
    older[4..6].copy_from_slice(&0_u16.to_le_bytes());
    assert_eq!(refusal(&older), StateError::Version { got: 0, want: 1 });
    for cut in [5, 6, 9, 100, bytes.len() - 1] {
        assert_eq!(refusal(&bytes[..cut]), StateError::Damaged, "{cut}");
    }
    let hourly = Settings {
        max_horizon: Duration::from_hours(1),
        ..settings()
    };
    assert_eq!(
        Online::from_bytes(&bytes, &hourly, step()),
        Err(StateError::OtherSettings)
    );
    let sealed = |mut content: Vec<u8>| {
        content.extend(crc32c::crc32c(&content).to_le_bytes());
        content
    };
    let mut longer = bytes[..bytes.len() - 4].to_vec();
    longer.push(0);
    assert!(matches!(
        refusal(&sealed(longer)),
        StateError::Impossible(_)
    ));
    let shorter = bytes[..bytes.len() - 40].to_vec();
    assert!(matches!(
        refusal(&sealed(shorter)),
        StateError::Impossible(_)
    ));
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn no_altered_byte_goes_unnoticed_and_no_content_makes_a_model_that_misbehaves(
        at in any::<prop::sample::Index>(), to in any::<u8>(),
    ) {
        let mut bytes = fitted(3 * DAY, requests(17)).save().unwrap();
        let at = at.index(bytes.len());
        prop_assume!(bytes[at] != to);
        bytes[at] = to;
        prop_assert!(Online::from_bytes(&bytes, &settings(), step()).is_err());
        // With a checksum that is right, what is let in still foresees numbers.
        let content = bytes.len() - 4;
        let sum = crc32c::crc32c(&bytes[..content]).to_le_bytes();
        bytes[content..].copy_from_slice(&sum);
        if let Ok(mut model) = Online::from_bytes(&bytes, &settings(), step()) {
            for value in [1.0, 100.0, f64::NAN, 1e300] {
                let at = model.origin() + step().get();
                if model.update(Sample { at, value }).is_err() {
                    break;
                }
                for ahead in [1, 5, 288, 100_000] {
                    let foreseen = model.predict(model.origin() + step().get() * ahead);
                    prop_assert!(foreseen.values().iter().all(|v| v.is_finite()));
                }
            }
        }
    }
}

#[test]
fn whatever_the_length_of_a_noisy_history_there_is_a_band_or_no_forecast() {
    for n in [
        1, 10, 31, 32, 60, 287, 575, 576, 577, 864, 2_016, 4_032, 4_033,
    ] {
        let history = History::from_samples(&samples(0..n, requests(3)), step()).unwrap();
        match fit(&history, &settings()) {
            Ok(model) => {
                for ahead in [0, 11, 287] {
                    let [low, high] = [0.05, 0.95].map(|level| quantile(&*model, n + ahead, level));
                    assert!(low < high, "{n} samples, {ahead} ahead: {low} to {high}");
                }
            }
            Err(error) => {
                let sentence = error.to_string();
                assert!(
                    n < 60 && sentence.contains("not enough history"),
                    "{n}: {sentence}"
                );
            }
        }
    }
}

#[test]
fn a_step_far_finer_than_the_samples_is_told_and_not_forecast() {
    let sparse: Vec<Sample> = samples(0..2_000, requests(3))
        .into_iter()
        .step_by(5)
        .collect();
    let history = History::from_samples(&sparse, step()).unwrap();
    let error = fit(&history, &settings()).err().unwrap().to_string();
    assert!(error.contains("is the step right?"), "{error}");
}

#[test]
fn a_curve_in_one_go_is_what_the_forecasts_say_one_by_one() {
    let levels = [0.975, 0.5, 0.3, 0.001, 0.05, 0.999].map(|level| Quantile::new(level).unwrap());
    let minute = Duration::from_mins(1);
    let hourly_jumps = |idx: usize| if idx.is_multiple_of(12) { 0.0 } else { 7e8 };
    let models = [
        fitted(WEEKS_3, requests(5)),
        fitted(400, hourly_jumps),
        fitted(60, |_| 5.0),
    ];
    for model in models {
        let begin = model.origin() - minute * 7;
        let ascending = (0..2_000).map(|n| begin + minute * n);
        let jumping = [3_000, 17, 18, 5, 100_000].map(|n| begin + minute * n);
        let times: Vec<_> = ascending.chain(jumping).collect();
        let singly = times.iter().map(|at| model.predict(*at));
        let singly = singly.flat_map(|foreseen| levels.map(|level| foreseen.quantile(level)));
        let singly: Vec<_> = singly.map(f64::to_bits).collect();
        let curve = model.curve(&times, &levels);
        assert_eq!(
            curve.iter().map(|v| v.to_bits()).collect::<Vec<_>>(),
            singly
        );
    }
}
