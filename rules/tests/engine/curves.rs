//! Curves of the future.

use crate::world::{LOAD, NOW, World, at, engine, evaluate, load, value};
use rules::{CurveError, Engine};
use series::{MatchOp, Matcher, Selector, Series, Timestamp, is_stale_marker};

const EVER: (Timestamp, Timestamp) = (
    Timestamp::from_millis(i64::MIN / 2),
    Timestamp::from_millis(i64::MAX / 2),
);

fn select(matchers: &[(&str, MatchOp, &str)]) -> Selector {
    let matcher = |(name, op, value): &(&str, MatchOp, &str)| Matcher::new(*op, *name, *value);
    Selector::new(matchers.iter().map(|m| matcher(m).unwrap()))
}

fn curves(engine: &Engine<World>, now: i64) -> Vec<Series> {
    engine
        .curves(&Selector::default(), EVER.0, EVER.1, at(now))
        .unwrap()
}

async fn evaluated(world: &World) -> Engine<World> {
    let engine = engine(world, &[LOAD]);
    evaluate(&engine, NOW + 30).await;
    engine
}

#[tokio::test]
async fn a_curve_runs_from_now_to_the_longest_horizon_and_ends_cleanly() {
    let engine = evaluated(&World::with_load()).await;
    let curves = curves(&engine, NOW + 30);
    assert_eq!(curves.len(), 3);
    let expect =
        r#"shop:load:forecast_curve{app="shop",cluster="eu",quantile="0.5",source="foreshadow"}"#;
    assert_eq!(curves[1].labels.to_string(), expect);
    let samples = &curves[1].samples;
    assert_eq!(samples.len(), 362);
    assert!(
        samples
            .windows(2)
            .all(|w| w[1].at.since(w[0].at).as_secs() == 60)
    );
    assert_eq!(samples[0].at, at(NOW), "a query of now finds a sample");
    let (marker, forecasts) = samples.split_last().unwrap();
    assert_eq!(marker.at, at(NOW + 6 * 3_600 + 60));
    assert!(is_stale_marker(marker.value));
    for sample in forecasts {
        let expect = load(sample.at.as_millis() / 1_000);
        assert!(
            (sample.value - expect).abs() < 2.0,
            "{sample:?}, not {expect}"
        );
    }
}

#[tokio::test]
async fn a_curve_passes_through_the_gauge() {
    let engine = engine(&World::with_load(), &[LOAD]);
    evaluate(&engine, NOW).await;
    let gauge = r#"shop:load:forecast{app="shop",cluster="eu",horizon="6h",quantile="0.9"}"#;
    let gauge = value(&engine, NOW, gauge);
    let curve = &curves(&engine, NOW)[2];
    let there = curve
        .samples
        .iter()
        .find(|s| s.at == at(NOW + 6 * 3_600))
        .unwrap();
    assert!(
        (there.value - gauge).abs() < 1e-9,
        "{} {gauge}",
        there.value
    );
}

#[tokio::test]
async fn a_part_of_a_curve_is_the_same_as_in_the_whole() {
    let engine = evaluated(&World::with_load()).await;
    let whole = curves(&engine, NOW + 30);
    let part = |start, end| engine.curves(&Selector::default(), at(start), at(end), at(NOW + 30));
    let some = part(NOW + 601, NOW + 1_200).unwrap();
    assert_eq!(some[0].samples, whole[0].samples[11..21]);
    let one = part(NOW + 660, NOW + 660).unwrap();
    assert_eq!(one[0].samples, whole[0].samples[11..12]);
    let present = part(NOW - 600, NOW + 59).unwrap();
    assert_eq!(present[0].samples, whole[0].samples[..1]);
    for (start, end) in [
        (NOW - 600, NOW - 1),
        (NOW + 22_000, NOW + 30_000),
        (NOW + 100, NOW + 90),
    ] {
        let none = part(start, end).unwrap();
        assert!(none.iter().all(|s| s.samples.is_empty()), "{start}..{end}");
    }
}

