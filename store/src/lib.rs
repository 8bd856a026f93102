//! The action journal: what was asked of us, what we decided, and what we did, in one SQLite file.
//!
//! Intent is written here before its effect is in the world, and every commit is on the disk before it is
//! answered (`synchronous=FULL`). States change by compare-and-swap, so two writers cannot both move an action.

mod accept;
mod action;
mod batch;
mod delivery;
mod ending;
mod error;
mod export;
mod file;
mod health;
mod intake;
mod journal;
mod known;
mod look;
mod lookup;
mod occurrence;
mod read;
mod record;
mod rows;
mod schema;
mod switch;
mod transition;
mod waiting;
mod writing;

pub use accept::{Accepted, Intake, Proposal};
pub use action::{Action, ActionId, Mode, State, UnknownWord};
pub use delivery::{AlertStatus, Cause, Delivery, Outcome, RecordedDelivery};
pub use ending::Ending;
pub use error::StoreError;
pub use export::Record;
pub use journal::Journal;
pub use look::{Look, LookVerdict};
pub use read::{ActionFilter, Finished};
pub use switch::SwitchTurn;
pub use transition::{Change, Transition};
pub use waiting::Waiting;
