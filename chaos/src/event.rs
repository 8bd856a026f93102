//! The events of a round: alerts, faults, kills, decisions of people.

use std::time::Duration;

/// Workloads of a world.
pub const N_WORKLOADS: usize = 5;

/// Alerts about each workload that may fire at once.
pub const N_ALERTS: usize = 2;

/// Something that a target does wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum TargetFault {
    /// Reading is answered 500.
    GetFails,
    /// Writing is answered 500, and nothing is done.
    PutFails,
    /// Nothing is answered, and nothing is done.
    Hangs,
    /// Writes take effect at once and are answered after the time limit.
    AnswersLate,
    /// The workload has another name: 404.
    Renamed,
    /// The credential is refused: 403.
    Forbidden,
}

/// Something that Prometheus does wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum PrometheusFault {
    /// Connections are refused.
    Away,
    /// Answers take longer than the program waits, or nearly.
    Slow,
    /// Queries are answered 500.
    Fails,
    /// Every value is NaN.
    OnlyNan,
    /// The query that verifies an effect says that it is bad.
    BadNews,
}

/// A fault that lasts for a while.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Fault {
    /// One workload's target.
    Target {
        /// The workload.
        workload: usize,
        /// The fault.
        fault: TargetFault,
    },
    /// The whole Prometheus.
    Prometheus(PrometheusFault),
    /// No room under `storage.path`.
    FullDisk,
    /// The program's clock is so many seconds ahead, or behind.
    Clock(i64),
    /// The kill switch is thrown.
    KillSwitch,
}

/// The moment at which the program is killed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Moment {
    /// A target is read.
    Get,
    /// A target is written; nothing is done yet.
    BeforePut,
    /// A target was written; the answer is not sent yet.
    AfterPut,
    /// Some milliseconds after a notification was sent.
    Notification,
}

/// A decision about an action that allows it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Decision {
    /// Says yes.
    Approve,
    /// Says no.
    Reject,
    /// Has the effect undone.
    Rollback,
}

/// The mode of a workload.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Mode {
    /// Nothing is done.
    Observe,
    /// A person decides.
    Approve,
    /// It is done after the grace period.
    Auto,
}

/// One thing that happens.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum What {
    /// An alert begins to fire, unless it does already.
    Fire {
        /// The workload that it is about.
        workload: usize,
        /// Which of its alerts.
        alert: usize,
    },
    /// An alert ends.
    Resolve {
        /// The workload that it is about.
        workload: usize,
        /// Which of its alerts.
        alert: usize,
    },
    /// Another Prometheus saw the workload's alerts begin earlier.
    SeenEarlier {
        /// The workload.
        workload: usize,
        /// By so much.
        by_seconds: i64,
    },
    /// The other Alertmanager of the pair, which has not heard of the end, says once more that the alert fires.
    Gossip {
        /// The workload.
        workload: usize,
    },
    /// Something goes wrong.
    Begin(Fault),
    /// It is right again.
    End(Fault),
    /// `kill -9`, and a start some time later.
    Kill {
        /// Milliseconds until the start.
        down_millis: u64,
    },
    /// `kill -9` at the next such moment.
    KillAt {
        /// The moment.
        moment: Moment,
        /// Milliseconds until the start.
        down_millis: u64,
    },
    /// SIGHUP with these modes in the configuration.
    Reload([Mode; N_WORKLOADS]),
    /// SIGHUP with a configuration that cannot be read.
    BrokenReload,
    /// Somebody else sets the number of replicas.
    OtherWriter {
        /// The workload.
        workload: usize,
        /// The number.
        replicas: u32,
    },
    /// A person looks for an action to decide on.
    Person {
        /// The decision.
        decision: Decision,
        /// Which of those that allow it.
        pick: usize,
    },
}

/// One thing that happens, and when.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Event {
    /// Time since the round began.
    pub at: Duration,
    /// The event itself.
    pub what: What,
}
