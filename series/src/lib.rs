//! Labels, samples and the checked quantities that every other crate speaks in; no I/O, no clock.

mod duration;
mod labels;
mod matcher;
mod name;
mod quantity;
mod re2;
mod sample;

pub use duration::{DurationError, PromDuration};
pub use labels::{Labels, LabelsError, Quoted};
pub use matcher::{MatchOp, Matcher, MatcherError, Selector};
pub use name::{
    Escaping, is_label_name, is_metric_name, is_plain_label_name, is_plain_metric_name,
    unescape_values,
};
pub use quantity::{Band, Horizon, Probability, Quantile, QuantityError, SeasonLength, Step};
pub use re2::PatternError;
pub use sample::{STALE_MARKER, Sample, Series, Timestamp, is_stale_marker};
