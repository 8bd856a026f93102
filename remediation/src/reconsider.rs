//! Alerts that go on firing: taken up once nothing stands against them any more, again after an obstacle that has
//! passed, and again when more is foreseen than was done.

use crate::{
    Plan, Reason, Remediation, Unattended,
    actuator::Occasion,
    attention::{Group, Growth, Memory, pause_after},
    clearing::SILENCED,
    config::Workload,
    guards::Obstacle,
    machine,
    receiver::proposal,
    remediation::Current,
    sizing::Sized,
};
use series::{PromDuration, Timestamp};
use std::time::Duration;
use store::{Action, Ending, Mode, State, StoreError, Waiting};

/// How long after it was last heard of an alert is acted upon: its end may have got lost. Alertmanager repeats what
/// fires, every four hours unless told otherwise.
const ATTENTION: Duration = Duration::from_hours(24);

/// How often it is asked whether more is foreseen than was done.
const OUTLOOK_PAUSE: Duration = Duration::from_secs(5);

/// How often a workload at its maximum is read, and Alertmanager asked for a silence.
const QUESTION_PAUSE: Duration = Duration::from_mins(1);

/// How often it is read which alerts were repeated, where nothing else has changed.
const REPEATS_PAUSE: Duration = Duration::from_mins(1);

/// The time of one such question.
const QUESTION_TIME: Duration = Duration::from_secs(5);

/// How many alerts stand for those of a workload where a silence is asked for.
const MAX_ASKED: u32 = 100;

/// The workload that alerts wait for, and what holds for it.
struct Case<'a> {
    workload: &'a Workload,
    current: &'a Current,
    now: Timestamp,
}

/// What is to become of the alerts of one workload.
enum Turn {
    /// An action is proposed, for this reason.
    Act(String),
    /// Nothing is done for now.
    Wait(Obstacle, u32),
    /// What was done suffices.
    Rest,
}

impl Remediation {
    /// Takes up what still fires and was not settled. Alertmanager would repeat it too, but only after hours.
    pub(crate) async fn reconsider(&self, now: Timestamp) -> Result<(), StoreError> {
        // One tick at a time; whoever comes meanwhile would find the same.
        let Ok(mut memory) = self.attention.look.try_lock() else {
            return Ok(());
        };
        let current = self.current();
        self.match_anew(&mut memory, &current).await?;
        self.take_up_doubted(&current, now).await?;
        self.read_groups(&mut memory, now).await?;
        let groups = memory.groups.clone();
        let mut unattended = self.waiting_actions(now).await?;
        for group in &groups {
            let Some(workload) = current.settings.workload(&group.workload) else {
                continue;
            };
            let case = Case {
                workload,
                current: &current,
                now,
            };
            match self.consider(group, &case, &mut memory).await? {
                Turn::Act(reason) => {
                    let proposal = proposal(workload, reason, now);
                    let since = now - ATTENTION;
                    self.journal.propose_waiting(&proposal, since, now).await?;
                }
                Turn::Wait(obstacle, missing) => {
                    unattended.push(Unattended::of(group, obstacle, missing));
                }
                Turn::Rest => {}
            }
        }
        self.note_unattended(&mut memory, unattended, now).await;
        Ok(())
    }

    /// Reads which alerts wait, unless nothing has changed since.
    async fn read_groups(&self, memory: &mut Memory, now: Timestamp) -> Result<(), StoreError> {
        let (changes, steady) = (self.journal.changes(), self.ages.steady(now));
        let is_known = |(at, when): (u64, Duration)| {
            at == changes && steady.saturating_sub(when) < REPEATS_PAUSE
        };
        if memory.read_at.is_some_and(is_known) {
            return Ok(());
        }
        let mut groups: Vec<Group> = Vec::new();
        for waiting in self.journal.waiting().await? {
            let is_other = |group: &Group| group.workload != waiting.workload;
            if groups.last().is_none_or(is_other) {
                groups.push(Group {
                    workload: waiting.workload.clone(),
                    waiting: Vec::new(),
                    past: None,
                });
            }
            if let Some(group) = groups.last_mut() {
                group.waiting.push(waiting);
            }
        }
        for group in &mut groups {
            let mut calling = group.waiting.iter().filter(|waiting| waiting.calls);
            if let Some(id) = calling.find_map(|waiting| waiting.action) {
                group.past = Some(self.journal.current(id).await?);
            }
        }
        self.note_pauses(&groups);
        memory.groups = groups;
        memory.read_at = Some((changes, steady));
        Ok(())
    }

