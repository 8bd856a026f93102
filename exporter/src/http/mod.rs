//! The HTTP server: routes, authentication, and what every request has in common.

mod actions;
mod auth;
mod lifecycle;
mod measure;
mod origin;
mod pages;
mod params;
mod places;
mod predictions;
mod query;
mod read;
mod webhook;

pub(crate) use auth::Gate;
pub(crate) use places::Places;
pub(crate) use webhook::Desk;

use crate::{app::App, config::Right, connections};
use auth::Caller;
use axum::{
    Json, Router,
    extract::DefaultBodyLimit,
    http::{Method, StatusCode, Uri, header},
    middleware,
    response::{IntoResponse, Response},
    routing::{get, post},
};
use serde_json::json;
use std::{sync::Arc, time::Duration};
use tower_http::{limit::RequestBodyLimitLayer, timeout::TimeoutLayer};

/// The path that tells nothing but that the server answers.
const HEALTHY: &str = "/-/healthy";

/// Bytes that a request may carry, far above what Prometheus and Alertmanager send.
const MAX_BODY_BYTES: usize = 8 << 20;

/// Time for one request, body included; a client that sends a byte now and then is not waited for.
const TIME_LIMIT: Duration = Duration::from_mins(1);

/// All routes.
pub(crate) fn router(app: Arc<App>) -> Router {
    let authenticate = middleware::from_fn_with_state(app.clone(), auth::authenticate);
    let measure = middleware::from_fn_with_state(app.clone(), measure::measure);
    let permit = |right| middleware::from_fn_with_state(right, auth::permit);
    let by_our_name = middleware::from_fn_with_state(app.clone(), auth::by_our_name);
    Router::new()
        .merge(reading().route_layer(permit(Right::Read)))
        .merge(sending().route_layer(permit(Right::Send)))
        .merge(deciding().route_layer(permit(Right::Decide)))
        .merge(pages::router())
        .route("/", get(home))
        .route(HEALTHY, get(lifecycle::healthy))
        .route("/-/ready", get(lifecycle::ready))
        .fallback(unknown)
        .method_not_allowed_fallback(wrong_method)
        .layer(by_our_name)
        .layer(DefaultBodyLimit::disable())
        .layer(RequestBodyLimitLayer::new(MAX_BODY_BYTES))
        .layer(TimeoutLayer::with_status_code(
            StatusCode::REQUEST_TIMEOUT,
            TIME_LIMIT,
        ))
        .layer(authenticate)
        // Outside, so that strangers are counted too.
        .route_layer(measure)
        .layer(middleware::from_fn(connections::track))
        .with_state(app)
}

/// What only looks.
fn reading() -> Router<Arc<App>> {
    Router::new()
        .route("/metrics", get(predictions::metrics))
        .route("/predictions", get(predictions::predictions))
        .route("/api/v1/read", post(read::read))
        .route("/api/v1/query", get(query::instant).post(query::instant))
        .route("/api/v1/query_range", get(query::range).post(query::range))
        .route("/api/v1/series", get(query::series).post(query::series))
        .route("/api/v1/labels", get(query::labels).post(query::labels))
        .route("/api/v1/label/{name}/values", get(query::values))
        .route("/api/v1/actions", get(actions::list))
        .route("/api/v1/actions/export", get(actions::export::export))
        .route("/api/v1/actions/{id}", get(actions::show))
        .route("/api/v1/unattended", get(actions::unattended::list))
}

/// What decides something.
fn deciding() -> Router<Arc<App>> {
    Router::new()
        .route("/api/v1/actions/{id}/approve", post(actions::approve))
        .route("/api/v1/actions/{id}/reject", post(actions::reject))
        .route(
            "/api/v1/actions/{id}/override",
            post(actions::override_plan),
        )
        .route("/api/v1/actions/{id}/rollback", post(actions::rollback))
        .route("/-/reload", post(lifecycle::reload).put(lifecycle::reload))
}

/// What alerts come in by.
fn sending() -> Router<Arc<App>> {
    Router::new().route("/api/v1/webhook/alertmanager", post(webhook::receive))
}

/// What people come for. The address is relative, so that a proxy may put the server under any path.
async fn home() -> Response {
    (StatusCode::FOUND, [(header::LOCATION, "actions")]).into_response()
}

async fn unknown(uri: Uri) -> Response {
    let sentence = format!("nothing is served at {}", uri.path());
    failure(StatusCode::NOT_FOUND, sentence)
}

async fn wrong_method(method: Method, uri: Uri) -> Response {
    let sentence = format!("{} does not take {method}", uri.path());
    failure(StatusCode::METHOD_NOT_ALLOWED, sentence)
}

/// An answer in the envelope of Prometheus' own API.
fn success(data: impl serde::Serialize) -> Response {
    Json(json!({ "status": "success", "data": data })).into_response()
}

/// A refusal in the same envelope.
fn failure(status: StatusCode, sentence: impl std::fmt::Display) -> Response {
    let kind = if status == StatusCode::UNPROCESSABLE_ENTITY {
        "execution"
    } else if status == StatusCode::NOT_FOUND {
        "not_found"
    } else if status.is_client_error() {
        "bad_data"
    } else {
        "internal"
    };
    let body = json!({ "status": "error", "errorType": kind, "error": sentence.to_string() });
    (status, Json(body)).into_response()
}
