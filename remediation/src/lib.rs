//! From an alert to a guarded action: receiver, state machine, guards, actuators.
//!
//! A notification is judged alert by alert in [`Remediation::receive`] and written down before it is answered;
//! [`Remediation::tick`] then moves each open action along, one step of the pure [`machine`] at a time. A step
//! is in the journal before its effect is in the world, and every effect begins by reading the world back, so
//! an action that a crash interrupted is taken up without being done twice.
//!
//! No clock: `now` is an argument. What an alert says chooses a configured workload and nothing else.

mod accounts;
pub mod actuator;
mod ages;
pub mod alerting;
mod arrival;
mod attention;
mod clearing;
pub mod config;
mod controls;
mod decider;
mod error;
mod feedback;
mod guards;
mod judge;
pub mod machine;
mod plan;
mod planning;
mod ports;
mod presence;
mod progress;
mod receiver;
mod reconsider;
mod rejudging;
mod remediation;
mod report;
mod rollback;
mod rollout;
mod shape;
pub mod sizing;
mod statistics;
mod supervisor;
mod switch;
mod template;
mod transition;
mod verification;
mod work;

pub use ages::SteadyClock;
pub use attention::{Reason, Unattended};
pub use controls::ControlError;
pub use decider::Decider;
pub use error::RemediationError;
pub use feedback::{Effect, Learned, Measured};
pub use plan::{Course, Plan, Stage, Target};
pub use planning::DemandSeries;
pub use ports::{
    Alerting, Drivers, Evidence, Foreseen, Foresight, NoAlertmanager, OwnDrivers, Ports, Question,
    Silence, Standing, Warning,
};
pub use receiver::{AlertReceipt, Receipt};
pub use remediation::Remediation;
pub use report::{Held, Moved, Report};
pub use rollout::Strategy;
pub use shape::{Canary, Colour, Fleets, Identity, Shape};
pub use statistics::Better;
pub use switch::{KillSwitch, SwitchError};
pub use template::{Place, Template, TemplateError};
