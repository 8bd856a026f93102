//! Predictive rule files and the engine that evaluates them.
//!
//! A forecast rule reads its history once. From then on an evaluation is one query, and each series' model is
//! updated with what is new. Predictions and curves are made from that state.
//!
//! What models have learned can be saved as bytes and gone on with after a restart, which then asks for no more than
//! what came since.
//!
//! Nothing old is served as new: a rule's series are served while its last successful evaluation is at most two
//! intervals old, and then not at all, so that Prometheus marks them as stale. Nor is a part taken for the whole:
//! where Prometheus warns that its answer may lack something, a forecast counts as failed.

mod bytes;
mod engine;
mod file;
mod frames;
mod identity;
mod report;
mod rule;
mod schedule;
mod shards;
mod source;

pub use engine::{
    Bookmark, Course, CurveError, CurvePlan, Engine, Family, Foreseen, Input, Meaning, Options,
    Predicted, Refused, Restored, Restoring, RuleStatus, Saving,
};
pub use file::{MAX_BYTES, check_all, parse, read};
pub use frames::is_saved_state;
pub use report::{Evaluated, Failure, FailureReason, GroupReport, RuleReport, Shortened};
pub use rule::{ForecastRule, Group, NamedHorizon, RecordRule, Rule, RuleKind, defaults};
pub use schedule::run;
pub use source::Source;
