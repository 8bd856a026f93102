//! Predictions pushed by remote write: to Prometheus, to VictoriaMetrics, to who refuses them, and to nobody.

use crate::world::{Foreshadow, TWO_DAYS, now, past, prometheus_with, prometheus_with_past};
use axum::{Router, body::Bytes, http::StatusCode, routing::post};
use remote_read::{
    Limits,
    write::{Protocol, decode},
};
use series::{Labels, Sample, Timestamp};
use std::{fmt::Write as _, fs, path::Path, time::Duration};
use testbed::{VictoriaMetrics, http_client};
use tokio::{net::TcpListener, time::sleep};

const RULE: &str =
    "forecast: load, expr: load, history: 1d, horizons: [5m, 10m], quantiles: [0.1, 0.5, 0.9]";

/// Writes `foreshadow.yml` and `rules.yml` with these rules, and entries of `remote_write`, one a line.
fn configure(dir: &Path, prometheus: &str, rules: &[&str], entries: &[&str]) {
    let listed = |mark: &str, items: &[&str]| {
        let lines = items.iter().map(|item| format!("{mark} {{{item}}}"));
        lines.collect::<Vec<_>>().join("\n")
    };
    let (rules, entries) = (listed("  -", rules), listed("-", entries));
    fs::write(
        dir.join("rules.yml"),
        format!("groups:\n- name: g\n  interval: 1s\n  rules:\n{rules}"),
    )
    .unwrap();
    let config = format!(
        "prometheus: {{url: {prometheus}}}\nrule_files: [rules.yml]\nremote_write:\n{entries}"
    );
    fs::write(dir.join("foreshadow.yml"), config).unwrap();
}

/// The sum over the lines of a metric that have this text.
async fn sum(f: &Foreshadow, metric: &str, text: &str) -> f64 {
    let (_, metrics) = f.get("/metrics").await;
    let name = format!("foreshadow_{metric}{{");
    let lines = metrics
        .lines()
        .filter(|line| line.starts_with(&name) && line.contains(text));
    let values = lines.map(|line| line.rsplit(' ').next().unwrap().parse::<f64>().unwrap());
    values.sum()
}

async fn at(api: &prometheus_api::Client, expr: &str, at: Timestamp) -> Vec<(Labels, Sample)> {
    api.instant(expr, at).await.unwrap().value
}

#[tokio::test(flavor = "multi_thread")]
async fn gauges_are_pushed_to_prometheus_until_their_rule_is_gone() {
    let dir = tempfile::tempdir().unwrap();
    let receiving = ["--web.enable-remote-write-receiver"];
    let prometheus = prometheus_with(&dir.path().join("prometheus"), TWO_DAYS, &receiving).await;
    let url = prometheus.url();
    let entry = format!(
        "name: one, url: '{url}api/v1/write', protobuf_message: io.prometheus.write.v2.Request, \
         queue_config: {{batch_send_deadline: 100ms}}"
    );
    configure(
        dir.path(),
        url.as_str(),
        &[RULE, "record: seen, expr: load"],
        &[&entry],
    );
    let f = Foreshadow::start(dir.path(), &[]).await;
    let api = prometheus.api().unwrap();
    let forecast = r#"load:forecast{service="checkout",horizon="5m",quantile="0.5"}"#;
    f.until("the forecast is there", async |_| {
        at(&api, forecast, now()).await.len() == 1
    })
    .await;
    // With the time of its evaluation, which is one of a slot a second.
    let times = format!("timestamp({forecast})");
    let seconds = at(&api, &times, now()).await[0].1.value;
    assert!((now().as_seconds_f64() - seconds).abs() < 30.0, "{seconds}");
    let n_failed = sum(&f, "remote_write_samples_failed_total", "").await;
    assert!(n_failed.abs() < 0.5, "{n_failed}");

    // The entry is as it was, and so are its queues and counts.
    let before = sum(&f, "remote_write_samples_total", "one").await;
    configure(
        dir.path(),
        url.as_str(),
        &["record: seen, expr: load"],
        &[&entry],
    );
    assert_eq!(f.post("/-/reload", "").await.0, 200);
    assert!(before > 0.0 && sum(&f, "remote_write_samples_total", "one").await >= before);
    f.until("the forecast has ended", async |_| {
        at(&api, forecast, now()).await.is_empty()
    })
    .await;
    assert_eq!(at(&api, "seen", now()).await.len(), 1);
}

