//! Alerts that fire while nothing is done about them: which, why, and what is said of it.

use crate::{Remediation, Warning, guards::Obstacle};
use series::{PromDuration, Timestamp};
use std::{
    collections::{BTreeMap, HashMap},
    fmt,
    sync::{Mutex, MutexGuard, PoisonError},
    time::Duration,
};
use store::{Action, ActionId, Ending, StoreError, Waiting};

/// Why an alert that fires, and that nobody said no to, is not being acted upon.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Reason {
    /// The kill switch is thrown.
    KillSwitch,
    /// It is maintenance time.
    Maintenance,
    /// The workload cools down after an action.
    Cooldown,
    /// The last attempt was hindered, and the pause before the next one lasts.
    RetryBackoff,
    /// Nobody answered when asked, and the pause before the next time lasts.
    Unanswered,
    /// Somebody has silenced the alerts.
    Silenced,
    /// The workload's mode is `observe`.
    Observe,
    /// There are as many as the maximum allows, and more are needed.
    AtMaximum,
    /// An action had an effect that was judged bad and taken back.
    RolledBack,
    /// An action waits for its turn behind others.
    Queued,
    /// An effect was ordered, and the world does not say what has become of it.
    Unknown,
    /// Alertmanager has not repeated the alerts for a day, so that their end may have got lost.
    NotRepeated,
}

impl Reason {
    /// Every one of them.
    pub const ALL: [Self; 12] = [
        Self::KillSwitch,
        Self::Maintenance,
        Self::Cooldown,
        Self::RetryBackoff,
        Self::Unanswered,
        Self::Silenced,
        Self::Observe,
        Self::AtMaximum,
        Self::RolledBack,
        Self::Queued,
        Self::Unknown,
        Self::NotRepeated,
    ];

    /// The word that metric labels and the API use.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::KillSwitch => "kill_switch",
            Self::Maintenance => "maintenance",
            Self::Cooldown => "cooldown",
            Self::RetryBackoff => "retry_backoff",
            Self::Unanswered => "unanswered",
            Self::Silenced => "silenced",
            Self::Observe => "observe",
            Self::AtMaximum => "at_maximum",
            Self::RolledBack => "rolled_back",
            Self::Queued => "queued",
            Self::Unknown => "unknown",
            Self::NotRepeated => "not_repeated",
        }
    }

    /// True for a reason that somebody chose, and that nobody needs to be told of.
    pub const fn is_intended(self) -> bool {
        matches!(self, Self::Observe | Self::Silenced | Self::Maintenance)
    }
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// The alerts of one workload that fire while nothing is done about them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unattended {
    /// The workload.
    pub workload: String,
    /// Why nothing is done.
    pub reason: Reason,
    /// The same as a sentence.
    pub why: String,
    /// How many alerts.
    pub n_alerts: u32,
    /// When the first of them was heard of.
    pub since: Timestamp,
    /// The action that was last about them; none where there was none yet.
    pub action: Option<ActionId>,
    /// When the next action is proposed, where that is known.
    pub again_at: Option<Timestamp>,
    /// How many more replicas are needed than the maximum allows.
    pub missing: u32,
}

impl Unattended {
    /// The waiting alerts of a workload, and what stands against an action for them.
    pub(crate) fn of(group: &Group, obstacle: Obstacle, missing: u32) -> Self {
        let counted = |waiting: &&Waiting| match obstacle.reason {
            Reason::RolledBack => waiting.ending == Some(Ending::Undone),
            _ => waiting.calls,
        };
        let alerts = group.waiting.iter().filter(counted);
        let since = alerts.clone().map(|waiting| waiting.first_heard_at).min();
        let last: Option<ActionId> = alerts.clone().find_map(|waiting| waiting.action);
        Self {
            workload: group.workload.clone(),
            n_alerts: alerts.map(|waiting| waiting.n_alerts).sum(),
            since: since.unwrap_or(Timestamp::from_millis(0)),
            action: last,
            again_at: obstacle.until,
            missing,
            reason: obstacle.reason,
            why: obstacle.why,
        }
    }
}

