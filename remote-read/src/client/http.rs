//! Requests of remote write over HTTP, and what bodies of answers are read with.

use crate::write::{
    Answer, CONTENT_ENCODING, Protocol, SAMPLES_WRITTEN_HEADER, Transport, Unreachable,
    VERSION_HEADER, WRITTEN_HEADERS, parse_retry_after,
};
use jiff::fmt::rfc2822;
use reqwest::{
    Response,
    header::{CONTENT_TYPE, DATE, HeaderMap, RETRY_AFTER, USER_AGENT},
};
use series::Timestamp;
use std::time::Duration;
use url::Url;

/// Sends to one address by reqwest.
///
/// The HTTP client brings credentials, TLS, headers such as a tenant's, and the time limit. Give it one that
/// follows no redirects: else a batch goes where the receiver points.
#[derive(Debug, Clone)]
pub struct HttpTransport {
    http: reqwest::Client,
    url: Url,
    user_agent: String,
}

impl HttpTransport {
    /// Takes the whole address, path included, and how the sender calls itself: `name/version`.
    pub fn new(http: reqwest::Client, url: Url, user_agent: impl Into<String>) -> Self {
        Self {
            http,
            url,
            user_agent: user_agent.into(),
        }
    }

    async fn exchange(&self, protocol: Protocol, body: Vec<u8>) -> reqwest::Result<Answer> {
        let request = self.http.post(self.url.clone()).body(body);
        let request = request
            .header(CONTENT_TYPE, protocol.content_type())
            .header("Content-Encoding", CONTENT_ENCODING)
            .header(VERSION_HEADER, protocol.version())
            .header(USER_AGENT, &self.user_agent);
        let response = request.send().await?;
        Ok(Answer {
            status: response.status().as_u16(),
            retry_after: retry_after(response.headers()),
            written: written(response.headers()),
            words: words(response).await,
        })
    }
}

impl Transport for HttpTransport {
    async fn post(&self, protocol: Protocol, body: Vec<u8>) -> Result<Answer, Unreachable> {
        let answer = self.exchange(protocol, body).await;
        // Without the address, which may hold a password.
        answer.map_err(|error| Unreachable(error.without_url().into()))
    }
}

/// A date is held against the receiver's own clock, which has made it.
fn retry_after(headers: &HeaderMap) -> Option<Duration> {
    let value = headers.get(RETRY_AFTER)?.to_str().ok()?;
    let date = headers.get(DATE).and_then(|date| date.to_str().ok());
    let date = date.and_then(|date| rfc2822::parse(date).ok());
    let now = match date {
        Some(date) => Timestamp::from_millis(date.timestamp().as_millisecond()),
        // Without a clock, no time that is named is yet to come.
        None => Timestamp::from_millis(i64::MAX),
    };
    parse_retry_after(value, now)
}

/// Zero when other kinds are counted and samples are not.
fn written(headers: &HeaderMap) -> Option<u64> {
    let is_v2 = WRITTEN_HEADERS
        .iter()
        .any(|name| headers.contains_key(*name));
    is_v2.then(|| {
        let count = headers.get(SAMPLES_WRITTEN_HEADER);
        let count = count.and_then(|count| count.to_str().ok()?.trim().parse().ok());
        count.unwrap_or(0)
    })
}

/// What is read of an error's body; Prometheus' own sentences are far shorter.
const MAX_WORDS: usize = 1 << 10;

/// The beginning of the body in one line; empty when it cannot be read, since the status says enough.
pub(super) async fn words(mut response: Response) -> String {
    let mut bytes = Vec::new();
    while bytes.len() < MAX_WORDS
        && let Ok(Some(chunk)) = response.chunk().await
    {
        bytes.extend_from_slice(&chunk);
    }
    bytes.truncate(MAX_WORDS);
    let text = String::from_utf8_lossy(&bytes);
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;
    use reqwest::header::{HeaderName, HeaderValue};

    fn headers(pairs: &[(&'static str, &'static str)]) -> HeaderMap {
        let pairs = pairs.iter().map(|(name, value)| {
            let name = HeaderName::try_from(*name).unwrap();
            (name, HeaderValue::from_static(value))
        });
        pairs.collect()
    }

    #[tokio::test]
    async fn an_address_is_not_told_with_the_error() {
        let http = testbed::http_client(Duration::from_secs(1)).unwrap();
        let port = testbed::free_port().unwrap();
        let url = format!("http://127.0.0.1:{port}/?p=s3cret")
            .parse()
            .unwrap();
        let transport = HttpTransport::new(http, url, "foreshadow/test");
        let error = transport.post(Protocol::V1, Vec::new()).await.unwrap_err();
        let text = format!("{error:?}");
        assert!(
            text.contains("Connect") && !text.contains("s3cret"),
            "{text}"
        );
    }

    #[test]
    fn what_was_written_is_known_when_the_receiver_knows_2_0() {
        assert_eq!(written(&headers(&[])), None);
        let samples = ("x-prometheus-remote-write-samples-written", "12");
        assert_eq!(written(&headers(&[samples])), Some(12));
        let others = ("x-prometheus-remote-write-exemplars-written", "3");
        assert_eq!(written(&headers(&[others])), Some(0));
    }

    #[test]
    fn a_date_is_told_by_the_receivers_own_clock() {
        let at = ("retry-after", "Sun, 06 Nov 1994 08:49:37 GMT");
        let date = ("date", "Sun, 06 Nov 1994 08:49:30 GMT");
        assert_eq!(
            retry_after(&headers(&[at, date])),
            Some(Duration::from_secs(7))
        );
        assert_eq!(retry_after(&headers(&[at])), Some(Duration::ZERO));
        let seconds = ("retry-after", "9");
        assert_eq!(
            retry_after(&headers(&[seconds])),
            Some(Duration::from_secs(9))
        );
        assert_eq!(retry_after(&headers(&[date])), None);
    }
}
