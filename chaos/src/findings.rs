//! The counts: how much was thrown at the program, and what it did wrong.

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt,
    sync::{Mutex, MutexGuard, PoisonError},
};

/// Something that the program promises never to do.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Kind {
    /// An alert was answered 200, and the journal does not have it.
    Lost,
    /// An effect was carried out again although it was there, undisturbed.
    Doubled,
    /// More was written than the configuration allows.
    BeyondMax,
    /// A target was written without an entry in the journal before.
    Unannounced,
    /// A rollback did not bring back what was there, although nobody else had touched it.
    NotRestored,
    /// An action is still open although nothing was wrong any more.
    Endless,
    /// An alert fires, and nothing is tried, and nobody is told.
    Unattended,
    /// A notification could not be delivered although nothing was wrong any more.
    Deaf,
    /// The program ended although nobody ended it and its disk had room.
    Crashed,
}

impl Kind {
    /// All of them, in the order of the table.
    pub const ALL: [Self; 9] = [
        Self::Lost,
        Self::Doubled,
        Self::BeyondMax,
        Self::Unannounced,
        Self::NotRestored,
        Self::Endless,
        Self::Unattended,
        Self::Deaf,
        Self::Crashed,
    ];

    /// Title of its row in the table.
    pub fn title(self) -> &'static str {
        match self {
            Self::Lost => "alerts answered 200 that the journal does not have",
            Self::Doubled => "effects carried out twice",
            Self::BeyondMax => "effects beyond the maximum",
            Self::Unannounced => "effects without an entry in the journal before",
            Self::NotRestored => "rollbacks that did not restore an undisturbed target",
            Self::Endless => "actions without end",
            Self::Unattended => "alerts that fire while nothing is tried and nobody is told",
            Self::Deaf => "notifications not taken in although nothing was wrong any more",
            Self::Crashed => "ends of the program by itself",
        }
    }
}

/// Something that was counted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Count {
    /// Rounds.
    Rounds,
    /// `kill -9`.
    Kills,
    /// Of these, at a read, a write or a notification.
    AimedKills,
    /// Faults of targets.
    TargetFaults,
    /// Outages of Prometheus, of each sort.
    PrometheusOutages,
    /// Full disks.
    FullDisks,
    /// Jumps of the clock.
    ClockJumps,
    /// The kill switch, thrown.
    KillSwitches,
    /// Configurations that were reloaded, broken ones included.
    Reloads,
    /// Numbers that somebody else set.
    OtherWriters,
    /// Decisions of people that were accepted.
    Decisions,
    /// Notifications that were sent.
    Notifications,
    /// Alerts in notifications that were answered 200.
    AlertsTakenIn,
    /// Actions in the journals.
    Actions,
    /// Writes that reached a target.
    Effects,
    /// Rollbacks whose target nobody else had touched.
    Rollbacks,
    /// Of these, with what was there before there again.
    Restored,
    /// Alerts that fired at the end of a round.
    Firing,
    /// Of these, with capacity as needed.
    Served,
    /// Of these, where somebody said no.
    Refused,
    /// Of these, waiting for an attempt that a metric tells of.
    Told,
    /// Faults of the schedule that this machine could not bring about.
    LeftOut,
}

impl Count {
    /// All of them, in the order of the table.
    pub const ALL: [Self; 22] = [
        Self::Rounds,
        Self::Kills,
        Self::AimedKills,
        Self::TargetFaults,
        Self::PrometheusOutages,
        Self::FullDisks,
        Self::ClockJumps,
        Self::KillSwitches,
        Self::Reloads,
        Self::OtherWriters,
        Self::Decisions,
        Self::Notifications,
        Self::AlertsTakenIn,
        Self::Actions,
        Self::Effects,
        Self::Rollbacks,
        Self::Restored,
        Self::Firing,
        Self::Served,
        Self::Refused,
        Self::Told,
        Self::LeftOut,
    ];

