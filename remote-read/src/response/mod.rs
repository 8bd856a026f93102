//! What is answered: one result for each query, as one block of samples or as a stream of frames.

mod frames;
#[cfg(test)]
mod recorded;
mod samples;

pub use frames::{CHUNKS_CONTENT_TYPE, decode_frames, encode_frames};
pub use samples::{SAMPLES_CONTENT_ENCODING, SAMPLES_CONTENT_TYPE, decode_samples, encode_samples};

use crate::{BodyError, frame::FrameError, messages, xor::XorError};
use series::{Labels, LabelsError, Sample, Series};

/// Why an answer is refused by a client, or cannot be written by the server.
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
    /// Histograms, or what is yet to be invented.
    #[error("series {labels} has a chunk of encoding {encoding} where 1, XOR, is understood")]
    Encoding {
        /// The series.
        labels: Labels,
        /// The number sent.
        encoding: i32,
    },
    /// Labels that cannot be.
    #[error(transparent)]
    Labels(#[from] LabelsError),
    /// Times that stand still or run backwards.
    #[error("samples of series {0} are not in ascending order of time")]
    Order(Labels),
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
/// notice of disorder and lose samples to it, so this is not left to trust. Of two samples of one time the
/// first is kept.
fn put_in_order(result: &mut [Series]) {
    result.sort_by(|one, other| one.labels.cmp(&other.labels));
    for series in result {
        if !is_ascending(&series.samples) {
            series.samples.sort_by_key(|sample| sample.at);
            series.samples.dedup_by_key(|sample| sample.at);
        }
    }
}

fn is_ascending(samples: &[Sample]) -> bool {
    samples.is_sorted_by(|one, next| one.at < next.at)
}

fn write_labels(labels: &Labels) -> Vec<messages::Label> {
    let label = |(name, value): (&str, &str)| messages::Label {
        name: name.to_owned(),
        value: value.to_owned(),
    };
    labels.iter().map(label).collect()
}

fn read_labels(labels: Vec<messages::Label>) -> Result<Labels, LabelsError> {
    Labels::new(labels.into_iter().map(|label| (label.name, label.value)))
}

/// Series whose samples are in order, or none.
fn check_order(labels: Labels, samples: Vec<Sample>) -> Result<Series, ResponseError> {
    if is_ascending(&samples) {
        Ok(Series { labels, samples })
    } else {
        Err(ResponseError::Order(labels))
    }
}
