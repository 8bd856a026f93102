//! From an alert to a guarded action: receiver, state machine, guards, actuators.
//!
//! A notification is judged alert by alert in [`Remediation::receive`] and written down before it is answered;
//! [`Remediation::tick`] then moves each open action along, one step of the pure [`machine`] at a time. A step
//! is in the journal before its effect is in the world, and every effect begins by reading the world back, so
//! an action that a crash interrupted is taken up without being done twice.
//!
//! No clock: `now` is an argument. What an alert says chooses a configured workload and nothing else.

pub mod actuator;
mod clearing;
pub mod config;
mod controls;
mod error;
pub mod machine;
mod plan;
mod planning;
mod ports;
mod progress;
mod receiver;
mod reconsider;
mod remediation;
pub mod sizing;
mod supervisor;
mod template;
mod work;

pub use controls::ControlError;
pub use error::RemediationError;
pub use plan::{Plan, Shape, Target};
pub use ports::{Evidence, Foreseen, Foresight};
pub use receiver::{AlertReceipt, Receipt};
pub use remediation::Remediation;
pub use supervisor::{Held, Moved, Report};
pub use template::{Template, TemplateError};
