//! The living fleet, asked as Prometheus and as an actuator ask it.
#![expect(
    clippy::unwrap_used,
    reason = "the helpers of tests may panic as tests do"
)]

use demo::{
    demand::Demand,
    fleet::Fleet,
    server::{Clock, Server},
};
use prometheus_parse::{Scrape, Value as Metric};
use reqwest::StatusCode;
use serde_json::{Value, json};
use series::Timestamp;
use std::{
    sync::{
        Arc,
        atomic::{AtomicI64, Ordering},
    },
    time::Duration,
};
use testbed::http_client;

const START: Timestamp = Timestamp::from_seconds(1_790_000_000);

/// A fleet of four and the hands of its clock, in seconds since the start.
async fn fleet() -> (Server, Arc<AtomicI64>) {
    let hands = Arc::new(AtomicI64::new(0));
    let read = Arc::clone(&hands);
    let clock: Clock = Arc::new(move || {
        Timestamp::from_millis(START.as_millis() + 1_000 * read.load(Ordering::Relaxed))
    });
    let demand = Demand::new(START + Duration::from_hours(1), 1);
    (
        Server::start(Fleet::new(demand, 4, START), clock)
            .await
            .unwrap(),
        hands,
    )
}

async fn get(server: &Server, path: &str) -> (StatusCode, String) {
    let url = format!("http://{}{path}", server.address());
    let client = http_client(Duration::from_secs(5)).unwrap();
    let answer = client.get(url).send().await.unwrap();
    (answer.status(), answer.text().await.unwrap())
}

async fn put(server: &Server, service: &str, body: &str) -> (StatusCode, Value) {
    let url = format!(
        "http://{}/api/services/{service}/replicas",
        server.address()
    );
    let client = http_client(Duration::from_secs(5)).unwrap();
    let answer = client.put(url).body(body.to_owned()).send().await.unwrap();
    (answer.status(), answer.json().await.unwrap())
}

fn parse(text: &str) -> Scrape {
    Scrape::parse(text.lines().map(|line| Ok(line.to_owned()))).unwrap()
}

#[tokio::test]
async fn every_instance_tells_what_it_served() {
    let (server, hands) = fleet().await;
    hands.store(60, Ordering::Relaxed);
    let (status, text) = get(&server, "/instances/checkout-2/metrics").await;
    assert_eq!(status, StatusCode::OK);
    let scrape = parse(&text);
    let find = |name: &str| {
        scrape
            .samples
            .iter()
            .find(|sample| sample.metric == name)
            .unwrap()
    };
    let Metric::Counter(requests) = find("http_requests_total").value else {
        panic!("{text}");
    };
    assert!((1_500.0..3_000.0).contains(&requests), "{requests}");
    let Metric::Histogram(buckets) = &find("http_request_duration_seconds").value else {
        panic!("{text}");
    };
    assert!(
        buckets
            .iter()
            .any(|bucket| (bucket.less_than - 0.5).abs() < 1e-9)
    );
    assert!((buckets.last().unwrap().count - requests).abs() < 1.5);
    for name in [
        "process_resident_memory_bytes",
        "process_start_time_seconds",
    ] {
        assert!(
            matches!(find(name).value, Metric::Gauge(value) if value > 0.0),
            "{name}"
        );
    }
    assert_eq!(
        get(&server, "/instances/checkout-9/metrics").await.0,
        StatusCode::NOT_FOUND
    );
}

#[tokio::test]
async fn discovery_lists_an_instance_while_it_still_starts() {
    let (server, _) = fleet().await;
    assert_eq!(
        put(&server, "checkout", r#"{"replicas": 5}"#).await.0,
        StatusCode::OK
    );
    let (_, text) = get(&server, "/sd").await;
    let targets: Vec<Value> = serde_json::from_str(&text).unwrap();
    assert_eq!(targets.len(), 9);
    let expect = json!({
        "targets": [server.address().to_string()],
        "labels": {
            "__metrics_path__": "/instances/checkout-5/metrics",
            "instance": "checkout-5", "job": "fleet", "service": "checkout"
        }
    });
    assert!(targets.contains(&expect), "{text}");
}

#[tokio::test]
async fn replicas_are_ensured_and_ready_after_their_start() {
    let (server, hands) = fleet().await;
    for _ in 0..2 {
        let answer = put(&server, "checkout", r#"{"replicas": 6}"#).await;
        assert_eq!(answer, (StatusCode::OK, json!({"replicas": 6, "ready": 4})));
    }
    assert_eq!(server.fleet().changes().len(), 1);
    hands.store(25, Ordering::Relaxed);
    let (_, text) = get(&server, "/api/services/checkout/replicas").await;
    assert_eq!(text, r#"{"replicas":6,"ready":6}"#);
    let (_, text) = get(&server, "/metrics").await;
    let ready = parse(&text).samples.into_iter().find(|sample| {
        sample.metric == "service_ready_replicas"
            && sample.labels.get("service") == Some("checkout")
    });
    assert_eq!(
        ready.map(|sample| sample.value),
        Some(Metric::Gauge(6.0)),
        "{text}"
    );
}

#[tokio::test]
async fn a_bad_request_is_refused_with_a_sentence() {
    let (server, _) = fleet().await;
    let bad = [
        ("checkout", "", 400, "expected {\"replicas\": NUMBER}"),
        ("checkout", r#"{"replicas": -1}"#, 400, "invalid value"),
        ("checkout", r#"{"replicas": "six"}"#, 400, "invalid type"),
        (
            "checkout",
            r#"{"replicas": 6, "now": true}"#,
            400,
            "unknown field",
        ),
        (
            "checkout",
            r#"{"replicas": 0}"#,
            422,
            "replicas must be 1 to 50, got 0",
        ),
        ("checkout", r#"{"replicas": 1e99}"#, 400, "invalid"),
        (
            "checkout",
            r#"{"replicas": 51}"#,
            422,
            "replicas must be 1 to 50, got 51",
        ),
        (
            "nobody",
            r#"{"replicas": 5}"#,
            404,
            "there is no service `nobody`",
        ),
    ];
    for (service, body, status, words) in bad {
        let (got, answer) = put(&server, service, body).await;
        let sentence = answer["error"].as_str().unwrap();
        assert!(
            got.as_u16() == status && sentence.contains(words),
            "{body}: {got} {sentence}"
        );
    }
    assert!(server.fleet().changes().is_empty());
}
