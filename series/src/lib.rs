//! Labels, samples and the checked quantities that every other crate speaks in; no I/O, no clock.

mod duration;
mod labels;
mod matcher;
mod quantity;
mod sample;

pub use duration::{DurationError, PromDuration};
pub use labels::{Labels, LabelsError, is_label_name, is_metric_name};
pub use matcher::{MatchOp, Matcher, MatcherError, Selector};
pub use quantity::{Band, Horizon, Probability, Quantile, QuantityError, SeasonLength, Step};
pub use sample::{STALE_MARKER, Sample, Series, Timestamp, is_stale_marker};
