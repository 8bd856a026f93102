//! The nine operations of the Alertmanager API v2.

use crate::{
    Alert, AlertFilter, AlertGroup, Error, Matcher, NewAlert, NewSilence, Receiver, Silence, Status,
};
use reqwest::{Method, RequestBuilder, Response, header::RETRY_AFTER};
use serde::{Deserialize, de::DeserializeOwned};
use std::time::Duration;
use url::Url;

/// Talks to one Alertmanager. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Client {
    base: Url,
    http: reqwest::Client,
}

/// The longest answer that is read; a larger one is refused, not grown into.
const MAX_ANSWER_BYTES: usize = 64 << 20;

/// How much of an error's body is quoted.
const MAX_QUOTED_CHARS: usize = 300;

impl Client {
    /// Takes the address that Alertmanager's own pages have, its path prefix included.
    ///
    /// TLS, credentials, proxies and time limits are those of `http`, which the caller builds.
    pub fn new(base: Url, http: reqwest::Client) -> Self {
        Self { base, http }
    }

    /// What Alertmanager says of itself: version, cluster, configuration.
    pub async fn status(&self) -> Result<Status, Error> {
        self.read("read the status", &["status"], &[]).await
    }

    /// The receivers that its configuration names.
    pub async fn receivers(&self) -> Result<Vec<Receiver>, Error> {
        self.read("list receivers", &["receivers"], &[]).await
    }

    /// Alerts that are firing now and pass the filter.
    pub async fn alerts(&self, filter: &AlertFilter) -> Result<Vec<Alert>, Error> {
        self.read("list alerts", &["alerts"], &filter.query()).await
    }

    /// The same alerts as the routes group them.
    pub async fn alert_groups(&self, filter: &AlertFilter) -> Result<Vec<AlertGroup>, Error> {
        let query = filter.query();
        self.read("list alert groups", &["alerts", "groups"], &query)
            .await
    }

    /// Fires, refreshes or (with `ends_at` in the past) resolves alerts. Doing it again does no harm.
    pub async fn post_alerts(&self, alerts: &[NewAlert]) -> Result<(), Error> {
        let what = "post alerts";
        let request = self.request(Method::POST, &["alerts"]).json(alerts);
        send(what, request).await.map(drop)
    }

    /// Silences of every state whose own matchers pass these; none at all lists every silence.
    pub async fn silences(&self, matchers: &[Matcher]) -> Result<Vec<Silence>, Error> {
        let query: Vec<_> = matchers.iter().map(Matcher::query_pair).collect();
        self.read("list silences", &["silences"], &query).await
    }

    /// One silence by its identifier; an unknown one is refused with 404.
    pub async fn silence(&self, id: &str) -> Result<Silence, Error> {
        self.read(&format!("read silence {id}"), &["silence", id], &[])
            .await
    }

    /// Creates a silence, or updates the one that `silence.id` names, and returns its identifier.
    ///
    /// An update of matchers expires the old silence and returns a new identifier. A creation whose answer
    /// was lost may have happened: list the silences before trying again.
    pub async fn put_silence(&self, silence: &NewSilence) -> Result<String, Error> {
        #[derive(Deserialize)]
        struct Created {
            #[serde(rename = "silenceID")]
            id: String,
        }
        let what = "create a silence";
        let request = self.request(Method::POST, &["silences"]).json(silence);
        let created: Created = decode(what, &send(what, request).await?)?;
        Ok(created.id)
    }

    /// Ends a silence now.
    pub async fn expire_silence(&self, id: &str) -> Result<(), Error> {
        let request = self.request(Method::DELETE, &["silence", id]);
        send(&format!("expire silence {id}"), request)
            .await
            .map(drop)
    }

    async fn read<T: DeserializeOwned>(
        &self,
        what: &str,
        path: &[&str],
        query: &[(&'static str, String)],
    ) -> Result<T, Error> {
        let request = self.request(Method::GET, path).query(query);
        decode(what, &send(what, request).await?)
    }

    fn request(&self, method: Method, path: &[&str]) -> RequestBuilder {
        let mut url = self.base.clone();
        // A base that cannot have a path, such as `mailto:`, fails in `send` with reqwest's own words.
        if let Ok(mut segments) = url.path_segments_mut() {
            segments.pop_if_empty().extend(["api", "v2"]).extend(path);
        }
        self.http.request(method, url)
    }
}

/// Sends a request and returns the body of a 2xx answer; `what` completes "cannot …".
async fn send(what: &str, request: RequestBuilder) -> Result<Vec<u8>, Error> {
    let unreachable = |source: reqwest::Error| Error::Unreachable {
        what: what.to_owned(),
        source: source.without_url(),
    };
    let mut answer = request.send().await.map_err(unreachable)?;
    let (status, retry_after) = (answer.status(), retry_after(&answer));
    let mut body = Vec::new();
    while let Some(chunk) = answer.chunk().await.map_err(unreachable)? {
        if body.len() + chunk.len() > MAX_ANSWER_BYTES {
            return Err(Error::TooLarge {
                what: what.to_owned(),
                limit: MAX_ANSWER_BYTES,
            });
        }
        body.extend_from_slice(&chunk);
    }
    if status.is_success() {
        return Ok(body);
    }
    Err(Error::Refused {
        what: what.to_owned(),
        status: status.as_u16(),
        message: quote(&body),
        retry_after,
    })
}

fn decode<T: DeserializeOwned>(what: &str, body: &[u8]) -> Result<T, Error> {
    serde_json::from_slice(body).map_err(|source| Error::Malformed {
        what: what.to_owned(),
        source,
    })
}

/// Only the form in seconds; a date would need a clock.
fn retry_after(answer: &Response) -> Option<Duration> {
    let text = answer.headers().get(RETRY_AFTER)?.to_str().ok()?;
    text.parse().ok().map(Duration::from_secs)
}

/// The server's words: a bare JSON text in most versions, an object with `message` where validation failed.
fn quote(body: &[u8]) -> String {
    #[derive(Deserialize)]
    #[serde(untagged)]
    enum Words {
        Bare(String),
        Object { message: String },
    }
    let words = match serde_json::from_slice(body) {
        Ok(Words::Bare(message) | Words::Object { message }) => message,
        Err(_) => String::from_utf8_lossy(body).into_owned(),
    };
    words.trim().chars().take(MAX_QUOTED_CHARS).collect()
}
