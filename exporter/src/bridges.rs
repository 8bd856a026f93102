//! What the crates below ask of each other, tied together: nothing here decides anything.

use crate::{app::Running, config::Upstream, rotating::Rotating};
use arc_swap::ArcSwap;
use futures::{FutureExt as _, future::BoxFuture};
use prometheus_api::{Answer, Client, Limits, QueryError};
use remediation::{Alerting, Evidence, Foreseen, Foresight, Question, Silence, Warning, alerting};
use rules::Source;
use series::{Labels, Sample, Series, Step, Timestamp};
use std::sync::Arc;

/// Prometheus as the engine and the verification see it.
#[derive(Clone)]
pub(crate) struct PromSource(Arc<Rotating<Client>>);

impl PromSource {
    /// Builds the first client.
    pub(crate) fn new(upstream: Upstream) -> anyhow::Result<Self> {
        let client = Rotating::new(upstream, |upstream, http| {
            let limits = Limits {
                timeout: upstream.timeout,
                ..Limits::default()
            };
            Client::new(upstream.url.clone(), http, limits)
        });
        Ok(Self(Arc::new(client?)))
    }
}

impl Source for PromSource {
    async fn instant(
        &self,
        expr: &str,
        at: Timestamp,
    ) -> Result<Answer<Vec<(Labels, Sample)>>, QueryError> {
        self.0.client().instant(expr, at).await
    }

    async fn range(
        &self,
        expr: &str,
        start: Timestamp,
        end: Timestamp,
        step: Step,
    ) -> Result<Answer<Vec<Series>>, QueryError> {
        self.0.client().range(expr, start, end, step).await
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
    fn demand(&self, question: Question<'_>, now: Timestamp) -> Option<Foreseen> {
        let pairs: Vec<_> = question
            .labels
            .iter()
            .map(|(n, v)| (n.to_owned(), v.to_owned()))
            .collect();
        let ahead = (question.quantile, question.within);
        let rules::Foreseen {
            value,
            at,
            horizon,
            current,
        } = self
            .get()
            .engine
            .foreseen_within(question.forecast, &pairs, ahead, now)?;
        Some(Foreseen {
            value,
            at,
            horizon,
            current: Some(current),
        })
    }
}

impl Alerting for Live {
    fn silenced<'a>(
        &'a self,
        fingerprints: &'a [String],
    ) -> BoxFuture<'a, Result<Option<String>, String>> {
        async move {
            match self.get().alertmanager() {
                Some(client) => alerting::silenced(&client, fingerprints).await,
                None => Ok(None),
            }
        }
        .boxed()
    }

    fn silence<'a>(&'a self, silence: &'a Silence) -> BoxFuture<'a, Result<(), String>> {
        async move {
            match self.get().alertmanager() {
                Some(client) => alerting::silence(&client, silence).await,
                None => Err("`alertmanager` is not configured".to_owned()),
            }
        }
        .boxed()
    }

    fn warn<'a>(&'a self, warning: &'a Warning) -> BoxFuture<'a, Result<(), String>> {
        async move {
            match self.get().alertmanager() {
                Some(client) => alerting::warn(&client, warning).await,
                None => Ok(()),
            }
        }
        .boxed()
    }
}
