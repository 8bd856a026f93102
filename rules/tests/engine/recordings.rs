//! Recording rules.

use crate::world::{LOAD, NOW, World, at, engine, evaluate, outcome, value};
use rules::FailureReason;

const TOTAL: &str = "record: 'shop:total', expr: sum, labels: {team: web, app: all}";

#[tokio::test]
async fn a_recording_has_its_own_name_and_labels() {
    let world = World::default();
    world.add(
        "sum",
        &[("__name__", "x"), ("app", "shop"), ("horizon", "1h")],
        |_| Some(7.0),
    );
    let engine = engine(&world, &[TOTAL]);
    let figures = evaluate(&engine, NOW + 7).await;
    assert_eq!((figures.series, figures.samples), (1, 1));
    assert_eq!(world.asked(), [format!("sum at {}", NOW + 7)]);
    let expect = r#"shop:total{app="all",cluster="eu",horizon="1h",team="web"}"#;
    assert!((value(&engine, NOW + 7, expect) - 7.0).abs() < 1e-9);
}

#[tokio::test]
async fn the_rule_s_labels_may_make_series_alike() {
    let world = World::default();
    for app in ["shop", "blog"] {
        world.add("sum", &[("app", app)], |_| Some(1.0));
    }
    let engine = engine(&world, &[TOTAL]);
    let report = engine.evaluate(0, crate::world::at(NOW)).await;
    let failure = outcome(report).unwrap_err();
    assert_eq!(failure.reason, FailureReason::DuplicateSeries);
}

#[tokio::test]
async fn a_recording_is_limited_too() {
    let world = World::default();
    for n in 0..51 {
        world.add("sum", &[("n", &n.to_string())], |_| Some(1.0));
    }
    let engine = engine(&world, &["record: x, expr: sum"]);
    let failure = outcome(engine.evaluate(0, crate::world::at(NOW)).await).unwrap_err();
    assert_eq!(
        failure.to_string(),
        "expression gives 51 series, limit is 50"
    );
}

#[tokio::test]
async fn a_recording_may_stand_beside_the_forecasts_of_its_name() {
    let record = "record: 'shop:load:forecast', expr: best, labels: {horizon: best}";
    let mut all = Vec::new();
    for rules in [[record, LOAD], [LOAD, record]] {
        let world = World::with_load();
        world.add("best", &[("app", "shop")], |_| Some(1.5));
        let engine = engine(&world, &rules);
        engine.evaluate(0, at(NOW)).await;
        let series = r#"shop:load:forecast{app="shop",cluster="eu",horizon="best"}"#;
        assert!((value(&engine, NOW, series) - 1.5).abs() < 1e-12);
        let labels = engine.predictions(at(NOW)).into_iter().map(|p| p.labels);
        all.push(labels.collect::<Vec<_>>());
    }
    assert_eq!((all[0].len(), &all[0]), (7, &all[1]));
    assert!(all[0].is_sorted());
}
