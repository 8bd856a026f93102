//! The seeded schedule of a round: what happens, and when.

use crate::event::{
    Decision, Event, Fault, Mode, Moment, N_ALERTS, N_WORKLOADS, PrometheusFault, TargetFault, What,
};
use rand::{Rng as _, SeedableRng as _, seq::IndexedRandom as _};
use rand_chacha::ChaCha8Rng;
use std::time::Duration;

/// All that happens in a round before everything is put right again.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Schedule {
    /// In the order of their times.
    pub events: Vec<Event>,
    /// Length of the round's troubled part.
    pub lasts: Duration,
    /// Alerts that fire on after the trouble, by workload.
    pub fires_on: [bool; N_WORKLOADS],
    /// Waits of chance within the round, such as between a notification and its repetition.
    pub jitter_seed: u64,
}

/// Length of the troubled part of most rounds.
const SHORT: Duration = Duration::from_secs(16);

/// Length of a troubled part in which something is away for longer than plans and attempts are given.
const LONG: Duration = Duration::from_secs(150);

/// One round in so many is a long one.
const LONG_ONE_IN: u32 = 12;

/// Lengths of rounds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Lengths {
    /// Short rounds alone.
    Short,
    /// A long one among them now and then.
    Mixed,
}

/// The schedule of one round; the same for the same numbers.
pub fn schedule(seed: u64, world: u32, round: u32, lengths: Lengths) -> Schedule {
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    rng.set_stream(u64::from(world) << 32 | u64::from(round));
    let is_long = rng.random_ratio(1, LONG_ONE_IN);
    let mut draft = Draft {
        rng,
        lasts: SHORT,
        events: Vec::new(),
    };
    if is_long && lengths == Lengths::Mixed {
        draft.lasts = LONG;
        draft.long_outage();
    }
    draft.alerts();
    draft.faults();
    draft.people();
    draft.finish()
}

/// A schedule in the making.
struct Draft {
    rng: ChaCha8Rng,
    lasts: Duration,
    events: Vec<Event>,
}

impl Draft {
    fn add(&mut self, millis: u64, what: What) {
        let at = Duration::from_millis(millis).min(self.lasts);
        self.events.push(Event { at, what });
    }

    /// A time of chance, in milliseconds, not in the round's last tenth.
    fn any_time(&mut self) -> u64 {
        let end = u64::try_from(self.lasts.as_millis()).unwrap_or(u64::MAX);
        self.rng.random_range(0..end / 10 * 9)
    }

    fn any_workload(&mut self) -> usize {
        self.rng.random_range(0..N_WORKLOADS)
    }

    fn alerts(&mut self) {
        for workload in 0..N_WORKLOADS {
            for alert in 0..N_ALERTS {
                if self.rng.random_bool(if alert == 0 { 0.9 } else { 0.4 }) {
                    self.alert(workload, alert);
                }
            }
            if self.rng.random_bool(0.3) {
                let by_seconds = self.rng.random_range(1..9);
                let at = self.any_time();
                let what = What::SeenEarlier {
                    workload,
                    by_seconds,
                };
                self.add(at, what);
            }
        }
    }

    /// An alert that fires, and may end, be gossiped about, and fire again.
    fn alert(&mut self, workload: usize, alert: usize) {
        let begin = self.rng.random_range(0..6_000);
        self.add(begin, What::Fire { workload, alert });
        if !self.rng.random_bool(0.35) {
            return;
        }
        let end = begin + self.rng.random_range(500..9_000);
        self.add(end, What::Resolve { workload, alert });
        if self.rng.random_bool(0.4) {
            let late = end + self.rng.random_range(800..4_000);
            self.add(late, What::Gossip { workload });
        }
        if self.rng.random_bool(0.6) {
            let again = end + self.rng.random_range(1_000..5_000);
            self.add(again, What::Fire { workload, alert });
        }
    }

    fn faults(&mut self) {
        for _ in 0..self.rng.random_range(3..8) {
            let at = self.any_time();
            match self.rng.random_range(0..20) {
                0..4 => {
                    let down_millis = self.rng.random_range(50..2_500);
                    self.add(at, What::Kill { down_millis });
                }
                4..8 => self.trap(at),
                8 => {
                    let modes = std::array::from_fn(|_| {
                        *[Mode::Observe, Mode::Approve, Mode::Auto, Mode::Auto]
                            .choose(&mut self.rng)
                            .expect("there are four")
                    });
                    self.add(at, What::Reload(modes));
                }
                9 => self.add(at, What::BrokenReload),
                10..12 => {
                    let what = What::OtherWriter {
                        workload: self.any_workload(),
                        replicas: self.rng.random_range(2..12),
                    };
                    self.add(at, what);
                }
                _ => {
                    let fault = self.fault();
                    let lasts = self.rng.random_range(700..8_000);
                    self.wrong(at, lasts, fault);
                }
            }
        }
    }

    fn wrong(&mut self, at: u64, lasts_millis: u64, fault: Fault) {
        self.add(at, What::Begin(fault));
        self.add(at + lasts_millis, What::End(fault));
    }