    /// Title of its row in the table.
    pub fn title(self) -> &'static str {
        match self {
            Self::Rounds => "rounds",
            Self::Kills => "kill -9",
            Self::AimedKills => "… of these at a read, a write or a notification",
            Self::TargetFaults => "target faults",
            Self::PrometheusOutages => "Prometheus outages",
            Self::FullDisks => "full disks",
            Self::ClockJumps => "clock jumps",
            Self::KillSwitches => "kill switch thrown",
            Self::Reloads => "reloads",
            Self::OtherWriters => "numbers set by others",
            Self::Decisions => "decisions of people",
            Self::Notifications => "notifications sent",
            Self::AlertsTakenIn => "alerts answered 200",
            Self::Actions => "actions",
            Self::Effects => "writes that reached a target",
            Self::Rollbacks => "rollbacks of undisturbed targets",
            Self::Restored => "… of these restored",
            Self::Firing => "workloads with firing alerts at a round's end",
            Self::Served => "… of these with capacity as needed",
            Self::Refused => "… of these where somebody said no",
            Self::Told => "… of these waiting for an attempt that a metric tells of",
            Self::LeftOut => "faults left out",
        }
    }
}

/// One thing that the program did wrong.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Violation {
    /// Its kind.
    pub kind: Kind,
    /// In which world and round.
    pub place: String,
    /// The observation, as a sentence.
    pub sentence: String,
    /// The action's history, a line each; empty where no action is involved.
    pub history: String,
}

impl fmt::Display for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let title = self.kind.title();
        write!(f, "{}: {title}: {}", self.place, self.sentence)?;
        if !self.history.is_empty() {
            write!(f, "\n{}", self.history.trim_end())?;
        }
        Ok(())
    }
}

/// All that was counted and found, shared by all worlds.
#[derive(Debug, Default)]
pub struct Findings {
    inner: Mutex<Inner>,
}

#[derive(Debug, Default)]
struct Inner {
    counts: BTreeMap<Count, u64>,
    violations: Vec<Violation>,
    remarks: BTreeSet<String>,
}

impl Findings {
    fn inner(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Counts one.
    pub fn count(&self, what: Count) {
        self.add(what, 1);
    }

    /// Counts several.
    pub fn add(&self, what: Count, n: u64) {
        *self.inner().counts.entry(what).or_default() += n;
    }

    /// The count so far.
    pub fn total(&self, what: Count) -> u64 {
        self.inner().counts.get(&what).copied().unwrap_or_default()
    }

    /// Notes something wrong, and says it at once.
    pub fn note(&self, violation: Violation) {
        eprintln!("{violation}");
        self.inner().violations.push(violation);
    }

    /// Notes how faults are brought about here, once for all worlds.
    pub fn remark(&self, sentence: &str) {
        self.inner().remarks.insert(sentence.to_owned());
    }

    /// Remarks on the ways in which faults are brought about on this machine.
    pub fn remarks(&self) -> Vec<String> {
        self.inner().remarks.iter().cloned().collect()
    }

    /// All violations, oldest first.
    pub fn violations(&self) -> Vec<Violation> {
        self.inner().violations.clone()
    }

    /// The table of all counts.
    pub fn table(&self) -> String {
        let mut rows: Vec<_> = Count::ALL
            .map(|count| (count.title(), self.total(count)))
            .to_vec();
        let violations = self.violations();
        rows.extend(Kind::ALL.map(|kind| {
            let n = violations.iter().filter(|v| v.kind == kind).count();
            (kind.title(), n as u64)
        }));
        let lines = rows.iter().map(|(title, n)| format!("{n:>8}  {title}\n"));
        lines.collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_has_a_row_for_each_count_and_each_kind() {
        let findings = Findings::default();
        findings.add(Count::Kills, 3);
        findings.note(Violation {
            kind: Kind::Doubled,
            place: "world 0, round 1".to_owned(),
            sentence: "a wrote 8 again".to_owned(),
            history: String::new(),
        });
        let table = findings.table();
        assert_eq!(table.lines().count(), Count::ALL.len() + Kind::ALL.len());
        assert!(table.contains("       3  kill -9\n"), "{table}");
        assert!(
            table.contains("       1  effects carried out twice\n"),
            "{table}"
        );
    }
}
