//! Evenly spaced history, as models read it.

use series::{Sample, Step, Timestamp};

/// Values on a grid of whole steps, oldest first; NaN is a gap.
#[derive(Debug, Clone, PartialEq)]
pub struct History {
    step: Step,
    /// The time of the last value.
    end: Timestamp,
    values: Vec<f64>,
}

/// Why samples make no history.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum HistoryError {
    /// Nothing finite was seen.
    #[error("no finite sample in the history")]
    Empty,
    /// Timestamps must ascend.
    #[error("samples are not in order of time: {at}ms does not come after {before}ms")]
    Unsorted {
        /// The timestamp before.
        before: i64,
        /// The timestamp that does not ascend.
        at: i64,
    },
    /// The grid would have more cells than memory should hold.
    #[error("{cells} steps from the first sample to the last are more than the {limit} allowed")]
    TooLong {
        /// Steps between first and last sample.
        cells: usize,
        /// The most that is allowed.
        limit: usize,
    },
}
