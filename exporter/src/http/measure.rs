//! Counts and times every request by its route.

use super::App;
use axum::{
    extract::{MatchedPath, Request, State},
    http::StatusCode,
    middleware::Next,
    response::Response,
};
use prometheus::IntGauge;
use std::{sync::Arc, time::Instant};

/// The route of remote read, whose requests are counted by their outcome besides.
const REMOTE_READ: &str = "/api/v1/read";

pub(super) async fn measure(
    State(app): State<Arc<App>>,
    route: MatchedPath,
    request: Request,
    next: Next,
) -> Response {
    let (started, handler, doors) = (Instant::now(), route.as_str(), &app.metrics.doors);
    let _in_flight = InFlight::enter(doors.in_flight.with_label_values(&[handler]));
    let response = next.run(request).await;
    let code = response.status();
    doors
        .requests
        .with_label_values(&[handler, code.as_str()])
        .inc();
    doors
        .duration
        .with_label_values(&[handler])
        .observe(started.elapsed().as_secs_f64());
    if handler == REMOTE_READ {
        doors.reads.with_label_values(&[outcome(code)]).inc();
    }
    response
}

/// What became of a remote read.
fn outcome(code: StatusCode) -> &'static str {
    match code {
        StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN => "unauthorized",
        StatusCode::PAYLOAD_TOO_LARGE => "too_large",
        StatusCode::REQUEST_TIMEOUT => "timeout",
        code if code.is_success() => "answered",
        code if code.is_client_error() => "refused",
        _ => "failed",
    }
}

/// One request more, until it is dropped: those whose client has gone away end without a response.
struct InFlight(IntGauge);

impl InFlight {
    fn enter(gauge: IntGauge) -> Self {
        gauge.inc();
        Self(gauge)
    }
}

impl Drop for InFlight {
    fn drop(&mut self) {
        self.0.dec();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_request_that_is_dropped_is_in_flight_no_more() {
        let gauge = IntGauge::new("a", "b").unwrap();
        let (one, other) = (
            InFlight::enter(gauge.clone()),
            InFlight::enter(gauge.clone()),
        );
        assert_eq!(gauge.get(), 2);
        drop((one, other));
        assert_eq!(gauge.get(), 0);
    }

    #[test]
    fn outcomes_are_told_from_the_status() {
        let codes = [200, 400, 401, 408, 413, 415, 500, 503];
        let outcomes = codes.map(|code| outcome(StatusCode::from_u16(code).unwrap()));
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
