//! What the crates below ask of each other, tied together: nothing here decides anything.

use crate::{app::Running, budget::Budget, config::Prometheus, rotating::Rotating};
use arc_swap::ArcSwap;
use futures::{FutureExt as _, future::BoxFuture};
use prometheus_api::{Answer, Client, Limits, QueryError};
use remediation::{Evidence, Foreseen, Foresight};
use rules::Source;
use series::{Labels, Quantile, Sample, Series, Step, Timestamp};
use std::sync::Arc;

/// Prometheus as the engine and the verification see it.
#[derive(Clone)]
pub(crate) struct PromSource {
    client: Arc<Rotating<Client>>,
    budget: Arc<Budget>,
}

impl PromSource {
    /// Builds the first client. What was spent of the same budget before a reload stays spent.
    pub(crate) fn new(prometheus: Prometheus, before: Option<&Self>) -> anyhow::Result<Self> {
        let same = before.filter(|before| before.budget.limits() == prometheus.history);
        let budget = same.map_or_else(
            || Arc::new(Budget::new(prometheus.history)),
            |before| Arc::clone(&before.budget),
        );
        let client = Rotating::new(prometheus.upstream, |upstream, http| {
            let limits = Limits {
                timeout: upstream.timeout,
                ..Limits::default()
            };
            Client::new(upstream.url.clone(), http, limits)
        });
        Ok(Self {
            client: Arc::new(client?),
            budget,
        })
    }
}

impl Source for PromSource {
    async fn instant(
        &self,
        expr: &str,
        at: Timestamp,
    ) -> Result<Answer<Vec<(Labels, Sample)>>, QueryError> {
        self.client.client().instant(expr, at).await
    }

    async fn range(
        &self,
        expr: &str,
        start: Timestamp,
        end: Timestamp,
        step: Step,
    ) -> Result<Answer<Vec<Series>>, QueryError> {
        self.client.client().range(expr, start, end, step).await
    }

    async fn history(
        &self,
        expr: &str,
        start: Timestamp,
        end: Timestamp,
        step: Step,
    ) -> Result<Answer<Vec<Series>>, QueryError> {
        let _turn = self.budget.enter().await;
        let answer = self.range(expr, start, end, step).await?;
        let n_samples = answer.value.iter().map(|series| series.samples.len()).sum();
        self.budget.spend(n_samples);
        Ok(answer)
    }
}

/// What runs at present, for those who outlive a reload.
#[derive(Clone)]
pub(crate) struct Live(Arc<ArcSwap<Running>>);

impl Live {
    /// Begins with the first configuration.
    pub(crate) fn new(running: Running) -> Self {
        Self(Arc::new(ArcSwap::from_pointee(running)))
    }

    /// What runs now.
    pub(crate) fn get(&self) -> Arc<Running> {
        self.0.load_full()
    }

    /// Puts another in its place.
    pub(crate) fn replace(&self, running: Running) {
        self.0.store(Arc::new(running));
    }
}

impl Evidence for Live {
    fn query<'a>(
        &'a self,
        expr: &'a str,
        at: Timestamp,
    ) -> BoxFuture<'a, Result<Vec<(Labels, f64)>, String>> {
        async move {
            let answer = self.get().source.instant(expr, at).await;
            let answer = answer.map_err(|e| format!("{:#}", anyhow::Error::new(e)))?;
            match answer.warnings.first() {
                Some(warning) => Err(format!("the answer is not complete: {warning}")),
                None => Ok(answer
                    .value
                    .into_iter()
                    .map(|(l, sample)| (l, sample.value))
                    .collect()),
            }
        }
        .boxed()
    }
}

impl Foresight for Live {
    fn demand(
        &self,
        name: &str,
        labels: &Labels,
        quantile: Quantile,
        now: Timestamp,
    ) -> Option<Foreseen> {
        let pairs: Vec<_> = labels
            .iter()
            .map(|(n, v)| (n.to_owned(), v.to_owned()))
            .collect();
        let rules::Foreseen {
            value,
            at,
            horizon,
            current,
        } = self.get().engine.foreseen(name, &pairs, quantile, now)?;
        Some(Foreseen {
            value,
            at,
            horizon,
            current: Some(current),
        })
    }
}
