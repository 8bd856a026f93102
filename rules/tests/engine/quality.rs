//! How good forecasts have been, as series beside them.

use crate::world::{LOAD, NOW, World, at, engine, evaluate, load, online, value};
use rules::{Engine, Meaning, Predicted};

fn of(engine: &Engine<World>, now: i64, meaning: Meaning) -> Vec<Predicted> {
    let predictions = engine.predictions(at(now)).into_iter();
    predictions.filter(|p| p.meaning == meaning).collect()
}

/// Ten values that follow no order a model could see.
fn ripple(t: i64) -> f64 {
    (t / 600 * 7_919 % 10) as f64 / 5.0
}

const FIRST: i64 = NOW;
const LAST: i64 = NOW + 60 * 600;

/// Evaluated at each step from the first to the last.
async fn observed(world: &World, rule: &str) -> Engine<World> {
    let engine = engine(world, &[rule]);
    for now in (FIRST..=LAST).step_by(600) {
        let figures = evaluate(&engine, now).await;
        assert_eq!(figures.samples, engine.predictions(at(now)).len());
    }
    engine
}

#[tokio::test]
async fn each_horizon_is_judged_once_enough_of_its_forecasts_came_due() {
    let world = World::default();
    world.add("load", &[], |t| Some(load(t) + ripple(t)));
    let engine = observed(&world, &online()).await;
    let named = |meaning| {
        let of_meaning = of(&engine, LAST, meaning).into_iter();
        let labels = of_meaning.map(|p| p.labels.to_string());
        labels.collect::<Vec<_>>()
    };
    let labels = r#"{app="none",cluster="eu",horizon="30m"}"#;
    let banded = labels.replace(",cluster", ",band=\"BAND\",cluster");
    let coverage = |band: &str| {
        format!(
            "shop:load:forecast_coverage_ratio{}",
            banded.replace("BAND", band)
        )
    };
    // Of forecasts six hours ahead, too few have come due.
    assert_eq!(
        named(Meaning::Coverage),
        [coverage("0.8"), coverage("0.95")]
    );
    let mase = format!("shop:load:forecast_mase_ratio{labels}");
    assert_eq!(named(Meaning::Mase), [mase.as_str()]);
    assert!((0.0..2.0).contains(&value(&engine, LAST, &mase)));
    assert!(value(&engine, LAST, &coverage("0.95")) > 0.7);
    // Whoever acts on the forecast for six hours is told of the furthest that is known.
    let hours = std::time::Duration::from_hours;
    let standing = |length| engine.standing_within("shop:load", &[], hours(length), at(LAST));
    let known = standing(6).unwrap();
    assert_eq!(known, standing(0).unwrap());
    assert!((known.mase.unwrap() - value(&engine, LAST, &mase)).abs() < 1e-12);
    assert_eq!(
        engine.standing_within("other", &[], hours(6), at(LAST)),
        None
    );
}

#[tokio::test]
async fn a_load_that_turns_to_noise_is_foreseen_badly_and_called_unusual() {
    let world = World::default();
    let wild = |t: i64| (t / 600 * 7_919 % 1_000) as f64;
    world.add("load", &[], move |t| {
        Some(if t > FIRST {
            wild(t)
        } else {
            load(t) + wild(t) / 500.0
        })
    });
    let engine = observed(&world, &online()).await;
    let mase = r#"shop:load:forecast_mase_ratio{app="none",cluster="eu",horizon="30m"}"#;
    assert!(value(&engine, LAST, mase) > 5.0);
    let coverage =
        r#"shop:load:forecast_coverage_ratio{app="none",band="0.95",cluster="eu",horizon="30m"}"#;
    assert!(value(&engine, LAST, coverage) < 0.95);
    let score = r#"shop:load:anomaly_score{app="none",cluster="eu"}"#;
    assert!(value(&engine, LAST, score) >= 0.0);
}

#[tokio::test]
async fn an_outlier_is_scored_at_once() {
    let world = World::default();
    world.add("load", &[], move |t| {
        Some(if t == LAST {
            500.0
        } else {
            load(t) + ripple(t)
        })
    });
    let engine = observed(&world, &online()).await;
    let score = r#"shop:load:anomaly_score{app="none",cluster="eu"}"#;
    assert!(value(&engine, LAST, score) > 1.0);
    assert!(
        value(&engine, LAST + 100, score) > 1.0,
        "as long as the forecasts are served"
    );
    assert_eq!(of(&engine, LAST + 121, Meaning::Anomaly), []);
}

#[tokio::test]
async fn models_that_do_not_judge_have_no_score_and_a_refit_keeps_the_record() {
    let world = World::default();
    world.add("load", &[], |t| {
        (t > FIRST - 86_400).then(|| load(t) + (t / 600 * 7_919 % 10) as f64)
    });
    let engine = observed(&world, LOAD).await;
    assert_eq!(of(&engine, LAST, Meaning::Anomaly), []);
    assert_eq!(of(&engine, LAST, Meaning::Mase).len(), 1);
    // A day of history doubles after 144 steps, and the series is fitted again.
    world.asked();
    let mut n_asked = 0;
    for now in (LAST + 600..LAST + 100 * 600).step_by(600) {
        evaluate(&engine, now).await;
        n_asked = n_asked.max(world.asked().len());
        assert!(!of(&engine, now, Meaning::Mase).is_empty(), "at {now}");
    }
    assert!(n_asked > 1, "it was never fitted again");
}

#[tokio::test]
async fn an_input_s_band_is_kept_as_exported_band() {
    let world = World::default();
    world.add("load", &[("band", "5ghz")], |t| Some(load(t)));
    let engine = engine(&world, &[&online()]);
    evaluate(&engine, NOW).await;
    let predictions = engine.predictions(at(NOW));
    assert!(!predictions.is_empty());
    assert!(
        predictions
            .iter()
            .all(|p| p.labels.get("exported_band") == "5ghz")
    );
}
