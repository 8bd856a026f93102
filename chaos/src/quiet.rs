//! The quiet end of a round: everything is right again, and what is still wrong then is the program's doing.

use crate::{
    event::N_WORKLOADS,
    findings::{Count, Kind},
    fleet::{Change, Writer},
    scene::lock,
    schedule::Schedule,
    workloads::{WORKLOADS, Workload},
    world::World,
};
use std::time::Duration;
use tokio::time::{Instant, sleep};

/// Interval between looks for what is not at rest.
const POLL: Duration = Duration::from_millis(400);

/// Interval between looks of people for something to decide on.
const PEOPLE: Duration = Duration::from_millis(1_200);

/// Metric that tells of alerts that fire and are not acted upon.
const UNATTENDED: &str = "foreshadow_alerts_unattended{";

/// Time limits of the quiet end of a round.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Patience {
    /// Until everything has come to rest.
    pub bound: Duration,
    /// Of it, until there is capacity where a metric tells that an attempt is to come.
    pub told: Duration,
}

/// Something that is not at rest.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Pending {
    /// Its kind, if it lasts.
    kind: Kind,
    sentence: String,
    action: Option<String>,
}

/// The standing of the alerts about a workload.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Standing {
    /// None fires.
    Silent,
    /// There is as much as is needed.
    Served,
    /// Somebody said no.
    Refused,
    /// A metric tells that an attempt is to come.
    Told,
    /// Nothing is tried, and nobody is told.
    Unattended,
}

impl World {
    /// Puts everything right, lets some of the alerts end, and waits until all is at rest; what is not within
    /// `patience` is noted. Then what was promised about this round is looked at, and the next one prepared.
    pub async fn settle(&self, schedule: &Schedule, patience: Patience) -> anyhow::Result<()> {
        self.mend()?;
        let all = 0..N_WORKLOADS;
        for workload in all.clone().filter(|workload| !schedule.fires_on[*workload]) {
            self.alertmanager.resolve_all(workload);
        }
        self.rest(patience).await?;
        self.audit().await?;
        self.scene.say("the alerts end");
        for workload in all {
            self.alertmanager.resolve_all(workload);
        }
        self.rest(patience).await?;
        self.audit().await?;
        self.rewind();
        Ok(())
    }

    /// Waits until nothing is pending.
    async fn rest(&self, patience: Patience) -> anyhow::Result<()> {
        let (began, bound) = (Instant::now(), patience.bound);
        let (mut has_reloaded, mut looked_at) = (false, began);
        loop {
            sleep(POLL).await;
            if !has_reloaded {
                has_reloaded = self.program.reload();
            }
            if looked_at.elapsed() > PEOPLE {
                looked_at = Instant::now();
                self.people.settle().await;
            }
            let pending = self.pending(began, patience.told).await?;
            if pending.is_empty() {
                return Ok(());
            }
            if began.elapsed() > bound {
                for Pending {
                    kind,
                    sentence,
                    action,
                } in pending
                {
                    let sentence =
                        format!("{sentence}, {bound:?} after everything was right again");
                    self.scene
                        .violation(kind, sentence, action.as_deref())
                        .await;
                }
                return Ok(());
            }
        }
    }

    async fn pending(&self, began: Instant, told: Duration) -> anyhow::Result<Vec<Pending>> {
        let mut pending = Vec::new();
        let mut add = |kind, sentence, action| {
            pending.push(Pending {
                kind,
                sentence,
                action,
            });
        };
        if self.get("/-/ready").await.is_none() {
            add(Kind::Deaf, "the program is not ready".to_owned(), None);
        }
        for workload in self.alertmanager.untold(began) {
            let name = WORKLOADS[workload].name;
            add(
                Kind::Deaf,
                format!("alerts about {name} are not taken in"),
                None,
            );
        }
        if !self.scene.journal.exists() {
            return Ok(pending);
        }
        let actions = self.scene.journal.actions().await?;
        for action in actions.iter().filter(|action| action.is_open()) {
            let (workload, state) = (&action.workload, &action.state);
            let sentence = format!("an action on {workload} is {state}: {}", action.reason);
            add(Kind::Endless, sentence, Some(action.id.clone()));
        }
        let metrics = self.get("/metrics").await.unwrap_or_default();
        for (idx, workload) in WORKLOADS.iter().enumerate() {
            let is_pending = match self.standing(idx, &metrics) {
                Standing::Unattended => true,
                Standing::Told => began.elapsed() < told,
                Standing::Silent | Standing::Served | Standing::Refused => false,
            };
            if is_pending {
                let (replicas, wanted) = (self.fleet.replicas(idx), workload.wanted());
                let name = workload.name;
                let sentence = format!("{name} has {replicas} replicas and should have {wanted}");
                let last = actions.iter().rfind(|action| action.workload == name);
                add(
                    Kind::Unattended,
                    sentence,
                    last.map(|action| action.id.clone()),
                );
            }
        }
        Ok(pending)
    }

    fn standing(&self, workload: usize, metrics: &str) -> Standing {
        let Workload { name, .. } = WORKLOADS[workload];
        let wanted = WORKLOADS[workload].wanted();
        let no_at = lock(&self.people_have_said).noes.get(name).copied();
        if !self.alertmanager.fires_since(workload, None) {
            Standing::Silent
        } else if self.fleet.replicas(workload) >= wanted {
            Standing::Served
        } else if !self.alertmanager.fires_since(workload, no_at) {
            Standing::Refused
        } else if tells_of(metrics, name) {
            Standing::Told
        } else {
            Standing::Unattended
        }
    }

