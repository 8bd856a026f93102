//! The service's API as the command line speaks it.

use crate::{
    config::HttpConfig,
    redact::redacted,
    say::{pass_on, say},
    visible::visible,
};
use anyhow::{Context as _, bail};
use reqwest::{Client, RequestBuilder, Response, StatusCode};
use serde_json::Value;
use std::{path::Path, time::Duration};
use url::Url;

/// The service answers from its journal; what takes longer is broken.
const TIMEOUT: Duration = Duration::from_secs(10);

/// Years of history take minutes; a service that hangs ends nevertheless.
const EXPORT_TIMEOUT: Duration = Duration::from_hours(1);

/// A service that may be asked.
pub(super) struct Api {
    base: Url,
    http: Client,
}

impl Api {
    /// A service at an address, reached as the file says where there is one.
    pub(super) fn new(base: Url, http_config: Option<&Path>) -> anyhow::Result<Self> {
        let http = if let Some(path) = http_config {
            HttpConfig::load(path)?.client(TIMEOUT)?
        } else {
            let builder = Client::builder().timeout(TIMEOUT);
            builder.build().context("building the HTTP client")?
        };
        Ok(Self { base, http })
    }

    /// What a path answers, with parameters.
    pub(super) async fn get(&self, path: &str, query: &[(&str, &str)]) -> anyhow::Result<Value> {
        data(self.ask(self.http.get(self.url(path)).query(query)).await?).await
    }

    /// What a path answers; none where the server serves nothing there.
    pub(super) async fn find(&self, path: &str) -> anyhow::Result<Option<Value>> {
        let response = self.ask(self.http.get(self.url(path))).await?;
        if response.status() == StatusCode::NOT_FOUND {
            return Ok(None);
        }
        data(response).await.map(Some)
    }

    /// Decides on an action, and says what became of it.
    pub(super) async fn decide(&self, id: &str, decision: &str, body: Value) -> anyhow::Result<()> {
        let url = self.url(&format!("api/v1/actions/{id}/{decision}"));
        let action = data(self.ask(self.http.post(url).json(&body)).await?).await?;
        let (id, state) = (super::text(&action, "id"), super::text(&action, "state"));
        say(&format!("{} is now {}\n", visible(&id), visible(&state)));
        Ok(())
    }

    /// Passes on what a path answers as it comes in.
    pub(super) async fn pass_on(&self, path: &str, query: &[(&str, &str)]) -> anyhow::Result<()> {
        let request = self.http.get(self.url(path)).query(query);
        let mut response = self.ask(request.timeout(EXPORT_TIMEOUT)).await?;
        if !response.status().is_success() {
            return data(response).await.map(drop);
        }
        let breaking_off = "the answer broke off, what was written is not all";
        loop {
            let bytes = response.chunk().await.map_err(reqwest::Error::without_url);
            match bytes.context(breaking_off)? {
                Some(bytes) => pass_on(&bytes),
                None => return Ok(()),
            }
        }
    }

    async fn ask(&self, request: RequestBuilder) -> anyhow::Result<Response> {
        let response = request.send().await.map_err(reqwest::Error::without_url);
        response.with_context(|| format!("asking {}", redacted(&self.base)))
    }

    fn url(&self, path: &str) -> Url {
        let mut url = self.base.clone();
        url.set_path(&format!(
            "{}/{path}",
            self.base.path().trim_end_matches('/')
        ));
        url
    }
}

/// What is inside the envelope, or the sentence of a refusal.
async fn data(response: Response) -> anyhow::Result<Value> {
    let status = response.status();
    let body = response.text().await.map_err(reqwest::Error::without_url);
    let body = body.context("reading the answer")?;
    let answer: Value = match serde_json::from_str(&body) {
        Ok(answer) => answer,
        Err(_) => bail!("the server answered {status}: {}", visible(body.trim())),
    };
    match answer.get("data") {
        Some(data) if status.is_success() => Ok(data.clone()),
        _ => {
            let error = answer.get("error").and_then(Value::as_str);
            bail!("{}", visible(error.unwrap_or("no reason given")))
        }
    }
}
