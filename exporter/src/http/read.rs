//! Prometheus remote read: future curves, computed when they are asked for.

use super::{App, failure};
use axum::{
    body::{Body, Bytes},
    extract::State,
    http::{HeaderMap, StatusCode, header},
    response::{IntoResponse, Response},
};
use remote_read::{Query, ResponseKind};
use series::Series;
use std::{convert::Infallible, sync::Arc};

/// Answers one request. Errors are sentences that Prometheus shows as warnings of the query.
pub(super) async fn read(State(app): State<Arc<App>>, headers: HeaderMap, body: Bytes) -> Response {
    if let Err(sentence) = check_headers(&headers) {
        return failure(StatusCode::UNSUPPORTED_MEDIA_TYPE, sentence);
    }
    let Ok(_permit) = app.reads.clone().acquire_owned().await else {
        return failure(
            StatusCode::SERVICE_UNAVAILABLE,
            "the server is shutting down",
        );
    };
    let answer = tokio::task::spawn_blocking(move || answer(&app, &body)).await;
    answer.unwrap_or_else(|_| failure(StatusCode::INTERNAL_SERVER_ERROR, "the answer was lost"))
}

fn check_headers(headers: &HeaderMap) -> Result<(), String> {
    match headers.get(header::CONTENT_ENCODING) {
        Some(encoding) if encoding != "snappy" => {
            Err(format!("content encoding must be snappy, got {encoding:?}"))
        }
        _ => Ok(()),
    }
}

fn answer(app: &App, body: &[u8]) -> Response {
    let request = match remote_read::decode_request(body, &app.read_limits) {
        Ok(request) => request,
        Err(error) => return failure(status(error.status()), error),
    };
    let results: Result<Vec<_>, _> = request
        .queries
        .iter()
        .map(|query| select(app, query))
        .collect();
    match results {
        Ok(results) => respond(app, request.response, results),
        Err(error) => failure(StatusCode::BAD_REQUEST, error),
    }
}

fn select(app: &App, query: &Query) -> Result<Vec<Series>, rules::CurveError> {
    let running = app.running();
    let (now, (start, end)) = (app.now(), query.window());
    if query.labels_only() {
        let labels = running.engine.curve_labels(query.selector(), now);
        return Ok(labels
            .into_iter()
            .map(|labels| Series {
                labels,
                samples: Vec::new(),
            })
            .collect());
    }
    running.engine.curves(query.selector(), start, end, now)
}

fn respond(app: &App, kind: ResponseKind, results: Vec<Vec<Series>>) -> Response {
    let n_samples: usize = results
        .iter()
        .flatten()
        .map(|series| series.samples.len())
        .sum();
    let name = match kind {
        ResponseKind::Samples => "samples",
        ResponseKind::StreamedXorChunks => "streamed_xor_chunks",
    };
    app.metrics
        .doors
        .read_samples
        .with_label_values(&[name])
        .inc_by(n_samples as u64);
    match kind {
        ResponseKind::Samples => match remote_read::encode_samples(results) {
            Ok(block) => {
                let headers = [
                    (header::CONTENT_TYPE, remote_read::SAMPLES_CONTENT_TYPE),
                    (
                        header::CONTENT_ENCODING,
                        remote_read::SAMPLES_CONTENT_ENCODING,
                    ),
                ];
                (headers, block).into_response()
            }
            Err(error) => failure(StatusCode::BAD_REQUEST, error),
        },
        ResponseKind::StreamedXorChunks => {
            let frames = remote_read::encode_frames(results).map(Ok::<_, Infallible>);
            let headers = [(header::CONTENT_TYPE, remote_read::CHUNKS_CONTENT_TYPE)];
            (headers, Body::from_stream(futures::stream::iter(frames))).into_response()
        }
    }
}

fn status(code: u16) -> StatusCode {
    StatusCode::from_u16(code).unwrap_or(StatusCode::BAD_REQUEST)
}
