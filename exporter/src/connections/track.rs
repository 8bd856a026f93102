//! Which connection a request came by, and who has to move on it.

use super::{Connection, Stage, Watched};
use axum::{
    body::{Body, HttpBody},
    extract::Request,
    middleware::Next,
    response::Response,
};
use axum_server::accept::Accept;
use http_body::{Frame, SizeHint};
use std::{
    future::{Ready, ready},
    io,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
};
use tower_http::add_extension::AddExtension;

/// Hands a connection on to its requests.
#[derive(Debug, Clone, Copy)]
pub(crate) struct TrackingAcceptor;

impl<S> Accept<Watched, S> for TrackingAcceptor {
    type Stream = Watched;
    type Service = AddExtension<S, Arc<Connection>>;
    type Future = Ready<io::Result<(Self::Stream, Self::Service)>>;

    fn accept(&self, stream: Watched, service: S) -> Self::Future {
        let connection = Arc::clone(stream.connection());
        ready(Ok((stream, AddExtension::new(service, connection))))
    }
}

/// Notes when a request is received whole, and when its answer is made.
pub(crate) async fn track(request: Request, next: Next) -> Response {
    let Some(connection) = request.extensions().get::<Arc<Connection>>().cloned() else {
        return next.run(request).await;
    };
    let answering = Answering(Arc::clone(&connection));
    let request = request.map(|body| {
        if body.is_end_stream() {
            connection.enter(Stage::Working);
            return body;
        }
        Body::new(Receiving { body, connection })
    });
    let response = next.run(request).await;
    // What is left of the request does not matter any more.
    answering.0.enter(Stage::Working);
    response.map(|body| Body::new(Sending { body, answering }))
}

/// A connection whose answer is being made; when it is, the next request is waited for.
struct Answering(Arc<Connection>);

impl Drop for Answering {
    fn drop(&mut self) {
        self.0.enter(Stage::Receiving);
    }
}

/// A request's body on its way in.
struct Receiving {
    body: Body,
    connection: Arc<Connection>,
}

impl HttpBody for Receiving {
    type Data = <Body as HttpBody>::Data;
    type Error = axum::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Self::Data>, Self::Error>>> {
        let frame = Pin::new(&mut self.body).poll_frame(cx);
        let is_over = matches!(frame, Poll::Ready(None)) || self.body.is_end_stream();
        if is_over {
            self.connection.move_on(Stage::Receiving, Stage::Working);
        }
        frame
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

/// An answer's body on its way out.
struct Sending {
    body: Body,
    #[expect(dead_code, reason = "it is there to be dropped with the body")]
    answering: Answering,
}

impl HttpBody for Sending {
    type Data = <Body as HttpBody>::Data;
    type Error = axum::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Self::Data>, Self::Error>>> {
        Pin::new(&mut self.body).poll_frame(cx)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}
