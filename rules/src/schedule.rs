//! Evaluates a group on its own grid of slots, and counts those that it missed.

use crate::{Engine, Group, GroupReport, RuleReport, Source, identity::fnv1a};
use futures::{FutureExt as _, StreamExt as _, future::BoxFuture, stream::FuturesUnordered};
use series::Timestamp;
use std::{collections::VecDeque, sync::Arc, time::Duration};
use tokio::{
    select,
    time::{Instant, sleep, sleep_until},
};

/// How long a rule is waited for before the next one of its group is begun, or a tenth of the interval where that is less.
const PATIENCE: Duration = Duration::from_secs(2);

/// Rules of a group that are at work at once, all but one of them slow: less than half of what Prometheus works on at
/// once by default.
const MAX_AT_WORK: usize = 8;

/// Evaluates one group in each of its slots until the future is dropped, and hands over each report.
///
/// Slots lie an interval apart, shifted by the group's name and file, so that groups spread over the interval
/// and stay where they are after a restart. Rules are evaluated one after the other; one that takes long is left to
/// itself, so that it holds none of the others up, and leaves out the slots that pass meanwhile.
pub async fn run<S: Source>(
    engine: Arc<Engine<S>>,
    group_idx: usize,
    clock: impl Fn() -> Timestamp + Send + Sync,
    report: impl Fn(GroupReport) + Send + Sync,
) {
    let interval = engine.interval(group_idx);
    let slots = Slots::of(&engine.groups()[group_idx], interval);
    let mut shift = Shift::new(engine, group_idx, interval);
    let mut slot = slots.from(clock());
    loop {
        slot = shift.wait(slot, (&slots, &clock), &report).await;
        let begun = Instant::now();
        shift.work(slot, &report).await;
        let (next, passed) = slots.after(slot, clock());
        // A clock that was put forward passes over slots that never were.
        let n_intervals = begun.elapsed().as_millis() / interval.as_millis().max(1);
        shift.missed += passed.min(u64::try_from(n_intervals).unwrap_or(u64::MAX));
        slot = next;
    }
}

/// The rules of a group at work.
struct Shift<S> {
    engine: Arc<Engine<S>>,
    group_idx: usize,
    interval: Duration,
    /// Those that are to begin, in this order.
    waiting: VecDeque<usize>,
    is_at_work: Vec<bool>,
    at_work: FuturesUnordered<BoxFuture<'static, (usize, RuleReport)>>,
    /// Slots that began and have not been told of.
    iterations: u64,
    missed: u64,
}

impl<S: Source> Shift<S> {
    fn new(engine: Arc<Engine<S>>, group_idx: usize, interval: Duration) -> Self {
        let n_rules = engine.groups()[group_idx].rules.len();
        Self {
            engine,
            group_idx,
            interval,
            waiting: VecDeque::new(),
            is_at_work: vec![false; n_rules],
            at_work: FuturesUnordered::new(),
            iterations: 0,
            missed: 0,
        }
    }

    /// Waits for a slot, and tells of rules that come to their end meanwhile. Returns another slot where the clock was
    /// put back.
    async fn wait(
        &mut self,
        mut slot: Timestamp,
        (slots, clock): (&Slots, &(impl Fn() -> Timestamp + Sync)),
        report: &(impl Fn(GroupReport) + Sync),
    ) -> Timestamp {
        loop {
            let wait = slot.since(clock());
            if wait.is_zero() {
                return slot;
            }
            if wait > self.interval {
                slot = slots.from(clock());
                continue;
            }
            select! {
                () = sleep(wait) => {}
                Some((idx, late)) = self.at_work.next() => {
                    self.is_at_work[idx] = false;
                    self.tell_late(late, report);
                }
            }
        }
    }

    /// Begins with all rules that are not at work, and tells of those that end before the next slot comes, or before all
    /// had their time.
    async fn work(&mut self, slot: Timestamp, report: &(impl Fn(GroupReport) + Sync)) {
        let begun = Instant::now();
        let idle = (0..self.is_at_work.len()).filter(|idx| !self.is_at_work[*idx]);
        let new = idle.filter(|idx| !self.waiting.contains(idx));
        let new: Vec<_> = new.collect();
        self.waiting.extend(new);
        if self.waiting.is_empty() && !self.is_at_work.is_empty() {
            self.missed += 1;
            return;
        }
        self.iterations += 1;
        let mut done = Vec::new();
        let over = begun + self.interval;
        let mut next = begun;
        loop {
            let has_room = self.at_work.len() < MAX_AT_WORK;
            if (next <= Instant::now() || self.at_work.is_empty()) && has_room {
                let Some(idx) = self.waiting.pop_front() else {
                    break;
                };
                self.begin(idx, slot);
                next = Instant::now() + PATIENCE.min(self.interval / 10);
            }
            let until = if has_room { next.min(over) } else { over };
            select! {
                () = sleep_until(until) => {
                    if until == over {
                        break;
                    }
                }
                Some((idx, ended)) = self.at_work.next() => {
                    self.is_at_work[idx] = false;
                    next = Instant::now();
                    if ended.at == slot {
                        done.push((idx, ended));
                    } else {
                        self.tell_late(ended, report);
                    }
                }
            }
        }
        if !done.is_empty() || self.is_at_work.is_empty() {
            done.sort_by_key(|(idx, _)| *idx);
            let rules = done.into_iter().map(|(_, ended)| ended).collect();
            report(self.report(slot, begun.elapsed(), rules));
        }
    }

    fn begin(&mut self, idx: usize, slot: Timestamp) {
        self.is_at_work[idx] = true;
        let (engine, group_idx) = (Arc::clone(&self.engine), self.group_idx);
        let work = async move { (idx, engine.evaluate_one(group_idx, idx, slot).await) };
        self.at_work.push(work.boxed());
    }

    fn tell_late(&mut self, late: RuleReport, report: &impl Fn(GroupReport)) {
        report(self.report(late.at, late.duration, vec![late]));
    }

    fn report(&mut self, at: Timestamp, duration: Duration, rules: Vec<RuleReport>) -> GroupReport {
        let group = &self.engine.groups()[self.group_idx];
        GroupReport {
            file: group.file.clone(),
            group: group.name.clone(),
            at,
            duration,
            interval: self.interval,
            iterations: std::mem::take(&mut self.iterations),
            missed: std::mem::take(&mut self.missed),
            rules,
        }
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
