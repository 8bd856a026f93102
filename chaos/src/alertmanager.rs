//! A pair of Alertmanagers, as the program's webhook meets it: at least once, repeated, retried, gossiped.

use crate::{
    clock::now_millis,
    event::{Moment, N_ALERTS, N_WORKLOADS},
    findings::Count,
    fleet::Fleet,
    journal::Delivered,
    notification::{Sent, Verdict, judge, notification, sent, stray},
    program::Program,
    scene::{Scene, lock},
    workloads::WORKLOADS,
};
use rand::{Rng as _, SeedableRng as _};
use rand_chacha::ChaCha8Rng;
use std::{
    collections::HashSet,
    sync::{
        Arc, Mutex,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
    time::Duration,
};
use testbed::http_client;
use tokio::time::{Instant, sleep};

/// `group_interval`: how long a notification is retried, and how soon after one the next is sent.
const GROUP_INTERVAL: Duration = Duration::from_millis(1_500);

/// `repeat_interval`: how soon what fires on is sent again.
const REPEAT_INTERVAL: Duration = Duration::from_secs(4);

/// Time between two attempts.
const RETRY: Duration = Duration::from_millis(250);

/// Interval between looks for something to send.
const POLL: Duration = Duration::from_millis(150);

/// Time limit of one request.
const TIMEOUT: Duration = Duration::from_secs(5);

/// Pause between the late beginning of an ended alert and the copy of its end.
const GOSSIP: Duration = Duration::from_secs(2);

/// Longest time between a notification and an aimed kill.
const KILL_WITHIN_MILLIS: u64 = 12;

/// One firing of one alert.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Firing {
    /// As the pair has it, in milliseconds since the epoch: the earliest that was heard of.
    starts_at: i64,
    /// As it was first heard of.
    heard_first: i64,
    /// Time of the first successful notification of it.
    taken_in_at: Option<Instant>,
}

/// One alert of a group.
#[derive(Debug, Clone, Copy, Default)]
struct Alert {
    firing: Option<Firing>,
    /// Beginning and end of the last firing.
    ended: Option<Ended>,
    /// True while its end is still to be sent.
    must_tell_end: bool,
}

#[derive(Debug, Clone, Copy)]
struct Ended {
    starts_at: i64,
    ends_at: i64,
}

/// The alerts about one workload, which are sent together.
#[derive(Debug, Default)]
struct Group {
    alerts: [Alert; N_ALERTS],
    has_changed: bool,
    /// Time of the last successful notification.
    taken_in_at: Option<Instant>,
}

/// The pair.
#[derive(Debug)]
pub struct AlertmanagerStub {
    http: reqwest::Client,
    program: Arc<Program>,
    fleet: Arc<Fleet>,
    scene: Arc<Scene>,
    groups: [Mutex<Group>; N_WORKLOADS],
    answered: Mutex<HashSet<Delivered>>,
    rng: Mutex<ChaCha8Rng>,
    n_sent: AtomicU64,
}

impl AlertmanagerStub {
    /// A pair that knows of no alerts.
    pub fn new(
        program: Arc<Program>,
        fleet: Arc<Fleet>,
        scene: Arc<Scene>,
    ) -> anyhow::Result<Self> {
        Ok(Self {
            http: http_client(TIMEOUT)?,
            program,
            fleet,
            scene,
            groups: Default::default(),
            answered: Mutex::default(),
            rng: Mutex::new(ChaCha8Rng::seed_from_u64(0)),
            n_sent: AtomicU64::new(0),
        })
    }

    /// Begins a round, whose waits and repetitions of chance come from this seed.
    pub fn begin_round(&self, seed: u64) {
        *lock(&self.rng) = ChaCha8Rng::seed_from_u64(seed);
    }

    fn chance(&self, of: f64) -> bool {
        lock(&self.rng).random_bool(of)
    }

