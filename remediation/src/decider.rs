//! Who decides, and what they had before their eyes.

use store::{Action, State};

/// A person who decides about an action. What they saw binds the decision; what is none holds for whatever there is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Decider<'a> {
    /// The name that the journal keeps.
    pub name: &'a str,
    /// The state that the action was seen in.
    pub state: Option<State>,
    /// The stage of the rollout that it was seen at, counted from 0.
    pub stage: Option<u32>,
    /// The [`hash`](crate::Plan::hash) of the plan that was seen.
    pub plan: Option<&'a str>,
}

impl Decider<'_> {
    /// Whether a decision still means what it meant when the action was seen: before the effect, about a stage
    /// that nobody could judge, or about an effect that stands.
    pub(crate) fn still_means(&self, action: &Action) -> bool {
        let Some(seen) = self.state else {
            return true;
        };
        let is_same_stage = self.stage.is_none_or(|stage| stage == action.stage);
        match (question(seen), question(action.state)) {
            (Question::Judgement, Question::Judgement) => is_same_stage,
            (seen, now) => seen == now,
        }
    }
}

impl<'a> From<&'a str> for Decider<'a> {
    /// Decides about whatever there is.
    fn from(name: &'a str) -> Self {
        Self {
            name,
            state: None,
            stage: None,
            plan: None,
        }
    }
}

/// What a state asks of people.
#[derive(PartialEq, Eq)]
enum Question {
    /// Whether there is to be an effect.
    Effect,
    /// Whether what was done is good.
    Judgement,
    /// Whether what was done is to be undone.
    WayBack,
    /// Nothing any more, or not now.
    Nothing(State),
}

fn question(state: State) -> Question {
    match state {
        State::Proposed | State::AwaitingApproval | State::Grace => Question::Effect,
        State::Paused => Question::Judgement,
        State::Verifying | State::Succeeded | State::Failed => Question::WayBack,
        other => Question::Nothing(other),
    }
}
