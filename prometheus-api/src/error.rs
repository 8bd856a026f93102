//! Why a query has no answer, and whether to ask again.

use series::PromDuration;

/// Why a query has no answer.
#[derive(Debug, thiserror::Error)]
pub enum QueryError {
    /// No connection, or one that broke.
    #[error("cannot reach Prometheus at {at}")]
    Unreachable {
        /// Host and port.
        at: String,
        /// What the connection died of.
        source: reqwest::Error,
    },
    /// The time allowed ran out, here or in Prometheus.
    #[error("Prometheus did not answer within {0}")]
    Timeout(PromDuration),
    /// A 4xx: the query is wrong, or not allowed.
    #[error("Prometheus refused the query with status {status}: {message}")]
    Rejected {
        /// The HTTP status.
        status: u16,
        /// Prometheus' own words.
        message: String,
    },
    /// A 5xx.
    #[error("Prometheus failed with status {status}: {message}")]
    ServerError {
        /// The HTTP status.
        status: u16,
        /// Prometheus' own words.
        message: String,
    },
    /// An answer that breaks the format, or is of another kind than the query asked for.
    #[error("cannot read the answer of Prometheus: {0}")]
    Malformed(String),
    /// More bytes than memory was set aside for.
    #[error("the answer is larger than the {0} bytes allowed")]
    TooLarge(usize),
    /// More series than the client was told to take.
    #[error("the answer has more than the {0} series allowed")]
    TooManySeries(usize),
    /// Another server was asked for the same data.
    #[error("cannot read from {at} by remote read")]
    Elsewhere {
        /// Host and port.
        at: String,
        /// What came of it.
        source: Box<Self>,
    },
}

/// The kinds of failure, as metric labels name them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Reason {
    /// No connection, or one that broke.
    Unreachable,
    /// The time allowed ran out.
    Timeout,
    /// A 4xx, bad PromQL among them.
    Rejected,
    /// A 5xx.
    ServerError,
    /// An answer that breaks the format.
    Malformed,
    /// More bytes than allowed.
    TooLarge,
    /// More series than allowed.
    TooManySeries,
}

impl Reason {
    /// The value of a metric label.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Unreachable => "unreachable",
            Self::Timeout => "timeout",
            Self::Rejected => "rejected",
            Self::ServerError => "server_error",
            Self::Malformed => "malformed",
            Self::TooLarge => "too_large",
            Self::TooManySeries => "too_many_series",
        }
    }
}

impl QueryError {
    /// The kind of failure.
    pub fn reason(&self) -> Reason {
        match self {
            Self::Unreachable { .. } => Reason::Unreachable,
            Self::Timeout(_) => Reason::Timeout,
            Self::Rejected { .. } => Reason::Rejected,
            Self::ServerError { .. } => Reason::ServerError,
            Self::Malformed(_) => Reason::Malformed,
            Self::TooLarge(_) => Reason::TooLarge,
            Self::TooManySeries(_) => Reason::TooManySeries,
            Self::Elsewhere { source, .. } => source.reason(),
        }
    }

    /// Whether the same query may have an answer a little later.
    pub fn is_transient(&self) -> bool {
        match self {
            Self::Unreachable { .. } | Self::Timeout(_) | Self::ServerError { .. } => true,
            Self::Rejected { status, .. } => matches!(status, 408 | 429),
            Self::Malformed(_) | Self::TooLarge(_) | Self::TooManySeries(_) => false,
            Self::Elsewhere { source, .. } => source.is_transient(),
        }
    }
}
