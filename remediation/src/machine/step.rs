//! Where events take an action.

use super::{
    EFFECT_LIMIT, Event, OnInconclusive, OnTimeout, PLANNING_LIMIT, Pace, Reading, SUPERVISOR,
    Step, expires_at,
};
use crate::Plan;
use series::{PromDuration, Timestamp};
use store::{Action, Ending, Mode, State};

/// Where an event takes an action; none when it means nothing to the state that the action is in.
pub fn step(action: &Action, event: &Event, pace: &Pace, now: Reading) -> Option<Step> {
    let state = action.state;
    let is_early = matches!(
        state,
        State::Proposed | State::AwaitingApproval | State::Grace
    );
    let way = match event {
        Event::Abandoned if state.is_open() => {
            let to = if is_early {
                State::Rejected
            } else {
                State::Failed
            };
            Way::ours(to, "the workload is no longer configured").ending(Ending::Hindered)
        }
        Event::Queued(why) if state == State::Grace => return Some(queued(action, why, now)),
        Event::Elapsed(awaited) => elapsed(action, awaited.as_deref(), pace, now.own)?,
        _ if is_early => before_the_effect(action, event)?,
        _ => since_the_effect(action, event, pace)?,
    };
    Some(way.enter(pace, now.wall))
}

/// A state to enter, by whom and why.
struct Way {
    to: State,
    stage: Option<u32>,
    actor: String,
    reason: String,
    ending: Option<Ending>,
}

/// A place in the line, which it keeps until its turn comes.
fn queued(action: &Action, why: &str, now: Reading) -> Step {
    let late = now.own.as_millis() - now.wall.as_millis();
    let shifted = |end: Timestamp| Timestamp::from_millis(end.as_millis() - late);
    Step {
        to: State::Grace,
        stage: None,
        deadline: action.deadline.map(shifted),
        actor: SUPERVISOR.to_owned(),
        reason: why.to_owned(),
        ending: None,
        queued_at: Some(now.wall),
    }
}

fn before_the_effect(action: &Action, event: &Event) -> Option<Way> {
    use State::{AwaitingApproval, Grace, Proposed};
    Some(match (action.state, event) {
        (Proposed, Event::Planned(plan)) => planned(action.mode, plan),
        (Proposed, Event::Suffices(plan)) => {
            let why = format!("nothing to do: {}", plan.why);
            Way::ours(State::Superseded, why).ending(Ending::Met)
        }
        (_, Event::Unneeded(why)) => Way::ours(State::Superseded, why).ending(Ending::Met),
        (_, Event::Refused(why)) => Way::ours(State::Rejected, why).ending(Ending::Hindered),
        (_, Event::Rejected { actor, reason }) => {
            Way::of(State::Rejected, actor, reason).ending(Ending::Refused)
        }
        (AwaitingApproval, Event::Approved { actor }) => {
            Way::of(Grace, actor, format!("approved by {actor}"))
        }
        (AwaitingApproval | Grace, Event::Edited { actor, plan }) => {
            let reason = format!(
                "overridden by {actor}: scale {} → {}",
                plan.observed, plan.target
            );
            Way::of(Grace, actor, reason)
        }
        (Grace, Event::Cleared(observed)) => {
            Way::ours(State::Applying, format!("cleared, with {observed} found"))
        }
        _ => return None,
    })
}

fn since_the_effect(action: &Action, event: &Event, pace: &Pace) -> Option<Way> {
    use State::{Applying, Failed, Paused, RolledBack, RollingBack, Succeeded, Verifying};
    Some(match (action.state, event) {
        (Applying, Event::Ensured(how)) => Way::ours(Verifying, how),
        (Applying, Event::Unensurable(why)) => broken_off(action, why),
        (RollingBack, Event::Unrestorable(why)) => Way::ours(Failed, why),
        (Verifying, Event::TakenAway(why)) => Way::ours(Failed, why).ending(Ending::Hindered),
        (RollingBack, Event::Restored(how)) => Way::ours(RolledBack, how),
        (Verifying, Event::Verified(how)) => passed(action, SUPERVISOR, how),
        (Verifying, Event::Unverified(why)) => Way::ours(RollingBack, why).ending(Ending::Undone),
        (Verifying, Event::Unjudged(why)) => Way::ours(RollingBack, why).ending(Ending::Hindered),
        (Verifying, Event::Doubted(why)) if action.mode == Mode::Approve => {
            Way::ours(Paused, format!("a person has to say: {why}"))
        }
        (Verifying, Event::Doubted(why)) => undecided(action, why, pace),
        (Paused, Event::Approved { actor }) => {
            passed(action, actor, &format!("found good by {actor}"))
        }
        (Paused, Event::Rejected { actor, reason }) => {
            Way::of(RollingBack, actor, reason).ending(Ending::Refused)
        }
        (Verifying | Paused | Succeeded, Event::RollbackAsked { actor }) => asked_back(actor),
        // What could not be brought back then may be brought back now.
        (Failed, Event::RollbackAsked { actor }) if action.pre_image.is_some() => asked_back(actor),
        _ => return None,
    })
}

