//! What a tick tells of itself.

use store::{Action, ActionId, State};

/// What a tick did.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Report {
    /// Transitions, in order for each action.
    pub moved: Vec<Moved>,
    /// Actions that wait for something other than time or a person.
    pub held: Vec<Held>,
    /// Actions whose history could not be written, with the error.
    pub faults: Vec<(ActionId, String)>,
}

/// One transition.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Moved {
    /// Which action.
    pub action: ActionId,
    /// On which workload.
    pub workload: String,
    /// The state that was left.
    pub from: State,
    /// The state that was entered.
    pub to: State,
    /// Why, as a sentence.
    pub reason: String,
}

/// An action that could not go on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Held {
    /// Which action.
    pub action: ActionId,
    /// On which workload.
    pub workload: String,
    /// What it waits for, as a sentence.
    pub reason: String,
}

impl Moved {
    pub(crate) fn between(before: &Action, after: &Action) -> Self {
        Self {
            action: after.id,
            workload: after.workload.clone(),
            from: before.state,
            to: after.state,
            reason: after.reason.clone(),
        }
    }
}
