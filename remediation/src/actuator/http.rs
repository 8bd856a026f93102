//! An actuator that sets and reads a replica count by HTTP.

use super::{Actuator, ActuatorError, Occasion, networks::CheckedResolver, reading};
use crate::{
    RemediationError, Shape,
    config::{HttpActuator, Method},
};
use futures::future::BoxFuture;
use reqwest::{RequestBuilder, Response, header::RETRY_AFTER, redirect, retry};
use std::{sync::Arc, time::Duration};
use url::Url;

/// Carries out what an [`HttpActuator`] describes.
#[derive(Debug, Clone)]
pub struct HttpDriver {
    config: HttpActuator,
    http: reqwest::Client,
}

/// A host that is there answers a connection within seconds; the rest of the time limit is for its work.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);

/// The longest answer that is read.
const MAX_ANSWER_BYTES: usize = 1 << 20;

/// How much of an error's body is quoted.
const MAX_QUOTED_CHARS: usize = 200;

impl HttpDriver {
    /// Goes where the configuration says and nowhere else (no redirects, no proxy from the environment, names
    /// checked as they are resolved), and never sends a request twice on its own account.
    ///
    /// Needs a rustls crypto provider installed by the program.
    pub fn new(config: HttpActuator) -> Result<Self, RemediationError> {
        let http = reqwest::Client::builder()
            .redirect(redirect::Policy::none())
            .no_proxy()
            .retry(retry::never())
            .pool_max_idle_per_host(0)
            .connect_timeout(CONNECT_TIMEOUT)
            .dns_resolver(Arc::new(CheckedResolver::new(config.networks.clone())))
            .build()
            .map_err(RemediationError::Client)?;
        Ok(Self { config, http })
    }

    fn method(&self) -> reqwest::Method {
        match self.config.method {
            Method::Put => reqwest::Method::PUT,
            Method::Post => reqwest::Method::POST,
            Method::Patch => reqwest::Method::PATCH,
        }
    }

    fn request(
        &self,
        occasion: Occasion<'_>,
        shape: Shape,
    ) -> Result<(Url, String), ActuatorError> {
        let url = self.config.url.at(occasion.target)?;
        let body = self.config.body.render(occasion.target, Some(shape))?;
        Ok((url, body))
    }

    async fn send(&self, request: RequestBuilder) -> Result<Response, ActuatorError> {
        let request = request
            .headers(self.config.headers.clone())
            .timeout(self.config.timeout);
        let answer = request.send().await.map_err(lost)?;
        let (status, retry_after) = (answer.status(), retry_after(&answer));
        if status.is_success() {
            return Ok(answer);
        }
        let body = read(answer).await.unwrap_or_default();
        let text = String::from_utf8_lossy(&body);
        Err(ActuatorError::Refused {
            status: status.as_u16(),
            message: text.trim().chars().take(MAX_QUOTED_CHARS).collect(),
            retry_after,
        })
    }
}

impl Actuator for HttpDriver {
    fn observe<'a>(
        &'a self,
        occasion: Occasion<'a>,
    ) -> BoxFuture<'a, Result<Shape, ActuatorError>> {
        Box::pin(async move {
            let observe = &self.config.observe;
            let url = observe.url.at(occasion.target)?;
            let answer = self.send(self.http.get(url)).await?;
            let body = read(answer).await?;
            reading::shape(&body, &observe.fields).map_err(ActuatorError::Unreadable)
        })
    }

    fn ensure<'a>(
        &'a self,
        occasion: Occasion<'a>,
        shape: Shape,
    ) -> BoxFuture<'a, Result<(), ActuatorError>> {
        Box::pin(async move {
            let (url, body) = self.request(occasion, shape)?;
            let request = self.http.request(self.method(), url).body(body);
            // What else it says of its success is of no concern: the next reading tells.
            self.send(request).await.map(drop)
        })
    }

    fn rehearse<'a>(
        &'a self,
        occasion: Occasion<'a>,
        shape: Shape,
    ) -> BoxFuture<'a, Result<Option<String>, ActuatorError>> {
        Box::pin(async move {
            let (mut url, body) = self.request(occasion, shape)?;
            // The query and the body may hold what people must not read.
            url.set_query(None);
            let (method, n_bytes) = (self.method(), body.len());
            Ok(Some(format!(
                "would send {method} {url} with {n_bytes} bytes"
            )))
        })
    }
}

fn lost(error: reqwest::Error) -> ActuatorError {
    let error = error.without_url();
    if error.is_connect() {
        ActuatorError::Unreachable(error)
    } else {
        ActuatorError::Unknown(error)
    }
}

async fn read(mut answer: Response) -> Result<Vec<u8>, ActuatorError> {
    let mut body = Vec::new();
    while let Some(chunk) = answer.chunk().await.map_err(lost)? {
        if body.len() + chunk.len() > MAX_ANSWER_BYTES {
            let why = format!("it is longer than {MAX_ANSWER_BYTES} bytes");
            return Err(ActuatorError::Unreadable(why));
        }
        body.extend_from_slice(&chunk);
    }
    Ok(body)
}

/// Only the form in seconds; a date would need a clock.
fn retry_after(answer: &Response) -> Option<Duration> {
    let text = answer.headers().get(RETRY_AFTER)?.to_str().ok()?;
    text.parse().ok().map(Duration::from_secs)
}
