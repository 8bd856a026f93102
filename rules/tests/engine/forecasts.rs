//! What forecast rules give, and what they ask for it.

use crate::world::{LOAD, NOW, World, at, engine, evaluate, load, options, seconds, value};
use rules::Engine;
use series::Quantile;
use std::time::Duration;

#[tokio::test]
async fn the_gauge_holds_what_will_be() {
    let world = World::with_load();
    let engine = engine(&world, &[LOAD]);
    let figures = evaluate(&engine, NOW).await;
    assert_eq!((figures.series, figures.samples), (1, 6));
    for horizon in ["30m", "6h"] {
        let expect = load(NOW + seconds(horizon));
        let median = format!(
            r#"shop:load:forecast{{app="shop",cluster="eu",horizon="{horizon}",quantile="0.5"}}"#
        );
        let got = value(&engine, NOW, &median);
        assert!(
            (got - expect).abs() < 2.0,
            "{got} at {horizon}, not {expect}"
        );
    }
}

#[tokio::test]
async fn predictions_are_sorted_and_quantiles_never_cross() {
    let world = World::with_load();
    world.add("load", &[("app", "blog")], |t| {
        Some((load(t) * 7.3).fract())
    });
    let engine = engine(&world, &[LOAD]);
    evaluate(&engine, NOW).await;
    let predictions = engine.predictions(at(NOW));
    assert_eq!(predictions.len(), 12);
    assert!(predictions.is_sorted_by(|a, b| a.labels < b.labels));
    for quantiles in predictions.chunks(3) {
        assert!(
            quantiles.is_sorted_by(|a, b| a.value <= b.value),
            "{quantiles:?}"
        );
    }
}

#[tokio::test]
async fn history_is_read_once_and_then_only_what_is_new() {
    let world = World::with_load();
    let engine = engine(&world, &[LOAD]);
    evaluate(&engine, NOW).await;
    let start = NOW - 4 * 86_400 + 600;
    assert_eq!(
        world.asked(),
        [format!("load at {NOW}"), format!("load {start}..{NOW}/10m")]
    );
    evaluate(&engine, NOW + 60).await;
    assert_eq!(world.asked(), [format!("load {NOW}..{NOW}/10m")]);
    let figures = evaluate(&engine, NOW + 1_260).await;
    assert_eq!(figures.oldest_origin, Some(at(NOW + 1_200)));
    assert_eq!(world.asked(), [format!("load {NOW}..{}/10m", NOW + 1_200)]);
    let origin = engine.status(at(NOW + 1_260))[0].oldest_origin;
    assert_eq!(origin, Some(at(NOW + 1_200)));
}

#[tokio::test]
async fn after_a_silence_longer_than_the_history_all_begins_anew() {
    let world = World::with_load();
    let engine = engine(&world, &[LOAD]);
    evaluate(&engine, NOW).await;
    world.asked();
    let later = NOW + 5 * 86_400;
    evaluate(&engine, later).await;
    assert_eq!(world.asked()[0], format!("load at {later}"));
    assert_eq!(engine.status(at(later))[0].oldest_origin, Some(at(later)));
}

#[tokio::test]
async fn queries_look_back_by_the_offset_but_horizons_count_from_now() {
    let world = World::with_load();
    let text = format!("groups: [{{name: g, query_offset: 10m, rules: [{{{LOAD}}}]}}]");
    let groups = rules::parse("r.yml", &text).unwrap();
    let engine = Engine::new(world.clone(), groups, options(), None);
    evaluate(&engine, NOW).await;
    assert_eq!(world.asked()[0], format!("load at {}", NOW - 600));
    let foreseen = engine
        .foreseen("shop:load", &[], Quantile::MEDIAN, at(NOW))
        .unwrap();
    assert_eq!(foreseen.at, at(NOW + seconds("6h")));
}

