//! Groups keep to their grid, however long an evaluation takes.

use crate::world::{NOW, World, at, engine};
use std::{
    sync::{Arc, Mutex},
    time::Duration,
};
use tokio::time::Instant;

/// The slots and missed slots of a group on a one-minute interval, whose queries take so long.
async fn slots(delay: Duration, n_minutes: u64) -> Vec<(i64, u64)> {
    let world = World::default();
    world.inner().delay = delay;
    let engine = Arc::new(engine(&world, &["record: x, expr: sum"]));
    let begun = Instant::now();
    let clock = move || at(NOW) + begun.elapsed();
    let reports = Arc::new(Mutex::new(Vec::new()));
    let sink = Arc::clone(&reports);
    let run = rules::run(engine, 0, clock, move |report| {
        sink.lock()
            .unwrap()
            .push((report.at.as_millis() / 1_000 - NOW, report.missed));
    });
    let run = tokio::spawn(run);
    tokio::time::sleep(Duration::from_mins(n_minutes)).await;
    run.abort();
    let reports = reports.lock().unwrap();
    reports.clone()
}

#[tokio::test(start_paused = true)]
async fn a_quick_group_is_evaluated_in_each_of_its_slots() {
    let slots = slots(Duration::from_secs(20), 10).await;
    let (first, _) = slots[0];
    assert!((0..60).contains(&first), "{slots:?}");
    let expect: Vec<_> = (0..)
        .map(|n| (first + 60 * n, 0))
        .take(slots.len())
        .collect();
    assert_eq!(slots, expect);
    assert!(slots.len() >= 9, "{slots:?}");
}

#[tokio::test(start_paused = true)]
async fn a_slow_group_leaves_slots_out_and_returns_to_the_grid() {
    let slots = slots(Duration::from_secs(150), 20).await;
    let (first, _) = slots[0];
    let expect: Vec<_> = (0..)
        .map(|n| (first + 180 * n, 2))
        .take(slots.len())
        .collect();
    assert_eq!(slots, expect);
    assert!(slots.len() >= 5, "{slots:?}");
}
