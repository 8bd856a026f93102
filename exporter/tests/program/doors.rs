//! Every door refuses what it should with a sentence, and Prometheus' absence stops nothing.

use crate::world::{Foreshadow, answer, configure, firing, prometheus_with_past};
use remote_read::{Query, ReadRequest, ResponseKind};
use reqwest::Method;
use series::{MatchOp, Matcher, Selector, Timestamp};
use std::fs;
use testbed::free_port;
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
};

const NOWHERE: &str = "http://127.0.0.1:9/replicas";

#[track_caller]
fn refused((status, body): (u16, String), expect: u16, words: &str) {
    assert_eq!(status, expect, "{body}");
    assert!(body.contains(words), "{body:?} does not say {words:?}");
}

/// Announces a body and waits for the answer without sending it, as a client would that asks before it sends.
async fn announce(f: &Foreshadow, path: &str, n_bytes: usize) -> String {
    let host = f.url.trim_start_matches("http://");
    let mut stream = TcpStream::connect(host).await.unwrap();
    let head = format!(
        "POST {path} HTTP/1.1\r\nhost: {host}\r\ncontent-length: {n_bytes}\r\nconnection: close\r\n\r\n"
    );
    stream.write_all(head.as_bytes()).await.unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.unwrap();
    answer
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_not_served_is_refused_in_the_envelope_of_the_api() {
    let dir = tempfile::tempdir().unwrap();
    configure(dir.path(), "http://127.0.0.1:9", NOWHERE);
    let f = Foreshadow::start(dir.path(), &[]).await;
    let webhook = f.get("/api/v1/webhook/alertmanager").await;
    refused(webhook, 405, "does not take GET");
    let unknown = f.get("/api/v1/alerts").await;
    refused(unknown, 404, r#""errorType":"not_found""#);
    for query in ["?limit=many", "?colour=red", "/export?until=1h"] {
        let answer = f.get(&format!("/api/v1/actions{query}")).await;
        refused(answer, 400, r#""errorType":"bad_data""#);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn malformed_and_oversized_requests_get_4xx_with_a_sentence() {
    let dir = tempfile::tempdir().unwrap();
    configure(dir.path(), "http://127.0.0.1:9", NOWHERE);
    let f = Foreshadow::start(dir.path(), &[]).await;
    let webhook = "/api/v1/webhook/alertmanager";
    refused(
        f.post(webhook, "{").await,
        400,
        "not an Alertmanager notification",
    );
    refused(
        f.post(webhook, firing().replace("\"4\"", "\"3\"")).await,
        400,
        "version",
    );
    let announced = announce(&f, webhook, 9 << 20).await;
    assert!(
        announced.starts_with("HTTP/1.1 413") && announced.contains("length limit exceeded"),
        "{announced}"
    );

    let read = "/api/v1/read";
    refused(f.post(read, "no snappy").await, 400, "snappy");
    // A header that promises four gigabytes.
    refused(
        f.post(read, vec![0xff, 0xff, 0xff, 0xff, 0x0f, 0x00]).await,
        413,
        "bytes",
    );
    let refused_read = r#"foreshadow_remote_read_requests_total{outcome="refused"} 1"#;
    told(&f, &[refused_read]).await;
    let gzip = f
        .request(Method::POST, read)
        .header("content-encoding", "gzip")
        .body("x");
    refused(answer(gzip).await, 415, "snappy");

    refused(
        f.get("/api/v1/actions/x").await,
        400,
        "not an action identifier",
    );
    let unknown = "/api/v1/actions/01890a5d-ac96-774b-bcce-b302099a8057";
    refused(f.get(unknown).await, 404, "no action");
    refused(
        f.post(&format!("{unknown}/approve"), "").await,
        404,
        "no action",
    );
    refused(
        f.post(&format!("{unknown}/reject"), "").await,
        415,
        "application/json",
    );
    refused(f.get("/api/v1/actions?state=odd").await, 400, "not a state");
    assert_eq!(
        f.metric("foreshadow_http_requests_total")
            .await
            .map(|n| n > 0.0),
        Some(true)
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn strangers_are_refused_once_users_are_configured() {
    let dir = tempfile::tempdir().unwrap();
    configure(dir.path(), "http://127.0.0.1:9", NOWHERE);
    let hash = bcrypt::hash("secret", 4).unwrap();
    fs::write(
        dir.path().join("web.yml"),
        format!("basic_auth_users: {{ann: '{hash}'}}\n"),
    )
    .unwrap();
    let f = Foreshadow::start(dir.path(), &["--web.config.file", "web.yml"]).await;
    for path in ["/api/v1/webhook/alertmanager", "/api/v1/read", "/-/reload"] {
        refused(f.post(path, firing()).await, 401, "user name");
    }
    let wrong = f
        .request(Method::GET, "/metrics")
        .basic_auth("ann", Some("wrong"));
    refused(answer(wrong).await, 401, "user name");
    let right = f
        .request(Method::GET, "/metrics")
        .basic_auth("ann", Some("secret"));
    assert_eq!(answer(right).await.0, 200);
}

#[tokio::test(flavor = "multi_thread")]
async fn beyond_loopback_nobody_is_let_in_unawares() {
    let dir = tempfile::tempdir().unwrap();
    configure(dir.path(), "http://127.0.0.1:9", NOWHERE);
    // The program ends before it listens.
    for host in ["0.0.0.0", ""] {
        let open = format!("{host}:{}", free_port().unwrap());
        let program = env!("CARGO_BIN_EXE_foreshadow");
        let mut command = std::process::Command::new(program);
        command
            .current_dir(dir.path())
            .args(["serve", "--web.listen-address", &open]);
        let output = command.output().unwrap();
        let said = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(1));
        let refusal = format!("{open} is not a loopback address and no users are configured");
        assert!(said.contains(&refusal), "{said}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_prometheus_that_comes_late_is_waited_for() {
    let dir = tempfile::tempdir().unwrap();
    configure(dir.path(), "http://127.0.0.1:9", NOWHERE);
    let f = Foreshadow::start(dir.path(), &[]).await;
    let failed = async |f: &Foreshadow| {
        f.get("/metrics").await.1.lines().any(|line| {
            line.starts_with("foreshadow_rule_evaluation_failures_total")
                && line.contains("reason=\"unreachable\"")
                && !line.ends_with(" 0")
        })
    };
    f.until("failures are counted by reason", failed).await;
    assert_eq!(f.get("/predictions").await, (200, String::new()));
    assert_eq!(f.get("/-/ready").await.0, 200);

    let prometheus = prometheus_with_past(&dir.path().join("prometheus")).await;
    configure(dir.path(), prometheus.url().as_str(), NOWHERE);
    assert_eq!(f.post("/-/reload", "").await.0, 200);
    let forecast =
        r#"load:forecast{horizon="5m",instance="",job="",quantile="0.5",service="checkout"}"#;
    f.until("there is a forecast", async |f| {
        f.get("/predictions").await.1.contains(forecast)
    })
    .await;
    curve_is_in_the_future(&f).await;
}

/// Reads the curve as Prometheus would, in both kinds of answer.
async fn curve_is_in_the_future(f: &Foreshadow) {
    let now = crate::world::now();
    for kind in [ResponseKind::Samples, ResponseKind::StreamedXorChunks] {
        let matchers = [("__name__", "load:forecast_curve"), ("quantile", "0.5")];
        let matchers = matchers.map(|(n, v)| Matcher::new(MatchOp::Equal, n, v).unwrap());
        let end = now + std::time::Duration::from_hours(1);
        let query = Query::new(now, end, Selector::new(matchers)).unwrap();
        let request = ReadRequest {
            queries: vec![query],
            response: kind,
        };
        let body = remote_read::encode_request(&request).unwrap();
        let post = f
            .request(Method::POST, "/api/v1/read")
            .header("content-encoding", "snappy");
        let answer = post.body(body).send().await.unwrap();
        assert_eq!(answer.status(), 200);
        let bytes = answer.bytes().await.unwrap();
        let limits = remote_read::Limits::default();
        let results = match kind {
            ResponseKind::Samples => remote_read::decode_samples(&bytes, 1, &limits).unwrap(),
            ResponseKind::StreamedXorChunks => {
                remote_read::decode_frames(&bytes, 1, &limits).unwrap()
            }
        };
        let curve = &results[0][0];
        assert_eq!(curve.labels.get("source"), "foreshadow");
        assert!(curve.samples.len() >= 10, "{curve:?}");
        assert!(
            curve
                .samples
                .iter()
                .all(|s| s.at > Timestamp::from_millis(now.as_millis() - 5_000))
        );
        assert!(series::is_stale_marker(curve.samples.last().unwrap().value));
    }
    // Streamed, and so measured to the last byte.
    let lines = [
        r#"foreshadow_remote_read_requests_total{outcome="answered"} 2"#,
        r#"foreshadow_http_request_duration_seconds_count{handler="/api/v1/read"} 2"#,
        r#"foreshadow_http_requests_in_flight{handler="/api/v1/read"} 0"#,
    ];
    told(f, &lines).await;
}

/// Whether these lines are among the program's own metrics.
async fn told(f: &Foreshadow, lines: &[&str]) {
    let (_, metrics) = f.get("/metrics").await;
    for line in lines {
        assert!(metrics.contains(line), "{line} is not in\n{metrics}");
    }
}