#[tokio::test]
async fn a_demand_is_asked_for_no_further_ahead_than_it_takes_to_act() {
    let world = World::with_load();
    let engine = engine(&world, &[LOAD]);
    evaluate(&engine, NOW).await;
    let level = Quantile::new(0.95).unwrap();
    let ask = |within: u64| {
        let ahead = (level, Duration::from_secs(within));
        let foreseen = engine.foreseen_within("shop:load", &[], ahead, at(NOW));
        foreseen.unwrap()
    };
    let all = engine.foreseen("shop:load", &[], level, at(NOW)).unwrap();
    for near in [1, 1_800] {
        assert_eq!(ask(near).at, at(NOW + seconds("30m")));
    }
    assert_ne!(ask(1), all);
    for far in [1_801, 365 * 86_400] {
        assert_eq!(ask(far), all);
    }
}

#[tokio::test]
async fn gaps_and_values_that_are_no_numbers_are_lived_with() {
    let world = World::default();
    world.add("load", &[], |t| match (t / 600) % 10 {
        3 => None,
        5 => Some(f64::NAN),
        7 => Some(f64::INFINITY),
        _ => Some(load(t)),
    });
    let engine = engine(&world, &[LOAD]);
    for minute in 0..40 {
        let now = NOW + 60 * minute;
        let figures = evaluate(&engine, now).await;
        assert_eq!(figures.failed_fits, 0);
        let predictions = engine.predictions(at(now));
        assert!(
            predictions.iter().all(|p| p.value.is_finite()),
            "{predictions:?}"
        );
    }
}

#[tokio::test]
async fn a_clock_that_is_set_back_does_no_harm() {
    let world = World::with_load();
    let engine = engine(&world, &[LOAD]);
    evaluate(&engine, NOW).await;
    assert_eq!(evaluate(&engine, NOW - 3_600).await.series, 1);
    assert_eq!(evaluate(&engine, NOW + 600).await.series, 1);
    let origin = engine.status(at(NOW + 600))[0].oldest_origin;
    assert_eq!(origin, Some(at(NOW + 600)));
}

#[tokio::test]
async fn the_largest_value_over_the_horizons_is_foreseen() {
    let world = World::with_load();
    let engine = engine(&world, &[LOAD]);
    let shop = [("app".to_owned(), "shop".to_owned())];
    let ask = |now| engine.foreseen("shop:load", &shop, Quantile::MEDIAN, at(now));
    assert_eq!(ask(NOW), None);
    evaluate(&engine, NOW).await;
    let foreseen = ask(NOW).unwrap();
    assert_eq!(foreseen.horizon.get().as_secs(), 6 * 3_600);
    assert_eq!(foreseen.at, at(NOW + 6 * 3_600));
    assert!((foreseen.value - 120.0).abs() < 2.0, "{foreseen:?}");
    assert!((foreseen.current - load(NOW)).abs() < 1e-9, "{foreseen:?}");
    assert_eq!(ask(NOW + 121), None);
}

#[tokio::test]
async fn nothing_is_foreseen_for_none_or_several_series() {
    let world = World::with_load();
    world.add("load", &[("app", "shop"), ("zone", "b")], |t| Some(load(t)));
    let engine = engine(&world, &[LOAD]);
    evaluate(&engine, NOW).await;
    let ask = |name: &str, pairs: &[(&str, &str)]| {
        let pairs: Vec<_> = pairs
            .iter()
            .map(|(n, v)| ((*n).to_owned(), (*v).to_owned()))
            .collect();
        engine
            .foreseen(name, &pairs, Quantile::MEDIAN, at(NOW))
            .is_some()
    };
    assert!(ask("shop:load", &[("zone", "b")]));
    assert!(ask("shop:load", &[("zone", "")]));
    assert!(!ask("shop:load", &[("app", "shop")]));
    assert!(!ask("shop:load", &[("app", "blog")]));
    assert!(!ask("other", &[("zone", "b")]));
}
