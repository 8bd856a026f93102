//! Where the demo looks to see what happens: the programs' own APIs, and nothing beside them.

use crate::{
    actions::{self, Action},
    stack::Stack,
};
use anyhow::Context;
use prometheus_api::Client;
use prometheus_parse::Value as Scraped;
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

    /// One of Foreshadow's own metrics about a rule; 0 before it is there.
    pub async fn own_metric(&self, name: &str, rule: &str) -> anyhow::Result<f64> {
        let text = self.text(self.foreshadow.join("metrics")?).await?;
        let lines = text.lines().map(|line| Ok(line.to_owned()));
        let scrape = prometheus_parse::Scrape::parse(lines).context("cannot read the metrics")?;
        let is_it = |sample: &&prometheus_parse::Sample| {
            sample.metric == name && sample.labels.get("rule") == Some(rule)
        };
        Ok(match scrape.samples.iter().find(is_it).map(|s| &s.value) {
            Some(Scraped::Counter(value) | Scraped::Gauge(value) | Scraped::Untyped(value)) => {
                *value
            }
            _ => 0.0,
        })
    }

    /// Whether Foreshadow serves a rule's forecast of a service.
    pub async fn foresees(&self, rule: &str, service: &str) -> anyhow::Result<bool> {
        let text = self.text(self.foreshadow.join("predictions")?).await?;
        let (name, label) = (
            format!("{rule}:forecast{{"),
            format!("service=\"{service}\""),
        );
        let is_it = |line: &str| line.starts_with(&name) && line.contains(&label);
        Ok(text.lines().any(is_it))
    }

    async fn get(&self, url: Url) -> anyhow::Result<Value> {
        let attempt = format!("cannot read {url}");
        serde_json::from_str(&self.text(url).await?).context(attempt)
    }

    async fn text(&self, url: Url) -> anyhow::Result<String> {
        let attempt = || format!("cannot read {url}");
        let answer = self
            .http
            .get(url.clone())
            .send()
            .await
            .with_context(attempt)?;
        let answer = answer.error_for_status().with_context(attempt)?;
        answer.text().await.with_context(attempt)
    }
}
