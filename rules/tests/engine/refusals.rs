//! A Prometheus that refuses history for what it takes.

use crate::world::{LOAD, NOW, Refuses, World, at, engine, evaluate, online, outcome};
use prometheus_api::QueryError;
use series::PromDuration;
use std::{collections::BTreeSet, time::Duration};

const DAY: i64 = 86_400;

fn too_many() -> QueryError {
    QueryError::Rejected {
        status: 422,
        message: "query processing would load too many samples into memory in query execution"
            .to_owned(),
    }
}

fn timeout() -> QueryError {
    QueryError::Timeout(PromDuration::new(Duration::from_secs(30)))
}

fn refuse(world: &World, refuses: impl Fn(i64, i64, i64) -> Option<QueryError> + Send + 'static) {
    world.inner().refuses = Some(Box::new(refuses) as Refuses);
}

/// What was asked for over more than one time, none of it twice.
#[track_caller]
fn ranges(world: &World) -> Vec<String> {
    let asked = world.asked().into_iter();
    let ranges: Vec<_> = asked.filter(|question| question.contains("..")).collect();
    assert_eq!(
        ranges.iter().collect::<BTreeSet<_>>().len(),
        ranges.len(),
        "{ranges:#?}"
    );
    ranges
}

#[tokio::test]
async fn a_history_that_is_too_much_at_once_is_read_in_pieces() {
    let (whole, refusing) = (World::with_load(), World::with_load());
    refuse(&refusing, |_, _, n_points| (n_points > 50).then(too_many));
    let engines = [&whole, &refusing].map(|world| engine(world, &[&online()]));
    for engine in &engines {
        let figures = evaluate(engine, NOW).await;
        assert_eq!((figures.samples, figures.shortened), (7, None));
    }
    assert_eq!(
        engines[0].predictions(at(NOW)),
        engines[1].predictions(at(NOW))
    );
    let asked = ranges(&refusing);
    assert!(asked.len() < 30, "{asked:#?}");
    evaluate(&engines[1], NOW + 60).await;
    assert_eq!(ranges(&refusing).len(), 1);
}

#[tokio::test]
async fn what_is_refused_in_any_size_is_left_out_and_said() {
    let world = World::with_load();
    refuse(&world, |from, _, _| (from < NOW - 2 * DAY).then(too_many));
    let engine = engine(&world, &[LOAD]);
    for minute in 0..5 {
        let figures = evaluate(&engine, NOW + minute * 60).await;
        assert_eq!(figures.samples, 6);
        let shortened = figures.shortened.unwrap();
        assert_eq!(PromDuration::new(shortened.missing).to_string(), "1d23h50m");
        assert!(
            shortened.why.contains("too many samples"),
            "{}",
            shortened.why
        );
        assert_eq!(
            engine.status(at(NOW))[0].shortened.as_ref(),
            Some(&shortened)
        );
        let asked = ranges(&world);
        assert!(asked.len() < if minute == 0 { 50 } else { 2 }, "{asked:#?}");
    }
}

#[tokio::test]
async fn a_server_that_gives_no_history_at_all_is_not_asked_for_ever() {
    let world = World::with_load();
    refuse(&world, |from, _, _| (from < NOW - 3_600).then(too_many));
    let engine = engine(&world, &[LOAD]);
    let figures = evaluate(&engine, NOW).await;
    assert_eq!((figures.samples, figures.not_enough_history), (0, 1));
    assert!(figures.shortened.is_some());
    ranges(&world);
    evaluate(&engine, NOW + 60).await;
    assert_eq!(ranges(&world), [format!("load {NOW}..{NOW}/10m")]);
}

#[tokio::test]
async fn time_outs_are_followed_by_smaller_pieces_later_on() {
    let world = World::with_load();
    refuse(&world, |_, _, n_points| (n_points > 10).then(timeout));
    let engine = engine(&world, &[LOAD]);
    let mut n_asked = Vec::new();
    let mut outcomes = Vec::new();
    for minute in 0..6 {
        let outcome = outcome(engine.evaluate(0, at(NOW + minute * 60)).await);
        outcomes.push(
            outcome
                .map(|figures| figures.samples)
                .map_err(|error| error.reason.as_str()),
        );
        n_asked.push(world.asked().len());
    }
    assert_eq!(outcomes[..2], [Err("timeout"), Ok(6)]);
    assert_eq!(n_asked[0], 3, "who is there, and two pieces");
    assert_eq!(n_asked[2..], [1, 1, 1, 1]);
}

#[tokio::test]
async fn a_server_that_always_times_out_is_left_alone_between_attempts() {
    let world = World::with_load();
    refuse(&world, |_, to, n_points| {
        (n_points > 1 || to < NOW - DAY).then(timeout)
    });
    let engine = engine(&world, &[LOAD]);
    let mut told = Vec::new();
    for minute in 0..6 {
        let outcome = outcome(engine.evaluate(0, at(NOW + minute * 60)).await);
        told.push(match outcome {
            Ok(figures) => format!("{} missing", figures.shortened.unwrap().missing.as_secs()),
            Err(failure) => failure.message,
        });
        let asked = world.asked();
        assert!(asked.len() < 160, "{asked:#?}");
        assert_eq!(asked.is_empty(), minute == 2, "minute {minute}");
    }
    assert!(told[0].contains("did not answer within 30s"), "{told:#?}");
    assert!(told[2].contains("due in 1m"), "{told:#?}");
    assert!(told[5].ends_with("missing"), "{told:#?}");
}
