//! Curves as they were issued at earlier evaluations.

use crate::world::{LOAD, NOW, World, at, engine, engine_after, evaluate, load, online};
use rules::Engine;
use series::{MatchOp, Matcher, Selector, Series, Timestamp, is_stale_marker};

const EVER: (Timestamp, Timestamp) = (
    Timestamp::from_millis(i64::MIN),
    Timestamp::from_millis(i64::MAX),
);

/// Of the median alone.
fn curves(engine: &Engine<World>, op: MatchOp, origin: &str, now: i64) -> Vec<Series> {
    let matchers = [
        Matcher::new(MatchOp::Equal, "quantile", "0.5").unwrap(),
        Matcher::new(op, "origin", origin).unwrap(),
    ];
    let selector = Selector::new(matchers);
    let curves = engine.curves(&selector, EVER.0, EVER.1, at(now)).unwrap();
    let labels = engine.curve_labels(&selector, at(now));
    assert_eq!(
        labels,
        curves.iter().map(|s| s.labels.clone()).collect::<Vec<_>>()
    );
    curves
}

/// Markers are no numbers, and so never equal to one another.
fn text(series: &[Series]) -> String {
    format!("{series:?}")
}

fn origins(series: &[Series]) -> Vec<&str> {
    series.iter().map(|s| s.labels.get("origin")).collect()
}

/// An engine that was evaluated every ten minutes for so long, from `NOW` on.
async fn evaluated(rule: &str, n_steps: i64) -> Engine<World> {
    let engine = engine(&World::with_load(), &[rule]);
    for step in 0..n_steps {
        evaluate(&engine, NOW + 600 * step).await;
    }
    engine
}

const FIRST: &str = "1972-09-27T00:00:00Z";

#[tokio::test]
async fn a_curve_stays_what_it_was_when_it_was_issued() {
    let engine = evaluated(LOAD, 1).await;
    let live = curves(&engine, MatchOp::Equal, "", NOW).remove(0);
    for step in 1..30 {
        evaluate(&engine, NOW + 600 * step).await;
    }
    let now = NOW + 600 * 29;
    let issued = curves(&engine, MatchOp::Equal, FIRST, now).remove(0);
    assert_eq!(issued.labels, live.labels.with("origin", FIRST));
    assert_eq!(issued.samples.len() + 1, live.samples.len());
    let (issued_end, live_end) = (issued.samples.last().unwrap(), live.samples.last().unwrap());
    assert!(is_stale_marker(issued_end.value) && issued_end.at == live_end.at);
    let pairs = issued.samples.iter().zip(&live.samples[1..]).take(360);
    for (then, expect) in pairs {
        assert_eq!(then.at, expect.at);
        assert!(
            (then.value - expect.value).abs() < 0.3,
            "{then:?} {expect:?}"
        );
    }
    let after = curves(&engine, MatchOp::Equal, "", now).remove(0);
    assert!(
        after.samples[0].at > live.samples[0].at,
        "the live one went on"
    );
}

#[tokio::test]
async fn only_who_asks_for_origins_gets_them() {
    let engine = evaluated(LOAD, 30).await;
    let now = NOW + 600 * 29;
    let all = engine
        .curves(&Selector::default(), EVER.0, EVER.1, at(now))
        .unwrap();
    assert_eq!(origins(&all), ["", "", ""]);
    let picked = |op, origin| origins(&curves(&engine, op, origin, now)).len();
    // Every ninety minutes within not quite five hours.
    assert_eq!(picked(MatchOp::Regex, ".+"), 4);
    assert_eq!(picked(MatchOp::Regex, ".*"), 5);
    assert_eq!(picked(MatchOp::Regex, "1972-09-27T0[13].*"), 2);
    assert_eq!(picked(MatchOp::NotRegex, "1972-09-27T0[13].*"), 3);
    assert_eq!(picked(MatchOp::Equal, ""), 1);
    assert_eq!(picked(MatchOp::NotEqual, ""), 4);
    assert_eq!(picked(MatchOp::NotEqual, FIRST), 4);
    assert_eq!(picked(MatchOp::Equal, "2000-01-01T00:00:00Z"), 0);
}

