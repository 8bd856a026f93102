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

/// The rules that each report holds, with the seconds after the first slot that they were evaluated for.
async fn told(world: &World, rules: &[&str], n_minutes: u64) -> Vec<(String, i64, u64)> {
    let engine = Arc::new(engine(world, rules));
    let begun = Instant::now();
    let clock = move || at(NOW) + begun.elapsed();
    let told = Arc::new(Mutex::new(Vec::new()));
    let sink = Arc::clone(&told);
    let run = rules::run(engine, 0, clock, move |report| {
        let mut told = sink.lock().unwrap();
        let (n_told, iterations) = (told.len(), report.iterations);
        for rule in report.rules {
            let iterations = if told.len() == n_told { iterations } else { 0 };
            told.push((rule.rule, rule.at.as_millis() / 1_000, iterations));
        }
    });
    let run = tokio::spawn(run);
    tokio::time::sleep(Duration::from_mins(n_minutes)).await;
    run.abort();
    let told = told.lock().unwrap();
    let first = told.iter().map(|(_, at, _)| *at).min().unwrap();
    told.iter()
        .map(|(rule, at, iterations)| (rule.clone(), at - first, *iterations))
        .collect()
}

#[tokio::test(start_paused = true)]
async fn a_rule_that_waits_for_a_time_out_holds_none_of_the_others_up() {
    let world = World::default();
    world
        .inner()
        .delays
        .insert("slow".to_owned(), Duration::from_secs(150));
    let rules = [
        "record: a, expr: sum",
        "record: b, expr: slow",
        "record: c, expr: sum",
    ];
    let told = told(&world, &rules, 10).await;
    let of = |name: &str| -> Vec<_> {
        let of_rule = told.iter().filter(|(rule, ..)| rule == name);
        of_rule.map(|(_, at, _)| *at).collect()
    };
    let each_minute: Vec<_> = (0..).map(|n| n * 60).take(of("a").len()).collect();
    assert!(each_minute.len() >= 9, "{told:?}");
    assert_eq!(
        (of("a"), of("c")),
        (each_minute.clone(), each_minute.clone())
    );
    assert_eq!(of("b")[..3], [0, 180, 360]);
    let n_iterations: u64 = told.iter().map(|(_, _, iterations)| iterations).sum();
    assert_eq!(n_iterations, each_minute.len() as u64);
}

#[tokio::test(start_paused = true)]
async fn many_rules_that_are_slow_come_all_to_their_turn() {
    let world = World::default();
    world.inner().delay = Duration::from_secs(30);
    let rules: Vec<_> = (0..20)
        .map(|n| format!("record: r{n}, expr: sum"))
        .collect();
    let rules: Vec<_> = rules.iter().map(String::as_str).collect();
    let told = told(&world, &rules, 5).await;
    let named: std::collections::BTreeSet<_> = told.iter().map(|(rule, ..)| rule).collect();
    assert_eq!(named.len(), 20, "{told:?}");
}

/// The slots of a group whose clock is wrong by so many seconds for a part of the time.
async fn slots_with(shift: impl Fn(u64) -> i64 + Send + Sync + 'static) -> Vec<(i64, u64, u64)> {
    let engine = Arc::new(engine(&World::default(), &["record: x, expr: sum"]));
    let begun = Instant::now();
    let clock = move || {
        let elapsed = begun.elapsed();
        at(NOW + shift(elapsed.as_secs())) + elapsed
    };
    let reports = Arc::new(Mutex::new(Vec::new()));
    let sink = Arc::clone(&reports);
    let run = rules::run(engine, 0, clock, move |report| {
        let slot = report.at.as_millis() / 1_000 - NOW;
        sink.lock()
            .unwrap()
            .push((slot, report.missed, begun.elapsed().as_secs()));
    });
    let run = tokio::spawn(run);
    tokio::time::sleep(Duration::from_mins(20)).await;
    run.abort();
    let reports = reports.lock().unwrap();
    reports.clone()
}

#[tokio::test(start_paused = true)]
async fn a_clock_that_is_wrong_for_a_while_neither_stops_a_group_nor_counts_slots_that_never_were()
{
    for wrong in [-86_400, -45, -7, 7, 45, 86_400] {
        let reports = slots_with(move |s| if (330..690).contains(&s) { wrong } else { 0 }).await;
        let missed: u64 = reports.iter().map(|(_, missed, _)| missed).sum();
        assert!(missed <= 1, "{wrong} s: {reports:?}");
        let pauses = reports.windows(2).map(|pair| pair[1].2 - pair[0].2);
        assert!(pauses.max().unwrap() <= 120, "{wrong} s: {reports:?}");
        let (slot, _, elapsed) = *reports.last().unwrap();
        assert!(
            slot.abs_diff(i64::try_from(elapsed).unwrap()) <= 1,
            "{wrong} s: {reports:?}"
        );
    }
}