    async fn consider(
        &self,
        group: &Group,
        case: &Case<'_>,
        memory: &mut Memory,
    ) -> Result<Turn, StoreError> {
        let Case { workload, now, .. } = *case;
        let calls = |waiting: &&Waiting| waiting.calls;
        if !group.waiting.iter().any(|waiting| calls(&waiting)) {
            return Ok(taken_back(group));
        }
        let heard = group.waiting.iter().filter(calls);
        let is_heard = |waiting: &Waiting| waiting.last_heard_at >= now - ATTENTION;
        if !heard.clone().any(is_heard) {
            let why = "Alertmanager has not repeated them for a day".to_owned();
            return Ok(Turn::Wait(Obstacle::new(Reason::NotRepeated, why), 0));
        }
        let has_deferred = heard.clone().any(|waiting| waiting.action.is_none());
        let turn = match &group.past {
            Some(past) if !has_deferred => self.after(past, case, memory).await?,
            _ => Turn::Act(format!("an alert about {} fires", workload.name)),
        };
        let Turn::Act(reason) = turn else {
            return Ok(turn);
        };
        let guards = &case.current.settings.guards;
        Ok(match self.deferral(workload, guards, now).await? {
            Some(obstacle) => Turn::Wait(obstacle, 0),
            None => Turn::Act(reason),
        })
    }

    /// What follows an action that has ended, while its alerts fire.
    async fn after(
        &self,
        past: &Action,
        case: &Case<'_>,
        memory: &mut Memory,
    ) -> Result<Turn, StoreError> {
        let Case { workload, now, .. } = *case;
        let ending = past.ending.unwrap_or(Ending::Hindered);
        Ok(match ending {
            Ending::Observed if workload.mode == Mode::Observe => {
                Turn::Wait(Obstacle::new(Reason::Observe, past.reason.clone()), 0)
            }
            Ending::Observed => Turn::Act(format!(
                "the alert still fires, and the mode is {} by now",
                workload.mode
            )),
            Ending::Hindered | Ending::Unanswered => self.next_attempt(past, memory, now).await?,
            Ending::Met => match self.growth(past, case, memory).await? {
                Growth::More => Turn::Act(format!(
                    "more is foreseen than action {} was planned for",
                    past.id
                )),
                Growth::TakenAway(why) => Turn::Act(why),
                Growth::AtMaximum { missing, why } => {
                    Turn::Wait(Obstacle::new(Reason::AtMaximum, why), missing)
                }
                Growth::Enough => Turn::Rest,
            },
            // Nothing calls for another action after these.
            Ending::Undone | Ending::Refused => Turn::Rest,
        })
    }

    /// Another attempt, after a pause.
    async fn next_attempt(
        &self,
        past: &Action,
        memory: &mut Memory,
        now: Timestamp,
    ) -> Result<Turn, StoreError> {
        let age = self.ages.age(past.id, past.updated_at, now);
        let rest = pause_after(past).saturating_sub(age);
        let next = past.attempt.saturating_add(1);
        let before = format!("the one before {}: {}", said(past.state), past.reason);
        if !rest.is_zero() {
            let reason = match past.ending {
                Some(Ending::Unanswered) => Reason::Unanswered,
                _ => Reason::RetryBackoff,
            };
            let words = PromDuration::new(rest);
            let why = format!("attempt {next} follows in {words}; {before}");
            let obstacle = Obstacle {
                until: Some(now + rest),
                ..Obstacle::new(reason, why)
            };
            return Ok(Turn::Wait(obstacle, 0));
        }
        if past.reason.starts_with(SILENCED)
            && let Some(silence) = self.silence_of(past, memory, now).await?
        {
            let why = format!("{SILENCED}: {silence}");
            return Ok(Turn::Wait(Obstacle::new(Reason::Silenced, why), 0));
        }
        Ok(Turn::Act(format!("attempt {next}; {before}")))
    }

    /// The silence that holds back the alerts of a workload, asked for now and then. Who does not answer holds
    /// nothing up: it is asked again right before the effect.
    async fn silence_of(
        &self,
        past: &Action,
        memory: &mut Memory,
        now: Timestamp,
    ) -> Result<Option<String>, StoreError> {
        let steady = self.ages.steady(now);
        if let Some((asked_at, said)) = memory.silences.get(&past.workload)
            && steady.saturating_sub(*asked_at) < QUESTION_PAUSE
        {
            return Ok(said.clone());
        }
        let alerts = self.journal.waiting_alerts(&past.workload, MAX_ASKED);
        let alerts = alerts.await?.into_iter();
        let fingerprints: Vec<_> = alerts.map(|alert| alert.cause.fingerprint).collect();
        let asked = self.alerting.silenced(&fingerprints);
        let said = match tokio::time::timeout(QUESTION_TIME, asked).await {
            Ok(Ok(silence)) => silence,
            Ok(Err(_)) | Err(_) => None,
        };
        let known = (steady, said.clone());
        memory.silences.insert(past.workload.clone(), known);
        Ok(said)
    }

