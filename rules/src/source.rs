//! Where rules read from.

use prometheus_api::{Answer, Client, QueryError};
use series::{Labels, Sample, Series, Step, Timestamp};

/// Something that answers PromQL. An argument of the engine, so that tests need no server.
pub trait Source: Send + Sync + 'static {
    /// Evaluates an expression at one time; a scalar is one sample without labels.
    fn instant(
        &self,
        expr: &str,
        at: Timestamp,
    ) -> impl Future<Output = Result<Answer<Vec<(Labels, Sample)>>, QueryError>> + Send;

    /// Evaluates an expression at `start`, `start + step` and so on up to `end`.
    fn range(
        &self,
        expr: &str,
        start: Timestamp,
        end: Timestamp,
        step: Step,
    ) -> impl Future<Output = Result<Answer<Vec<Series>>, QueryError>> + Send;

    /// The same for a piece of history, which may wait for its turn.
    fn history(
        &self,
        expr: &str,
        start: Timestamp,
        end: Timestamp,
        step: Step,
    ) -> impl Future<Output = Result<Answer<Vec<Series>>, QueryError>> + Send {
        self.range(expr, start, end, step)
    }
}

impl Source for Client {
    async fn instant(
        &self,
        expr: &str,
        at: Timestamp,
    ) -> Result<Answer<Vec<(Labels, Sample)>>, QueryError> {
        self.instant(expr, at).await
    }

    async fn range(
        &self,
        expr: &str,
        start: Timestamp,
        end: Timestamp,
        step: Step,
    ) -> Result<Answer<Vec<Series>>, QueryError> {
        self.range(expr, start, end, step).await
    }
}
