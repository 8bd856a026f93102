//! Predictive rule files and the engine that evaluates them.
//!
//! A forecast rule reads its history once. From then on an evaluation is one query, and each series' model is
//! updated with what is new. Predictions and curves are made from that state.

mod engine;
mod file;
mod report;
mod rule;
mod schedule;
mod source;

pub use engine::{CurveError, Engine, Foreseen, Options, Predicted, RuleStatus};
pub use file::{check_all, parse};
pub use report::{Evaluated, Failure, FailureReason, GroupReport, RuleReport};
pub use rule::{ForecastRule, Group, NamedHorizon, RecordRule, Rule, RuleKind, defaults};
pub use schedule::run;
pub use source::Source;
