//! Counts and times every request by its route, to the last byte of the answer.

use super::App;
use crate::metrics::{DoorMetrics, ReadOutcome};
use axum::{
    body::{Body, BodyDataStream, Bytes, HttpBody as _},
    extract::{MatchedPath, Request, State},
    http::StatusCode,
    middleware::Next,
    response::Response,
};
use futures::{TryStreamExt as _, stream};
use prometheus::{Histogram, IntCounterVec, IntGauge};
use std::{sync::Arc, time::Instant};

/// The route of remote read, whose requests are counted by their outcome besides.
const REMOTE_READ: &str = "/api/v1/read";

pub(super) async fn measure(
    State(app): State<Arc<App>>,
    route: MatchedPath,
    request: Request,
    next: Next,
) -> Response {
    let (handler, doors) = (route.as_str(), &app.metrics.doors);
    let open = Open::begin(doors, handler);
    let response = next.run(request).await;
    let code = response.status();
    let labels = [handler, code.as_str()];
    doors.requests.with_label_values(&labels).inc();
    watched(response, open)
}

/// A request, until its answer is handed over whole or nobody waits for it any more. Clients that go away drop it.
struct Open {
    started: Instant,
    in_flight: IntGauge,
    duration: Histogram,
    /// Of remote read only.
    reads: Option<IntCounterVec>,
    outcome: ReadOutcome,
}

impl Open {
    fn begin(doors: &DoorMetrics, handler: &str) -> Self {
        let in_flight = doors.in_flight.with_label_values(&[handler]);
        in_flight.inc();
        Self {
            started: Instant::now(),
            in_flight,
            duration: doors.duration.with_label_values(&[handler]),
            reads: (handler == REMOTE_READ).then(|| doors.reads.clone()),
            outcome: ReadOutcome::Cancelled,
        }
    }
}

impl Drop for Open {
    fn drop(&mut self) {
        self.in_flight.dec();
        self.duration.observe(self.started.elapsed().as_secs_f64());
        if let Some(reads) = &self.reads {
            reads.with_label_values(&[self.outcome.as_str()]).inc();
        }
    }
}

/// What goes on with the pieces of an answer, and the outcome when all of them are taken.
type Rest = (BodyDataStream, Open, ReadOutcome);

/// Ends the request with its answer: at once when that is whole, else when its last piece is taken.
fn watched(response: Response, mut open: Open) -> Response {
    let outcome = outcome(response.status());
    if response.body().size_hint().exact().is_some() {
        open.outcome = outcome;
        return response;
    }
    response.map(|body| {
        let rest = (body.into_data_stream(), open, outcome);
        Body::from_stream(stream::try_unfold(rest, next_piece))
    })
}

async fn next_piece(
    (mut pieces, mut open, outcome): Rest,
) -> Result<Option<(Bytes, Rest)>, axum::Error> {
    let taken = pieces.try_next().await;
    match &taken {
        Ok(Some(_)) => {}
        Ok(None) => open.outcome = outcome,
        Err(_) => open.outcome = ReadOutcome::BrokenOff,
    }
    taken.map(|piece| piece.map(|piece| (piece, (pieces, open, outcome))))
}

/// What became of a remote read whose answer was taken whole.
fn outcome(code: StatusCode) -> ReadOutcome {
    match code {
        StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN => ReadOutcome::Unauthorized,
        StatusCode::PAYLOAD_TOO_LARGE => ReadOutcome::TooLarge,
        StatusCode::REQUEST_TIMEOUT => ReadOutcome::Timeout,
        code if code.is_success() => ReadOutcome::Answered,
        code if code.is_client_error() => ReadOutcome::Refused,
        _ => ReadOutcome::Failed,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::metrics::Metrics;
    use axum::{body::to_bytes, response::IntoResponse as _};
    use std::io;

    const PIECES: [&str; 2] = ["one", "two"];

    /// A remote read that has been answered, and what is known of it.
    fn answered(pieces: Vec<io::Result<&'static str>>) -> (Body, Metrics) {
        let metrics = Metrics::new().unwrap();
        let body = Body::from_stream(stream::iter(pieces));
        let response = watched(
            body.into_response(),
            Open::begin(&metrics.doors, REMOTE_READ),
        );
        (response.into_body(), metrics)
    }

    /// How many are in flight, how many were timed, and how many had this outcome.
    fn counts(metrics: &Metrics, outcome: ReadOutcome) -> (i64, u64, u64) {
        let (doors, handler) = (&metrics.doors, [REMOTE_READ]);
        (
            doors.in_flight.with_label_values(&handler).get(),
            doors
                .duration
                .with_label_values(&handler)
                .get_sample_count(),
            doors.reads.with_label_values(&[outcome.as_str()]).get(),
        )
    }

    #[tokio::test]
    async fn an_answer_is_measured_to_its_last_byte() {
        let (body, metrics) = answered(Vec::from(PIECES.map(Ok)));
        assert_eq!(counts(&metrics, ReadOutcome::Answered), (1, 0, 0));
        assert_eq!(to_bytes(body, 99).await.unwrap(), "onetwo");
        assert_eq!(counts(&metrics, ReadOutcome::Answered), (0, 1, 1));
    }

    #[tokio::test]
    async fn an_answer_that_breaks_off_was_none() {
        let lost = io::Error::other("lost");
        let (body, metrics) = answered(vec![Ok("one"), Err(lost)]);
        assert!(to_bytes(body, 99).await.is_err());
        assert_eq!(counts(&metrics, ReadOutcome::BrokenOff), (0, 1, 1));
        assert_eq!(counts(&metrics, ReadOutcome::Answered), (0, 1, 0));
    }

    #[tokio::test]
    async fn clients_that_go_away_cancel() {
        let (body, metrics) = answered(Vec::from(PIECES.map(Ok)));
        let mut pieces = body.into_data_stream();
        assert_eq!(pieces.try_next().await.unwrap().unwrap(), "one");
        drop(pieces);
        assert_eq!(counts(&metrics, ReadOutcome::Cancelled), (0, 1, 1));
        // Before there is an answer.
        drop(Open::begin(&metrics.doors, REMOTE_READ));
        assert_eq!(counts(&metrics, ReadOutcome::Cancelled), (0, 2, 2));
    }

    #[test]
    fn what_is_whole_already_is_not_waited_for_and_keeps_its_length() {
        let metrics = Metrics::new().unwrap();
        let refusal = (StatusCode::BAD_REQUEST, "no").into_response();
        let response = watched(refusal, Open::begin(&metrics.doors, REMOTE_READ));
        assert_eq!(response.body().size_hint().exact(), Some(2));
        assert_eq!(counts(&metrics, ReadOutcome::Refused), (0, 1, 1));
    }

    #[test]
    fn outcomes_are_told_from_the_status() {
        let codes = [200, 400, 401, 408, 413, 415, 500, 503];
        let outcomes = codes.map(|code| outcome(StatusCode::from_u16(code).unwrap()).as_str());
        let expect = [
            "answered",
            "refused",
            "unauthorized",
            "timeout",
            "too_large",
            "refused",
            "failed",
            "failed",
        ];
        assert_eq!(outcomes, expect);
    }
}
