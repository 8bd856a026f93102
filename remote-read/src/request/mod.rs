//! What Prometheus asks: a checked request, and the decoding that checks it.

mod decode;
mod encode;
#[cfg(test)]
mod recorded;

pub use decode::decode_request;
pub use encode::encode_request;

use crate::BodyError;
use series::{MatcherError, Selector, Timestamp};
use std::time::Duration;

/// A request whose queries can be answered.
#[derive(Debug, Clone)]
pub struct ReadRequest {
    /// Each is owed one result, in this order.
    pub queries: Vec<Query>,
    /// How the answer is to be written.
    pub response: ResponseKind,
}

/// How an answer is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ResponseKind {
    /// One snappy block with all samples.
    Samples,
    /// A stream of frames with chunks.
    StreamedXorChunks,
}

/// One selection of series over a time range whose ends are in order.
#[derive(Debug, Clone)]
pub struct Query {
    start: Timestamp,
    end: Timestamp,
    selector: Selector,
    hints: Option<Hints>,
}

/// What Prometheus tells about the use it has for a query.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Hints {
    /// First time that is needed, included.
    pub start: Timestamp,
    /// Last time that is needed, included.
    pub end: Timestamp,
    /// The function or aggregation around the selector, `series` for a listing of labels; empty for none.
    pub func: String,
    /// The step of a range query; zero for an instant one.
    pub step: Duration,
    /// The range of `selector[range]`; zero for an instant selector.
    pub range: Duration,
    /// The labels that an aggregation keeps or drops.
    pub grouping: Vec<String>,
    /// Whether it keeps them.
    pub by: bool,
}

/// What Prometheus sends as function when it wants to know which series there are.
const SERIES_LISTING: &str = "series";

impl Query {
    /// Checks that a range, both ends included, is in order.
    pub fn new(start: Timestamp, end: Timestamp, selector: Selector) -> Result<Self, RequestError> {
        if start > end {
            return Err(RequestError::Range {
                start: start.as_millis(),
                end: end.as_millis(),
            });
        }
        Ok(Self {
            start,
            end,
            selector,
            hints: None,
        })
    }

    /// This query with hints.
    #[must_use]
    pub fn with_hints(self, hints: Hints) -> Self {
        Self {
            hints: Some(hints),
            ..self
        }
    }

    /// The times that are wanted, both included: those of the hints inside the query's own range, or that range
    /// where there are no hints in it.
    ///
    /// Hints belong to one selector of an expression and are mostly the tighter ones. Without `read_recent`,
    /// Prometheus cuts the range down to what it does not hold itself and leaves the hints as they are, so the
    /// range binds too. Both may reach to the ends of time: count from them with care.
    pub fn window(&self) -> (Timestamp, Timestamp) {
        self.hints
            .as_ref()
            .filter(|hints| hints.has_window())
            .map(|hints| (hints.start.max(self.start), hints.end.min(self.end)))
            .filter(|(start, end)| start <= end)
            .unwrap_or(self.range())
    }

    /// The range of the whole expression, both ends included.
    pub fn range(&self) -> (Timestamp, Timestamp) {
        (self.start, self.end)
    }

    /// Which series are wanted.
    pub fn selector(&self) -> &Selector {
        &self.selector
    }

    /// What Prometheus told about its use of the query.
    pub fn hints(&self) -> Option<&Hints> {
        self.hints.as_ref()
    }

    /// Whether labels alone are wanted, and samples would be thrown away.
    pub fn labels_only(&self) -> bool {
        self.hints
            .as_ref()
            .is_some_and(|hints| hints.func == SERIES_LISTING)
    }
}

impl Hints {
    /// Protobuf leaves zeros out, so two of them are as good as none.
    fn has_window(&self) -> bool {
        let epoch = Timestamp::default();
        (self.start, self.end) != (epoch, epoch)
    }
}

/// Why a request is refused. The fault is always the client's.
#[derive(Debug, thiserror::Error)]
pub enum RequestError {
    /// The body as a whole.
    #[error(transparent)]
    Body(#[from] BodyError),
    /// Nothing that we can write is accepted.
    #[error("none of the accepted response types {0:?} is SAMPLES (0) or STREAMED_XOR_CHUNKS (1)")]
    ResponseTypes(Vec<i32>),
    /// The ends are in the wrong order.
    #[error("query starts at {start} and ends before that, at {end}")]
    Range {
        /// Milliseconds since the epoch.
        start: i64,
        /// Milliseconds since the epoch.
        end: i64,
    },
    /// A comparison that remote read does not define.
    #[error("matcher on label `{name}` has the unknown type {found}")]
    MatchType {
        /// The label.
        name: String,
        /// The number sent.
        found: i32,
    },
    /// A matcher too long to be compiled.
    #[error("a matcher has {bytes} bytes where {limit} are allowed")]
    LongMatcher {
        /// Of its name and value.
        bytes: usize,
        /// Bytes allowed.
        limit: usize,
    },
    /// An expression that does not compile, or grows too large.
    #[error(transparent)]
    Matcher(#[from] MatcherError),
}

impl RequestError {
    /// The HTTP status to answer with: 413 for what is too large, else 400.
    pub fn status(&self) -> u16 {
        match self {
            Self::Body(error) if error.is_too_large() => 413,
            Self::LongMatcher { .. } => 413,
            _ => 400,
        }
    }
}
