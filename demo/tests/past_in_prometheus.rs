//! The past, loaded into a real Prometheus and asked for by PromQL; the configuration, checked by its own tools.
#![expect(
    clippy::unwrap_used,
    reason = "the helpers of tests may panic as tests do"
)]

use demo::{
    config::{ALERTMANAGER, ALERTS, PROMETHEUS},
    demand::Demand,
    history,
};
use prometheus_api::Client;
use series::{Step, Timestamp};
use std::{fs::File, io::BufWriter, path::Path, process::Command, time::Duration};
use testbed::{Prometheus, create_blocks, find_binary};

/// The clock of the test: Prometheus takes no block from its future.
#[expect(
    clippy::disallowed_methods,
    reason = "the real Prometheus has the real clock"
)]
fn now() -> Timestamp {
    let since_epoch = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
    (Timestamp::default() + since_epoch.unwrap()).align_down(Duration::from_secs(1))
}

async fn extreme(client: &Client, which: &str, expr: &str, around: Timestamp) -> f64 {
    let step = Step::new(Duration::from_mins(1)).unwrap();
    let end = around + Duration::from_mins(20);
    let answer = client.range(expr, around, end, step).await.unwrap();
    let values = answer
        .value
        .iter()
        .flat_map(|series| &series.samples)
        .map(|sample| sample.value);
    values
        .reduce(if which == "max" { f64::max } else { f64::min })
        .unwrap()
}

#[tokio::test]
async fn yesterdays_opening_is_there_and_was_fine() {
    let dir = tempfile::tempdir().unwrap();
    let end = now();
    let opening = end + Duration::from_secs(80);
    let (_, past) = history::simulate(Demand::new(opening, 1), end);
    let file = dir.path().join("history.om");
    past.write(&mut BufWriter::new(File::create(&file).unwrap()))
        .unwrap();
    create_blocks(&file, &Prometheus::data_dir(dir.path()))
        .await
        .unwrap();
    let prometheus = Prometheus::start(dir.path(), "global: {}\n", &[])
        .await
        .unwrap();
    let client = prometheus.api().unwrap();

    let yesterday = opening - Duration::from_hours(24) + Duration::from_mins(3);
    let load = r#"sum by (service) (rate(http_requests_total{service="checkout"}[2m]))"#;
    let load = extreme(&client, "max", load, yesterday).await;
    assert!((340.0..372.0).contains(&load), "{load}");
    let p99 = "histogram_quantile(0.99, sum by (service, le) \
               (rate(http_request_duration_seconds_bucket[2m])))";
    let p99 = extreme(&client, "max", p99, yesterday).await;
    assert!((0.25..0.5).contains(&p99), "{p99}");
    let start = end - Duration::from_hours(21 * 24) + Duration::from_mins(5);
    let oldest = extreme(&client, "min", "service_ready_replicas", start).await;
    let newest = extreme(&client, "max", "service_ready_replicas", yesterday).await;
    assert_eq!(
        (oldest.to_bits(), newest.to_bits()),
        (5_f64.to_bits(), 4_f64.to_bits())
    );
}

fn write(dir: &Path, name: &str, text: &str) {
    std::fs::write(dir.join(name), text).unwrap();
}

#[track_caller]
fn passes(program: &str, dir: &Path, args: &[&str]) {
    let output = Command::new(find_binary(program).unwrap())
        .args(args)
        .current_dir(dir)
        .output();
    let output = output.unwrap();
    let words = [output.stdout, output.stderr].concat();
    assert!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&words)
    );
}

#[test]
fn prometheus_own_tools_find_no_fault_with_the_configuration() {
    let dir = tempfile::tempdir().unwrap();
    write(dir.path(), "prometheus.yml", PROMETHEUS);
    write(dir.path(), "alerts.yml", ALERTS);
    write(dir.path(), "alertmanager.yml", ALERTMANAGER);
    passes(
        "promtool",
        dir.path(),
        &["check", "config", "prometheus.yml"],
    );
    passes("amtool", dir.path(), &["check-config", "alertmanager.yml"]);
}

#[test]
fn the_alert_stands_on_the_median_and_the_ready_replicas() {
    let dir = tempfile::tempdir().unwrap();
    write(dir.path(), "alerts.yml", ALERTS);
    write(dir.path(), "alerts_test.yml", RULE_TEST);
    passes(
        "promtool",
        dir.path(),
        &["test", "rules", "alerts_test.yml"],
    );
}

/// 361 requests a second are foreseen: too many for four replicas, fine for five.
const RULE_TEST: &str = r#"
rule_files: [alerts.yml]
evaluation_interval: 5s
tests:
- interval: 5s
  input_series:
  - series: 'service:http_requests:rate2m:forecast{service="checkout",horizon="5m",quantile="0.5"}'
    values: 361x40
  - series: 'service:http_requests:rate2m:forecast{service="checkout",horizon="3m",quantile="0.5"}'
    values: 300x40
  - series: 'service:http_requests:rate2m:forecast{service="other",horizon="5m",quantile="0.95"}'
    values: 900x40
  - series: 'service_ready_replicas{service="checkout",instance="controller",job="controller"}'
    values: 4x10 5x29
  - series: 'service_ready_replicas{service="other",instance="controller",job="controller"}'
    values: 4x40
  alert_rule_test:
  - eval_time: 5s
    alertname: CheckoutOverloadPredicted
    exp_alerts: []
  - eval_time: 30s
    alertname: CheckoutOverloadPredicted
    exp_alerts:
    - exp_labels: {service: checkout, severity: warning}
      exp_annotations:
        summary: checkout will be overloaded within five minutes
        description: >-
          The median forecast is 361 requests a second, more than nine tenths of what the ready
          replicas of checkout serve.
        runbook_url: https://runbooks.example.org/checkout-overload-predicted
  - eval_time: 90s
    alertname: CheckoutOverloadPredicted
    exp_alerts: []
"#;
