//! The meaning of an ended action to alerts that go on firing.

use crate::action::words;

words! {
    /// What an ended action means to the alerts that called for it.
    Ending, "an ending":
    /// What was asked for is there, or was not needed: another action follows once more is foreseen.
    Met = "met",
    /// An obstacle stood in the way that may pass: another attempt follows after a pause.
    Hindered = "hindered",
    /// A person was asked and did not answer: they are asked again after a longer pause.
    Unanswered = "unanswered",
    /// The mode was `observe`: an action follows once the mode is another.
    Observed = "observed",
    /// The effect was judged and taken back: nothing follows for these alerts.
    Undone = "undone",
    /// A person said no: nothing follows for these alerts.
    Refused = "refused",
}

impl Ending {
    /// Whether another attempt of the same follows while the alerts fire.
    pub const fn is_unfinished(self) -> bool {
        matches!(self, Self::Hindered | Self::Unanswered)
    }
}
