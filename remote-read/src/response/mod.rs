//! What is answered: one result for each query, as one block of samples or as a stream of frames.

mod frame_reader;
mod frames;
#[cfg(test)]
mod recorded;
mod samples;

pub use frame_reader::{FrameReader, decode_frames};
pub use frames::{CHUNKS_CONTENT_TYPE, encode_frames, stream_frames};
pub use samples::{
    PlanError, SAMPLES_CONTENT_ENCODING, SAMPLES_CONTENT_TYPE, decode_samples, encode_samples,
    planned_len, stream_planned_samples, stream_samples,
};

use crate::{
    BodyError,
    frame::FrameError,
    timeseries::{SeriesFault, is_ascending},
    xor::XorError,
};
use series::{Labels, LabelsError, Series};
use std::collections::HashSet;

/// Why an answer is refused by a client.
#[derive(Debug, thiserror::Error)]
pub enum ResponseError {
    /// The body, or the data of one frame, as a whole.
    #[error(transparent)]
    Body(#[from] BodyError),
    /// A frame of a stream.
    #[error(transparent)]
    Frame(#[from] FrameError),
    /// A chunk of a series.
    #[error("series {labels} has a bad chunk")]
    Chunk {
        /// The series.
        labels: Labels,
        /// What is wrong with the chunk.
        source: XorError,
    },
    /// What is yet to be invented.
    #[error("series {labels} has a chunk of encoding {encoding} where 1, XOR, is understood")]
    Encoding {
        /// The series.
        labels: Labels,
        /// The number sent.
        encoding: i64,
    },
    /// Labels that cannot be.
    #[error(transparent)]
    Labels(#[from] LabelsError),
    /// Times that stand still or run backwards.
    #[error("samples of series {0} are not in ascending order of time")]
    Order(Labels),
    /// Which of the two is meant, nobody could say.
    #[error("series {0} comes twice in one result")]
    Twins(Labels),
    /// Prometheus panics on such a frame; nobody should send one.
    #[error("frame holds no series")]
    NoSeries,
    /// A result for a query that was not asked.
    #[error("frame answers query {index} where {n_queries} were asked")]
    QueryIndex {
        /// Counted from zero.
        index: i64,
        /// Queries in the request.
        n_queries: usize,
    },
    /// Results missing or left over.
    #[error("body answers {found} queries where {n_queries} were asked")]
    Results {
        /// Results in the answer.
        found: usize,
        /// Queries in the request.
        n_queries: usize,
    },
}

/// Sorts series by their labels, as Prometheus merges them, and the samples of each by time. Readers take no
/// notice of disorder and lose samples to it, so this is not left to trust.
fn put_in_order(result: &mut [Series]) {
    result.sort_by(|one, other| one.labels.cmp(&other.labels));
    for series in result {
        put_samples_in_order(series);
    }
}

/// Of two samples of one time the first is kept.
fn put_samples_in_order(series: &mut Series) {
    if !is_ascending(&series.samples) {
        series.samples.sort_by_key(|sample| sample.at);
        series.samples.dedup_by_key(|sample| sample.at);
    }
}

impl From<SeriesFault> for ResponseError {
    fn from(fault: SeriesFault) -> Self {
        match fault {
            SeriesFault::Body(error) => error.into(),
            SeriesFault::Labels(error) => error.into(),
            SeriesFault::Order(labels) => Self::Order(labels),
        }
    }
}

fn refuse_twins(result: &[Series]) -> Result<(), ResponseError> {
    let mut seen = HashSet::with_capacity(result.len());
    let twin = result.iter().find(|series| !seen.insert(&series.labels));
    match twin {
        Some(series) => Err(ResponseError::Twins(series.labels.clone())),
        None => Ok(()),
    }
}