    /// What has become of the need since an action that ended well.
    async fn growth(
        &self,
        past: &Action,
        case: &Case<'_>,
        memory: &mut Memory,
    ) -> Result<Growth, StoreError> {
        let steady = self.ages.steady(case.now);
        let known = memory.outlooks.get(&past.workload);
        let known = known.filter(|(id, _, _)| *id == past.id);
        if let Some((_, at, growth)) = known {
            let pause = match growth {
                Growth::AtMaximum { .. } => QUESTION_PAUSE,
                Growth::Enough | Growth::More | Growth::TakenAway(_) => OUTLOOK_PAUSE,
            };
            if !matches!(growth, Growth::More | Growth::TakenAway(_))
                && steady.saturating_sub(*at) < pause
                && !memory.is_new_config
            {
                return Ok(growth.clone());
            }
        }
        let growth = self.growth_by_now(past, case).await?;
        let known = (past.id, steady, growth.clone());
        memory.outlooks.insert(past.workload.clone(), known);
        Ok(growth)
    }

    async fn growth_by_now(&self, past: &Action, case: &Case<'_>) -> Result<Growth, StoreError> {
        let outlook = self.outlook(case.workload).await?;
        let (Ok(plan), Some(foreseen)) = (
            Plan::from_json(past.plan.as_ref()),
            self.foreseen(&outlook, case.now),
        ) else {
            return Ok(Growth::Enough);
        };
        let mut there = plan.target;
        if there.ceiling.is_some() {
            // The limit is another system's, which may have moved it.
            let Some(found) = observed(past, case).await else {
                return Ok(Growth::Enough);
            };
            there.ceiling = found.ceiling;
        }
        let growth = match outlook.sizing.size(&foreseen, there) {
            Sized::Up { .. } => return Ok(Growth::More),
            Sized::Enough { missing: 0, .. } | Sized::Unusable { .. } => Growth::Enough,
            Sized::Enough { missing, why } => Growth::AtMaximum { missing, why },
        };
        // The plan would suffice, but somebody else may have taken its effect away since.
        let guards = &case.current.settings.guards;
        let Some(found) = self.present(past, guards, case.now).await else {
            return Ok(growth);
        };
        Ok(match outlook.sizing.size(&foreseen, found) {
            Sized::Up { .. } => Growth::TakenAway(format!(
                "there are {found} by now, and action {} was planned for {}",
                past.id, plan.target
            )),
            _ => growth,
        })
    }

    /// Actions that are open, and yet nothing happens: alerts that call for them are not acted upon either.
    async fn waiting_actions(&self, now: Timestamp) -> Result<Vec<Unattended>, StoreError> {
        let mut found = Vec::new();
        for action in self.journal.open_actions().await? {
            let own = self.ages.own(&action, now);
            let reason = match action.state {
                State::Grace if action.queued_at.is_some() => Reason::Queued,
                _ if machine::is_unknown(&action, own) => Reason::Unknown,
                _ => continue,
            };
            let n_alerts = self.journal.firing(action.id).await?;
            let held_up = self.progress.held_up(action.id);
            found.push(Unattended {
                reason,
                why: held_up.unwrap_or(action.reason),
                n_alerts: u32::try_from(n_alerts).unwrap_or(u32::MAX),
                since: action.wanted_since,
                action: Some(action.id),
                again_at: None,
                missing: 0,
                workload: action.workload,
            });
        }
        Ok(found)
    }
}

/// Reads what there is, for an action that has ended.
async fn observed(past: &Action, case: &Case<'_>) -> Option<crate::Shape> {
    let Case {
        workload,
        current,
        now,
    } = *case;
    let (_, actuator) = current.reach(&workload.name)?;
    let occasion = Occasion {
        target: &workload.actuator.target,
        object: workload.actuator.object.as_deref(),
        action: past.id,
        workload: &workload.name,
        alerts: &[],
        state: past.state,
        guards: &current.settings.guards,
        now,
    };
    let observed = tokio::time::timeout(QUESTION_TIME, actuator.observe(occasion)).await;
    observed.ok()?.ok()
}

/// Alerts whose action was judged bad, or that fire on although somebody said no to a later one.
fn taken_back(group: &Group) -> Turn {
    let undone = |waiting: &&Waiting| waiting.ending == Some(Ending::Undone);
    match group.waiting.iter().find(undone).and_then(|one| one.action) {
        Some(id) => {
            let why = format!("action {id} did not do good, and was rolled back");
            Turn::Wait(Obstacle::new(Reason::RolledBack, why), 0)
        }
        None => Turn::Rest,
    }
}

/// The end of an attempt, as a verb.
fn said(state: State) -> &'static str {
    match state {
        State::Expired => "expired",
        State::Failed => "failed",
        State::RolledBack => "was rolled back",
        _ => "was rejected",
    }
}
