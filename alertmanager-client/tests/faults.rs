//! What the client makes of servers that refuse, ramble or are not there.

#![expect(
    clippy::unwrap_used,
    reason = "shared test code may stop the test where it stands"
)]

use alertmanager_client::{Client, Error, Verdict};
use axum::{Router, http::StatusCode, response::IntoResponse, routing::get};
use std::time::Duration;

async fn client_of(answer: impl IntoResponse + Clone + Send + Sync + 'static) -> Client {
    let app = Router::new().route("/am/api/v2/status", get(move || async move { answer }));
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move { axum::serve(listener, app).await });
    client_at(&format!("http://{address}/am/"))
}

fn client_at(base: &str) -> Client {
    // Whichever test comes first installs it; to the others it is an error without meaning.
    let _ = rustls::crypto::ring::default_provider().install_default();
    Client::new(base.parse().unwrap(), reqwest::Client::new())
}

#[track_caller]
fn check(error: &Error, message: &str, verdict: Verdict) {
    assert_eq!(
        (error.to_string().as_str(), error.verdict()),
        (message, verdict)
    );
}

#[tokio::test]
async fn a_busy_server_is_asked_again_after_the_pause_it_names() {
    let answer = (
        StatusCode::TOO_MANY_REQUESTS,
        [("retry-after", "7")],
        "\"busy\"",
    );
    check(
        &client_of(answer).await.status().await.unwrap_err(),
        "cannot read the status: Alertmanager answered 429: busy",
        Verdict::Retry(Some(Duration::from_secs(7))),
    );
}

#[tokio::test]
async fn a_refused_request_is_not_repeated() {
    let answer = (
        StatusCode::UNPROCESSABLE_ENTITY,
        r#"{"code": 602, "message": "no matchers"}"#,
    );
    check(
        &client_of(answer).await.status().await.unwrap_err(),
        "cannot read the status: Alertmanager answered 422: no matchers",
        Verdict::GiveUp,
    );
}

#[tokio::test]
async fn a_page_of_something_else_is_told_from_an_answer() {
    check(
        &client_of("<html>").await.status().await.unwrap_err(),
        "cannot read the status: the answer is not what the Alertmanager API v2 promises",
        Verdict::GiveUp,
    );
}

#[tokio::test]
async fn a_server_that_is_away_may_come_back() {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    drop(listener);
    check(
        &client_at(&format!("http://{address}"))
            .status()
            .await
            .unwrap_err(),
        "cannot read the status: no complete answer from Alertmanager",
        Verdict::Retry(None),
    );
}
