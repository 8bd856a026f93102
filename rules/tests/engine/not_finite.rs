//! Samples that are no numbers.

use crate::world::{LOAD, NOW, World, at, engine, evaluate, load, online};
use rules::Engine;
use series::{Quantile, Selector};

const CHANGE: i64 = NOW + 1_200;

/// Two series, of which one gives something else from a time on, and nothing where that is nothing.
fn world(other: Option<f64>) -> World {
    let world = World::with_load();
    world.add("load", &[("app", "blog")], move |t| {
        if (CHANGE..CHANGE + 3_600).contains(&t) {
            other
        } else {
            Some(load(t))
        }
    });
    world
}

fn n_served(engine: &Engine<World>, now: i64, app: &str) -> usize {
    let predictions = engine.predictions(at(now));
    predictions
        .iter()
        .filter(|one| one.labels.get("app") == app)
        .count()
}

#[tokio::test]
async fn a_series_without_numbers_is_withdrawn_like_one_that_is_absent() {
    for other in [
        None,
        Some(f64::NAN),
        Some(f64::INFINITY),
        Some(f64::NEG_INFINITY),
    ] {
        let world = world(other);
        let engine = engine(&world, &[LOAD]);
        for minute in 0..20 {
            evaluate(&engine, NOW + minute * 60).await;
        }
        assert_eq!(
            [
                n_served(&engine, CHANGE - 60, "blog"),
                n_served(&engine, CHANGE - 60, "shop")
            ],
            [6, 6]
        );
        for minute in 0..60 {
            let now = CHANGE + minute * 60;
            let figures = evaluate(&engine, now).await;
            assert_eq!(
                (figures.series, figures.not_finite),
                (1, usize::from(other.is_some()))
            );
            assert_eq!(
                [
                    n_served(&engine, now, "blog"),
                    n_served(&engine, now, "shop")
                ],
                [0, 6],
                "{other:?}"
            );
            let matches = [("app".to_owned(), "blog".to_owned())];
            assert_eq!(
                engine.foreseen("shop:load", &matches, Quantile::new(0.5).unwrap(), at(now)),
                None
            );
            let curves = engine
                .curves(&Selector::default(), at(now), at(now + 600), at(now))
                .unwrap();
            assert!(curves.iter().all(|curve| curve.labels.get("app") == "shop"));
        }
        evaluate(&engine, CHANGE + 3_600).await;
        assert_eq!(n_served(&engine, CHANGE + 3_600, "blog"), 6, "{other:?}");
    }
}

#[tokio::test]
async fn a_rule_whose_series_are_all_no_numbers_is_not_fresh() {
    let world = World::default();
    world.add("load", &[], |t| {
        Some(if t < CHANGE { load(t) } else { f64::NAN })
    });
    let engine = engine(&world, &[&online()]);
    for minute in 0..40 {
        evaluate(&engine, NOW + minute * 60).await;
    }
    let now = NOW + 40 * 60;
    let figures = evaluate(&engine, now).await;
    assert_eq!(
        (figures.series, figures.samples, figures.not_finite),
        (0, 0, 1)
    );
    assert_eq!(figures.oldest_origin, None);
    assert_eq!(engine.predictions(at(now)), []);
}

#[tokio::test]
async fn a_series_that_never_had_a_number_is_not_fitted() {
    let world = World::with_load();
    world.add("load", &[("app", "broken")], |_| Some(f64::NAN));
    let engine = engine(&world, &[LOAD]);
    let figures = evaluate(&engine, NOW).await;
    assert_eq!(
        (
            figures.series,
            figures.not_finite,
            figures.not_enough_history
        ),
        (1, 1, 0)
    );
}