    /// An alert begins to fire, unless it does. Now and then it is a firing that Alertmanager had given up because
    /// Prometheus was away, and so begins when the one before began.
    pub fn fire(&self, workload: usize, alert: usize) {
        let is_same_again = self.chance(0.2);
        let mut group = lock(&self.groups[workload]);
        let known = &mut group.alerts[alert];
        if known.firing.is_some() {
            return;
        }
        let before = known.ended.filter(|_| is_same_again);
        let starts_at = before.map_or_else(now_millis, |ended| ended.starts_at);
        known.firing = Some(Firing {
            starts_at,
            heard_first: starts_at,
            taken_in_at: None,
        });
        // An end that was not sent yet is overtaken, as Alertmanager overwrites it.
        known.must_tell_end = false;
        group.has_changed = true;
        self.scene.say(&format!(
            "alert {alert} about {} fires",
            WORKLOADS[workload].name
        ));
    }

    /// An alert ends, if it fires.
    pub fn resolve(&self, workload: usize, alert: usize) {
        let mut group = lock(&self.groups[workload]);
        let known = &mut group.alerts[alert];
        let Some(firing) = known.firing.take() else {
            return;
        };
        known.ended = Some(Ended {
            starts_at: firing.starts_at,
            ends_at: now_millis(),
        });
        // Of what was never notified, no end is.
        known.must_tell_end = firing.taken_in_at.is_some();
        group.has_changed = true;
        self.scene.say(&format!(
            "alert {alert} about {} ends",
            WORKLOADS[workload].name
        ));
    }

    /// All alerts about a workload end.
    pub fn resolve_all(&self, workload: usize) {
        for alert in 0..N_ALERTS {
            self.resolve(workload, alert);
        }
    }

    /// Another Prometheus saw a workload's alerts begin earlier.
    pub fn see_earlier(&self, workload: usize, by_seconds: i64) {
        let mut group = lock(&self.groups[workload]);
        for firing in group.alerts.iter_mut().filter_map(|a| a.firing.as_mut()) {
            firing.starts_at -= by_seconds * 1_000;
        }
        group.has_changed = true;
    }

    /// The other of the pair says that what ended fires, and some time later that it ended.
    pub async fn gossip(&self, workload: usize) {
        let alerts = lock(&self.groups[workload]).alerts;
        let ended: Vec<_> = alerts
            .iter()
            .enumerate()
            .filter_map(|(alert, known)| Some((alert, known.ended?)))
            .collect();
        for end in [None, Some(())] {
            let sent = ended.iter().map(|(alert, ended)| {
                let ends_at = end.map(|()| ended.ends_at);
                sent(workload, *alert, ended.starts_at, ends_at)
            });
            let sent: Vec<_> = sent.collect();
            if !sent.is_empty() {
                self.deliver(&sent).await;
            }
            sleep(GOSSIP).await;
        }
    }

    /// True if an alert about the workload fires and was taken in, after `no_at` if one is given.
    pub fn fires_since(&self, workload: usize, no_at: Option<Instant>) -> bool {
        let group = lock(&self.groups[workload]);
        let mut firing = group.alerts.iter().filter_map(|alert| alert.firing);
        firing.any(|firing| match (firing.taken_in_at, no_at) {
            (Some(taken_in_at), Some(no_at)) => taken_in_at > no_at,
            (taken_in_at, None) => taken_in_at.is_some(),
            (None, Some(_)) => false,
        })
    }

    /// Workloads whose alerts were not all taken in since then, though some are to be sent.
    pub fn untold(&self, since: Instant) -> Vec<usize> {
        let is_untold = |workload: &usize| {
            let group = lock(&self.groups[*workload]);
            let mut alerts = group.alerts.iter();
            let has_any = alerts.any(|alert| alert.firing.is_some() || alert.must_tell_end);
            has_any && group.taken_in_at.is_none_or(|at| at < since)
        };
        (0..N_WORKLOADS).filter(is_untold).collect()
    }

    /// The alerts that were answered 200 since the last call.
    pub fn take_answered(&self) -> HashSet<Delivered> {
        std::mem::take(&mut *lock(&self.answered))
    }

    /// Sends what is to be sent about one workload, for ever.
    pub async fn run_group(&self, workload: usize) {
        let mut last = Instant::now();
        loop {
            sleep(POLL).await;
            let is_due = {
                let group = lock(&self.groups[workload]);
                let fires = group.alerts.iter().any(|alert| alert.firing.is_some());
                group.has_changed || fires && last.elapsed() >= REPEAT_INTERVAL
            };
            if is_due && last.elapsed() >= GROUP_INTERVAL {
                last = Instant::now();
                self.notify(workload).await;
            }
        }
    }

