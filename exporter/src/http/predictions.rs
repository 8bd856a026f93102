//! What Prometheus scrapes: predicted series, and the program's own metrics.

use super::{App, failure, places::Client};
use crate::exposition::{self, Exposition};
use axum::{
    body::Body,
    extract::State,
    http::{StatusCode, header},
    response::{IntoResponse, Response},
};
use futures::{StreamExt as _, stream};
use std::{convert::Infallible, sync::Arc};
use tokio::task::spawn_blocking;

/// Written while it is sent, so that the text of all series is never in memory at once.
pub(super) async fn predictions(State(app): State<Arc<App>>, client: Client) -> Response {
    let place = match app.scrapes.enter(client).await {
        Ok(place) => place,
        Err(none) => return none.refuse(),
    };
    let (engine, now) = (app.running().engine.clone(), app.now());
    // Where many rules share names, their series are sorted first.
    let families = match spawn_blocking(move || engine.families(now)).await {
        Ok(families) => families,
        Err(error) => return failure(StatusCode::INTERNAL_SERVER_ERROR, error.to_string()),
    };
    let pieces = stream::iter(Exposition::of(families)).then(async |piece| {
        // Between two pieces others may use the thread: there may be thousands.
        tokio::task::yield_now().await;
        Ok::<_, Infallible>(piece)
    });
    place.keep_for(text(Body::from_stream(pieces)))
}

pub(super) async fn metrics(State(app): State<Arc<App>>) -> Response {
    match app.gather().await {
        Ok(body) => text(body.into()),
        Err(error) => failure(StatusCode::INTERNAL_SERVER_ERROR, format!("{error:#}")),
    }
}

fn text(body: Body) -> Response {
    ([(header::CONTENT_TYPE, exposition::CONTENT_TYPE)], body).into_response()
}
