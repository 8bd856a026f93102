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
    /// Nothing was asked, since an earlier answer named a time to wait.
    #[error(
        "Prometheus answered with status {status} and asked to be left alone for another {wait}"
    )]
    Deferred {
        /// The HTTP status of that answer.
        status: u16,
        /// What is left of the time.
        wait: PromDuration,
    },
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
    /// The time that an earlier answer named is not over.
    Deferred,
}

/// What a query was refused for where less at once may do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Refusal {
    /// It takes more samples, points, series or bytes than are allowed.
    Size,
    /// It takes longer than is allowed.
    Time,
}

/// Words by which Prometheus, and those who speak as it does, tell that a query takes too much.
const SIZE_WORDS: [&str; 8] = [
    "too many samples",
    "too many points",
    "too large",
    "too long",
    "exceed",
    "maximum",
    "limit",
    "memory",
];

/// Words by which they tell that it took too long.
const TIME_WORDS: [&str; 4] = ["timed out", "timeout", "time-out", "deadline"];

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
            Self::Deferred => "deferred",
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
            Self::Deferred { .. } => Reason::Deferred,
            Self::Elsewhere { source, .. } => source.reason(),
        }
    }

    /// What the query was refused for, where the same over less time may have an answer.
    pub fn refusal(&self) -> Option<Refusal> {
        match self {
            Self::TooLarge(_) | Self::Rejected { status: 413, .. } => Some(Refusal::Size),
            Self::Timeout(_) => Some(Refusal::Time),
            Self::Rejected { status, message } | Self::ServerError { status, message } => {
                judge(*status, &message.to_lowercase())
            }
            Self::Elsewhere { source, .. } => source.refusal(),
            Self::Unreachable { .. }
            | Self::Malformed(_)
            | Self::TooManySeries(_)
            | Self::Deferred { .. } => None,
        }
    }

    /// Whether the same query may have an answer a little later.
    pub fn is_transient(&self) -> bool {
        match self {
            Self::Unreachable { .. }
            | Self::Timeout(_)
            | Self::ServerError { .. }
            | Self::Deferred { .. } => true,
            Self::Rejected { status, .. } => matches!(status, 408 | 429),
            Self::Malformed(_) | Self::TooLarge(_) | Self::TooManySeries(_) => false,
            Self::Elsewhere { source, .. } => source.is_transient(),
        }
    }
}

fn judge(status: u16, words: &str) -> Option<Refusal> {
    let has = |known: &[&str]| known.iter().any(|known| words.contains(known));
    match status {
        408 | 502 | 504 => Some(Refusal::Time),
        422 | 500 | 503 if has(&TIME_WORDS) => Some(Refusal::Time),
        400 | 422 | 500 | 503 if has(&SIZE_WORDS) => Some(Refusal::Size),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(status: u16, message: &str, expect: Option<Refusal>) {
        let message = message.to_owned();
        let error = if status < 500 {
            QueryError::Rejected { status, message }
        } else {
            QueryError::ServerError { status, message }
        };
        assert_eq!(error.refusal(), expect, "{error}");
        let elsewhere = QueryError::Elsewhere {
            at: String::new(),
            source: Box::new(error),
        };
        assert_eq!(elsewhere.refusal(), expect);
    }

    #[test]
    fn refusals_of_those_who_speak_as_prometheus_does_are_known() {
        let (size, time) = (Some(Refusal::Size), Some(Refusal::Time));
        let too_many =
            "query processing would load too many samples into memory in query execution";
        check(422, too_many, size);
        check(
            400,
            "exceeded maximum resolution of 11,000 points per timeseries",
            size,
        );
        check(
            422,
            "cannot select more than -search.maxSamplesPerQuery=1000 samples; possible solutions: increase the limit",
            size,
        );
        check(
            422,
            "the query exceeded the maximum number of chunks (err-mimir-max-chunks-per-query)",
            size,
        );
        check(413, "", size);
        check(503, "query timed out in expression evaluation", time);
        check(422, "query timed out in query execution", time);
        check(504, "<html>Gateway Time-out</html>", time);
        check(502, "", time);
    }

    #[test]
    fn what_less_at_once_does_not_mend_is_no_refusal() {
        check(400, "invalid parameter \"query\": 1:5: parse error", None);
        check(422, "found duplicate series for the match group", None);
        check(429, "too many requests", None);
        check(503, "Service Unavailable", None);
        check(401, "", None);
        assert_eq!(QueryError::TooManySeries(9).refusal(), None);
        let wait = PromDuration::new(std::time::Duration::from_secs(1));
        assert_eq!(QueryError::Timeout(wait).refusal(), Some(Refusal::Time));
        assert_eq!(QueryError::TooLarge(9).refusal(), Some(Refusal::Size));
    }
}
