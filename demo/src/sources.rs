//! Where the demo looks to see what happens: the programs' own APIs, and nothing beside them.

use crate::{
    actions::{self, Action},
    stack::Stack,
};
use anyhow::Context;
use prometheus_api::Client;
use serde_json::Value;
use series::{Labels, Series, Step, Timestamp};
use std::time::Duration;
use testbed::http_client;
use url::Url;

/// The alert that the demo is about.
pub const ALERT: &str = "CheckoutOverloadPredicted";
const TIMEOUT: Duration = Duration::from_secs(10);

/// Clients of all programs.
#[derive(Debug, Clone)]
pub struct Sources {
    prometheus: Client,
    http: reqwest::Client,
    alertmanager: Url,
    foreshadow: Url,
}

impl Sources {
    /// Clients of a running stack.
    pub fn of(stack: &Stack) -> anyhow::Result<Self> {
        Ok(Self {
            prometheus: stack.prometheus.api()?,
            http: http_client(TIMEOUT)?,
            alertmanager: stack.alertmanager.url().clone(),
            foreshadow: stack.foreshadow_url.clone(),
        })
    }

    /// What a query gives at one time.
    pub async fn instant(&self, expr: &str, at: Timestamp) -> anyhow::Result<Vec<(Labels, f64)>> {
        let answer = self.prometheus.instant(expr, at).await;
        let answer = answer.with_context(|| format!("cannot ask Prometheus for {expr}"))?;
        let samples = answer.value.into_iter();
        Ok(samples
            .map(|(labels, sample)| (labels, sample.value))
            .collect())
    }

    /// The one value of a query; NaN when there is none.
    pub async fn value(&self, expr: &str, at: Timestamp) -> anyhow::Result<f64> {
        let samples = self.instant(expr, at).await?;
        Ok(samples.first().map_or(f64::NAN, |(_, value)| *value))
    }

    /// What a query gives over a time, every so often.
    pub async fn range(
        &self,
        expr: &str,
        (start, end): (Timestamp, Timestamp),
        every: Duration,
    ) -> anyhow::Result<Vec<Series>> {
        let step = Step::new(every).context("a range needs a step")?;
        let answer = self.prometheus.range(expr, start, end, step).await;
        let answer = answer.with_context(|| format!("cannot ask Prometheus for {expr}"))?;
        Ok(answer.value)
    }

    /// All actions in Foreshadow's journal.
    pub async fn actions(&self) -> anyhow::Result<Vec<Action>> {
        let url = self.foreshadow.join("api/v1/actions")?;
        Ok(actions::read(&self.get(url).await?))
    }

    /// When Alertmanager took in the alert about a service; `None` when it does not have it.
    pub async fn alertmanager_has(&self, service: &str) -> anyhow::Result<Option<Timestamp>> {
        let alerts = self.get(self.alertmanager.join("api/v2/alerts")?).await?;
        let is_it = |alert: &&Value| {
            alert["labels"]["alertname"] == ALERT && alert["labels"]["service"] == service
        };
        let alert = alerts.as_array().into_iter().flatten().find(is_it);
        Ok(alert.and_then(|alert| actions::time(alert, "updatedAt")))
    }

    async fn get(&self, url: Url) -> anyhow::Result<Value> {
        let attempt = || format!("cannot read {url}");
        let answer = self
            .http
            .get(url.clone())
            .send()
            .await
            .with_context(attempt)?;
        let answer = answer.error_for_status().with_context(attempt)?;
        answer.json().await.with_context(attempt)
    }
}
