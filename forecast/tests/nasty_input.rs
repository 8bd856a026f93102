//! Whatever a series holds, a model either refuses it in words or foresees finite, ordered, bounded values.

#![expect(clippy::unwrap_used, reason = "helpers of tests may panic as tests do")]

use forecast::{
    Bounds, Distribution, FitError, Fitted, History, HistoryError, ModelKind, Settings,
    UpdateError, fit,
};
use proptest::prelude::*;
use series::{Quantile, Sample, Step, Timestamp};
use std::time::Duration;

const KINDS: [ModelKind; 4] = [
    ModelKind::Online,
    ModelKind::Auto,
    ModelKind::Mstl,
    ModelKind::SeasonalNaive,
];

fn step() -> Step {
    Step::new(Duration::from_mins(1)).unwrap()
}

fn sample(minute: i64, value: f64) -> Sample {
    Sample {
        at: Timestamp::from_seconds(60 * minute),
        value,
    }
}

fn every_minute(values: impl IntoIterator<Item = f64>) -> Vec<Sample> {
    (0..).zip(values).map(|(i, v)| sample(i, v)).collect()
}

fn settings(model: ModelKind, seasons: Option<&[u64]>, bounds: Bounds) -> Settings {
    let minutes = |m: &u64| Duration::from_secs(m.saturating_mul(60));
    Settings {
        model,
        seasons: seasons.map(|s| s.iter().map(minutes).collect()),
        bounds,
        max_horizon: Duration::from_hours(1),
    }
}

/// Fails unless the forecasts near, far, between steps and in the past keep the laws.
#[track_caller]
fn check_laws(model: &dyn Fitted, bounds: Bounds) {
    let origin = model.origin();
    for ahead in [0, 1, 60, 61, 95, 3_600, 7_201, 10_000_000] {
        let foreseen = model.predict(origin + Duration::from_secs(ahead));
        check_distribution(&foreseen, bounds);
    }
    for path in model.paths(5, 7, 1).iter() {
        let inside = bounds.lower..=bounds.upper;
        assert!(
            path.iter().all(|v| v.is_finite() && inside.contains(v)),
            "{path:?}"
        );
    }
    if let Some(anomaly) = model.anomaly() {
        assert!(
            anomaly.score.is_finite() && anomaly.score >= 0.0,
            "{anomaly:?}"
        );
    }
    for at in [i64::MIN, i64::MAX] {
        check_distribution(&model.predict(Timestamp::from_millis(at)), bounds);
    }
}

#[track_caller]
fn check_distribution(foreseen: &Distribution, bounds: Bounds) {
    let quantiles: Vec<f64> = (1..200)
        .map(|i| foreseen.quantile(Quantile::new(f64::from(i) / 200.0).unwrap()))
        .collect();
    assert!(quantiles.iter().all(|q| q.is_finite()), "{foreseen:?}");
    assert!(quantiles.is_sorted(), "{foreseen:?}");
    let inside = bounds.lower..=bounds.upper;
    assert!(quantiles.iter().all(|q| inside.contains(q)), "{foreseen:?}");
}

/// Fits every kind of model, feeds it more of the same, and checks the laws before and after.
#[track_caller]
fn check(samples: &[Sample], seasons: Option<&[u64]>, bounds: Bounds) {
    let history = History::from_samples(samples, step()).unwrap();
    for kind in KINDS {
        let Ok(mut model) = fit(&history, &settings(kind, seasons, bounds)) else {
            continue;
        };
        check_laws(model.as_ref(), bounds);
        let origin = model.origin();
        for (minute, old) in (1..=130).zip(samples.iter().cycle()) {
            let at = origin + Duration::from_mins(minute);
            let value = old.value;
            model.update(Sample { at, value }).unwrap();
        }
        let far = model.origin() + Duration::from_secs(1_000_000_000);
        for (minute, value) in (1..).zip([f64::NAN, f64::INFINITY, 1e300, 0.0]) {
            let at = far + Duration::from_mins(minute);
            model.update(Sample { at, value }).unwrap();
            check_laws(model.as_ref(), bounds);
        }
    }
}

