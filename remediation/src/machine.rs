//! The state machine of an action: pure, and closed over its events.

mod step;

pub use step::step;

use crate::{Plan, Shape};
use series::Timestamp;
use std::time::Duration;
use store::{Action, Ending, State};

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
    /// A person puts another plan in place of the one that waits, and with that says yes to it.
    Edited {
        /// Who.
        actor: String,
        /// The plan to follow.
        plan: Plan,
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
    /// Somebody else has undone the effect, or put another object in place of the one that it was on.
    TakenAway(String),
    /// The effect could not be judged, for want of evidence.
    Unjudged(String),
    /// The effect can be called neither good nor bad.
    Doubted(String),
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
    /// Its turn has not come: as many actions are under way, or were, as may be.
    Queued(String),
    /// The time for the present state has run out; what it was waiting for, where that is known.
    Elapsed(Option<String>),
}

/// The present by two clocks, which agree unless one was put forward or back.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Reading {
    /// The machine's clock, by which new deadlines are set.
    pub wall: Timestamp,
    /// When the action last moved, and the time that has passed since: the clock by which its deadline was set.
    pub own: Timestamp,
}

impl From<Timestamp> for Reading {
    fn from(now: Timestamp) -> Self {
        Self {
            wall: now,
            own: now,
        }
    }
}

/// A transition to be written down.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Step {
    /// The state to enter.
    pub to: State,
    /// The stage of the rollout that begins with it, where one does.
    pub stage: Option<u32>,
    /// When the work of that state begins or runs out; see [`expires_at`].
    pub deadline: Option<Timestamp>,
    /// Who brought it about.
    pub actor: String,
    /// Why, as a sentence.
    pub reason: String,
    /// What the end means to the alerts that called for the action; none keeps what was said before.
    pub ending: Option<Ending>,
    /// When it began to wait for its turn, where it does so now.
    pub queued_at: Option<Timestamp>,
}

/// What happens to an action that nobody decided on in time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OnTimeout {
    /// Silence means no.
    Reject,
    /// Silence means yes.
    Approve,
}

/// What happens to an effect that nobody can call good or bad.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OnInconclusive {
    /// It stays.
    Keep,
    /// It is undone.
    Rollback,
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
    /// What happens where judging leads to no verdict, and a person is not asked or does not answer.
    pub on_inconclusive: OnInconclusive,
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

/// How long an action may wait for its turn behind others; what it was planned for is another world by then.
pub const QUEUE_PATIENCE: Duration = Duration::from_hours(1);

/// How long a world that cannot be read is asked what an ordered effect, or rollback, came to.
pub const UNKNOWN_LIMIT: Duration = Duration::from_hours(24);

/// How long evidence may be missing. An effect that nobody can judge is undone.
pub const VERIFYING_PATIENCE: Duration = Duration::from_mins(5);

/// When a state is given up. In `grace` and `verifying` the deadline says when the waiting ends and the work
/// begins, so patience comes on top; in other states it is the deadline itself.
pub fn expires_at(action: &Action) -> Option<Timestamp> {
    let deadline = action.deadline?;
    match action.state {
        State::Grace => {
            let patience = deadline + CLEARING_PATIENCE;
            let turn = action.queued_at.map(|since| since + QUEUE_PATIENCE);
            Some(turn.map_or(patience, |turn| turn.max(patience)))
        }
        State::Verifying => Some(deadline + VERIFYING_PATIENCE),
        _ => Some(deadline),
    }
}

/// When an action ends that nothing more is known of: an ordered effect is asked for beyond its time.
pub fn gives_up_at(action: &Action) -> Option<Timestamp> {
    let end = expires_at(action)?;
    match action.state {
        State::Applying | State::RollingBack => Some(end + UNKNOWN_LIMIT),
        _ => Some(end),
    }
}

/// Whether an effect or rollback was ordered, its time is over, and nobody knows what it came to.
pub fn is_unknown(action: &Action, own: Timestamp) -> bool {
    matches!(action.state, State::Applying | State::RollingBack)
        && expires_at(action).is_some_and(|end| own >= end)
}

/// What an action calls for now, by its own clock.
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

#[cfg(test)]
mod tests;
