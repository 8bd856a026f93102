//! What the read client makes of answers, whole and cut.

use crate::counting;
use axum::{
    Router,
    body::{Body, Bytes},
    http::StatusCode,
    response::{IntoResponse, Response},
    routing::post,
};
use remote_read::{
    CHUNKS_CONTENT_TYPE, Limits, Query, ReadRequest, ResponseKind, SAMPLES_CONTENT_TYPE,
    client::{ReadClient, ReadError},
    encode_frames, encode_samples,
};
use series::{Selector, Series, Timestamp};
use std::time::Duration;

fn request(n_queries: usize) -> ReadRequest {
    let [start, end] = [0, 1_000].map(Timestamp::from_seconds);
    let query = Query::new(start, end, Selector::default()).unwrap();
    ReadRequest {
        queries: vec![query; n_queries],
        response: ResponseKind::StreamedXorChunks,
    }
}

async fn client_of(answer: impl Fn() -> Response + Clone + Send + Sync + 'static) -> ReadClient {
    let router = Router::new().route("/read", post(move || async move { answer() }));
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/read", listener.local_addr().unwrap());
    tokio::spawn(async move { axum::serve(listener, router).await });
    let http = testbed::http_client(Duration::from_secs(10)).unwrap();
    ReadClient::new(
        http,
        url.parse().unwrap(),
        "foreshadow/test",
        Limits::default(),
    )
}

fn answered(content_type: &'static str, body: impl Into<Body>) -> Response {
    ([("content-type", content_type)], body.into()).into_response()
}

fn results() -> Vec<Vec<Series>> {
    vec![
        vec![counting("a", 0..300), counting("b", 5..6)],
        vec![],
        vec![counting("c", 0..2)],
    ]
}

#[tokio::test]
async fn both_kinds_of_answers_are_read() {
    let samples = client_of(|| answered(SAMPLES_CONTENT_TYPE, encode_samples(results()).unwrap()));
    let frames = client_of(|| {
        let pieces = encode_frames(results()).map(Ok::<_, std::io::Error>);
        answered(
            CHUNKS_CONTENT_TYPE,
            Body::from_stream(futures::stream::iter(pieces)),
        )
    });
    for client in [samples.await, frames.await] {
        assert_eq!(client.read(&request(3)).await.unwrap(), results());
    }
}

/// Pieces of a stream, with a pause before each so that they are sent apart, and then perhaps an error.
fn slowly(body: &[u8], size: usize, breaks: bool) -> Body {
    let mut pieces: Vec<_> = body
        .chunks(size)
        .map(|p| Ok(Bytes::copy_from_slice(p)))
        .collect();
    if breaks {
        pieces.push(Err(std::io::Error::other("the server died")));
    }
    let stream = futures::stream::unfold(pieces.into_iter(), |mut pieces| async {
        tokio::time::sleep(Duration::from_millis(1)).await;
        Some((pieces.next()?, pieces))
    });
    Body::from_stream(stream)
}

fn frames() -> Vec<u8> {
    encode_frames(results()).flatten().collect()
}

#[tokio::test]
async fn series_are_given_out_before_the_answer_has_ended() {
    let client = client_of(|| {
        let first = futures::stream::iter([Ok::<_, std::io::Error>(Bytes::from(frames()))]);
        let never = futures::stream::pending();
        let body = Body::from_stream(futures::StreamExt::chain(first, never));
        answered(CHUNKS_CONTENT_TYPE, body)
    });
    let mut stream = client.await.stream(&request(3)).await.unwrap();
    for instance in ["a", "b"] {
        let (query, series) = stream.next().await.unwrap().unwrap();
        assert_eq!((query, series.labels.get("instance")), (0, instance));
    }
}

#[tokio::test]
async fn a_stream_in_small_pieces_is_read_as_it_is() {
    let client = client_of(|| answered(CHUNKS_CONTENT_TYPE, slowly(&frames(), 17, false))).await;
    assert_eq!(client.read(&request(3)).await.unwrap(), results());
}

#[tokio::test]
async fn a_stream_that_breaks_off_is_an_error_even_where_a_frame_ends() {
    let client = client_of(|| answered(CHUNKS_CONTENT_TYPE, slowly(&frames(), 1 << 20, true)));
    let error = client.await.read(&request(3)).await.unwrap_err();
    assert!(matches!(error, ReadError::Connection(_)), "{error}");
    assert!(error.is_transient());
}

#[tokio::test]
async fn a_frame_cut_short_is_an_error_and_no_end() {
    let client = client_of(|| {
        let frames = frames();
        answered(CHUNKS_CONTENT_TYPE, frames[..frames.len() - 1].to_vec())
    });
    let error = client.await.read(&request(3)).await.unwrap_err();
    let ReadError::Answer(cause) = &error else {
        panic!("a bad answer was expected, got {error}");
    };
    assert_eq!(
        cause.to_string(),
        "frame is cut off, or its length is no number"
    );
    assert!(!error.is_transient());
}

#[track_caller]
fn check(error: &ReadError, sentence: &str, is_transient: bool) {
    assert_eq!(
        (error.to_string().as_str(), error.is_transient()),
        (sentence, is_transient)
    );
}

#[tokio::test]
async fn a_refusal_is_told_in_the_servers_words() {
    let refusing = |status: StatusCode| {
        client_of(move || (status, "too many\n samples".repeat(1_000)).into_response())
    };
    let error = refusing(StatusCode::BAD_REQUEST)
        .await
        .read(&request(1))
        .await
        .unwrap_err();
    let sentence = error.to_string();
    assert!(sentence.starts_with("the remote-read server answered 400: too many samplestoo many"));
    assert!(sentence.len() < 1_100, "{} bytes", sentence.len());
    assert!(!error.is_transient());
    let error = refusing(StatusCode::SERVICE_UNAVAILABLE)
        .await
        .read(&request(1))
        .await;
    assert!(error.unwrap_err().is_transient());
}

#[tokio::test]
async fn what_is_neither_samples_nor_chunks_is_refused() {
    let client = client_of(|| answered("text/html", "<html>")).await;
    let error = client.read(&request(1)).await.unwrap_err();
    check(
        &error,
        "the remote-read server answered with the content type `text/html`",
        false,
    );
}

#[tokio::test]
async fn an_endless_block_is_broken_off() {
    let client = client_of(|| {
        let zeros =
            futures::stream::repeat_with(|| Ok::<_, std::io::Error>(Bytes::from(vec![0; 1 << 20])));
        answered(SAMPLES_CONTENT_TYPE, Body::from_stream(zeros))
    });
    let error = client.await.read(&request(1)).await.unwrap_err();
    check(
        &error,
        "the answer of the remote-read server is refused",
        false,
    );
}

#[tokio::test]
async fn nobody_there_is_worth_another_try() {
    let http = testbed::http_client(Duration::from_secs(10)).unwrap();
    let url = format!("http://127.0.0.1:{}/read", testbed::free_port().unwrap());
    let client = ReadClient::new(
        http,
        url.parse().unwrap(),
        "foreshadow/test",
        Limits::default(),
    );
    let error = client.read(&request(1)).await.unwrap_err();
    check(&error, "no whole answer from the remote-read server", true);
}