const WITHIN: Bounds = Bounds {
    lower: -5.0,
    upper: 7.0,
};

#[test]
fn constants_stay_constant() {
    for value in [0.0, 1.0, -3.5, 1e-300, 1e300, 1e12] {
        let history = History::from_samples(&every_minute([value; 300]), step()).unwrap();
        for kind in KINDS {
            let model = fit(&history, &settings(kind, Some(&[24]), Bounds::UNLIMITED)).unwrap();
            let ahead = model.origin() + Duration::from_mins(10);
            let median = model.predict(ahead).quantile(Quantile::MEDIAN);
            assert!(
                (median - value).abs() <= 1e-6 * value.abs(),
                "{kind:?}: {median}"
            );
            check_laws(model.as_ref(), Bounds::UNLIMITED);
        }
    }
}

#[test]
fn too_little_history_is_refused_in_numbers() {
    for (n, kind, need) in [
        (1, ModelKind::Auto, 10),
        (2, ModelKind::SeasonalNaive, 10),
        (9, ModelKind::Auto, 10),
        (59, ModelKind::Mstl, 60),
    ] {
        let values = (0..n).map(f64::from);
        let history = History::from_samples(&every_minute(values), step()).unwrap();
        let got = usize::try_from(n).unwrap();
        let refusal = fit(&history, &settings(kind, None, Bounds::UNLIMITED)).err();
        assert_eq!(refusal, Some(FitError::NotEnoughHistory { got, need }));
    }
}

#[test]
fn a_season_longer_than_the_history_falls_back_or_is_refused() {
    let values = (0..400).map(|i| f64::from(i % 7));
    let history = History::from_samples(&every_minute(values), step()).unwrap();
    let seasons = Some(&[1_440, u64::MAX][..]);
    let got = |kind| fit(&history, &settings(kind, seasons, WITHIN)).map(|m| m.model());
    let refusal = FitError::NotEnoughHistory {
        got: 400,
        need: 2_880,
    };
    assert_eq!(got(ModelKind::Mstl), Err(refusal));
    assert_eq!(got(ModelKind::Auto), Ok("seasonal_naive"));
}

#[test]
fn a_ripple_on_a_very_large_level_is_still_seen() {
    let ripple = |i: i32| 1e12 + 1e3 * (f64::from(i) * std::f64::consts::TAU / 24.0).sin();
    let history = History::from_samples(&every_minute((0..480).map(ripple)), step()).unwrap();
    let model = fit(
        &history,
        &settings(ModelKind::Mstl, Some(&[24]), Bounds::UNLIMITED),
    )
    .unwrap();
    for ahead in 1..=24 {
        let at = model.origin() + Duration::from_mins(1) * ahead;
        let median = model.predict(at).quantile(Quantile::MEDIAN);
        let expect = ripple(479 + i32::try_from(ahead).unwrap());
        assert!(
            (median - expect).abs() < 100.0,
            "{ahead}: {}",
            median - expect
        );
    }
}

#[test]
fn a_leak_without_seasons_goes_on_leaking() {
    let leak = |i: i32| 2e8 + 1e5 * f64::from(i) + 3e5 * f64::from(i * 7_919 % 13);
    let history = History::from_samples(&every_minute((0..1_000).map(leak)), step()).unwrap();
    let model = fit(
        &history,
        &settings(ModelKind::Auto, None, Bounds::UNLIMITED),
    )
    .unwrap();
    let in_an_hour = model.predict(model.origin() + Duration::from_hours(1));
    let relative = (in_an_hour.quantile(Quantile::MEDIAN) - leak(999)) / (60.0 * 1e5);
    assert!((0.5..1.5).contains(&relative), "{relative}");
}

#[test]
fn a_sample_at_or_before_the_origin_is_refused() {
    let history = History::from_samples(&every_minute([1.0, 2.0].repeat(10)), step()).unwrap();
    let mut model = fit(&history, &settings(ModelKind::Auto, None, WITHIN)).unwrap();
    let refusal = |at| UpdateError::NotAfterOrigin {
        at,
        origin: 1_140_000,
    };
    assert_eq!(model.update(sample(19, 1.0)), Err(refusal(1_140_000)));
    assert_eq!(model.update(sample(0, 1.0)), Err(refusal(0)));
    assert_eq!(model.update(sample(20, 1.0)), Ok(()));
}

