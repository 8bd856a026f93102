//! The real programs start, hold what is loaded into them, and speak to each other.
#![expect(
    clippy::unwrap_used,
    reason = "the helpers of tests may panic as tests do"
)]

use serde_json::Value;
use series::Timestamp;
use std::time::Duration;
use testbed::{Alertmanager, Prometheus, create_blocks, http_client};
use tokio::time::{Instant, sleep};

const PATIENCE: Duration = Duration::from_secs(30);

/// Two samples of one series, ten days ago.
fn ten_days_ago() -> (i64, String) {
    let now = std::time::UNIX_EPOCH.elapsed().unwrap().as_secs();
    let at = i64::try_from(now).unwrap() - 10 * 86_400;
    let text = format!(
        "# TYPE shop_load gauge\nshop_load{{service=\"checkout\"}} 41 {}\n\
         shop_load{{service=\"checkout\"}} 42 {at}\n# EOF\n",
        at - 60
    );
    (at, text)
}

async fn get(url: String) -> Value {
    let client = http_client(PATIENCE).unwrap();
    let answer = client.get(&url).send().await.unwrap();
    answer.error_for_status().unwrap().json().await.unwrap()
}

#[tokio::test]
async fn loaded_blocks_are_there_after_the_start() {
    let dir = tempfile::tempdir().unwrap();
    let (at, text) = ten_days_ago();
    let file = dir.path().join("history.om");
    std::fs::write(&file, text).unwrap();
    create_blocks(&file, &Prometheus::data_dir(dir.path()))
        .await
        .unwrap();
    let mut prometheus = Prometheus::start(dir.path(), "global: {}\n", &[])
        .await
        .unwrap();
    let at = Timestamp::from_seconds(at);
    let answer = prometheus.api().unwrap().instant("shop_load", at).await;
    let answer = answer.unwrap().value;
    assert!(matches!(&answer[..], [(_, sample)] if (sample.value - 42.0).abs() < 1e-9));
    prometheus.process.terminate(PATIENCE).await.unwrap();
    assert!(prometheus.process.log_tail().contains("See you next time!"));
}

#[tokio::test]
async fn an_alert_of_prometheus_arrives_at_alertmanager() {
    let dir = tempfile::tempdir().unwrap();
    let config = "route: {receiver: nobody}\nreceivers: [{name: nobody}]\n";
    let alertmanager = Alertmanager::start(&dir.path().join("alertmanager"), config)
        .await
        .unwrap();
    let home = dir.path().join("prometheus");
    std::fs::create_dir(&home).unwrap();
    let rule = "groups: [{name: a, rules: [{alert: Always, expr: vector(1)}]}]\n";
    std::fs::write(home.join("alerts.yml"), rule).unwrap();
    let peer = alertmanager.url().authority();
    let config = format!(
        "global: {{evaluation_interval: 1s}}\nrule_files: [alerts.yml]\n\
         alerting: {{alertmanagers: [{{static_configs: [{{targets: ['{peer}']}}]}}]}}\n"
    );
    let prometheus = Prometheus::start(&home, &config, &[]).await.unwrap();
    let deadline = Instant::now() + PATIENCE;
    loop {
        let alerts = get(format!("{}api/v2/alerts", alertmanager.url())).await;
        if alerts[0]["labels"]["alertname"] == "Always" {
            break;
        }
        assert!(
            Instant::now() < deadline,
            "{}",
            prometheus.process.log_tail()
        );
        sleep(Duration::from_millis(200)).await;
    }
}

#[tokio::test]
async fn a_wrong_configuration_fails_with_prometheus_own_words() {
    let dir = tempfile::tempdir().unwrap();
    let error = Prometheus::start(dir.path(), "globule: {}\n", &[])
        .await
        .unwrap_err();
    assert!(error.to_string().contains("globule"), "{error:#}");
}
