//! Series that come, grow and go.

use crate::world::{LOAD, NOW, World, at, engine, evaluate, load};
use rules::Meaning;

#[tokio::test]
async fn one_sample_alone_is_not_enough_history() {
    let world = World::with_load();
    world.add("load", &[("app", "new")], |t| (t == NOW).then_some(5.0));
    let engine = engine(&world, &[LOAD]);
    let figures = evaluate(&engine, NOW).await;
    assert_eq!((figures.series, figures.samples), (2, 6));
    assert_eq!((figures.not_enough_history, figures.failed_fits), (1, 0));
}

#[tokio::test]
async fn a_young_series_is_forecast_as_soon_as_it_is_old_enough() {
    let world = World::default();
    world.add("load", &[], |t| (t >= NOW).then(|| load(t)));
    let engine = engine(&world, &[LOAD]);
    let mut n_questions = Vec::new();
    let mut forecast_since = None;
    for step in 0..60 {
        let now = NOW + 600 * step;
        let figures = evaluate(&engine, now).await;
        n_questions.push(world.asked().len());
        assert_eq!(figures.series, 1);
        if figures.samples > 0 {
            forecast_since.get_or_insert(step);
        } else {
            assert_eq!((forecast_since, figures.not_enough_history), (None, 1));
        }
    }
    assert!(
        forecast_since.is_some_and(|step| step <= 20),
        "{forecast_since:?}"
    );
    // One question an evaluation, and one more each time that the series has doubled.
    let n_histories = n_questions.iter().filter(|n| **n > 1).count();
    assert!((2..=7).contains(&n_histories), "{n_questions:?}");
}

#[tokio::test]
async fn a_newcomer_with_a_past_is_forecast_at_once() {
    let world = World::with_load();
    let engine = engine(&world, &[LOAD]);
    evaluate(&engine, NOW).await;
    world.asked();
    world.add("load", &[("app", "moved")], |t| {
        (t >= NOW - 2 * 86_400).then(|| load(t))
    });
    let figures = evaluate(&engine, NOW + 600).await;
    assert_eq!((figures.series, figures.samples), (2, 12));
    let asked = world.asked();
    assert_eq!(asked.len(), 3, "{asked:?}");
    assert!(asked[1].ends_with("/1h"), "{asked:?}");
    let expect = format!("load {}..{}/10m", NOW + 600 - 49 * 3_600, NOW + 600);
    assert_eq!(asked[2], expect);
}

#[tokio::test]
async fn a_newcomer_without_a_past_costs_no_history() {
    let world = World::with_load();
    let engine = engine(&world, &[LOAD]);
    evaluate(&engine, NOW).await;
    world.asked();
    world.add("load", &[("app", "new")], |t| (t > NOW).then(|| load(t)));
    let figures = evaluate(&engine, NOW + 600).await;
    assert_eq!((figures.series, figures.samples), (2, 6));
    assert_eq!(
        world.asked()[2],
        format!("load {}..{}/10m", NOW - 3_000, NOW + 600)
    );
}

#[tokio::test]
async fn a_series_that_vanished_is_dropped_at_once_and_remembered_for_an_hour() {
    let world = World::with_load();
    let is_away =
        |t: i64| (NOW + 600..NOW + 2_400).contains(&t) || (NOW + 6_000..NOW + 12_000).contains(&t);
    world.add("load", &[("app", "batch")], move |t| {
        (!is_away(t)).then(|| load(t))
    });
    let engine = engine(&world, &[LOAD]);
    let mut seen = Vec::new();
    for step in 0..22 {
        let now = NOW + 600 * step;
        evaluate(&engine, now).await;
        let predictions = engine.predictions(at(now)).into_iter();
        let forecasts = predictions.filter(|p| p.meaning == Meaning::Forecast);
        seen.push((forecasts.count() / 6, world.asked().len()));
    }
    let there = |n: usize| vec![(2, 1); n];
    let away = |n: usize| vec![(1, 1); n];
    // The first reads the histories; one more is read when the series comes back after an hour and a half.
    let expect = [
        vec![(2, 2)],
        away(3),
        there(6),
        away(10),
        vec![(2, 3)],
        there(1),
    ]
    .concat();
    assert_eq!(seen, expect);
}

#[tokio::test]
async fn an_expression_that_gives_nothing_is_no_failure() {
    let world = World::default();
    let engine = engine(&world, &[LOAD]);
    assert_eq!(evaluate(&engine, NOW).await.series, 0);
    assert_eq!(evaluate(&engine, NOW + 60).await.series, 0);
    assert_eq!(engine.predictions(at(NOW + 60)), []);
    world.add("load", &[], |t| Some(load(t)));
    let found = evaluate(&engine, NOW + 120).await;
    assert_eq!((found.series_before, found.series), (Some(0), 1));
}
