//! Prometheus remote read: future curves, computed while they are sent.

use super::{App, failure, places::Client};
use axum::{
    body::{Body, Bytes},
    extract::State,
    http::{HeaderMap, HeaderValue, StatusCode, header},
    response::{IntoResponse, Response},
};
use futures::{TryStreamExt as _, stream};
use remote_read::{BodyError, PlanError, Query, ReadRequest, ResponseKind};
use rules::{CurveError, CurvePlan};
use series::{Escaping, Labels, Series};
use std::{collections::BTreeSet, sync::Arc};
use tokio::task::{JoinError, spawn_blocking};

/// Answers one request. Errors are sentences that Prometheus shows as warnings of the query.
pub(super) async fn read(
    State(app): State<Arc<App>>,
    client: Client,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    if let Err(sentence) = check_headers(&headers) {
        return failure(StatusCode::UNSUPPORTED_MEDIA_TYPE, sentence);
    }
    let place = match app.reads.enter(client).await {
        Ok(place) => place,
        Err(none) => return none.refuse(),
    };
    let escaping = escaping(&headers);
    match spawn_blocking(move || begin(&app, &body, escaping)).await {
        Ok(Ok((kind, pieces))) => place.keep_for(respond(kind, pieces)),
        Ok(Err(refused)) => refused.into_response(),
        Err(_) => failure(StatusCode::INTERNAL_SERVER_ERROR, "the answer was lost"),
    }
}

fn check_headers(headers: &HeaderMap) -> Result<(), String> {
    match headers.get(header::CONTENT_ENCODING) {
        // Its name is case-insensitive (RFC 9110, section 8.4.1).
        Some(encoding)
            if !encoding
                .as_bytes()
                .trim_ascii()
                .eq_ignore_ascii_case(b"snappy") =>
        {
            Err(format!("content encoding must be snappy, got {encoding:?}"))
        }
        _ => Ok(()),
    }
}

/// How a client wants names to be written. Before version 3, Prometheus fails a query when one of the labels that it
/// is answered with is not plain; it is given what it would have scraped.
fn escaping(headers: &HeaderMap) -> Escaping {
    let agent = headers.get(header::USER_AGENT);
    let agent = agent.and_then(|agent| agent.to_str().ok());
    let version = agent.and_then(|agent| agent.strip_prefix("Prometheus/"));
    let major = version.and_then(|version| version.split('.').next()?.parse::<u32>().ok());
    if major.is_some_and(|major| major < 3) {
        Escaping::Underscores
    } else {
        Escaping::AllowUtf8
    }
}

/// Pieces of an answer; each is made when it is taken. An error is the last one.
type Pieces = Box<dyn Iterator<Item = Result<Bytes, PlanError>> + Send>;

fn begin(app: &App, body: &[u8], escaping: Escaping) -> Result<(ResponseKind, Pieces), Refused> {
    let request = remote_read::decode_request(body, &app.read_limits)?;
    let answers = answers(app, &request, escaping)?;
    let kind = request.response;
    let n_samples = answers.iter().map(Answer::n_samples).sum::<usize>();
    let samples = app
        .metrics
        .doors
        .read_samples
        .with_label_values(&[name(kind)]);
    samples.inc_by(n_samples as u64);
    Ok((kind, pieces(kind, answers)?))
}

fn name(kind: ResponseKind) -> &'static str {
    match kind {
        ResponseKind::Samples => "samples",
        ResponseKind::StreamedXorChunks => "streamed_xor_chunks",
    }
}