    fn trap(&mut self, at: u64) {
        let moments = [
            Moment::Get,
            Moment::BeforePut,
            Moment::AfterPut,
            Moment::AfterPut,
            Moment::Notification,
        ];
        let what = What::KillAt {
            moment: *moments.choose(&mut self.rng).expect("there are some"),
            down_millis: self.rng.random_range(50..2_500),
        };
        self.add(at, what);
    }

    fn fault(&mut self) -> Fault {
        match self.rng.random_range(0..9) {
            0..4 => self.target_fault(),
            4..6 => Fault::Prometheus(self.prometheus_fault()),
            6 => Fault::FullDisk,
            7 => {
                let offsets = [-600, -30, -3, 3, 30, 600, 3_600, 86_400];
                Fault::Clock(*offsets.choose(&mut self.rng).expect("there are some"))
            }
            _ => Fault::KillSwitch,
        }
    }

    fn target_fault(&mut self) -> Fault {
        let faults = [
            TargetFault::GetFails,
            TargetFault::PutFails,
            TargetFault::Hangs,
            TargetFault::AnswersLate,
            TargetFault::AnswersLate,
            TargetFault::Renamed,
            TargetFault::Forbidden,
        ];
        Fault::Target {
            workload: self.any_workload(),
            fault: *faults.choose(&mut self.rng).expect("there are some"),
        }
    }

    fn prometheus_fault(&mut self) -> PrometheusFault {
        let faults = [
            PrometheusFault::Away,
            PrometheusFault::Slow,
            PrometheusFault::Fails,
            PrometheusFault::OnlyNan,
            PrometheusFault::BadNews,
        ];
        *faults.choose(&mut self.rng).expect("there are some")
    }

    /// Something is away for longer than a plan may take.
    fn long_outage(&mut self) {
        let fault = match self.rng.random_range(0..5) {
            0..2 => self.target_fault(),
            2..4 => Fault::Prometheus(self.prometheus_fault()),
            _ => Fault::KillSwitch,
        };
        let begin = self.rng.random_range(0..4_000);
        let lasts = self.rng.random_range(128_000..142_000);
        self.wrong(begin, lasts, fault);
    }

    fn people(&mut self) {
        for _ in 0..self.rng.random_range(1..6) {
            let decisions = [
                Decision::Approve,
                Decision::Approve,
                Decision::Reject,
                Decision::Rollback,
                Decision::Rollback,
            ];
            let what = What::Person {
                decision: *decisions.choose(&mut self.rng).expect("there are some"),
                pick: self.rng.random_range(0..64),
            };
            let at = self.any_time();
            self.add(at, what);
        }
    }

    fn finish(mut self) -> Schedule {
        self.events.sort_by_key(|event| event.at);
        Schedule {
            fires_on: std::array::from_fn(|_| self.rng.random_bool(0.6)),
            jitter_seed: self.rng.random(),
            events: self.events,
            lasts: self.lasts,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_seed_gives_the_same_faults_and_another_seed_gives_others() {
        let of = |seed| schedule(seed, 1, 7, Lengths::Mixed);
        assert_eq!(of(42), of(42));
        assert_ne!(of(42), of(43));
    }

    #[test]
    fn worlds_and_rounds_have_faults_of_their_own() {
        let of = |world, round| schedule(1, world, round, Lengths::Mixed);
        assert_ne!(of(0, 1), of(1, 0));
        assert_ne!(of(0, 0), of(0, 1));
    }

    #[test]
    fn whatever_begins_ends_within_the_round() {
        for round in 0..200 {
            let schedule = schedule(9, 0, round, Lengths::Mixed);
            let mut under_way = Vec::new();
            for event in &schedule.events {
                assert!(event.at <= schedule.lasts);
                match event.what {
                    What::Begin(fault) => under_way.push(fault),
                    What::End(fault) => under_way.retain(|other| *other != fault),
                    _ => {}
                }
            }
            assert!(under_way.is_empty(), "round {round}: {under_way:?}");
        }
    }

    #[test]
    fn every_kind_of_fault_comes_up() {
        let all: Vec<_> = (0..300)
            .flat_map(|round| schedule(5, 0, round, Lengths::Mixed).events)
            .collect();
        let has = |is: fn(&What) -> bool| all.iter().any(|event| is(&event.what));
        assert!(has(|w| matches!(w, What::Begin(Fault::FullDisk))));
        assert!(has(|w| matches!(w, What::Begin(Fault::Clock(86_400)))));
        assert!(has(|w| matches!(w, What::Begin(Fault::KillSwitch))));
        assert!(has(|w| matches!(w, What::Gossip { .. })));
        assert!(has(|w| matches!(w, What::Reload(_))));
        for fault in [TargetFault::Hangs, TargetFault::AnswersLate] {
            let is_there = all.iter().any(
                |e| matches!(e.what, What::Begin(Fault::Target { fault: f, .. }) if f == fault),
            );
            assert!(is_there, "{fault:?}");
        }
    }
}