/// What is known of alerts that fire while nothing is done about them, as of the last tick.
#[derive(Default)]
pub(crate) struct Attention {
    /// Held by the one tick that looks.
    pub(crate) look: tokio::sync::Mutex<Memory>,
    seen: Mutex<Seen>,
}

/// What one look leaves to the next.
#[derive(Default)]
pub(crate) struct Memory {
    /// The state of the journal that `groups` was read in, and when that was.
    pub(crate) read_at: Option<(u64, Duration)>,
    pub(crate) groups: Vec<Group>,
    /// The configuration that alerts were matched with last, and the state of the journal after that.
    pub(crate) matched: Option<(u64, u64)>,
    /// Whether this look is the first with it.
    pub(crate) is_new_config: bool,
    /// What the maximum and the forecast came to, and when that was found, by workload.
    pub(crate) outlooks: HashMap<String, (ActionId, Duration, Growth)>,
    /// When Alertmanager was last asked for silences, and what it said, by workload.
    pub(crate) silences: HashMap<String, (Duration, Option<String>)>,
    watches: BTreeMap<(String, Reason), Watch>,
}

/// The alerts of one workload that wait.
#[derive(Debug, Clone)]
pub(crate) struct Group {
    pub(crate) workload: String,
    pub(crate) waiting: Vec<Waiting>,
    /// The action that ended last for them, among those that call for another one.
    pub(crate) past: Option<Action>,
}

/// What has become of the need since an action.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Growth {
    /// What was planned suffices.
    Enough,
    /// More is foreseen than was planned for.
    More,
    /// What was planned would suffice, but is not there any more; what is, as a sentence.
    TakenAway(String),
    /// More is needed than the maximum allows.
    AtMaximum { missing: u32, why: String },
}

#[derive(Default)]
struct Seen {
    unattended: Vec<Unattended>,
    /// Pauses between attempts, by workload.
    pauses: HashMap<String, Pause>,
}

#[derive(Clone)]
struct Pause {
    id: ActionId,
    ended_at: Timestamp,
    lasts: Duration,
}

struct Watch {
    since: Duration,
    warned_at: Option<Duration>,
    told_at: Option<Duration>,
}

/// The pause after the first attempt; it doubles each time.
const FIRST_PAUSE: Duration = Duration::from_secs(30);

/// The longest pause between attempts.
const LONGEST_PAUSE: Duration = Duration::from_mins(15);

/// The same where people were asked: nobody wants to be asked twice a minute.
const FIRST_PAUSE_OF_PEOPLE: Duration = Duration::from_mins(5);

/// The longest pause between two questions to people.
const LONGEST_PAUSE_OF_PEOPLE: Duration = Duration::from_hours(1);

/// When alerts that nothing is done about are worth a line at level warn, and how often.
const LONG: Duration = Duration::from_mins(15);
const WARN_AGAIN: Duration = Duration::from_hours(1);

/// How often Alertmanager is told that the maximum is too low, and how long that holds.
const TELL_AGAIN: Duration = Duration::from_mins(1);
const TOLD: Duration = Duration::from_mins(5);

/// How long after the end of an attempt the next one follows.
pub(crate) fn pause_after(action: &Action) -> Duration {
    let (first, longest) = match action.ending {
        Some(Ending::Unanswered) => (FIRST_PAUSE_OF_PEOPLE, LONGEST_PAUSE_OF_PEOPLE),
        _ => (FIRST_PAUSE, LONGEST_PAUSE),
    };
    let doubled = first * 2_u32.pow(action.attempt.saturating_sub(1).min(10));
    doubled.min(longest)
}

