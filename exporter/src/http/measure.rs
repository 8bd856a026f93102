//! Counts and times every request by its route.

use super::App;
use axum::{
    extract::{MatchedPath, Request, State},
    middleware::Next,
    response::Response,
};
use std::{sync::Arc, time::Instant};

pub(super) async fn measure(
    State(app): State<Arc<App>>,
    route: MatchedPath,
    request: Request,
    next: Next,
) -> Response {
    let started = Instant::now();
    let response = next.run(request).await;
    let (handler, code) = (route.as_str(), response.status());
    let doors = &app.metrics.doors;
    doors
        .requests
        .with_label_values(&[handler, code.as_str()])
        .inc();
    doors
        .duration
        .with_label_values(&[handler])
        .observe(started.elapsed().as_secs_f64());
    response
}
