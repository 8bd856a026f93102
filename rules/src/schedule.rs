//! Evaluates a group on its own grid of slots, and counts those that it missed.

use crate::{Engine, Group, GroupReport, Source, identity::fnv1a};
use series::Timestamp;
use std::{sync::Arc, time::Duration};
use tokio::time::sleep;

/// Evaluates one group in each of its slots until the future is dropped, and hands over each report.
///
/// Slots lie an interval apart, shifted by the group's name and file, so that groups spread over the interval
/// and stay where they are after a restart. An evaluation that overruns leaves slots out, as Prometheus does.
pub async fn run<S: Source>(
    engine: Arc<Engine<S>>,
    group_idx: usize,
    clock: impl Fn() -> Timestamp + Send,
    report: impl Fn(GroupReport) + Send,
) {
    let slots = Slots::of(&engine.groups()[group_idx], engine.interval(group_idx));
    let mut slot = slots.from(clock());
    loop {
        sleep(slot.since(clock())).await;
        let mut done = engine.evaluate(group_idx, slot).await;
        (slot, done.missed) = slots.after(slot, clock());
        report(done);
    }
}

/// Times an interval apart.
struct Slots {
    interval: Duration,
    shift: Duration,
}

impl Slots {
    fn of(group: &Group, interval: Duration) -> Self {
        let millis = u64::try_from(interval.as_millis())
            .unwrap_or(u64::MAX)
            .max(1);
        let hash = fnv1a(group.file.bytes().chain([b';']).chain(group.name.bytes()));
        let shift = Duration::from_millis(hash % millis);
        Self { interval, shift }
    }

    /// The first slot at or after a time.
    fn from(&self, now: Timestamp) -> Timestamp {
        let slot = (now - self.shift).align_down(self.interval) + self.shift;
        if slot < now {
            slot + self.interval
        } else {
            slot
        }
    }

    /// The slot to come after one that was worked on until `now`, and how many were missed in between.
    fn after(&self, slot: Timestamp, now: Timestamp) -> (Timestamp, u64) {
        let mut next = self.from(now);
        if next == slot {
            // Timers and clock may differ by a moment, but no slot comes twice.
            next = slot + self.interval;
        }
        let passed = next.since(slot).as_millis() / self.interval.as_millis().max(1);
        (
            next,
            u64::try_from(passed.saturating_sub(1)).unwrap_or(u64::MAX),
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn slots(shift: u64) -> Slots {
        let [interval, shift] = [10, shift].map(Duration::from_secs);
        Slots { interval, shift }
    }

    #[track_caller]
    fn check(shift: u64, slot: i64, now: i64, expect: (i64, u64)) {
        let at = Timestamp::from_seconds;
        let (next, missed) = slots(shift).after(at(slot), at(now));
        assert_eq!((next.as_millis() / 1000, missed), expect);
    }

    #[test]
    fn work_within_the_interval_misses_nothing() {
        check(3, 13, 14, (23, 0));
        check(3, 13, 22, (23, 0));
        check(3, 13, 23, (23, 0));
    }

    #[test]
    fn slots_that_passed_are_left_out_and_counted() {
        check(0, 0, 25, (30, 2));
        check(3, 13, 1_014, (1_023, 100));
    }

    #[test]
    fn a_clock_that_is_set_back_repeats_no_slot() {
        check(3, 13, 13, (23, 0));
        check(3, 1_013, 500, (503, 0));
    }

    #[test]
    fn the_first_slot_is_never_in_the_past() {
        let at = Timestamp::from_seconds;
        assert_eq!(slots(3).from(at(2)), at(3));
        assert_eq!(slots(3).from(at(3)), at(3));
        assert_eq!(slots(3).from(at(4)), at(13));
    }

    #[test]
    fn names_spread_groups_over_the_interval() {
        let shift = |name: &str| {
            let group = Group {
                file: "rules.yml".to_owned(),
                name: name.to_owned(),
                interval: None,
                query_offset: None,
                limit: 0,
                rules: Vec::new(),
            };
            Slots::of(&group, Duration::from_mins(1)).shift
        };
        let shifts: Vec<_> = (0..100).map(|n| shift(&n.to_string())).collect();
        let early = shifts.iter().filter(|s| **s < Duration::from_secs(30));
        assert!((30..70).contains(&early.count()), "{shifts:?}");
        assert_eq!(shift("a"), shift("a"));
    }
}