#[tokio::test]
async fn before_its_evaluation_a_curve_shows_the_values_foreseen_until_then() {
    let engine = engine(&World::with_load(), &[LOAD]);
    for step in 0..40 {
        evaluate(&engine, NOW + 600 * step).await;
    }
    let now = NOW + 600 * 39;
    let whole = &curves(&engine, now)[1];
    let (first, last) = (whole.samples[0], whole.samples[whole.samples.len() - 1]);
    // Curves are issued every ninety minutes, five are kept, and no more is shown than the longest horizon.
    assert_eq!(
        (first.at, last.at),
        (at(now - 6 * 3_600), at(now + 6 * 3_600 + 60))
    );
    let is_whole = |pair: &[series::Sample]| pair[1].at.since(pair[0].at).as_secs() == 60;
    assert!(whole.samples.windows(2).all(is_whole));
    let origin = [Matcher::new(MatchOp::Equal, "origin", "1972-09-27T06:00:00Z").unwrap()];
    let issued = engine.curves(&Selector::new(origin), EVER.0, EVER.1, at(now));
    let until_now = &issued.unwrap()[1].samples[..29];
    let mut shown = whole.samples.iter();
    shown
        .find(|sample| sample.at == at(NOW + 6 * 3_600))
        .unwrap();
    assert!(shown.zip(until_now).all(|(shown, issued)| shown == issued));
}

#[tokio::test]
async fn the_past_of_a_curve_ends_where_nothing_was_foreseen() {
    let engine = engine(&World::with_load(), &[LOAD]);
    evaluate(&engine, NOW).await;
    let later = NOW + 24 * 3_600;
    evaluate(&engine, later).await;
    evaluate(&engine, later + 3_600).await;
    let begin = |now| curves(&engine, now)[1].samples[0].at;
    assert_eq!(
        begin(later + 3_600),
        at(later + 60),
        "the day before is not bridged"
    );
}

#[tokio::test]
async fn selectors_pick_exactly() {
    let world = World::with_load();
    world.add("load", &[("app", "blog")], |t| Some(load(t)));
    let engine = evaluated(&world).await;
    let picked = |matchers: &[(&str, MatchOp, &str)]| {
        let (selector, now) = (select(matchers), at(NOW + 30));
        let curves = engine.curves(&selector, EVER.0, EVER.1, now).unwrap();
        let labels = engine.curve_labels(&selector, now);
        assert!(labels.is_sorted());
        assert_eq!(
            labels,
            curves.into_iter().map(|s| s.labels).collect::<Vec<_>>()
        );
        labels.len()
    };
    assert_eq!(picked(&[]), 6);
    assert_eq!(
        picked(&[("__name__", MatchOp::Equal, "shop:load:forecast_curve")]),
        6
    );
    assert_eq!(
        picked(&[("__name__", MatchOp::Equal, "shop:load:forecast")]),
        0
    );
    assert_eq!(picked(&[("__name__", MatchOp::Regex, "shop:.*")]), 6);
    assert_eq!(picked(&[("__name__", MatchOp::NotRegex, "shop:.*")]), 0);
    assert_eq!(picked(&[("app", MatchOp::Equal, "blog")]), 3);
    assert_eq!(
        picked(&[
            ("app", MatchOp::NotEqual, "blog"),
            ("quantile", MatchOp::Equal, "0.5")
        ]),
        1
    );
    assert_eq!(picked(&[("source", MatchOp::Equal, "foreshadow")]), 6);
    assert_eq!(picked(&[("source", MatchOp::Equal, "")]), 0);
}

#[tokio::test]
async fn a_stale_rule_has_no_curve() {
    let world = World::with_load();
    let fresh = engine(&world, &[LOAD]);
    assert_eq!(curves(&fresh, NOW), []);
    evaluate(&fresh, NOW).await;
    assert_eq!(curves(&fresh, NOW + 120).len(), 3);
    assert_eq!(curves(&fresh, NOW + 121), []);
}

#[tokio::test]
async fn more_samples_than_memory_should_hold_are_refused_before_any_is_made() {
    let world = World::with_load();
    for n in 0..10 {
        world.add("load", &[("n", &n.to_string())], |t| Some(load(t)));
    }
    let engine = evaluated(&world).await;
    let refused = engine.curves(&Selector::default(), EVER.0, EVER.1, at(NOW + 30));
    let (wanted, limit) = (11 * 3 * 362, 10_000);
    assert_eq!(refused, Err(CurveError::TooManySamples { wanted, limit }));
    let less = engine.curves(&Selector::default(), at(NOW), at(NOW + 3_600), at(NOW + 30));
    assert_eq!(less.unwrap().len(), 33);
}