/// A VictoriaMetrics that holds two days of a service's load.
async fn victoria_metrics_with_past(dir: &Path) -> VictoriaMetrics {
    let vm = VictoriaMetrics::start(dir, &[]).await.unwrap();
    let mut text = String::new();
    for (at, load) in past(TWO_DAYS) {
        writeln!(text, "load{{service=\"checkout\"}} {load} {at}000").unwrap();
    }
    let import = vm.url().join("api/v1/import/prometheus").unwrap();
    let http = http_client(Duration::from_secs(20)).unwrap();
    let answer = http.post(import).body(text).send().await.unwrap();
    answer.error_for_status().unwrap();
    vm.flush().await.unwrap();
    vm
}

/// The one value that the program itself answers with.
async fn here(f: &Foreshadow, expr: &str, at: Timestamp) -> f64 {
    let at = at.as_seconds_f64().to_string();
    let query = [("query", expr), ("time", &at)];
    let request = f.request(reqwest::Method::POST, "/api/v1/query");
    let answer = request.form(&query).send().await.unwrap();
    let answer: serde_json::Value = answer.json().await.unwrap();
    let value = answer["data"]["result"][0]["value"][1].as_str().unwrap();
    value.parse().unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn victoriametrics_is_read_from_and_given_the_future() {
    let dir = tempfile::tempdir().unwrap();
    let vm = victoria_metrics_with_past(&dir.path().join("vm")).await;
    let url = vm.url();
    let entry = format!(
        "url: '{url}api/v1/write', curves: issued, queue_config: {{batch_send_deadline: 100ms}}"
    );
    configure(dir.path(), url.as_str(), &[RULE], &[&entry]);
    let f = Foreshadow::start(dir.path(), &[]).await;
    let api = vm.api().unwrap();
    let curve = r#"load:forecast_curve{quantile="0.5",origin!=""}"#;
    let ahead = now() + Duration::from_mins(4);
    f.until("the curve is there", async |_| {
        vm.flush().await.unwrap();
        !at(&api, curve, ahead).await.is_empty()
    })
    .await;
    let (labels, there) = at(&api, curve, ahead).await.remove(0);
    assert_eq!(labels.get("service"), "checkout");
    assert_eq!(labels.get("source"), "foreshadow");
    let origin = labels.get("origin");
    let own = format!("load:forecast_curve{{quantile=\"0.5\",origin=\"{origin}\"}}");
    // The last forecast is ten minutes from the origin at the latest and the marker a minute later. Without that, it
    // would still be looked back to here.
    let issued: jiff::Timestamp = origin.parse().unwrap();
    let after = Timestamp::from_seconds(issued.as_second()) + Duration::from_mins(12);
    assert!(at(&api, &own, after).await.is_empty(), "the curve ends");
    let value = here(&f, &own, ahead).await;
    let distance = (there.value - value).abs();
    assert!(distance < 1e-9, "{there:?} there, {value} here");
    let gauge = r#"load:forecast{horizon="5m",quantile="0.5"}"#;
    f.until("the gauge is there", async |_| {
        !at(&api, gauge, now()).await.is_empty()
    })
    .await;
}

/// A receiver that takes nothing from more than ten minutes ahead, like Prometheus 3 and Mimir.
async fn one_of_the_present() -> String {
    let receive = async |body: Bytes| {
        let series = decode(Protocol::V1, &body, &Limits::default()).unwrap();
        let limit = now() + Duration::from_mins(10);
        let mut samples = series.iter().flat_map(|series| &series.samples);
        if samples.any(|sample| sample.at > limit) {
            return (StatusCode::BAD_REQUEST, "too far in the future\n");
        }
        (StatusCode::NO_CONTENT, "")
    };
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/", listener.local_addr().unwrap());
    let router = Router::new().route("/", post(receive));
    tokio::spawn(async move { axum::serve(listener, router).await });
    url
}

#[tokio::test(flavor = "multi_thread")]
async fn who_refuses_the_future_gets_the_present_and_is_quoted_once() {
    let dir = tempfile::tempdir().unwrap();
    let prometheus = prometheus_with_past(&dir.path().join("prometheus")).await;
    let url = one_of_the_present().await;
    let entry = format!(
        "name: one, url: '{url}', curves: issued, queue_config: {{batch_send_deadline: 50ms, max_samples_per_send: 20, max_shards: 1}}"
    );
    // Curves of an hour: most of their batches lie too far ahead.
    let rule = RULE.replace("[5m, 10m]", "[5m, 1h]");
    configure(dir.path(), prometheus.url().as_str(), &[&rule], &[&entry]);
    let f = Foreshadow::start(dir.path(), &[]).await;
    let curves = r#"kind="curves",reason="rejected""#;
    f.until("curves are refused", async |f| {
        sum(f, "remote_write_samples_failed_total", curves).await > 40.0
    })
    .await;
    f.until("gauges arrive", async |f| {
        sum(f, "remote_write_samples_total", r#"kind="gauges""#).await > 0.0
    })
    .await;
    let gauges = sum(&f, "remote_write_samples_failed_total", r#"kind="gauges""#).await;
    assert!(gauges.abs() < 0.5, "{gauges}");
    let log = fs::read_to_string(f.process.log()).unwrap();
    let lines: Vec<_> = log
        .lines()
        .filter(|line| line.contains("too far in the future"))
        .collect();
    let [line] = lines[..] else {
        panic!("one line was expected in {log}");
    };
    assert!(line.contains("name=one kind=curves"), "{line}");
}

/// An address that takes connections and never answers.
async fn one_who_is_silent() -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/", listener.local_addr().unwrap());
    tokio::spawn(async move {
        let mut held = Vec::new();
        while let Ok((connection, _)) = listener.accept().await {
            held.push(connection);
        }
    });
    url
}

#[tokio::test(flavor = "multi_thread")]
async fn dead_receivers_delay_nothing() {
    let dir = tempfile::tempdir().unwrap();
    let prometheus = prometheus_with_past(&dir.path().join("prometheus")).await;
    let silent = one_who_is_silent().await;
    let queue = "queue_config: {capacity: 6, max_samples_per_send: 6, max_shards: 1}";
    let entries = [
        format!("name: silent, url: '{silent}', {queue}"),
        format!("name: absent, url: 'http://127.0.0.1:9/', {queue}"),
    ];
    configure(
        dir.path(),
        prometheus.url().as_str(),
        &[RULE],
        &entries.each_ref().map(String::as_str),
    );
    let f = Foreshadow::start(dir.path(), &[]).await;
    for name in ["silent", "absent"] {
        let text = format!(r#"reason="queue_full",remote_name="{name}""#);
        f.until("what finds no room is dropped", async |f| {
            sum(f, "remote_write_samples_dropped_total", &text).await > 5.0
        })
        .await;
    }
    let before = sum(&f, "rule_evaluations_total", "").await;
    sleep(Duration::from_secs(2)).await;
    let after = sum(&f, "rule_evaluations_total", "").await;
    assert!(after >= before + 2.0, "{before} {after}");
    let seconds = sum(&f, "rule_last_duration_seconds", "").await;
    assert!(seconds < 0.5, "{seconds}");
    let pending = sum(&f, "remote_write_samples_pending", "").await;
    assert!((1.0..=60.0).contains(&pending), "{pending}");
}
