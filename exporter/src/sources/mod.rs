//! Where the engine and the verification read from.

mod raw;

use crate::{
    budget::Budget,
    config::{Prometheus, Upstream},
    metrics::{HistoryMetrics, Way},
    query::Plan,
    rotating::Rotating,
};
use prometheus_api::{Answer, Client, Limits, QueryError};
use raw::RawHistory;
use rules::{Group, RuleKind, Source};
use series::{Labels, Sample, Series, Step, Timestamp};
use std::sync::Arc;

/// What a sample takes in an answer of the query API, about: `[1790000000,"0.5"],`.
const JSON_SAMPLE_BYTES: usize = 24;

/// Prometheus as the engine and the verification see it.
#[derive(Clone)]
pub(crate) struct PromSource {
    client: Arc<Rotating<Client>>,
    /// Where histories of raw samples are read, when that is somewhere else.
    raw: Option<Arc<RawHistory>>,
    budget: Arc<Budget>,
    metrics: HistoryMetrics,
}

impl PromSource {
    /// Builds the first clients. What was spent of the same budget before a reload stays spent.
    pub(crate) fn new(
        prometheus: Prometheus,
        before: Option<&Self>,
        metrics: &HistoryMetrics,
    ) -> anyhow::Result<Self> {
        let history = prometheus.history;
        let same = before.filter(|before| before.budget.limits() == history.limits);
        let budget = same.map_or_else(
            || Arc::new(Budget::new(history.limits)),
            |before| Arc::clone(&before.budget),
        );
        let body_bytes = history.max_answer_bytes;
        let build = move |upstream: &Upstream, http| {
            let limits = Limits {
                timeout: upstream.timeout,
                body_bytes,
                ..Limits::default()
            };
            Client::new(upstream.url.clone(), http, limits)
        };
        let raw = history
            .remote_read
            .map(|remote| RawHistory::new(remote, body_bytes));
        Ok(Self {
            client: Arc::new(Rotating::new(prometheus.upstream, build)?),
            raw: raw.transpose()?.map(Arc::new),
            budget,
            metrics: metrics.clone(),
        })
    }
}

impl Source for PromSource {
    async fn instant(
        &self,
        expr: &str,
        at: Timestamp,
    ) -> Result<Answer<Vec<(Labels, Sample)>>, QueryError> {
        self.client.client().await.instant(expr, at).await
    }

    async fn range(
        &self,
        expr: &str,
        start: Timestamp,
        end: Timestamp,
        step: Step,
    ) -> Result<Answer<Vec<Series>>, QueryError> {
        self.client
            .client()
            .await
            .range(expr, start, end, step)
            .await
    }

    async fn history(
        &self,
        expr: &str,
        start: Timestamp,
        end: Timestamp,
        step: Step,
    ) -> Result<Answer<Vec<Series>>, QueryError> {
        if let Some(raw) = &self.raw
            && let Ok(plan) = Plan::read(expr)
        {
            let cost = (&*self.budget, &self.metrics);
            let answer = raw.read(&plan, (start, end, step), cost).await;
            return answer.map_err(|error| raw.named(error));
        }
        let _turn = self.budget.enter().await;
        let answer = self.range(expr, start, end, step).await;
        let n_samples = n_samples(&answer);
        self.metrics
            .note(Way::QueryApi, answer.is_ok().then_some(n_samples));
        self.budget.spend(n_samples);
        answer
    }
}

/// The samples of an answer; of one that was broken off for its size, about as many as came.
fn n_samples(answer: &Result<Answer<Vec<Series>>, QueryError>) -> usize {
    match answer {
        Ok(answer) => answer.value.iter().map(|series| series.samples.len()).sum(),
        Err(QueryError::TooLarge(n_bytes)) => n_bytes / JSON_SAMPLE_BYTES,
        Err(_) => 0,
    }
}

/// How the history of each forecast is read when there is remote read for it, as a sentence.
pub(crate) fn ways(groups: &[Group]) -> Vec<String> {
    let rules = groups.iter().flat_map(|group| &group.rules);
    let way = |kind: &RuleKind| {
        let RuleKind::Forecast(rule) = kind else {
            return None;
        };
        let (name, expr) = (&rule.name, &rule.expr);
        Some(match Plan::read(expr) {
            Ok(_) => format!("{name}: history by remote read"),
            Err(more) => {
                format!("{name}: history by the query API, since its expression has {more}")
            }
        })
    };
    rules.filter_map(|rule| way(&rule.kind)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_that_was_broken_off_has_its_price() {
        let sample = Sample {
            at: Timestamp::from_seconds(0),
            value: 1.0,
        };
        let series = Series {
            labels: Labels::default(),
            samples: vec![sample; 7],
        };
        let whole = Answer::new(vec![series.clone(), series], Vec::new(), Vec::new());
        assert_eq!(n_samples(&Ok(whole)), 14);
        assert_eq!(n_samples(&Err(QueryError::TooLarge(24_000))), 1_000);
        assert_eq!(n_samples(&Err(QueryError::TooManySeries(9))), 0);
    }

    #[test]
    fn each_forecast_is_told_how_its_history_is_read() {
        let rules = "{forecast: a, expr: 100 * load}, {forecast: b, expr: 'sum(load)'}, {record: c, expr: up}";
        let text = format!("groups: [{{name: g, rules: [{rules}]}}]");
        let groups = rules::parse("r.yml", &text).unwrap();
        let expect = [
            "a: history by remote read",
            "b: history by the query API, since its expression has an aggregation",
        ];
        assert_eq!(ways(&groups), expect);
    }
}