fn asked_back(actor: &str) -> Way {
    let why = format!("asked for by {actor}");
    Way::of(State::RollingBack, actor, why).ending(Ending::Refused)
}

/// To the next stage, or to the end of the last one.
fn passed(action: &Action, actor: &str, how: &str) -> Way {
    let n_stages = Plan::from_json(action.plan.as_ref()).map_or(1, |plan| plan.stages.len());
    let next = action.stage + 1;
    if next as usize >= n_stages {
        return Way::of(State::Succeeded, actor, how).ending(Ending::Met);
    }
    let reason = format!("{how}; on to stage {} of {n_stages}", next + 1);
    Way {
        stage: Some(next),
        ..Way::of(State::Applying, actor, reason)
    }
}

/// What is half-way there goes back; what has not begun, or may not have, is left as it is.
fn broken_off(action: &Action, why: &str) -> Way {
    if action.stage == 0 {
        return Way::ours(State::Failed, why).ending(Ending::Hindered);
    }
    let reason = format!("stage {} broke off: {why}", action.stage + 1);
    Way::ours(State::RollingBack, reason).ending(Ending::Hindered)
}

/// Nobody says whether the effect is good.
fn undecided(action: &Action, why: &str, pace: &Pace) -> Way {
    match pace.on_inconclusive {
        OnInconclusive::Keep => passed(action, SUPERVISOR, &format!("kept: {why}")),
        OnInconclusive::Rollback => Way::ours(State::RollingBack, why).ending(Ending::Undone),
    }
}

fn planned(mode: Mode, plan: &Plan) -> Way {
    let change = format!("{} → {}: {}", plan.observed, plan.target, plan.why);
    match mode {
        Mode::Observe => Way::ours(
            State::Rejected,
            format!("observe mode: would have scaled {change}"),
        )
        .ending(Ending::Observed),
        Mode::Approve => Way::ours(State::AwaitingApproval, format!("scale {change}")),
        Mode::Auto => Way::ours(State::Grace, format!("scale {change}")),
    }
}

fn elapsed(action: &Action, awaited: Option<&str>, pace: &Pace, now: Timestamp) -> Option<Way> {
    // A state without a deadline would never end, so it counts as over at once.
    if expires_at(action).is_some_and(|end| now < end) {
        return None;
    }
    let state = action.state;
    // An effect whose time is over is asked for a while longer; see `gives_up_at`.
    let to = match state {
        State::AwaitingApproval if pace.on_timeout == OnTimeout::Approve => State::Grace,
        State::Proposed | State::AwaitingApproval | State::Grace => State::Expired,
        State::Verifying => State::RollingBack,
        State::Applying | State::RollingBack => State::Failed,
        State::Paused => return Some(undecided(action, "nobody said in time", pace)),
        _ => return None,
    };
    let why = overdue(state, awaited, to == State::Expired);
    let ending = match (state, to) {
        (State::AwaitingApproval, State::Expired) => Some(Ending::Unanswered),
        (_, State::Expired | State::RollingBack) => Some(Ending::Hindered),
        _ => None,
    };
    Some(match state {
        State::Applying => broken_off(action, &why),
        _ => Way {
            ending,
            ..Way::ours(to, why)
        },
    })
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

impl Way {
    fn of(to: State, actor: &str, reason: impl Into<String>) -> Self {
        Self {
            to,
            stage: None,
            actor: actor.to_owned(),
            reason: reason.into(),
            ending: None,
        }
    }

    fn ending(self, ending: Ending) -> Self {
        let ending = Some(ending);
        Self { ending, ..self }
    }

    fn ours(to: State, reason: impl Into<String>) -> Self {
        Self::of(to, SUPERVISOR, reason)
    }

    fn enter(self, pace: &Pace, now: Timestamp) -> Step {
        let lasts = match self.to {
            State::Proposed => Some(PLANNING_LIMIT),
            State::AwaitingApproval | State::Paused => Some(pace.approval_timeout),
            State::Grace => Some(pace.grace),
            State::Applying | State::RollingBack => Some(EFFECT_LIMIT),
            State::Verifying => Some(pace.wait),
            _ => None,
        };
        let reason = match self.to {
            State::Grace => format!(
                "{}; it begins in {}",
                self.reason,
                PromDuration::new(pace.grace)
            ),
            _ => self.reason,
        };
        Step {
            to: self.to,
            stage: self.stage,
            deadline: lasts.map(|lasts| now + lasts),
            actor: self.actor,
            reason,
            ending: self.ending,
            queued_at: None,
        }
    }
}
