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
    let results = request.queries.iter().map(|query| select(app, query));
    match within(app.read_limits.max_samples, results) {
        Ok(results) => respond(app, request.response, results),
        Err(sentence) => failure(StatusCode::BAD_REQUEST, sentence),
    }
}

/// One result for each query. What one query may ask for is the engine's to say; all of them together may not ask
/// for more than one answer should hold, and none is computed beyond that.
fn within<E: ToString>(
    max_samples: usize,
    results: impl Iterator<Item = Result<Vec<Series>, E>>,
) -> Result<Vec<Vec<Series>>, String> {
    let (mut all, mut n_samples) = (Vec::new(), 0);
    for result in results {
        let result = result.map_err(|error| error.to_string())?;
        n_samples += count(&result);
        if n_samples > max_samples {
            return Err(format!(
                "the queries ask for more than {max_samples} samples together"
            ));
        }
        all.push(result);
    }
    Ok(all)
}

fn count(result: &[Series]) -> usize {
    result.iter().map(|series| series.samples.len()).sum()
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
    let n_samples: usize = results.iter().map(|result| count(result)).sum();
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

#[cfg(test)]
mod tests {
    use super::*;
    use series::{Labels, Sample, Timestamp};

    #[test]
    fn queries_are_answered_until_together_they_ask_for_too_much() {
        let samples = [1, 2].map(|at| Sample {
            at: Timestamp::from_seconds(at),
            value: 0.0,
        });
        let curve = || Series {
            labels: Labels::default(),
            samples: samples.to_vec(),
        };
        let ask = |limit| {
            let mut n_computed = 0;
            let queries = (0..9).map(|_| {
                n_computed += 1;
                Ok::<_, String>(vec![curve()])
            });
            let answer = within(limit, queries);
            (answer.map(|results| results.len()), n_computed)
        };
        assert_eq!(ask(18), (Ok(9), 9));
        let sentence = "the queries ask for more than 5 samples together".to_owned();
        assert_eq!(ask(5), (Err(sentence), 3));
    }
}
