//! One instance of a service: what it has served since it started, and what it tells of it.

use crate::{
    exposition::{Family, Kind, Reading},
    queue::{CLIENT_TIMEOUT, Queue},
};
use series::Timestamp;
use std::time::Duration;

/// Upper bounds of the latency histogram, in seconds; the objective is one of them, so that it is read exactly.
pub const BUCKETS: [(f64, &str); 6] = [
    (0.05, "0.05"),
    (0.1, "0.1"),
    (0.25, "0.25"),
    (0.5, "0.5"),
    (1.0, "1"),
    (2.5, "2.5"),
];

/// A process takes this much memory at its start, and loses a little with each request.
const FRESH_BYTES: f64 = 190e6;
const LEAK_BYTES_PER_REQUEST: f64 = 48.0;

/// How many readings one replica has.
pub const N_READINGS: usize = BUCKETS.len() + 8;

const CPU: Family = Family {
    name: "process_cpu_seconds",
    kind: Kind::Counter,
    help: "Total user and system CPU time spent in seconds.",
};
const MEMORY: Family = Family {
    name: "process_resident_memory_bytes",
    kind: Kind::Gauge,
    help: "Resident memory size in bytes.",
};
const STARTED: Family = Family {
    name: "process_start_time_seconds",
    kind: Kind::Gauge,
    help: "Start time of the process since unix epoch in seconds.",
};
const REQUESTS: Family = Family {
    name: "http_requests",
    kind: Kind::Counter,
    help: "Requests answered, by status code; 504 where the client's time ran out.",
};
const DURATION: Family = Family {
    name: "http_request_duration_seconds",
    kind: Kind::Histogram,
    help: "Time from a request's arrival to its answer, waiting included.",
};

/// A running instance. Its totals only grow until it is restarted.
#[derive(Debug, Clone)]
pub struct Replica {
    number: u32,
    started: Timestamp,
    ready_at: Timestamp,
    queue: Queue,
    requests: f64,
    answered: f64,
    failed: f64,
    within: [f64; BUCKETS.len()],
    seconds: f64,
    busy_seconds: f64,
}

impl Replica {
    /// A fresh process that takes requests from `ready_at` on.
    pub fn new(number: u32, started: Timestamp, ready_at: Timestamp) -> Self {
        Self {
            number,
            started,
            ready_at,
            queue: Queue::default(),
            requests: 0.0,
            answered: 0.0,
            failed: 0.0,
            within: [0.0; BUCKETS.len()],
            seconds: 0.0,
            busy_seconds: 0.0,
        }
    }

    /// Replaces the process by a fresh one of the same name that is ready at once, as a rolling update does.
    pub fn restart(&mut self, now: Timestamp) {
        *self = Self::new(self.number, now, now);
    }

    /// Counted from one within the service.
    pub fn number(&self) -> u32 {
        self.number
    }

    /// When the process started.
    pub fn started(&self) -> Timestamp {
        self.started
    }

    /// When it takes requests.
    pub fn ready_at(&self) -> Timestamp {
        self.ready_at
    }

    /// Whether it takes requests.
    pub fn is_ready(&self, now: Timestamp) -> bool {
        self.ready_at <= now
    }

    /// Serves `rate` requests per second during `span`.
    pub fn serve(&mut self, rate: f64, span: Duration) {
        self.queue.advance(rate, span);
        let came = rate * span.as_secs_f64();
        let timeout = CLIENT_TIMEOUT.as_secs_f64();
        self.requests += came;
        let in_time = came * self.queue.answered_within(timeout);
        self.answered += in_time;
        self.failed += came - in_time;
        for (total, (bound, _)) in self.within.iter_mut().zip(BUCKETS) {
            // Whoever gives up is measured at the time-out.
            let share = if bound < timeout {
                self.queue.answered_within(bound)
            } else {
                1.0
            };
            *total += came * share;
        }
        self.seconds += came * self.queue.mean_seconds();
        self.busy_seconds += self.queue.busy() * span.as_secs_f64();
    }

    /// All that it tells, families together, in an order that never changes.
    pub fn readings(&self) -> [Reading; N_READINGS] {
        // Each total is cut on its own: a difference of two could fall.
        let requests = self.requests.floor();
        let (answered, failed) = (self.answered.floor(), self.failed.floor());
        let memory = FRESH_BYTES + LEAK_BYTES_PER_REQUEST * self.requests;
        let bucket = |idx: usize| {
            let label = Some(("le", BUCKETS[idx].1));
            Reading::new(&DURATION, "_bucket", label, self.within[idx].floor())
        };
        let infinite = Some(("le", "+Inf"));
        [
            Reading::new(&CPU, "_total", None, hundredths(self.busy_seconds)),
            // Memory comes in pages of 4 KiB.
            Reading::new(&MEMORY, "", None, (memory / 4_096.0).round() * 4_096.0),
            Reading::new(&STARTED, "", None, self.started.as_seconds_f64()),
            Reading::new(&REQUESTS, "_total", Some(("code", "200")), answered),
            Reading::new(&REQUESTS, "_total", Some(("code", "504")), failed),
            bucket(0),
            bucket(1),
            bucket(2),
            bucket(3),
            bucket(4),
            bucket(5),
            Reading::new(&DURATION, "_bucket", infinite, requests),
            Reading::new(&DURATION, "_sum", None, hundredths(self.seconds)),
            Reading::new(&DURATION, "_count", None, requests),
        ]
    }
}

fn hundredths(value: f64) -> f64 {
    (value * 100.0).floor() / 100.0
}

#[cfg(test)]
mod tests {
    use super::*;

    fn replica() -> Replica {
        Replica::new(1, Timestamp::default(), Timestamp::default())
    }

    fn values(replica: &Replica) -> [f64; N_READINGS] {
        replica.readings().map(|reading| reading.value)
    }

    #[test]
    fn totals_never_fall_and_buckets_never_cross() {
        let mut replica = replica();
        let mut before = values(&replica);
        for n in 0..2_000_u32 {
            replica.serve(f64::from(n % 140), Duration::from_millis(700));
            let now = values(&replica);
            assert!(
                before.iter().zip(&now).all(|(b, n)| b <= n),
                "{before:?} {now:?}"
            );
            assert!(now[5..=11].is_sorted(), "{now:?}");
            before = now;
        }
        assert!(before[4] > 0.0, "overload must have failed some");
    }

    #[test]
    fn a_restart_begins_at_zero() {
        let mut replica = replica();
        replica.serve(50.0, Duration::from_secs(100));
        replica.restart(Timestamp::from_seconds(100));
        assert_eq!(values(&replica)[3..], [0.0; 11]);
        assert!((values(&replica)[2] - 100.0).abs() < 1e-9);
    }
}
