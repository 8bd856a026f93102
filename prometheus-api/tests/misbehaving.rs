//! A server that does everything wrong, on loopback.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use axum::{
    Router,
    body::{Body, Bytes},
    extract::{RawForm, State},
    http::StatusCode,
    response::{IntoResponse, Response},
    routing::{get, post},
};
use futures::stream;
use prometheus_api::{Client, Limits, QueryError, Reason};
use series::{Step, Timestamp};
use std::{
    sync::{
        Arc, Mutex,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

const LIMITS: Limits = Limits {
    timeout: Duration::from_millis(300),
    body_bytes: 10 << 20,
    series: 1_000,
};

fn http() -> reqwest::Client {
    // A second test in this process finds the provider installed already.
    let _ = rustls::crypto::ring::default_provider().install_default();
    reqwest::Client::new()
}

async fn serve(router: Router) -> Client {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let base = format!("http://{}/prom", listener.local_addr().unwrap());
    let router = Router::new().nest("/prom", router);
    tokio::spawn(async move { axum::serve(listener, router).await });
    Client::new(base.parse().unwrap(), http(), LIMITS)
}

/// What an instant query makes of one fixed answer.
async fn ask<R>(answer: impl Fn() -> R + Clone + Send + Sync + 'static) -> String
where
    R: IntoResponse + Send,
{
    let route = post(async move || answer().into_response());
    let client = serve(Router::new().route("/api/v1/query", route)).await;
    match client.instant("up", Timestamp::from_seconds(100)).await {
        Ok(answer) => format!(
            "{} series, warnings {:?}",
            answer.value.len(),
            answer.warnings
        ),
        Err(error) => describe(&error),
    }
}

fn describe(error: &QueryError) -> String {
    let retry = if error.is_transient() {
        "retry"
    } else {
        "give up"
    };
    format!("{}, {retry}: {error}", error.reason().as_str())
}

#[track_caller]
fn check(got: &str, expect: &str) {
    assert!(got.starts_with(expect), "{got}");
}

fn vector(n_series: usize) -> String {
    let series: Vec<_> = (0..n_series)
        .map(|n| format!(r#"{{"metric":{{"n":"{n}"}},"value":[100,"NaN"]}}"#))
        .collect();
    let result = series.join(",");
    format!(
        r#"{{"status":"success","data":{{"resultType":"vector","result":[{result}]}},"warnings":["half is missing"]}}"#
    )
}

#[tokio::test]
async fn warnings_reach_the_caller() {
    let got = ask(|| vector(2)).await;
    check(&got, r#"2 series, warnings ["half is missing"]"#);
}

#[tokio::test]
async fn errors_show_the_words_of_prometheus() {
    let bad_data = r#"{"status":"error","errorType":"bad_data","error":"parse error"}"#;
    let got = ask(move || (StatusCode::BAD_REQUEST, bad_data)).await;
    check(
        &got,
        "rejected, give up: Prometheus refused the query with status 400: parse error",
    );
    let got = ask(|| (StatusCode::TOO_MANY_REQUESTS, "slow down\n")).await;
    check(
        &got,
        "rejected, retry: Prometheus refused the query with status 429: slow down",
    );
    let of_a_proxy = r#"{"message":"no upstream"}"#;
    let got = ask(move || (StatusCode::BAD_GATEWAY, of_a_proxy)).await;
    assert!(got.ends_with(of_a_proxy), "{got}");
    let got = ask(|| (StatusCode::BAD_GATEWAY, "x".repeat(1 << 20))).await;
    check(
        &got,
        "server_error, retry: Prometheus failed with status 502: xxx",
    );
    assert!(got.len() < 300, "{}", got.len());
}

#[tokio::test]
async fn a_server_that_gives_up_in_time_has_timed_out_too() {
    let timeout = r#"{"status":"error","errorType":"timeout","error":"query timed out"}"#;
    let got = ask(move || (StatusCode::SERVICE_UNAVAILABLE, timeout)).await;
    check(
        &got,
        "timeout, retry: Prometheus did not answer within 300ms",
    );
}

#[tokio::test]
async fn a_server_that_hangs_is_left_after_the_timeout() {
    let hang = get(async || {}).post(async || std::future::pending::<Response>().await);
    let client = serve(Router::new().route("/api/v1/query", hang)).await;
    let error = client
        .instant("up", Timestamp::default())
        .await
        .unwrap_err();
    check(&describe(&error), "timeout, retry");
}

#[tokio::test]
async fn a_body_without_end_is_cut_at_the_budget() {
    let endless = || {
        let chunk = || Ok::<_, std::io::Error>(Bytes::from(vec![b' '; 1 << 16]));
        Body::from_stream(stream::repeat_with(chunk))
    };
    check(
        &ask(endless).await,
        "too_large, give up: the answer is larger than the 10485760 bytes",
    );
}

#[tokio::test]
async fn truncated_json_is_malformed() {
    let got = ask(|| r#"{"status":"success","data":{"resultType":"vector","result":[{"#).await;
    check(&got, "malformed, give up: cannot read the answer");
    check(&ask(|| "<html>").await, "malformed, give up");
}

#[tokio::test]
async fn fifty_thousand_series_are_too_many() {
    check(
        &ask(|| vector(50_000)).await,
        "too_many_series, give up: the answer has more than the 1000 series allowed",
    );
}

#[tokio::test]
async fn nobody_at_home_is_unreachable_and_no_password_is_shown() {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    drop(listener);
    let base = format!("http://user:secret@{address}").parse().unwrap();
    let client = Client::new(base, http(), LIMITS);
    let error = client
        .instant("up", Timestamp::default())
        .await
        .unwrap_err();
    check(
        &describe(&error),
        &format!("unreachable, retry: cannot reach Prometheus at {address}"),
    );
    assert!(!format!("{error:?}").contains("secret"), "{error:?}");
    assert_eq!(
        client.ready().await.unwrap_err().reason(),
        Reason::Unreachable
    );
}

type Asked = Arc<Mutex<Vec<(i64, i64)>>>;

/// Answers a range query with a sample at its start and one at its end.
async fn two_samples(State(asked): State<Asked>, RawForm(form): RawForm) -> String {
    let field = |key: &str| -> i64 {
        let form = std::str::from_utf8(&form).unwrap();
        let mut pairs = form.split('&').filter_map(|pair| pair.split_once('='));
        let (_, value) = pairs.find(|(name, _)| *name == key).unwrap();
        value.parse().unwrap()
    };
    let (start, end) = (field("start"), field("end"));
    assert!((end - start) / field("step") < 11_000);
    asked.lock().unwrap().push((start, end));
    format!(
        r#"{{"status":"success","data":{{"resultType":"matrix","result":[{{"metric":{{"a":"1"}},"values":[[{start},"1"],[{end},"2"]]}}]}}}}"#
    )
}

#[tokio::test]
async fn long_ranges_are_asked_for_in_pieces_and_merged() {
    let asked = Asked::default();
    let router = Router::new().route("/api/v1/query_range", post(two_samples));
    let client = serve(router.with_state(asked.clone())).await;
    let step = Step::new(Duration::from_secs(1)).unwrap();
    let at = Timestamp::from_seconds;
    let answer = client.range("up", at(0), at(24_999), step).await.unwrap();
    assert_eq!(
        *asked.lock().unwrap(),
        [(0, 10_999), (11_000, 21_999), (22_000, 24_999)]
    );
    assert_eq!(answer.value.len(), 1);
    let times: Vec<_> = answer.value[0].samples.iter().map(|s| s.at).collect();
    let expect = [0, 10_999, 11_000, 21_999, 22_000, 24_999].map(at);
    assert_eq!(times, expect);
}

#[tokio::test]
async fn samples_outside_the_range_are_refused() {
    let body = r#"{"status":"success","data":{"resultType":"matrix","result":[{"metric":{},"values":[[5,"1"]]}]}}"#;
    let route = post(async move || body);
    let client = serve(Router::new().route("/api/v1/query_range", route)).await;
    let step = Step::new(Duration::from_secs(1)).unwrap();
    let at = Timestamp::from_seconds;
    let error = client.range("up", at(6), at(9), step).await.unwrap_err();
    assert!(error.to_string().contains("outside the range"), "{error}");
}

#[tokio::test]
async fn a_time_to_wait_is_heeded_by_all_clones() {
    let n_asked = Arc::new(AtomicUsize::new(0));
    let counted = Arc::clone(&n_asked);
    let route = post(async move || {
        counted.fetch_add(1, Ordering::SeqCst);
        (
            StatusCode::TOO_MANY_REQUESTS,
            [("Retry-After", "1")],
            "busy",
        )
            .into_response()
    });
    let client = serve(Router::new().route("/api/v1/query", route)).await;
    let ask = async |client: &Client| {
        let answer = client.instant("up", Timestamp::from_seconds(100)).await;
        describe(&answer.unwrap_err())
    };
    check(
        &ask(&client).await,
        "rejected, retry: Prometheus refused the query with status 429: busy",
    );
    let told = "deferred, retry: Prometheus answered with status 429 and asked to be left alone for another 1s";
    check(&ask(&client.clone()).await, told);
    assert_eq!(n_asked.load(Ordering::SeqCst), 1);
    while ask(&client).await == told {
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    assert_eq!(n_asked.load(Ordering::SeqCst), 2);
}