#[test]
fn a_series_without_any_value_makes_no_history() {
    for values in [vec![], vec![f64::NAN; 50], vec![f64::INFINITY; 50]] {
        let got = History::from_samples(&every_minute(values), step());
        assert_eq!(got, Err(HistoryError::Empty));
    }
}

#[test]
fn after_a_gap_longer_than_the_history_forecasts_still_keep_the_laws() {
    let values = (0..300).map(|i| f64::from(i % 24));
    check(&every_minute(values), Some(&[24]), Bounds::UNLIMITED);
}

fn nasty_value() -> impl Strategy<Value = f64> {
    prop_oneof![
        6 => -10.0..10.0,
        1 => prop::sample::select(vec![
            f64::NAN, f64::INFINITY, f64::NEG_INFINITY, 1e300, -1e300, 1e-300, 5e-324, f64::MAX, f64::MIN, 0.0, -0.0,
        ]),
        1 => (1e12 - 1e3)..(1e12 + 1e3),
    ]
}

/// Values that a real series might hold: a level, a season, noise; now and then something nasty.
fn plausible() -> impl Strategy<Value = Vec<f64>> {
    let shape = (2..40_usize, -1e3..1e3, 0.0..1e3, 1e-3..1e6);
    let extras = prop::collection::vec((0.0..1.0, nasty_value()), 60..300);
    (shape, extras).prop_map(|((season, level, amplitude, unit), extras)| {
        let value = |(idx, (dice, nasty)): (usize, (f64, f64))| {
            let phase = (idx % season) as f64 / season as f64;
            if dice < 0.05 {
                nasty
            } else {
                unit * (level + amplitude * phase + dice)
            }
        };
        extras.into_iter().enumerate().map(value).collect()
    })
}

fn bounds() -> impl Strategy<Value = Bounds> {
    prop_oneof![
        Just(Bounds::UNLIMITED),
        Just(WITHIN),
        Just(Bounds {
            lower: 0.0,
            upper: f64::INFINITY
        }),
    ]
}

fn seasons() -> impl Strategy<Value = Option<Vec<u64>>> {
    prop::option::of(prop::collection::vec(
        prop_oneof![0..60_u64, Just(1_440), Just(u64::MAX)],
        0..6,
    ))
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 96, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn forecasts_of_anything_keep_the_laws(
        values in prop_oneof![prop::collection::vec(nasty_value(), 1..120), plausible()],
        seasons in seasons(),
        bounds in bounds(),
    ) {
        let samples = every_minute(values);
        if samples.iter().any(|s| s.value.is_finite()) {
            check(&samples, seasons.as_deref(), bounds);
        }
    }

    #[test]
    fn samples_at_any_times_make_a_history_or_an_error(
        times in prop::collection::vec(
            prop_oneof![0..5_000_i64, Just(i64::MAX), Just(i64::MIN), Just(10_000_000_000)],
            0..20,
        ),
        millis in prop_oneof![1..100_000_u64, Just(u64::MAX)],
    ) {
        let at = |millis: &i64| Sample { at: Timestamp::from_millis(*millis), value: 1.0 };
        let samples: Vec<Sample> = times.iter().map(at).collect();
        let ascending = times.windows(2).all(|pair| pair[0] < pair[1]);
        let history = History::from_samples(&samples, Step::new(Duration::from_millis(millis)).unwrap());
        match history {
            Ok(history) => {
                prop_assert!(ascending);
                prop_assert!(history.values().len() <= History::MAX_CELLS && history.n_finite() > 0);
            }
            Err(HistoryError::Unsorted { .. }) => prop_assert!(!ascending),
            Err(HistoryError::Empty) => prop_assert!(times.is_empty()),
            Err(HistoryError::TooLong { .. }) => prop_assert!(ascending),
        }
    }
}
