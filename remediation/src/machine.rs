//! The state machine of an action: pure, and closed over its events.

use crate::{Plan, Shape};
use series::{PromDuration, Timestamp};
use std::time::Duration;
use store::{Action, Mode, State};

/// What can happen to an action.
#[derive(Debug, Clone, PartialEq)]
pub enum Event {
    /// What to do has been worked out.
    Planned(Plan),
    /// What there is suffices; the plan says for what.
    Suffices(Plan),
    /// Nothing needs to be done any more.
    Unneeded(String),
    /// A guard or the forecast speaks against it.
    Refused(String),
    /// A person says yes.
    Approved {
        /// Who.
        actor: String,
    },
    /// A person says no.
    Rejected {
        /// Who.
        actor: String,
        /// Why.
        reason: String,
    },
    /// The guards let it pass, and this is what was found in the world.
    Cleared(Shape),
    /// The world is as planned.
    Ensured(String),
    /// The world cannot be made so.
    Unensurable(String),
    /// The effect was found good.
    Verified(String),
    /// The effect was found bad.
    Unverified(String),
    /// A person wants the effect undone.
    RollbackAsked {
        /// Who.
        actor: String,
    },
    /// The world is as it was before.
    Restored(String),
    /// The world cannot be made so, or must not.
    Unrestorable(String),
    /// The configuration no longer knows the workload.
    Abandoned,
    /// The time for the present state has run out; what it was waiting for, where that is known.
    Elapsed(Option<String>),
}

/// A transition to be written down.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Step {
    /// The state to enter.
    pub to: State,
    /// When the work of that state begins or runs out; see [`expires_at`].
    pub deadline: Option<Timestamp>,
    /// Who brought it about.
    pub actor: String,
    /// Why, as a sentence.
    pub reason: String,
}

/// What happens to an action that nobody decided on in time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OnTimeout {
    /// Silence means no.
    Reject,
    /// Silence means yes.
    Approve,
}

/// How long a workload's actions stay in each state.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Pace {
    /// How long a person has to object before the effect.
    pub grace: Duration,
    /// How long a person has to decide.
    pub approval_timeout: Duration,
    /// What happens when nobody did.
    pub on_timeout: OnTimeout,
    /// How long an effect is left to settle before it is judged.
    pub wait: Duration,
}

/// What an open action calls for at a time. Only [`Work::Ensure`] and [`Work::Restore`] touch the world.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Work {
    /// Work out what to do.
    Plan,
    /// Check the guards, and note what is there.
    Clear,
    /// Bring the plan about.
    Ensure,
    /// Judge the effect.
    Verify,
    /// Bring back what was there before.
    Restore,
    /// Nothing yet.
    Wait,
}

/// The name under which the program itself writes history.
pub const SUPERVISOR: &str = "supervisor";

/// How long a plan may take. A fleet or a forecast that is away for longer may come back to another world.
pub const PLANNING_LIMIT: Duration = Duration::from_mins(2);

/// How long a cleared way may be waited for after the grace period; the approval grows stale meanwhile.
pub const CLEARING_PATIENCE: Duration = Duration::from_mins(5);

/// How long an effect, or the way back, is tried. Bounded retries take about two minutes of it.
pub const EFFECT_LIMIT: Duration = Duration::from_mins(5);

/// How long evidence may be missing. An effect that nobody can judge is undone.
pub const VERIFYING_PATIENCE: Duration = Duration::from_mins(5);

/// When a state is given up. In `grace` and `verifying` the deadline says when the waiting ends and the work
/// begins, so patience comes on top; in other states it is the deadline itself.
pub fn expires_at(action: &Action) -> Option<Timestamp> {
    let deadline = action.deadline?;
    match action.state {
        State::Grace => Some(deadline + CLEARING_PATIENCE),
        State::Verifying => Some(deadline + VERIFYING_PATIENCE),
        _ => Some(deadline),
    }
}

/// What an action calls for now.
pub fn work(action: &Action, now: Timestamp) -> Work {
    let is_due = action.deadline.is_none_or(|deadline| now >= deadline);
    match action.state {
        State::Proposed => Work::Plan,
        State::Grace if is_due => Work::Clear,
        State::Applying => Work::Ensure,
        State::Verifying if is_due => Work::Verify,
        State::RollingBack => Work::Restore,
        _ => Work::Wait,
    }
}