    /// Holds what was promised against what is there.
    async fn audit(&self) -> anyhow::Result<()> {
        let metrics = self.get("/metrics").await.unwrap_or_default();
        for workload in 0..N_WORKLOADS {
            let counts: &[Count] = match self.standing(workload, &metrics) {
                Standing::Silent => &[],
                Standing::Served => &[Count::Firing, Count::Served],
                Standing::Told => &[Count::Firing, Count::Told],
                Standing::Refused => &[Count::Firing, Count::Refused],
                Standing::Unattended => &[Count::Firing],
            };
            for count in counts {
                self.scene.count(*count);
            }
        }
        self.audit_deliveries().await?;
        self.audit_rollbacks().await
    }

    async fn audit_deliveries(&self) -> anyhow::Result<()> {
        // What is answered from here on is looked at the next time.
        let answered = self.alertmanager.take_answered();
        let kept = self.scene.journal.deliveries().await?;
        for sent in answered {
            if !kept.has(&sent) {
                let sentence = format!("{sent:?}");
                self.scene.violation(Kind::Lost, sentence, None).await;
            }
        }
        Ok(())
    }

    async fn audit_rollbacks(&self) -> anyhow::Result<()> {
        let actions = self.scene.journal.actions().await?;
        for action in actions.iter().filter(|action| !action.is_open()) {
            let order = {
                let said = lock(&self.people_have_said);
                let mut turns = said.turns.iter();
                turns
                    .rfind(|turn| turn.action == action.id && turn.to == "rolling_back")
                    .map(|turn| turn.seq)
            };
            let workload = WORKLOADS.iter().position(|w| w.name == action.workload);
            let (Some(order), Some(workload)) = (order, workload) else {
                continue;
            };
            if !lock(&self.judged).insert(order) {
                continue;
            }
            let Some(is_restored) = restored(&self.fleet.changes(workload), &action.id) else {
                continue;
            };
            self.scene.count(Count::Rollbacks);
            if is_restored {
                self.scene.count(Count::Restored);
            } else {
                let name = &action.workload;
                let sentence = format!("{name}: the action is {}: {}", action.state, action.reason);
                let kind = Kind::NotRestored;
                self.scene
                    .violation(kind, sentence, Some(action.id.as_str()))
                    .await;
            }
        }
        Ok(())
    }
}

/// True if the metric tells that an alert about a workload waits.
fn tells_of(metrics: &str, workload: &str) -> bool {
    let label = format!("workload=\"{workload}\"");
    let lines = metrics.lines().filter(|line| line.starts_with(UNATTENDED));
    let mut lines = lines.filter(|line| line.contains(&label));
    lines.any(|line| !line.ends_with(" 0"))
}

/// True if an action's rollback brought back what was there before its first effect; none where it had no effect, or
/// somebody else has changed the number since.
fn restored(changes: &[Change], action: &str) -> Option<bool> {
    let is_its = |change: &Change| match &change.by {
        Writer::Program { action: id, .. } => id == action,
        Writer::Other => false,
    };
    let is_effect = |change: &Change| {
        is_its(change) && !matches!(change.by, Writer::Program { is_rollback, .. } if is_rollback)
    };
    let first = changes.iter().position(is_effect)?;
    let before = changes[first].before;
    let since = &changes[first..];
    let last = since.iter().rposition(is_its)?;
    let is_undisturbed = since[..last].iter().all(is_its);
    if is_effect(&since[last]) {
        // No way back was made: that is right only where somebody else was there.
        let is_undisturbed = is_undisturbed && last + 1 == since.len();
        return is_undisturbed.then(|| since[last].after == before);
    }
    is_undisturbed.then(|| since[last].after == before)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn effect(before: u32, after: u32) -> Change {
        let (action, is_rollback) = ("x".to_owned(), false);
        let by = Writer::Program {
            action,
            is_rollback,
        };
        Change { by, before, after }
    }

    fn back(before: u32, after: u32) -> Change {
        let (action, is_rollback) = ("x".to_owned(), true);
        let by = Writer::Program {
            action,
            is_rollback,
        };
        Change { by, before, after }
    }

    fn other(before: u32, after: u32) -> Change {
        let by = Writer::Other;
        Change { by, before, after }
    }

    #[test]
    fn a_rollback_restores_what_was_before_the_first_stage() {
        let stages = [other(1, 4), effect(4, 9), effect(9, 14)];
        let restores = |last: Change| restored(&[&stages[..], &[last]].concat(), "x");
        assert_eq!(restores(back(14, 4)), Some(true));
        assert_eq!(restores(back(14, 9)), Some(false));
        assert_eq!(restored(&stages, "x"), Some(false));
    }

    #[test]
    fn what_somebody_else_touched_is_not_judged() {
        assert_eq!(restored(&[effect(4, 8), other(8, 5)], "x"), None);
        assert_eq!(restored(&[other(4, 5)], "x"), None);
        let touched_later = [effect(4, 8), back(8, 4), other(4, 5)];
        assert_eq!(restored(&touched_later, "x"), Some(true));
    }

    #[test]
    fn the_metric_tells_of_a_workload_unless_it_is_zero() {
        let metrics = "foreshadow_alerts_unattended{reason=\"forecast\",workload=\"a\"} 1\n\
                       foreshadow_alerts_unattended{reason=\"forecast\",workload=\"b\"} 0\n";
        assert!(tells_of(metrics, "a"));
        assert!(!tells_of(metrics, "b"));
        assert!(!tells_of(metrics, "c"));
    }
}