    /// One notification, retried as long as a group interval lasts.
    async fn notify(&self, workload: usize) {
        let sent = self.due(workload);
        if sent.is_empty() {
            return;
        }
        let until = Instant::now() + GROUP_INTERVAL;
        let verdict = loop {
            let (one, ()) = tokio::join!(self.deliver(&sent), self.peer(workload, &sent));
            if one != Verdict::Retry || Instant::now() > until {
                break one;
            }
            sleep(RETRY).await;
        };
        let mut group = lock(&self.groups[workload]);
        if verdict == Verdict::TakenIn {
            let now = Instant::now();
            group.taken_in_at = Some(now);
            for Sent {
                alert, delivered, ..
            } in &sent
            {
                let known = &mut group.alerts[*alert];
                match (&mut known.firing, delivered.status) {
                    (Some(firing), "firing") => {
                        firing.taken_in_at.get_or_insert(now);
                    }
                    (None, "resolved") => known.must_tell_end = false,
                    // It ended while it was said to fire.
                    (None, _) => {
                        known.must_tell_end = true;
                        group.has_changed = true;
                    }
                    _ => {}
                }
            }
        } else {
            group.has_changed = true;
        }
    }

    /// Content of the next notification.
    fn due(&self, workload: usize) -> Vec<Sent> {
        let mut group = lock(&self.groups[workload]);
        group.has_changed = false;
        let known = group.alerts.iter().enumerate();
        let due = known.filter_map(|(alert, known)| match (known.firing, known.ended) {
            (Some(firing), _) => Some(sent(workload, alert, firing.starts_at, None)),
            (None, Some(ended)) if known.must_tell_end => {
                Some(sent(workload, alert, ended.starts_at, Some(ended.ends_at)))
            }
            _ => None,
        });
        due.collect()
    }

    /// Now and then the other of the pair sends the same, with the beginnings that it has heard of.
    async fn peer(&self, workload: usize, same: &[Sent]) {
        if !self.chance(0.25) {
            return;
        }
        let has_heard = self.chance(0.5);
        let firings = lock(&self.groups[workload])
            .alerts
            .map(|alert| alert.firing);
        let theirs = same.iter().map(|ours| match firings[ours.alert] {
            Some(firing) if ours.delivered.status == "firing" && !has_heard => {
                sent(workload, ours.alert, firing.heard_first, None)
            }
            _ => ours.clone(),
        });
        self.deliver(&theirs.collect::<Vec<_>>()).await;
    }

    async fn deliver(&self, sent: &[Sent]) -> Verdict {
        self.scene.count(Count::Notifications);
        let url = self.program.url("/api/v1/webhook/alertmanager");
        let n_sent = self.n_sent.fetch_add(1, Relaxed);
        let sent = [sent, &[stray(n_sent)]].concat();
        let request = self.http.post(url).body(notification(&sent).to_string());
        let request = request.header("content-type", "application/json");
        let (answer, ()) = tokio::join!(request.send(), self.spring());
        let verdict = judge(answer.ok().map(|answer| answer.status().as_u16()));
        if verdict == Verdict::TakenIn {
            let mut answered = lock(&self.answered);
            answered.extend(sent.iter().map(|sent| sent.delivered.clone()));
            drop(answered);
            self.scene
                .findings
                .add(Count::AlertsTakenIn, sent.len() as u64);
        }
        verdict
    }

    /// Kills the program in the middle of a notification, where that was asked for.
    async fn spring(&self) {
        let Some(trap) = self.fleet.take_trap(Moment::Notification) else {
            return;
        };
        let wait = lock(&self.rng).random_range(0..KILL_WITHIN_MILLIS);
        sleep(Duration::from_millis(wait)).await;
        if self.program.kill(trap.down) {
            self.scene.say("kill -9, in the middle of a notification");
            self.scene.count(Count::Kills);
            self.scene.count(Count::AimedKills);
        }
    }
}
