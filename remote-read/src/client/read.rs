//! History read through remote read, series by series as it comes in.

use super::http::words;
use crate::{
    BodyError, FrameError, FrameReader, Limits, ReadRequest, ResponseError,
    SAMPLES_CONTENT_ENCODING, SAMPLES_CONTENT_TYPE, decode_samples, encode_request,
};
use reqwest::{
    Response,
    header::{ACCEPT_ENCODING, CONTENT_ENCODING, CONTENT_TYPE, USER_AGENT},
};
use series::Series;
use std::vec;
use url::Url;

/// Reads from one server: Prometheus, or whatever else speaks remote read. Cheap to clone.
#[derive(Debug, Clone)]
pub struct ReadClient {
    http: reqwest::Client,
    url: Url,
    user_agent: String,
    limits: Limits,
    stream_limits: Limits,
}

/// Why nothing, or not all, was read.
#[derive(Debug, thiserror::Error)]
pub enum ReadError {
    /// Too large to be asked.
    #[error("the request cannot be written")]
    Request(#[source] BodyError),
    /// Nothing came, or no more.
    #[error("no whole answer from the remote-read server")]
    Connection(#[source] reqwest::Error),
    /// The server refused, in its own words.
    #[error("the remote-read server answered {status}: {words}")]
    Status {
        /// Of HTTP.
        status: u16,
        /// The beginning of the body.
        words: String,
    },
    /// Neither samples nor chunks.
    #[error("the remote-read server answered with the content type `{0}`")]
    ContentType(String),
    /// Whoever unpacked the answer panicked, or was stopped with the program.
    #[error("the answer of the remote-read server was lost")]
    Died(#[source] tokio::task::JoinError),
    /// An answer that cannot be.
    #[error("the answer of the remote-read server is refused")]
    Answer(#[from] ResponseError),
}

impl ReadError {
    /// Whether the answer is refused for its size alone, so that less should be asked for at a time.
    pub fn is_too_large(&self) -> bool {
        match self {
            Self::Answer(ResponseError::Body(error)) => error.is_too_large(),
            Self::Answer(ResponseError::Frame(error)) => {
                matches!(error, FrameError::TooLarge { .. })
            }
            _ => false,
        }
    }

    /// Whether the same request may succeed later.
    pub fn is_transient(&self) -> bool {
        match self {
            Self::Connection(_) => true,
            Self::Status { status, .. } => matches!(status, 429 | 500..=599),
            Self::Request(_) | Self::ContentType(_) | Self::Died(_) | Self::Answer(_) => false,
        }
    }
}

/// The version of the protocol, which has never changed.
const VERSION: (&str, &str) = ("X-Prometheus-Remote-Read-Version", "0.1.0");

impl ReadClient {
    /// Takes the whole address, path included; an HTTP client that knows credentials, TLS and the time limit;
    /// how the reader calls itself, `name/version`; and what an answer may hold.
    pub fn new(
        http: reqwest::Client,
        url: Url,
        user_agent: impl Into<String>,
        limits: Limits,
    ) -> Self {
        Self {
            http,
            url,
            user_agent: user_agent.into(),
            limits,
            stream_limits: limits,
        }
    }

    /// The client with other limits for answers that are streamed, which are not held whole.
    #[must_use]
    pub fn with_stream_limits(self, stream_limits: Limits) -> Self {
        Self {
            stream_limits,
            ..self
        }
    }

    /// Reads a whole answer: one result for each query, series as they were sent.
    pub async fn read(&self, request: &ReadRequest) -> Result<Vec<Vec<Series>>, ReadError> {
        let mut stream = self.stream(request).await?;
        let mut results = vec![Vec::new(); request.queries.len()];
        while let Some((query, series)) = stream.next().await? {
            results[query].push(series);
        }
        Ok(results)
    }

    /// Begins to read. Chunks arrive series by series and are held no longer than that; samples are one block,
    /// and held whole.
    pub async fn stream(&self, request: &ReadRequest) -> Result<ReadStream, ReadError> {
        let body = encode_request(request).map_err(ReadError::Request)?;
        let request_of_http = self.http.post(self.url.clone()).body(body);
        let response = request_of_http
            .header(CONTENT_TYPE, SAMPLES_CONTENT_TYPE)
            .header(CONTENT_ENCODING, SAMPLES_CONTENT_ENCODING)
            .header(ACCEPT_ENCODING, SAMPLES_CONTENT_ENCODING)
            .header(VERSION.0, VERSION.1)
            .header(USER_AGENT, &self.user_agent)
            .send();
        let response = response.await.map_err(lost)?;
        let status = response.status().as_u16();
        if !response.status().is_success() {
            let words = words(response).await;
            return Err(ReadError::Status { status, words });
        }
        self.open(response, request.queries.len()).await
    }

    /// The server chooses among what the request accepts, and says so in the content type.
    async fn open(&self, response: Response, n_queries: usize) -> Result<ReadStream, ReadError> {
        let content_type = response.headers().get(CONTENT_TYPE);
        let content_type = content_type.map(|value| String::from_utf8_lossy(value.as_bytes()));
        let content_type = content_type.unwrap_or_default().into_owned();
        let kind = content_type.split(';').next().unwrap_or_default();
        // Its name is case-insensitive (RFC 9110, section 8.3.1).
        match kind.trim().to_ascii_lowercase().as_str() {
            SAMPLES_CONTENT_TYPE => {
                let body = self.block(response).await?;
                let limits = self.limits;
                // Millions of samples would hold up the executor's thread for a good while.
                let decode = move || decode_samples(&body, n_queries, &limits);
                let results = tokio::task::spawn_blocking(decode).await;
                Ok(ReadStream::whole(results.map_err(ReadError::Died)??))
            }
            "application/x-streamed-protobuf" => {
                let reader = FrameReader::new(n_queries, self.stream_limits)?;
                Ok(ReadStream {
                    ready: Vec::new().into_iter(),
                    frames: Some((response, reader)),
                })
            }
            _ => Err(ReadError::ContentType(content_type)),
        }
    }

    async fn block(&self, mut response: Response) -> Result<Vec<u8>, ReadError> {
        let limit = snap::raw::max_compress_len(self.limits.max_decoded_bytes);
        let mut body = Vec::new();
        while let Some(piece) = response.chunk().await.map_err(lost)? {
            let bytes = body.len() + piece.len();
            if bytes > limit {
                let limit = self.limits.max_decoded_bytes;
                let error = BodyError::TooLarge { bytes, limit };
                return Err(ResponseError::from(error).into());
            }
            body.extend_from_slice(&piece);
        }
        Ok(body)
    }
}

/// Without the address, which may hold a password.
fn lost(error: reqwest::Error) -> ReadError {
    ReadError::Connection(error.without_url())
}

/// An answer as it comes in.
#[derive(Debug)]
pub struct ReadStream {
    /// What is there already.
    ready: vec::IntoIter<(usize, Series)>,
    /// What is yet to come.
    frames: Option<(Response, FrameReader)>,
}

impl ReadStream {
    fn whole(results: Vec<Vec<Series>>) -> Self {
        let results = results.into_iter().enumerate();
        let series = results.flat_map(|(query, all)| all.into_iter().map(move |s| (query, s)));
        Self {
            ready: series.collect::<Vec<_>>().into_iter(),
            frames: None,
        }
    }

    /// The next series and the number of its query; `None` at the end, which is the end of the answer and not
    /// just of the connection. After an error there is nothing more.
    pub async fn next(&mut self) -> Result<Option<(usize, Series)>, ReadError> {
        let next = self.advance().await;
        if next.is_err() {
            self.frames = None;
        }
        next
    }

    async fn advance(&mut self) -> Result<Option<(usize, Series)>, ReadError> {
        loop {
            if let Some(series) = self.ready.next() {
                return Ok(Some(series));
            }
            let Some((response, reader)) = &mut self.frames else {
                return Ok(None);
            };
            if let Some(series) = reader.next_series()? {
                return Ok(Some(series));
            }
            match response.chunk().await.map_err(lost)? {
                Some(piece) => reader.push(&piece)?,
                None => self.end()?,
            }
        }
    }

    /// Goes over to what is left after the last piece.
    fn end(&mut self) -> Result<(), ReadError> {
        if let Some((_, reader)) = self.frames.take() {
            let rest: Vec<_> = reader.finish()?.collect();
            self.ready = rest.into_iter();
        }
        Ok(())
    }
}
