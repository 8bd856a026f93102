//! The client: one HTTP request a query, with a limit on everything that may grow.

use crate::{Answer, LeftOut, MAX_POINTS, QueryError, decode, pieces, rest::Rest};
use reqwest::{RequestBuilder, Response, StatusCode};
use series::{Escaping, Labels, PromDuration, Sample, Series, Step, Timestamp};
use std::{
    collections::BTreeMap,
    time::{Duration, Instant},
};
use url::Url;

/// Asks one Prometheus. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Client {
    base: Url,
    http: reqwest::Client,
    limits: Limits,
    rest: Rest,
}

/// What one call may take.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// For each request, to the last byte of its body; Prometheus is told too.
    pub timeout: Duration,
    /// Bytes of JSON that are held at once; a longer body is an error as soon as it is longer.
    pub body_bytes: usize,
    /// Series in one answer.
    pub series: usize,
}

impl Default for Limits {
    /// 30 s, since a rule that waits longer misses its next slot; 256 MiB, five million samples or more;
    /// 200,000 series, so that a rule's own, lower limit is the one that speaks.
    fn default() -> Self {
        Self {
            timeout: Duration::from_secs(30),
            body_bytes: 256 << 20,
            series: 200_000,
        }
    }
}

/// What is read of an error's body; Prometheus' own sentences are far shorter.
const ERROR_BYTES: usize = 16 << 10;

/// The value of `nocache`. Without it VictoriaMetrics answers a question about now with what was half a minute ago, and moves the times of a
/// range query onto multiples of its step, out of the range that was asked for. Others take no notice.
const AS_ASKED: &str = "1";

impl Client {
    /// Takes the address, which may have a path, and an HTTP client that knows credentials, TLS and proxy.
    pub fn new(base: Url, http: reqwest::Client, limits: Limits) -> Self {
        let rest = Rest::default();
        Self {
            base,
            http,
            limits,
            rest,
        }
    }

    /// Evaluates an expression at one time. A scalar is taken as one sample without labels.
    /// Sorted by labels; no two are alike.
    pub async fn instant(
        &self,
        expr: &str,
        at: Timestamp,
    ) -> Result<Answer<Vec<(Labels, Sample)>>, QueryError> {
        let form = [
            ("query", expr.to_owned()),
            ("time", at.as_seconds_f64().to_string()),
            ("timeout", self.timeout().to_string()),
            ("nocache", AS_ASKED.to_owned()),
        ];
        let request = self.http.post(self.url("api/v1/query")).form(&form);
        self.ask(request).await?.try_map(decode::Data::vector)
    }

    /// Evaluates an expression at `start`, `start + step` and so on up to `end`, in as many requests as
    /// Prometheus' limit of points demands. Sorted by labels; no two are alike.
    pub async fn range(
        &self,
        expr: &str,
        start: Timestamp,
        end: Timestamp,
        step: Step,
    ) -> Result<Answer<Vec<Series>>, QueryError> {
        let mut pieces = pieces((start, end), step, MAX_POINTS).peekable();
        let (mut warnings, mut infos) = (Vec::new(), Vec::new());
        let mut left_out = LeftOut::default();
        let mut merged = BTreeMap::<Labels, Vec<Sample>>::new();
        while let Some(piece) = pieces.next() {
            let answer = self.piece(expr, piece, step).await?;
            warnings.extend(answer.warnings);
            infos.extend(answer.infos);
            left_out.merge(answer.left_out);
            if merged.is_empty() && pieces.peek().is_none() {
                // The whole answer, which is in order already.
                return Ok(Answer::new(answer.value, warnings, infos).leaving_out(left_out));
            }
            for series in answer.value {
                let samples = merged.entry(series.labels).or_default();
                samples.extend(series.samples);
            }
            if merged.len() > self.limits.series {
                return Err(QueryError::TooManySeries(self.limits.series));
            }
        }
        let series = merged
            .into_iter()
            .map(|(labels, samples)| Series { labels, samples })
            .collect();
        Ok(Answer::new(series, warnings, infos).leaving_out(left_out))
    }

