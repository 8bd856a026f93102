//! Prometheus away, wrong, or giving too much.

use crate::world::{LOAD, NOW, World, at, engine, evaluate, outcome, unavailable};
use prometheus_api::Reason;
use rules::FailureReason;

const TOTAL: &str = "record: total, expr: sum";

fn fail(world: &World, expr: &str) {
    world.inner().failing.insert(expr.to_owned(), unavailable);
}

#[tokio::test]
async fn fifty_thousand_series_are_refused_before_their_history_is_read() {
    let world = World::default();
    for n in 0..50_000 {
        world.add("load", &[("n", &n.to_string())], |t| Some(load_of(t)));
    }
    let engine = engine(&world, &[LOAD]);
    let failure = outcome(engine.evaluate(0, at(NOW)).await).unwrap_err();
    assert_eq!(
        failure.to_string(),
        "expression gives 50000 series, limit is 50"
    );
    assert_eq!(failure.reason, FailureReason::Query(Reason::TooManySeries));
    assert_eq!(world.asked(), [format!("load at {NOW}")]);
    assert_eq!(engine.predictions(at(NOW)), []);
}

fn load_of(t: i64) -> f64 {
    crate::world::load(t)
}

#[tokio::test]
async fn series_beyond_the_limit_are_refused_later_on_too() {
    let world = World::with_load();
    let engine = engine(&world, &[LOAD]);
    evaluate(&engine, NOW).await;
    for n in 0..50 {
        world.add("load", &[("n", &n.to_string())], |t| Some(load_of(t)));
    }
    let failure = outcome(engine.evaluate(0, at(NOW + 60)).await).unwrap_err();
    assert_eq!(
        failure.to_string(),
        "expression gives 51 series, limit is 50"
    );
}

#[tokio::test]
async fn one_rule_that_fails_does_not_stop_the_others() {
    let world = World::with_load();
    world.add("sum", &[], |_| Some(1.0));
    fail(&world, "load");
    let engine = engine(&world, &[LOAD, TOTAL]);
    let report = engine.evaluate(0, at(NOW)).await;
    let failure = report.rules[0].outcome.clone().unwrap_err();
    assert_eq!(failure.reason.as_str(), "server_error");
    assert_eq!(
        failure.to_string(),
        "Prometheus failed with status 503: starting"
    );
    assert_eq!(report.rules[1].outcome.as_ref().unwrap().series, 1);
    assert_eq!(engine.predictions(at(NOW)).len(), 1);
}

#[tokio::test]
async fn old_predictions_are_served_for_two_intervals_and_no_longer() {
    let world = World::with_load();
    let engine = engine(&world, &[LOAD]);
    evaluate(&engine, NOW).await;
    fail(&world, "load");
    for (now, n_served) in [(NOW + 60, 6), (NOW + 120, 6), (NOW + 180, 0)] {
        assert!(outcome(engine.evaluate(0, at(now)).await).is_err());
        assert_eq!(engine.predictions(at(now)).len(), n_served, "at {now}");
        let status = &engine.status(at(now))[0];
        assert_eq!(status.is_served, n_served > 0);
        assert_eq!(
            status.age.unwrap().as_secs(),
            u64::try_from(now - NOW).unwrap()
        );
        assert!(status.last_error.as_ref().unwrap().contains("starting"));
    }
}

#[tokio::test]
async fn what_was_missed_is_read_when_prometheus_is_back() {
    let world = World::with_load();
    let engine = engine(&world, &[LOAD]);
    evaluate(&engine, NOW).await;
    fail(&world, "load");
    for minute in 1..60 {
        engine.evaluate(0, at(NOW + 60 * minute)).await.rules[0]
            .outcome
            .as_ref()
            .unwrap_err();
    }
    world.inner().failing.clear();
    world.asked();
    evaluate(&engine, NOW + 3_600).await;
    assert_eq!(world.asked(), [format!("load {NOW}..{}/10m", NOW + 3_600)]);
    assert_eq!(engine.status(at(NOW + 3_600))[0].last_error, None);
}

#[tokio::test]
async fn half_a_fleet_is_not_taken_for_a_whole_one() {
    let world = World::with_load();
    world.add("sum", &[], |_| Some(1.0));
    world.inner().warnings = vec!["remote read failed".to_owned()];
    let engine = engine(&world, &[LOAD, TOTAL]);
    let report = engine.evaluate(0, at(NOW)).await;
    let failure = report.rules[0].outcome.clone().unwrap_err();
    assert_eq!(failure.reason, FailureReason::Partial);
    assert_eq!(
        failure.to_string(),
        "the answer may be partial: remote read failed"
    );
    let recorded = report.rules[1].outcome.as_ref().unwrap();
    assert_eq!(recorded.warnings, ["remote read failed"]);
}

#[tokio::test]
async fn series_that_differ_in_their_names_alone_are_refused() {
    let world = World::with_load();
    world.add("load", &[("__name__", "old_load"), ("app", "shop")], |t| {
        Some(load_of(t))
    });
    let engine = engine(&world, &[LOAD]);
    let failure = outcome(engine.evaluate(0, at(NOW)).await).unwrap_err();
    assert_eq!(failure.reason, FailureReason::DuplicateSeries);
    assert_eq!(
        failure.to_string(),
        r#"expression gives more than one series {app="shop",cluster="eu"} once their names are dropped"#
    );
}

#[tokio::test]
async fn a_metric_that_was_renamed_is_one_series() {
    let world = World::default();
    let renamed = NOW - 86_400;
    world.add("load", &[("__name__", "old"), ("a", "1")], move |t| {
        (t < renamed).then(|| load_of(t))
    });
    world.add("load", &[("__name__", "new"), ("a", "1")], move |t| {
        (t >= renamed).then(|| load_of(t))
    });
    let engine = engine(&world, &[LOAD]);
    let figures = evaluate(&engine, NOW).await;
    assert_eq!((figures.series, figures.samples), (1, 6));
}
