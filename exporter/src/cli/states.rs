//! The states of actions, as a flag takes them.

use clap::builder::PossibleValuesParser;
use store::State;

/// Takes the states of actions by their names, and tells all of them otherwise.
pub(super) fn action_state() -> PossibleValuesParser {
    PossibleValuesParser::new(State::ALL.iter().map(|state| state.as_str()))
}