impl Attention {
    fn seen(&self) -> MutexGuard<'_, Seen> {
        self.seen.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Remediation {
    /// Alerts that fire, match a workload, and are not being acted upon although nobody said no to them, by workload
    /// and reason, as of the last tick.
    pub fn unattended(&self) -> Vec<Unattended> {
        self.attention.seen().unattended.clone()
    }

    /// At most `limit` of the alerts of a workload that no action is open for, but for those that somebody said no
    /// to, oldest first.
    pub async fn unattended_alerts(
        &self,
        workload: &str,
        limit: u32,
    ) -> Result<Vec<store::RecordedDelivery>, StoreError> {
        self.journal.waiting_alerts(workload, limit).await
    }

    /// The pause after an attempt on a workload that was hindered, while it lasts and the alerts fire.
    pub(crate) fn resting(&self, workload: &str, now: Timestamp) -> Option<Obstacle> {
        let pause = self.attention.seen().pauses.get(workload).cloned()?;
        let age = self.ages.age(pause.id, pause.ended_at, now);
        let rest = pause.lasts.saturating_sub(age);
        let words = PromDuration::new(rest);
        (!rest.is_zero()).then(|| Obstacle {
            until: Some(now + rest),
            ..Obstacle::new(
                Reason::RetryBackoff,
                format!(
                    "the next attempt follows in {words} after action {}",
                    pause.id
                ),
            )
        })
    }

    /// Notes the pauses that last, so that a new alert does not lead to an attempt before its time.
    pub(crate) fn note_pauses(&self, groups: &[Group]) {
        let hindered = groups.iter().filter_map(|group| {
            let past = group.past.as_ref()?;
            let pause = Pause {
                id: past.id,
                ended_at: past.updated_at,
                lasts: pause_after(past),
            };
            (past.ending == Some(Ending::Hindered)).then(|| (group.workload.clone(), pause))
        });
        self.attention.seen().pauses = hindered.collect();
    }

    /// Keeps what was found for those who ask, and tells people of what lasts.
    pub(crate) async fn note_unattended(
        &self,
        memory: &mut Memory,
        found: Vec<Unattended>,
        now: Timestamp,
    ) {
        let steady = self.ages.steady(now);
        let is_found = |workload: &str, reason: Reason| {
            let mut found = found.iter();
            found.any(|one| one.workload == workload && one.reason == reason)
        };
        memory
            .watches
            .retain(|(workload, reason), _| is_found(workload, *reason));
        for one in &found {
            let key = (one.workload.clone(), one.reason);
            let watch = memory.watches.entry(key).or_insert(Watch {
                since: steady,
                warned_at: None,
                told_at: None,
            });
            let is_long = steady.saturating_sub(watch.since) >= LONG;
            let is_due = |last: Option<Duration>, pause| {
                last.is_none_or(|last| steady.saturating_sub(last) >= pause)
            };
            if is_long && !one.reason.is_intended() && is_due(watch.warned_at, WARN_AGAIN) {
                watch.warned_at = Some(steady);
                tracing::warn!(
                    workload = one.workload,
                    alerts = one.n_alerts,
                    reason = %one.reason,
                    why = one.why,
                    "alerts fire and are not being acted upon"
                );
            }
            if one.reason == Reason::AtMaximum && is_due(watch.told_at, TELL_AGAIN) {
                watch.told_at = Some(steady);
                self.tell(&missing(one, now)).await;
            }
        }
        self.attention.seen().unattended = found;
    }
}

/// What people hear of a maximum that is too low, again and again as long as it is.
fn missing(one: &Unattended, now: Timestamp) -> Warning {
    Warning {
        action: one.action.map(|id| id.to_string()).unwrap_or_default(),
        workload: one.workload.clone(),
        state: Reason::AtMaximum.as_str(),
        summary: one.why.clone(),
        starts_at: one.since.min(now),
        ends_at: now + TOLD,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_reason_has_a_word_of_its_own() {
        let words: std::collections::BTreeSet<_> = Reason::ALL.iter().map(|r| r.as_str()).collect();
        assert_eq!(words.len(), Reason::ALL.len());
    }
}
