//! The query API over predicted series, asked as Grafana's Prometheus data source asks.

use crate::world::{Foreshadow, configure, now, prometheus_with_past};
use serde_json::Value;

async fn ask(f: &Foreshadow, path: &str) -> (u16, Value) {
    let (status, body) = f.get(&format!("/api/v1/{path}")).await;
    (status, serde_json::from_str(&body).unwrap())
}

fn n_series(answer: &Value) -> usize {
    let found = answer["data"]["result"]
        .as_array()
        .or(answer["data"].as_array());
    found.unwrap_or_else(|| panic!("{answer}")).len()
}

#[tokio::test(flavor = "multi_thread")]
async fn curves_and_gauges_are_drawn_without_remote_read() {
    let dir = tempfile::tempdir().unwrap();
    let prometheus = prometheus_with_past(&dir.path().join("prometheus")).await;
    configure(
        dir.path(),
        prometheus.url().as_str(),
        "http://127.0.0.1:9/replicas",
    );
    let f = Foreshadow::start(dir.path(), &[]).await;
    f.until("there is a forecast", async |f| {
        f.get("/predictions").await.1.contains("load:forecast{")
    })
    .await;

    let start = now().as_millis() / 1_000;
    let curve = r#"load:forecast_curve{quantile="0.5"}"#;
    let path = format!(
        "query_range?query={curve}&start={start}&end={}&step=60",
        start + 600
    );
    let (status, drawn) = ask(&f, &path).await;
    let result = &drawn["data"]["result"];
    assert_eq!(
        (status, result.as_array().map(Vec::len)),
        (200, Some(1)),
        "{drawn}"
    );
    assert_eq!(result[0]["metric"]["source"], "foreshadow");
    let values = result[0]["values"].as_array().unwrap();
    assert!(values.len() >= 9, "{drawn}");
    let value: f64 = values[5][1].as_str().unwrap().parse().unwrap();
    assert!((100.0..300.0).contains(&value), "{drawn}");

    // Asked as a form, as Grafana does by default.
    let form = [("query", r#"load:forecast_curve{quantile="0.9"} offset -5m"#)];
    let post = f
        .request(reqwest::Method::POST, "/api/v1/query")
        .form(&form);
    let ahead: Value = post.send().await.unwrap().json().await.unwrap();
    assert_eq!(ahead["data"]["resultType"], "vector", "{ahead}");
    assert_eq!(n_series(&ahead), 1, "{ahead}");

    // With the present as a client knows it, a moment before the server does, and without.
    let present = format!("&time={}", now().as_seconds_f64());
    let (_, at_present) = ask(&f, &format!("query?query=load:forecast{present}")).await;
    assert_eq!(n_series(&at_present), 6, "{at_present}");
    let (_, curve_at_present) = ask(&f, &format!("query?query=load:forecast_curve{present}")).await;
    assert_eq!(n_series(&curve_at_present), 3, "{curve_at_present}");
    let (_, gauge) = ask(&f, r#"query?query=load:forecast{horizon="5m"}"#).await;
    assert_eq!(n_series(&gauge), 3, "{gauge}");
    let (_, names) = ask(&f, "label/__name__/values").await;
    let has = |name: &str| names["data"].as_array().unwrap().contains(&name.into());
    assert!(
        has("load:forecast") && has("load:forecast_curve"),
        "{names}"
    );
    let (_, labels) = ask(&f, "labels?match[]=load:forecast_curve").await;
    assert_eq!(
        labels["data"],
        serde_json::json!(["__name__", "quantile", "service", "source"])
    );
    let (_, series) = ask(&f, "series?match[]=load:forecast_curve").await;
    assert_eq!(n_series(&series), 3, "{series}");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_cannot_be_answered_is_refused_with_a_sentence() {
    let dir = tempfile::tempdir().unwrap();
    configure(
        dir.path(),
        "http://127.0.0.1:9",
        "http://127.0.0.1:9/replicas",
    );
    let f = Foreshadow::start(dir.path(), &[]).await;
    let (status, health) = ask(&f, "query?query=1%2B1").await;
    assert_eq!((status, &health["data"]["result"][1]), (200, &"2".into()));
    for (path, expect, words) in [
        (
            "query?query=sum(load:forecast_curve)",
            422,
            "an aggregation is not answered here",
        ),
        ("query?query=load{", 400, "the query is not PromQL"),
        ("query", 400, "`query` is missing"),
        (
            "query?query=load&time=noon",
            400,
            "no time in seconds or RFC 3339",
        ),
        (
            "query_range?query=load&start=1&end=2",
            400,
            "`step` is missing",
        ),
        (
            "query_range?query=load&start=2&end=1&step=1",
            400,
            "must not be before",
        ),
        (
            "query_range?query=load&start=0&end=1e9&step=1",
            400,
            "limit is 11000",
        ),
        (
            "query_range?query=load[5m]&start=0&end=9&step=1",
            400,
            "instant vector",
        ),
        ("query?query={a=~\"(\"}", 400, "missing closing )"),
        ("query?query={a=~\"[a\"}", 400, "missing closing ]"),
        ("series", 400, "no match[]"),
    ] {
        let (status, refusal) = ask(&f, path).await;
        let sentence = refusal["error"].as_str().unwrap();
        assert_eq!(
            (status, sentence.contains(words)),
            (expect, true),
            "{path}: {sentence}"
        );
    }
}
