//! The server: requests in, answers out, and what goes wrong on the way.

use crate::{Answered, Fault, Made, Passed, Shared, answer::Answer, cluster::Request, lock, query};
use axum::{
    Router,
    body::{Body, to_bytes},
    extract::State,
    http::{HeaderMap, StatusCode, header},
    response::{IntoResponse as _, Response},
};
use serde_json::Value;
use std::{io, net::SocketAddr, sync::Arc};
use tokio::task::JoinHandle;

/// The longest body that is read.
const MAX_BODY_BYTES: usize = 1 << 20;

pub(crate) async fn start(shared: Arc<Shared>) -> (SocketAddr, JoinHandle<()>) {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await;
    let listener = listener.expect("loopback has a port left");
    let address = listener
        .local_addr()
        .expect("a bound socket has an address");
    let app = Router::new().fallback(handle).with_state(shared);
    let task = tokio::spawn(async move {
        // It ends when the handle is dropped, and there is nobody to tell.
        let _ = axum::serve(listener, app).await;
    });
    (address, task)
}

async fn handle(State(shared): State<Arc<Shared>>, request: axum::extract::Request) -> Response {
    let (parts, body) = request.into_parts();
    let body = to_bytes(body, MAX_BODY_BYTES).await.unwrap_or_default();
    let request = Request {
        method: parts.method.to_string(),
        path: parts.uri.path().to_owned(),
        query: query(parts.uri.query().unwrap_or_default()),
        content_type: text(&parts.headers, header::CONTENT_TYPE),
        token: token(&parts.headers),
        agent: text(&parts.headers, header::USER_AGENT),
        body: serde_json::from_slice(&body).unwrap_or(Value::Null),
        bytes: body.to_vec(),
        uri: parts.uri.to_string(),
    };
    lock(&shared.made).push(Made {
        method: request.method.clone(),
        path: parts.uri.to_string(),
        body: request.body.clone(),
    });
    let fault = shared.fault(&request);
    suffer(shared, request, fault).await
}

/// What the objects in memory make of a request, or the server behind.
async fn answer(shared: &Shared, request: &Request) -> Answer {
    let Some(upstream) = &shared.upstream else {
        return lock(&shared.cluster).answer(request);
    };
    let passed = Passed {
        method: request.method.clone(),
        path: request.uri.clone(),
        content_type: request.content_type.clone(),
        body: request.bytes.clone(),
    };
    let Answered { status, body } = upstream(passed).await;
    Answer {
        status,
        body,
        retry_after: None,
    }
}

async fn suffer(shared: Arc<Shared>, request: Request, fault: Option<Fault>) -> Response {
    let answer = || answer(&shared, &request);
    match fault {
        None => respond(&answer().await),
        Some(Fault::Refuse(status, retry_after)) => respond(&Answer::busy(status, retry_after)),
        Some(Fault::Reset) => broken(),
        Some(Fault::DoneAndReset) => {
            answer().await;
            broken()
        }
        Some(Fault::Hang) => std::future::pending().await,
        Some(Fault::DoneButSilent) => {
            answer().await;
            std::future::pending().await
        }
        Some(Fault::Late(delay)) => {
            let shared = Arc::clone(&shared);
            // The client may be gone by then, which must not stop it.
            tokio::spawn(async move {
                tokio::time::sleep(delay).await;
                self::answer(&shared, &request).await;
            });
            std::future::pending().await
        }
    }
}

fn respond(answer: &Answer) -> Response {
    let status = StatusCode::from_u16(answer.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    let body = answer.body.to_string();
    let mut response = (status, [(header::CONTENT_TYPE, "application/json")], body).into_response();
    if let Some(seconds) = answer.retry_after {
        response
            .headers_mut()
            .insert(header::RETRY_AFTER, seconds.into());
    }
    response
}

/// An answer that breaks off, and the connection with it.
fn broken() -> Response {
    let error = io::Error::from(io::ErrorKind::ConnectionReset);
    Body::from_stream(futures::stream::iter([Err::<String, _>(error)])).into_response()
}

fn text(headers: &HeaderMap, name: header::HeaderName) -> String {
    let text = headers.get(name).and_then(|value| value.to_str().ok());
    text.unwrap_or_default().to_owned()
}

fn token(headers: &HeaderMap) -> Option<String> {
    let text = text(headers, header::AUTHORIZATION);
    text.strip_prefix("Bearer ").map(str::to_owned)
}
