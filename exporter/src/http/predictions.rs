//! What Prometheus scrapes: predicted series, and the program's own metrics.

use super::{App, failure};
use crate::exposition;
use axum::{
    extract::State,
    http::{StatusCode, header},
    response::{IntoResponse, Response},
};
use std::sync::Arc;

pub(super) async fn predictions(State(app): State<Arc<App>>) -> Response {
    let encode = move || exposition::encode(app.running().engine.predictions(app.now()));
    match tokio::task::spawn_blocking(encode).await {
        Ok(body) => text(body),
        Err(_) => failure(
            StatusCode::INTERNAL_SERVER_ERROR,
            "the predictions were lost",
        ),
    }
}

pub(super) async fn metrics(State(app): State<Arc<App>>) -> Response {
    match app.gather().await {
        Ok(body) => text(body),
        Err(error) => failure(StatusCode::INTERNAL_SERVER_ERROR, format!("{error:#}")),
    }
}

fn text(body: String) -> Response {
    ([(header::CONTENT_TYPE, exposition::CONTENT_TYPE)], body).into_response()
}