/// Why a request is answered with a sentence.
#[derive(Debug, thiserror::Error)]
enum Refused {
    #[error(transparent)]
    Request(#[from] remote_read::RequestError),
    #[error(transparent)]
    Curves(#[from] CurveError),
    #[error("the queries ask for more than {0} samples together")]
    TooManySamples(usize),
    #[error(transparent)]
    Body(#[from] BodyError),
}

impl IntoResponse for Refused {
    fn into_response(self) -> Response {
        let status = match &self {
            Self::Request(error) => StatusCode::from_u16(error.status()),
            _ => Ok(StatusCode::BAD_REQUEST),
        };
        failure(status.unwrap_or(StatusCode::BAD_REQUEST), self)
    }
}

/// What a query is owed.
enum Answer {
    Curves(CurvePlan),
    Labels(Vec<Labels>),
}

/// One answer for each query. What one query may ask for is the engine's to say; all of them together may not ask
/// for more than one answer should hold.
fn answers(app: &App, request: &ReadRequest, escaping: Escaping) -> Result<Vec<Answer>, Refused> {
    let (running, now) = (app.running(), app.now());
    let answer = |query: &Query| {
        if query.labels_only() {
            let labels = running.engine.curve_labels(query.selector(), now);
            return Ok(Answer::Labels(escaped(labels, escaping)));
        }
        let (start, end) = query.window();
        let plan = running.engine.plan(query.selector(), start, end, now);
        let plan = plan?;
        Ok(Answer::Curves(match escaping {
            Escaping::AllowUtf8 => plan,
            _ => plan.escaped(escaping),
        }))
    };
    let answers = request.queries.iter().map(answer);
    within(app.read_limits.max_samples, answers, Answer::n_samples)
}

fn escaped(labels: Vec<Labels>, escaping: Escaping) -> Vec<Labels> {
    if escaping == Escaping::AllowUtf8 {
        return labels;
    }
    let escaped = labels.iter().filter_map(|labels| labels.escaped(escaping));
    // Sorted, and none twice.
    escaped.collect::<BTreeSet<_>>().into_iter().collect()
}

fn within<A>(
    max_samples: usize,
    answers: impl Iterator<Item = Result<A, CurveError>>,
    count: impl Fn(&A) -> usize,
) -> Result<Vec<A>, Refused> {
    let (mut all, mut n_samples) = (Vec::new(), 0_usize);
    for answer in answers {
        let answer = answer?;
        n_samples = n_samples.saturating_add(count(&answer));
        if n_samples > max_samples {
            return Err(Refused::TooManySamples(max_samples));
        }
        all.push(answer);
    }
    Ok(all)
}

impl Answer {
    fn n_samples(&self) -> usize {
        match self {
            Self::Curves(plan) => plan.n_samples(),
            Self::Labels(_) => 0,
        }
    }

    /// Bytes that each series will take.
    fn lengths(&self) -> Vec<usize> {
        match self {
            Self::Curves(plan) => {
                let outlines = plan.outlines();
                let length = |(labels, times)| remote_read::planned_len(labels, times);
                outlines.map(length).collect()
            }
            Self::Labels(all) => {
                let length = |labels| remote_read::planned_len(labels, []);
                all.iter().map(length).collect()
            }
        }
    }

    fn series(self) -> Box<dyn Iterator<Item = Series> + Send> {
        let bare = |labels| Series {
            labels,
            samples: Vec::new(),
        };
        match self {
            Self::Curves(plan) => Box::new(plan.draw()),
            Self::Labels(all) => Box::new(all.into_iter().map(bare)),
        }
    }
}

fn pieces(kind: ResponseKind, answers: Vec<Answer>) -> Result<Pieces, BodyError> {
    let lengths = answers.iter().map(Answer::lengths);
    match kind {
        ResponseKind::Samples => {
            let lengths = lengths.collect();
            let series = answers.into_iter().flat_map(Answer::series);
            let pieces = remote_read::stream_planned_samples(lengths, series)?;
            Ok(Box::new(pieces))
        }
        ResponseKind::StreamedXorChunks => {
            let answers = answers.into_iter().enumerate();
            let series = answers.flat_map(|(n, answer)| answer.series().map(move |s| (n, s)));
            Ok(Box::new(remote_read::stream_frames(series).map(Ok)))
        }
    }
}

/// Why an answer breaks off after its beginning.
#[derive(Debug, thiserror::Error)]
enum Broken {
    #[error(transparent)]
    Plan(#[from] PlanError),
    #[error("making a piece of the answer panicked")]
    Panicked(#[from] JoinError),
}

/// Pieces that are made in one go on a thread of their own.
const GO: usize = 4;

/// Makes pieces when those before are sent, so that an answer is never whole in memory.
fn respond(kind: ResponseKind, pieces: Pieces) -> Response {
    let next = async |mut rest: Pieces| {
        let making = move || {
            let go: Vec<_> = rest.by_ref().take(GO).collect();
            (go, rest)
        };
        let (go, rest) = spawn_blocking(making).await?;
        let go = (!go.is_empty()).then(|| stream::iter(go).map_err(Broken::from));
        Ok::<_, Broken>(go.map(|go| (go, rest)))
    };
    let body = Body::from_stream(stream::try_unfold(pieces, next).try_flatten());
    let header = HeaderValue::from_static;
    match kind {
        ResponseKind::Samples => {
            let kind = header(remote_read::SAMPLES_CONTENT_TYPE);
            let encoding = header(remote_read::SAMPLES_CONTENT_ENCODING);
            let headers = [
                (header::CONTENT_TYPE, kind),
                (header::CONTENT_ENCODING, encoding),
            ];
            (headers, body).into_response()
        }
        ResponseKind::StreamedXorChunks => {
            let kind = header(remote_read::CHUNKS_CONTENT_TYPE);
            ([(header::CONTENT_TYPE, kind)], body).into_response()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn queries_are_answered_until_together_they_ask_for_too_much() {
        let ask = |limit| {
            let mut n_planned = 0;
            let answers = (0..9).map(|_| {
                n_planned += 1;
                Ok(2)
            });
            let answers = within(limit, answers, |n_samples: &usize| *n_samples);
            (answers.map_err(|refused| refused.to_string()), n_planned)
        };
        assert_eq!(ask(18), (Ok(vec![2; 9]), 9));
        let sentence = "the queries ask for more than 5 samples together".to_owned();
        assert_eq!(ask(5), (Err(sentence), 3));
    }
}
