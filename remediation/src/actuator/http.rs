//! An actuator that sets and reads a replica count by HTTP.

use super::{Actuator, ActuatorError};
use crate::{
    Shape, Target,
    config::{HttpActuator, Method},
};
use futures::future::BoxFuture;
use reqwest::{RequestBuilder, Response, header::RETRY_AFTER, redirect, retry};
use serde_json::Value;
use std::time::Duration;

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
    /// Uses a client made by [`HttpDriver::client`].
    pub fn new(config: HttpActuator, http: reqwest::Client) -> Self {
        Self { config, http }
    }

    /// The client that all drivers share: it goes where the configuration says and nowhere else (no redirects,
    /// no proxy from the environment), and never sends a request twice on its own account.
    ///
    /// Needs a rustls crypto provider installed by the program.
    pub fn client() -> Result<reqwest::Client, reqwest::Error> {
        reqwest::Client::builder()
            .redirect(redirect::Policy::none())
            .no_proxy()
            .retry(retry::never())
            .pool_max_idle_per_host(0)
            .connect_timeout(CONNECT_TIMEOUT)
            .build()
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
    fn observe<'a>(&'a self, _: &'a Target) -> BoxFuture<'a, Result<Shape, ActuatorError>> {
        Box::pin(async {
            let observe = &self.config.observe;
            let answer = self.send(self.http.get(observe.url.clone())).await?;
            let replicas = replicas(&read(answer).await?, &observe.field);
            let replicas = replicas.map_err(ActuatorError::Unreadable)?;
            Ok(Shape { replicas })
        })
    }

    fn ensure<'a>(
        &'a self,
        target: &'a Target,
        shape: Shape,
    ) -> BoxFuture<'a, Result<(), ActuatorError>> {
        Box::pin(async move {
            let body = self.config.body.render(target, shape)?;
            let method = match self.config.method {
                Method::Put => reqwest::Method::PUT,
                Method::Post => reqwest::Method::POST,
                Method::Patch => reqwest::Method::PATCH,
            };
            let request = self
                .http
                .request(method, self.config.url.clone())
                .body(body);
            // What else it says of its success is of no concern: the next reading tells.
            self.send(request).await.map(drop)
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

fn replicas(body: &[u8], field: &str) -> Result<u32, String> {
    let json: Value = serde_json::from_slice(body).map_err(|e| format!("it is not JSON: {e}"))?;
    let found = json
        .pointer(field)
        .ok_or_else(|| format!("it has nothing at `{field}`"))?;
    let number = found.as_u64().and_then(|number| number.try_into().ok());
    number.ok_or_else(|| format!("at `{field}` is no number of replicas"))
}

/// Only the form in seconds; a date would need a clock.
fn retry_after(answer: &Response) -> Option<Duration> {
    let text = answer.headers().get(RETRY_AFTER)?.to_str().ok()?;
    text.parse().ok().map(Duration::from_secs)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(body: &str, field: &str, expect: Result<u32, &str>) {
        let got = replicas(body.as_bytes(), field);
        match expect {
            Ok(count) => assert_eq!(got, Ok(count)),
            Err(words) => assert!(got.as_ref().is_err_and(|e| e.contains(words)), "{got:?}"),
        }
    }

    #[test]
    fn the_count_is_read_where_the_pointer_says() {
        check(r#"{"replicas": 4}"#, "/replicas", Ok(4));
        check(r#"{"spec": [{"n": 0}]}"#, "/spec/0/n", Ok(0));
        check("7", "", Ok(7));
    }

    #[test]
    fn what_is_no_count_is_refused() {
        check("<html>", "/replicas", Err("not JSON"));
        check("{}", "/replicas", Err("nothing at `/replicas`"));
        for value in ["-1", "4.5", "null", "\"4\"", "4294967296"] {
            let body = format!(r#"{{"replicas": {value}}}"#);
            check(&body, "/replicas", Err("no number of replicas"));
        }
    }
}
