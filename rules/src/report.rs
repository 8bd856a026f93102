//! What came of an evaluation.

use prometheus_api::{LeftOut, QueryError, Reason};
use series::Timestamp;
use std::{error::Error, time::Duration};

/// One evaluation of a group.
#[derive(Debug, Clone)]
pub struct GroupReport {
    /// The file of the group.
    pub file: String,
    /// Its name.
    pub group: String,
    /// The time it was evaluated for.
    pub at: Timestamp,
    /// How long it took.
    pub duration: Duration,
    /// The time between two evaluations.
    pub interval: Duration,
    /// Slots whose evaluation this report completes: one, or none where it is of a rule that took longer than the others.
    pub iterations: u64,
    /// Slots in which no rule could begin, since all were at work; they are left out, never made up for.
    pub missed: u64,
    /// One for each rule that has come to its end, in the order of the file.
    pub rules: Vec<RuleReport>,
}

/// One evaluation of a rule.
#[derive(Debug, Clone)]
pub struct RuleReport {
    /// The rule's name.
    pub rule: String,
    /// The time it was evaluated for.
    pub at: Timestamp,
    /// How long it took.
    pub duration: Duration,
    /// Samples that it had from Prometheus.
    pub samples_read: usize,
    /// What Prometheus had and could not be taken, such as histograms among floats.
    pub left_out: LeftOut,
    /// Its figures, or why there are none.
    pub outcome: Result<Evaluated, Failure>,
}

/// The figures of an evaluation that succeeded.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Evaluated {
    /// Series that the expression gave.
    pub series: usize,
    /// Series that it gave the time before; `None` at the first.
    pub series_before: Option<usize>,
    /// Samples that are served from now on.
    pub samples: usize,
    /// Series that are too young to be forecast.
    pub not_enough_history: usize,
    /// Series whose present sample is NaN or infinite. They are not forecast, like those that are absent.
    pub not_finite: usize,
    /// What the history lacks, of which Prometheus refused the beginning.
    pub shortened: Option<Shortened>,
    /// Series that no model could be fitted to, for any other cause.
    pub failed_fits: usize,
    /// The oldest among the last samples that forecasts start from; `None` where there is no forecast.
    pub oldest_origin: Option<Timestamp>,
    /// What Prometheus remarked about the whole. Always empty for a forecast, which fails on a partial answer.
    pub warnings: Vec<String>,
}

/// A history that is shorter than the rule asks for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Shortened {
    /// How much of it was not read.
    pub missing: Duration,
    /// What Prometheus answered.
    pub why: String,
}

/// Why a rule could not be evaluated.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct Failure {
    /// Its kind, for metrics.
    pub reason: FailureReason,
    /// The whole story in one sentence, for people.
    pub message: String,
}

/// The kinds of failure, a closed list that metric labels may be made of.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum FailureReason {
    /// Prometheus gave no answer, or gave more series than the rule may have.
    Query(Reason),
    /// Prometheus warned that its answer is not complete.
    Partial,
    /// Series that differ in nothing but their names.
    DuplicateSeries,
    /// A model panicked.
    Internal,
}

impl FailureReason {
    /// Every one of them.
    pub const ALL: [Self; 11] = [
        Self::Query(Reason::Unreachable),
        Self::Query(Reason::Timeout),
        Self::Query(Reason::Rejected),
        Self::Query(Reason::ServerError),
        Self::Query(Reason::Malformed),
        Self::Query(Reason::TooLarge),
        Self::Query(Reason::TooManySeries),
        Self::Query(Reason::Deferred),
        Self::Partial,
        Self::DuplicateSeries,
        Self::Internal,
    ];

    /// The value of a metric label.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Query(reason) => reason.as_str(),
            Self::Partial => "partial",
            Self::DuplicateSeries => "duplicate_series",
            Self::Internal => "internal",
        }
    }
}

impl Failure {
    pub(crate) fn new(reason: FailureReason, message: impl Into<String>) -> Self {
        let message = message.into();
        Self { reason, message }
    }

    pub(crate) fn too_many_series(got: usize, limit: usize) -> Self {
        Self::new(
            FailureReason::Query(Reason::TooManySeries),
            format!("expression gives {got} series, limit is {limit}"),
        )
    }
}

impl From<QueryError> for Failure {
    /// Keeps the whole chain of causes, since only its text travels on.
    fn from(error: QueryError) -> Self {
        let reason = FailureReason::Query(error.reason());
        let causes = std::iter::successors(error.source(), |&cause| cause.source());
        let message = causes.fold(error.to_string(), |text, cause| format!("{text}: {cause}"));
        Self { reason, message }
    }
}
