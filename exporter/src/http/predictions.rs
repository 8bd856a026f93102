//! What Prometheus scrapes: predicted series, and the program's own metrics.

use super::{App, failure, places::Client};
use crate::exposition::{self, Exposition, Format};
use axum::{
    body::Body,
    extract::State,
    http::{HeaderMap, HeaderValue, StatusCode, header},
    response::{IntoResponse, Response},
};
use futures::{StreamExt as _, stream};
use std::{convert::Infallible, sync::Arc};
use tokio::task::spawn_blocking;

/// Written while it is sent, so that the text of all series is never in memory at once.
pub(super) async fn predictions(
    State(app): State<Arc<App>>,
    client: Client,
    headers: HeaderMap,
) -> Response {
    let place = match app.scrapes.enter(client).await {
        Ok(place) => place,
        Err(none) => return none.refuse(),
    };
    let accept = headers.get_all(header::ACCEPT).into_iter();
    let format = Format::negotiate(accept.filter_map(|value| value.to_str().ok()));
    let (engine, now) = (app.running().engine.clone(), app.now());
    // Where many rules share names, their series are sorted first.
    let collisions = Arc::clone(&app.metrics.collisions);
    let write = move || Exposition::of(engine.families(now), format.escaping, collisions);
    let exposition = match spawn_blocking(write).await {
        Ok(exposition) => exposition,
        Err(error) => return failure(StatusCode::INTERNAL_SERVER_ERROR, error.to_string()),
    };
    let pieces = stream::iter(exposition).then(async |piece| {
        // Between two pieces others may use the thread: there may be thousands.
        tokio::task::yield_now().await;
        Ok::<_, Infallible>(piece)
    });
    let mut response = text(Body::from_stream(pieces));
    if let Ok(content_type) = HeaderValue::from_str(&format.content_type()) {
        response
            .headers_mut()
            .insert(header::CONTENT_TYPE, content_type);
    }
    place.keep_for(response)
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
