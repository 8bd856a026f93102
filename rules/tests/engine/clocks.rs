//! Clocks that are wrong for a while.

use crate::world::{NOW, World, at, engine, evaluate, load, online};
use rules::{Engine, Restored};
use std::sync::{
    Arc,
    atomic::{AtomicI64, Ordering},
};

const DAY: i64 = 86_400;

/// A world in which samples are there up to the true time, and for five minutes longer, as PromQL looks back.
fn world() -> (World, Arc<AtomicI64>) {
    let (world, truth) = (World::default(), Arc::new(AtomicI64::new(NOW)));
    for app in ["shop", "blog"] {
        let truth = Arc::clone(&truth);
        world.add("load", &[("app", app)], move |t| {
            let truth = truth.load(Ordering::SeqCst);
            (t <= truth + 300).then(|| load(t.min(truth)))
        });
    }
    (world, truth)
}

/// A rule with steps of a minute.
fn rule() -> String {
    online()
        .replace("step: 10m", "step: 1m")
        .replace("history: 4d", "history: 1d")
        .replace("6h", "1h")
        .replace("seasons: [1d], ", "")
}

async fn evaluate_true(engine: &Engine<World>, truth: &AtomicI64, now: i64) -> usize {
    truth.store(now, Ordering::SeqCst);
    evaluate(engine, now).await.samples
}

fn save(engine: &Engine<World>, now: i64) -> Vec<u8> {
    engine.savings(at(now)).remove(0).flatten().collect()
}

fn restore(engine: &Engine<World>, bytes: &[u8], now: i64) -> Restored {
    engine.restorings()[0].read(bytes, at(now))
}

/// The ranges that were asked for, as seconds.
fn asked(world: &World) -> Vec<(i64, i64)> {
    let range = |question: &String| {
        let (_, range) = question.split_once(' ')?;
        let (from, to) = range.split_once('/')?.0.split_once("..")?;
        Some((from.parse().ok()?, to.parse().ok()?))
    };
    world.asked().iter().filter_map(range).collect()
}

#[tokio::test]
async fn a_clock_that_was_ahead_loses_no_model_and_no_sample() {
    for ahead in [20, 90, 600, 3_600, DAY, 30 * DAY] {
        let (world, truth) = world();
        let engine = engine(&world, &[&rule()]);
        let n_samples = evaluate_true(&engine, &truth, NOW).await;
        assert!(n_samples >= 12, "{n_samples}");
        evaluate_true(&engine, &truth, NOW + 60).await;
        for minute in 2..4 {
            truth.store(NOW + minute * 60, Ordering::SeqCst);
            engine.evaluate(0, at(NOW + minute * 60 + ahead)).await;
        }
        world.asked();
        for minute in 4..9 {
            let n_now = evaluate_true(&engine, &truth, NOW + minute * 60).await;
            assert!(
                n_now >= n_samples,
                "{ahead} s ahead, minute {minute}: {n_now}"
            );
        }
        // After some moments it goes on step by step, and what lies between was read.
        let ranges = asked(&world);
        let end = NOW + 8 * 60;
        assert_eq!(ranges.last(), Some(&(end - 60, end)), "{ahead} s ahead");
        let begin = ranges.iter().map(|(from, _)| *from).min();
        assert!(
            begin.is_some_and(|begin| begin <= NOW + 4 * 60),
            "{ahead} s ahead: {ranges:?}"
        );
        let status = &engine.status(at(end))[0];
        assert_eq!(status.oldest_origin, Some(at(end)), "{ahead} s ahead");
    }
}

#[tokio::test]
async fn a_clock_far_ahead_costs_no_history() {
    let (world, truth) = world();
    let engine = engine(&world, &[&rule()]);
    evaluate_true(&engine, &truth, NOW).await;
    engine.evaluate(0, at(NOW + DAY)).await;
    world.asked();
    evaluate_true(&engine, &truth, NOW + 180).await;
    assert_eq!(asked(&world), [(NOW, NOW + 180)]);
}

#[tokio::test]
async fn curves_are_issued_again_once_the_clock_is_right() {
    let (world, truth) = world();
    let engine = engine(&world, &[&rule()]);
    evaluate_true(&engine, &truth, NOW).await;
    engine.evaluate(0, at(NOW + DAY)).await;
    let origins = async |now: i64| {
        evaluate_true(&engine, &truth, now).await;
        let mut bookmark = rules::Bookmark::default();
        engine
            .issued(0, (at(now - 1), at(now)), &mut bookmark, 1_000)
            .len()
    };
    assert_eq!(origins(NOW + 60).await, 0);
    assert!(origins(NOW + 960).await > 0);
}

#[tokio::test]
async fn an_output_of_the_future_is_not_served_until_then() {
    let (world, truth) = world();
    let engine = engine(&world, &[&rule()]);
    evaluate_true(&engine, &truth, NOW + 240).await;
    assert_eq!(engine.predictions(at(NOW)), []);
    assert!(!engine.predictions(at(NOW + 200)).is_empty());
}

#[tokio::test]
async fn models_that_were_saved_while_the_clock_was_ahead_go_on() {
    for ahead in [0, 300, DAY] {
        let (world, truth) = world();
        let before = engine(&world, &[&rule()]);
        evaluate_true(&before, &truth, NOW).await;
        before.evaluate(0, at(NOW + ahead)).await;
        let bytes = save(&before, NOW + ahead);
        let after = engine(&world, &[&rule()]);
        let restored = restore(&after, &bytes, NOW + 60);
        assert_eq!(
            (restored.series, restored.refused.len()),
            (2, 0),
            "{ahead} s ahead"
        );
        world.asked();
        let n_samples = evaluate_true(&after, &truth, NOW + 60).await;
        assert!(n_samples >= 12, "{ahead} s ahead: {n_samples}");
        let n_asked = asked(&world).len();
        assert_eq!(
            n_asked > 1,
            ahead == 300,
            "only models that saw another future are fitted anew"
        );
        evaluate_true(&after, &truth, NOW + 120).await;
        assert_eq!(
            after.status(at(NOW + 120))[0].oldest_origin,
            Some(at(NOW + 120))
        );
    }
}
