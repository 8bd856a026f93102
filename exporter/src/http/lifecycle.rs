//! Health, readiness and reload, at the paths where Prometheus has them.

use super::{App, failure};
use axum::{
    extract::State,
    http::StatusCode,
    response::{IntoResponse, Response},
};
use std::sync::Arc;

pub(super) async fn healthy() -> &'static str {
    "Foreshadow is healthy.\n"
}

/// Ready once the configuration is loaded and the groups are being evaluated, which is before the socket
/// is served, as long as alerts and decisions can be written down; a Prometheus that is away does not make
/// Foreshadow unready.
pub(super) async fn ready(State(app): State<Arc<App>>) -> Response {
    match app.journal.trouble() {
        None => "Foreshadow is ready.\n".into_response(),
        Some(trouble) => {
            let sentence = format!("Foreshadow is not ready: {trouble}\n");
            (StatusCode::SERVICE_UNAVAILABLE, sentence).into_response()
        }
    }
}

pub(super) async fn reload(State(app): State<Arc<App>>) -> Response {
    match app.reload().await {
        Ok(()) => StatusCode::OK.into_response(),
        Err(problems) => {
            let sentence = format!("failed to reload configuration:\n{problems:#}");
            failure(StatusCode::INTERNAL_SERVER_ERROR, sentence)
        }
    }
}