#[tokio::test]
async fn five_are_kept_a_quarter_of_the_horizon_apart() {
    let engine = evaluated(LOAD, 100).await;
    let issued = curves(&engine, MatchOp::NotEqual, "", NOW + 600 * 99);
    let expect = ["10:30", "12:00", "13:30", "15:00", "16:30"];
    assert_eq!(
        origins(&issued),
        expect.map(|time| format!("1972-09-27T{time}:00Z"))
    );
    let last_forecast = issued[0].samples.iter().rev().nth(1).unwrap().at;
    assert_eq!(last_forecast, at(NOW + 600 * 99), "one has come to its end");
}

#[tokio::test]
async fn an_input_with_an_origin_of_its_own_keeps_it_under_another_name() {
    let world = World::default();
    world.add("load", &[("origin", "eu")], |t| Some(load(t)));
    let engine = engine(&world, &[LOAD]);
    evaluate(&engine, NOW).await;
    let live = curves(&engine, MatchOp::Equal, "", NOW);
    assert_eq!(live[0].labels.get("exported_origin"), "eu");
}

#[tokio::test]
async fn a_part_of_an_issued_curve_is_the_same_as_in_the_whole() {
    let engine = evaluated(LOAD, 30).await;
    let now = NOW + 600 * 29;
    let whole = curves(&engine, MatchOp::Equal, FIRST, now).remove(0);
    let matchers = [("quantile", "0.5"), ("origin", FIRST)];
    let matchers = matchers.map(|(name, value)| Matcher::new(MatchOp::Equal, name, value).unwrap());
    let part = engine.curves(
        &Selector::new(matchers),
        at(NOW + 661),
        at(NOW + 1_200),
        at(now),
    );
    assert_eq!(part.unwrap()[0].samples, whole.samples[11..20]);
}

#[tokio::test]
async fn they_outlive_a_restart_but_not_other_quantiles() {
    let before = evaluated(&online(), 30).await;
    let now = NOW + 600 * 29;
    let file: Vec<u8> = before.savings(at(now)).remove(0).flatten().collect();
    let restored = |rule: &str| {
        let engine = engine(&World::with_load(), &[rule]);
        let restored = engine.restorings()[0].read(&file[..], at(now));
        assert!(restored.refused.is_empty(), "{restored:?}");
        engine
    };
    let issued = curves(&before, MatchOp::NotEqual, "", now);
    assert_eq!(issued.len(), 4);
    let after = restored(&online());
    let same = || {
        assert_eq!(
            text(&curves(&after, MatchOp::NotEqual, "", now)),
            text(&issued)
        );
    };
    same();
    evaluate(&after, now).await;
    same();
    let others = restored(&online().replace("[0.1, 0.5, 0.9]", "[0.2, 0.5, 0.9]"));
    assert_eq!(curves(&others, MatchOp::NotEqual, "", now), []);
}

#[tokio::test]
async fn they_outlive_a_reload() {
    let before = evaluated(LOAD, 30).await;
    let now = NOW + 600 * 29;
    let after = engine_after(&World::with_load(), &[LOAD], Some(&before));
    let [before, after] = [before, after].map(|e| text(&curves(&e, MatchOp::NotEqual, "", now)));
    assert_eq!(after, before);
}

#[tokio::test]
async fn after_a_reload_with_other_quantiles_none_is_taken_for_what_it_is_not() {
    let before = evaluated(LOAD, 30).await;
    let now = NOW + 600 * 29;
    let other = LOAD.replace("[0.1, 0.5, 0.9]", "[0.5, 0.9]");
    assert_ne!(other, LOAD);
    let after = engine_after(&World::with_load(), &[&other], Some(&before));
    evaluate(&after, now).await;
    assert_eq!(curves(&after, MatchOp::Equal, "", now).len(), 1);
    assert_eq!(curves(&after, MatchOp::NotEqual, "", now), []);
    evaluate(&after, NOW + 600 * 36).await;
    let issued = curves(&after, MatchOp::NotEqual, "", NOW + 600 * 36);
    assert_eq!(origins(&issued), ["1972-09-27T06:00:00Z"]);
}