/// Where an event takes an action; none when it means nothing to the state that the action is in.
pub fn step(action: &Action, event: &Event, pace: &Pace, now: Timestamp) -> Option<Step> {
    use State::{
        Applying, AwaitingApproval, Expired, Failed, Grace, Proposed, Rejected, RolledBack,
        RollingBack, Succeeded, Superseded, Verifying,
    };
    let state = action.state;
    let is_early = matches!(state, Proposed | AwaitingApproval | Grace);
    let (to, actor, reason) = match (state, event) {
        (Proposed, Event::Planned(plan)) => return Some(planned(action.mode, plan, pace, now)),
        (Proposed, Event::Suffices(plan)) => (
            Superseded,
            SUPERVISOR,
            format!("nothing to do: {}", plan.why),
        ),
        (_, Event::Unneeded(why)) if is_early => (Superseded, SUPERVISOR, why.clone()),
        (_, Event::Refused(why)) if is_early => (Rejected, SUPERVISOR, why.clone()),
        (_, Event::Rejected { actor, reason }) if is_early => {
            (Rejected, actor.as_str(), reason.clone())
        }
        (_, Event::Abandoned) if state.is_open() => {
            let to = if is_early { Rejected } else { Failed };
            let why = "the workload is no longer configured";
            (to, SUPERVISOR, why.to_owned())
        }
        (AwaitingApproval, Event::Approved { actor }) => {
            (Grace, actor.as_str(), format!("approved by {actor}"))
        }
        (Grace, Event::Cleared(observed)) => (
            Applying,
            SUPERVISOR,
            format!("cleared, with {observed} found"),
        ),
        (Applying, Event::Ensured(how)) => (Verifying, SUPERVISOR, how.clone()),
        (Applying, Event::Unensurable(why)) | (RollingBack, Event::Unrestorable(why)) => {
            (Failed, SUPERVISOR, why.clone())
        }
        (Verifying, Event::Verified(how)) => (Succeeded, SUPERVISOR, how.clone()),
        (Verifying, Event::Unverified(why)) => (RollingBack, SUPERVISOR, why.clone()),
        (Verifying | Succeeded, Event::RollbackAsked { actor }) => {
            (RollingBack, actor.as_str(), format!("asked for by {actor}"))
        }
        (RollingBack, Event::Restored(how)) => (RolledBack, SUPERVISOR, how.clone()),
        (_, Event::Elapsed(awaited)) => {
            let to = elapsed(action, pace, now)?;
            (
                to,
                SUPERVISOR,
                overdue(state, awaited.as_deref(), to == Expired),
            )
        }
        _ => return None,
    };
    Some(entering(to, actor, reason, pace, now))
}

fn planned(mode: Mode, plan: &Plan, pace: &Pace, now: Timestamp) -> Step {
    let change = format!("{} → {}: {}", plan.observed, plan.target, plan.why);
    let (to, reason) = match mode {
        Mode::Observe => (
            State::Rejected,
            format!("observe mode: would have scaled {change}"),
        ),
        Mode::Approve => (State::AwaitingApproval, format!("scale {change}")),
        Mode::Auto => (State::Grace, format!("scale {change}")),
    };
    entering(to, SUPERVISOR, reason, pace, now)
}

fn elapsed(action: &Action, pace: &Pace, now: Timestamp) -> Option<State> {
    // A state without a deadline would never end, so it counts as over at once.
    let is_over = expires_at(action).is_none_or(|end| now >= end);
    match action.state {
        _ if !is_over => None,
        State::AwaitingApproval if pace.on_timeout == OnTimeout::Approve => Some(State::Grace),
        State::Proposed | State::AwaitingApproval | State::Grace => Some(State::Expired),
        State::Verifying => Some(State::RollingBack),
        State::Applying | State::RollingBack => Some(State::Failed),
        _ => None,
    }
}

fn overdue(state: State, awaited: Option<&str>, has_expired: bool) -> String {
    let what = match state {
        State::AwaitingApproval if has_expired => "nobody approved in time",
        State::AwaitingApproval => "nobody objected in time, and on_timeout is approve",
        State::Proposed => "nothing could be worked out in time",
        State::Grace => "the way was not clear in time",
        State::Verifying => "the effect could not be judged in time",
        _ => "it could not be carried out in time",
    };
    match awaited {
        Some(awaited) => format!("{what}: {awaited}"),
        None => what.to_owned(),
    }
}

fn entering(to: State, actor: &str, reason: String, pace: &Pace, now: Timestamp) -> Step {
    let lasts = match to {
        State::Proposed => Some(PLANNING_LIMIT),
        State::AwaitingApproval => Some(pace.approval_timeout),
        State::Grace => Some(pace.grace),
        State::Applying | State::RollingBack => Some(EFFECT_LIMIT),
        State::Verifying => Some(pace.wait),
        _ => None,
    };
    let reason = match to {
        State::Grace => format!("{reason}; it begins in {}", PromDuration::new(pace.grace)),
        _ => reason,
    };
    Step {
        to,
        deadline: lasts.map(|lasts| now + lasts),
        actor: actor.to_owned(),
        reason,
    }
}

#[cfg(test)]
mod tests;
