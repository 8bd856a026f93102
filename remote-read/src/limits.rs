//! What a body may hold at most, and what is wrong with one as a whole.

/// Bounds on a decoded body. Each is held against what the body declares before memory is taken for it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Bytes of a request or an answer once unpacked, and of each frame in a streamed answer.
    pub max_decoded_bytes: usize,
    /// Queries in one request, and results in one answer.
    pub max_queries: usize,
    /// Matchers in one request, over all its queries; grouping labels in its hints are counted apart.
    pub max_matchers: usize,
    /// Bytes of one matcher's name and value together.
    pub max_matcher_bytes: usize,
    /// Series in one answer, over all its results.
    pub max_series: usize,
    /// Labels in one answer, over all its series.
    pub max_labels: usize,
    /// Samples in one answer, over all its series.
    pub max_samples: usize,
    /// Samples of a streamed answer that are held at once, those of series that were given out left aside.
    pub max_held_samples: usize,
    /// Bytes of a streamed answer over all its frames; what was read of it is not kept.
    pub max_stream_bytes: usize,
}

/// What Prometheus allows in a request that it unpacks (`decodeReadLimit`).
const MAX_DECODED_BYTES: usize = 32 << 20;
/// Prometheus asks one query a request; a proxy may join those of one dashboard.
const MAX_QUERIES: usize = 32;
/// Several for each query, while the time to compile them all stays within a second or two.
const MAX_MATCHERS: usize = 128;
/// A dashboard that joins a thousand instance names by `|` stays below; a parsed expression takes a few
/// hundred times its text.
const MAX_MATCHER_BYTES: usize = 64 << 10;
/// Ten times the answer of 10,000 series that throughput is measured with.
const MAX_SERIES: usize = 100_000;
/// Twenty for each series.
const MAX_LABELS: usize = 2_000_000;
/// 160 MB once decoded.
const MAX_SAMPLES: usize = 10_000_000;
/// Ten million samples that do not pack at all take 160 MB, and labels may take as much.
const MAX_STREAM_BYTES: usize = 320 << 20;

impl Default for Limits {
    fn default() -> Self {
        Self {
            max_decoded_bytes: MAX_DECODED_BYTES,
            max_queries: MAX_QUERIES,
            max_matchers: MAX_MATCHERS,
            max_matcher_bytes: MAX_MATCHER_BYTES,
            max_series: MAX_SERIES,
            max_labels: MAX_LABELS,
            max_samples: MAX_SAMPLES,
            max_held_samples: MAX_SAMPLES,
            max_stream_bytes: MAX_STREAM_BYTES,
        }
    }
}

/// What is wrong with a body as a whole, before its meaning is looked at.
#[derive(Debug, thiserror::Error)]
pub enum BodyError {
    /// Not the block format of snappy, or damaged.
    #[error("body is not a snappy block")]
    NotSnappy(#[source] snap::Error),
    /// The declared length is beyond what so few bytes can unpack to.
    #[error("body of {packed} bytes cannot unpack to the {declared} that it declares")]
    Exaggerated {
        /// Bytes there are.
        packed: usize,
        /// Bytes promised.
        declared: usize,
    },
    /// More bytes than allowed.
    #[error("body holds {bytes} bytes where {limit} are allowed")]
    TooLarge {
        /// Bytes once unpacked, as declared.
        bytes: usize,
        /// Bytes allowed.
        limit: usize,
    },
    /// More parts of one kind than allowed.
    #[error("body holds {count} {what} where {limit} are allowed")]
    TooMany {
        /// What was counted, in the plural.
        what: &'static str,
        /// How many there are.
        count: usize,
        /// How many are allowed.
        limit: usize,
    },
    /// Cut off, or not the message that belongs here.
    #[error("body is not a protobuf {message}: {reason}")]
    NotProtobuf {
        /// The message that was expected.
        message: &'static str,
        /// What the decoder said.
        reason: String,
    },
}

impl BodyError {
    /// A message that ends in the middle of a field.
    pub(crate) fn torn(message: &'static str) -> Self {
        Self::NotProtobuf {
            message,
            reason: "a field is cut off or of no known wire type".to_owned(),
        }
    }

    /// Whether the body is refused for its size alone, which HTTP calls 413.
    pub fn is_too_large(&self) -> bool {
        matches!(self, Self::TooLarge { .. } | Self::TooMany { .. })
    }
}

/// Refuses a count that passes its limit.
pub(crate) fn hold(what: &'static str, count: usize, limit: usize) -> Result<(), BodyError> {
    if count > limit {
        return Err(BodyError::TooMany { what, count, limit });
    }
    Ok(())
}

/// What was read so far, held against what may be before memory is taken for more.
#[derive(Debug)]
pub(crate) struct Tally {
    limits: Limits,
    results: usize,
    series: usize,
    labels: usize,
    samples: usize,
    /// Of the samples, those that were given out.
    given: usize,
    symbols: usize,
}

impl Tally {
    pub(crate) fn new(limits: &Limits) -> Self {
        Self {
            limits: *limits,
            results: 0,
            series: 0,
            labels: 0,
            samples: 0,
            given: 0,
            symbols: 0,
        }
    }

    pub(crate) fn result(&mut self) -> Result<(), BodyError> {
        self.results += 1;
        hold("results", self.results, self.limits.max_queries)
    }

    pub(crate) fn series(&mut self) -> Result<(), BodyError> {
        self.series += 1;
        hold("series", self.series, self.limits.max_series)
    }

    pub(crate) fn label(&mut self) -> Result<(), BodyError> {
        self.labels += 1;
        hold("labels", self.labels, self.limits.max_labels)
    }

    pub(crate) fn samples(&mut self, n_samples: usize) -> Result<(), BodyError> {
        self.samples += n_samples;
        hold("samples", self.samples, self.limits.max_samples)?;
        let held = self.samples.saturating_sub(self.given);
        hold("samples at once", held, self.limits.max_held_samples)
    }

    /// Samples that are held no more.
    pub(crate) fn give_out(&mut self, n_samples: usize) {
        self.given += n_samples;
    }

    /// The texts of labels: at most a name and a value each.
    pub(crate) fn symbol(&mut self) -> Result<(), BodyError> {
        self.symbols += 1;
        let limit = self.limits.max_labels.saturating_mul(2);
        hold("symbols", self.symbols, limit)
    }
}