    async fn piece(
        &self,
        expr: &str,
        (start, end): (Timestamp, Timestamp),
        step: Step,
    ) -> Result<Answer<Vec<Series>>, QueryError> {
        let form = [
            ("query", expr.to_owned()),
            ("start", start.as_seconds_f64().to_string()),
            ("end", end.as_seconds_f64().to_string()),
            ("step", step.get().as_secs_f64().to_string()),
            ("timeout", self.timeout().to_string()),
            ("nocache", AS_ASKED.to_owned()),
        ];
        let request = self.http.post(self.url("api/v1/query_range")).form(&form);
        let answer = self.ask(request).await?.try_map(decode::Data::matrix)?;
        let stray = answer.value.iter().find(|series| {
            let inside = |sample: &Sample| (start..=end).contains(&sample.at);
            !series.samples.iter().all(inside)
        });
        match stray {
            Some(series) => Err(QueryError::Malformed(format!(
                "{} has a sample outside the range that was asked for",
                series.labels
            ))),
            None => Ok(answer),
        }
    }

    /// The values that a label has, sorted.
    pub async fn label_values(&self, label: &str) -> Result<Answer<Vec<String>>, QueryError> {
        let label = Escaping::Values.label_name(label);
        let url = self.url(&format!("api/v1/label/{label}/values"));
        let answer = self.ask(self.http.get(url)).await?;
        answer.try_map(decode::Data::names)
    }

    /// Whether Prometheus is ready to answer queries.
    pub async fn ready(&self) -> Result<(), QueryError> {
        let response = self.send(self.http.get(self.url("-/ready"))).await?;
        self.succeeded(response).await.map(drop)
    }

    async fn ask(&self, request: RequestBuilder) -> Result<Answer<decode::Data>, QueryError> {
        self.rest.check(Instant::now())?;
        let response = self.succeeded(self.send(request).await?).await?;
        let body = self.body(response).await?;
        let max_items = self.limits.series;
        // Parsing a hundred megabytes would hold up the executor's thread for a second.
        tokio::task::spawn_blocking(move || decode::decode(&body, max_items))
            .await
            .unwrap_or_else(|died| Err(QueryError::Malformed(format!("its decoder died: {died}"))))
    }

    async fn send(&self, request: RequestBuilder) -> Result<Response, QueryError> {
        let request = request.timeout(self.limits.timeout);
        request.send().await.map_err(|error| self.transport(error))
    }

    /// Turns every status but success into an error with Prometheus' own words.
    async fn succeeded(&self, mut response: Response) -> Result<Response, QueryError> {
        let status = response.status();
        if status.is_success() {
            return Ok(response);
        }
        self.rest.note(&response, Instant::now());
        let mut body = Vec::new();
        while body.len() < ERROR_BYTES
            && let Ok(Some(chunk)) = response.chunk().await
        {
            body.extend_from_slice(&chunk);
        }
        body.truncate(ERROR_BYTES);
        Err(self.refusal(status, &body))
    }

    fn refusal(&self, status: StatusCode, body: &[u8]) -> QueryError {
        let words = decode::refusal(body);
        let (status, message) = (status.as_u16(), words.message);
        match words.kind.as_str() {
            "timeout" => QueryError::Timeout(self.timeout()),
            _ if status >= 500 => QueryError::ServerError { status, message },
            _ => QueryError::Rejected { status, message },
        }
    }

    async fn body(&self, mut response: Response) -> Result<Vec<u8>, QueryError> {
        let mut body = Vec::new();
        while let Some(chunk) = response.chunk().await.map_err(|e| self.transport(e))? {
            if body.len() + chunk.len() > self.limits.body_bytes {
                return Err(QueryError::TooLarge(self.limits.body_bytes));
            }
            body.extend_from_slice(&chunk);
        }
        Ok(body)
    }

    fn transport(&self, error: reqwest::Error) -> QueryError {
        if error.is_timeout() {
            return QueryError::Timeout(self.timeout());
        }
        let host = self.base.host_str().unwrap_or_default();
        let port = self.base.port_or_known_default().unwrap_or_default();
        // Without its address, which may hold a password.
        let source = error.without_url();
        QueryError::Unreachable {
            at: format!("{host}:{port}"),
            source,
        }
    }

    fn timeout(&self) -> PromDuration {
        PromDuration::new(self.limits.timeout)
    }

    fn url(&self, path: &str) -> Url {
        let mut url = self.base.clone();
        if let Ok(mut segments) = url.path_segments_mut() {
            segments.pop_if_empty().extend(path.split('/'));
        }
        url
    }
}
