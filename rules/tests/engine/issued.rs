//! Curves that are sent on when they are issued.

use crate::world::{LOAD, NOW, World, at, engine, evaluate, load};
use rules::{Bookmark, Engine};
use series::{MatchOp, Matcher, Selector, Series, Timestamp};

/// A world with two series, evaluated every ten minutes for so long, from `NOW` on.
async fn evaluated(n_steps: i64) -> Engine<World> {
    let world = World::with_load();
    world.add("load", &[("app", "bank")], |t| Some(load(t)));
    let engine = engine(&world, &["record: r, expr: load", LOAD]);
    for step in 0..n_steps {
        evaluate(&engine, NOW + 600 * step).await;
    }
    engine
}

/// All that was issued in a time, in pieces of one series.
fn issued(engine: &Engine<World>, (since, upto): (i64, i64)) -> Vec<Vec<Series>> {
    let mut bookmark = Bookmark::default();
    let range = (at(since), at(upto));
    let piece = || Some(engine.issued(0, range, &mut bookmark, 1)).filter(|p| !p.is_empty());
    std::iter::from_fn(piece).collect()
}

fn text(mut series: Vec<Series>) -> String {
    series.sort_by(|a, b| a.labels.cmp(&b.labels));
    format!("{series:?}")
}

#[tokio::test]
async fn each_curve_is_handed_over_once_and_as_it_is_served() {
    let engine = evaluated(30).await;
    let now = NOW + 600 * 29;
    let pieces = issued(&engine, (NOW - 1, now));
    // Three quantiles of each of the four curves that a series has.
    let lengths: Vec<_> = pieces.iter().map(Vec::len).collect();
    assert_eq!(lengths, [12, 12]);
    let origin = Matcher::new(MatchOp::NotEqual, "origin", "").unwrap();
    let ever = (
        Timestamp::from_millis(i64::MIN),
        Timestamp::from_millis(i64::MAX),
    );
    let served = engine.curves(&Selector::new([origin]), ever.0, ever.1, at(now));
    assert_eq!(text(pieces.concat()), text(served.unwrap()));
}

#[tokio::test]
async fn what_is_yet_to_come_is_counted_without_being_drawn() {
    let engine = evaluated(30).await;
    let range = (at(NOW - 1), at(NOW + 600 * 29));
    let mut bookmark = Bookmark::default();
    let count = |pieces: &[Series]| {
        pieces
            .iter()
            .map(|curve| curve.samples.len())
            .sum::<usize>()
    };
    let all = engine.n_issued(0, range, &bookmark);
    let first = count(&engine.issued(0, range, &mut bookmark, 1));
    assert!(first > 0 && first < all, "{first} {all}");
    let rest = engine.n_issued(0, range, &bookmark);
    assert_eq!(
        (
            first + rest,
            count(&engine.issued(0, range, &mut bookmark, 1))
        ),
        (all, rest)
    );
    assert_eq!(engine.n_issued(0, range, &bookmark), 0);
}

#[tokio::test]
async fn only_those_of_the_time_are_handed_over() {
    let engine = evaluated(30).await;
    let count = |since, upto| issued(&engine, (since, upto)).concat().len();
    assert_eq!(count(NOW - 1, NOW), 6);
    assert_eq!(count(NOW, NOW + 5_399), 0);
    assert_eq!(count(NOW, NOW + 5_400), 6);
    assert_eq!(count(NOW + 600 * 29, NOW + 600 * 99), 0);
}
