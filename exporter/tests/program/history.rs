//! History from wherever it is kept: InfluxDB and Prometheus by remote read.

use crate::world::{Foreshadow, TWO_DAYS, past, prometheus_with};
use remote_read::client::{HttpTransport, Writer, WriterOptions};
use series::{Labels, Sample, Series, Timestamp};
use std::{fs, path::Path, process::Command, time::Duration};
use testbed::{InfluxDb, Prometheus, http_client};

const PATIENCE: Duration = Duration::from_secs(20);

/// Minutes that the Prometheus itself holds: far too little for what is asked of it.
const YOUNG: i64 = 10;

/// A rule whose expression raw samples are enough for, and one that takes PromQL; history from this address.
fn configure(dir: &Path, prometheus: &Prometheus, read_url: &str) {
    let rule = |name: &str, expr: &str| {
        format!(
            "  - {{forecast: {name}, expr: '{expr}', history: 1d, horizons: [5m], quantiles: [0.5]}}\n"
        )
    };
    let rules = format!(
        "groups:\n- name: g\n  interval: 1s\n  rules:\n{}{}",
        rule("plain", "load / 2"),
        rule("rich", "sum(load)")
    );
    fs::write(dir.join("rules.yml"), rules).unwrap();
    let config = format!(
        "prometheus:\n  url: {}\n  history:\n    remote_read: {{url: '{read_url}', external_labels: {{cluster: eu}}}}\n\
         rule_files: [rules.yml]\n",
        prometheus.url()
    );
    fs::write(dir.join("foreshadow.yml"), config).unwrap();
}

/// A metric of the program, by its name and labels.
async fn metric(f: &Foreshadow, series: &str) -> f64 {
    let (_, metrics) = f.get("/metrics").await;
    let name = format!("foreshadow_{series} ");
    let line = metrics.lines().find_map(|line| line.strip_prefix(&name));
    line.map_or(0.0, |value| value.parse().unwrap())
}

/// How many samples were read for a rule.
async fn n_read(f: &Foreshadow, rule: &str) -> f64 {
    let series = format!(r#"rule_samples_read_total{{group="g",rule="{rule}"}}"#);
    metric(f, &series).await
}

/// Waits for the forecast of the rule whose history is elsewhere, and holds it against what is known.
async fn plain_is_foreseen(f: &Foreshadow) {
    let series =
        r#"plain:forecast{horizon="5m",instance="",job="",quantile="0.5",service="checkout"} "#;
    let foreseen = async |f: &Foreshadow| {
        let (_, text) = f.get("/predictions").await;
        let line = text.lines().find_map(|line| line.strip_prefix(series));
        line.map(|value| value.parse::<f64>().unwrap())
    };
    f.until("there is a forecast", async |f| foreseen(f).await.is_some())
        .await;
    let (value, (_, load)) = (foreseen(f).await.unwrap(), past(1).next().unwrap());
    assert!(
        (value - load / 2.0).abs() < 8.0,
        "{value} where the load is {load}"
    );
    let log = fs::read_to_string(f.process.log()).unwrap();
    assert!(log.contains("plain: history by remote read"), "{log}");
    assert!(log.contains("rich: history by the query API"), "{log}");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_prometheus_has_forgotten_is_read_from_influxdb() {
    let dir = tempfile::tempdir().unwrap();
    let influx = InfluxDb::start(&dir.path().join("influx")).await.unwrap();
    let prometheus = prometheus_with(&dir.path().join("prometheus"), YOUNG, &[]).await;
    let http = http_client(PATIENCE).unwrap();
    let transport = HttpTransport::new(http, influx.write_url(), "test/1");
    let writer = Writer::start(transport, &WriterOptions::default());
    // As the Prometheus would have written it.
    let labels = [
        ("__name__", "load"),
        ("cluster", "eu"),
        ("service", "checkout"),
    ];
    let samples = past(TWO_DAYS).map(|(at, value)| Sample {
        at: Timestamp::from_seconds(at),
        value,
    });
    let series = Series {
        labels: Labels::new(labels).unwrap(),
        samples: samples.collect(),
    };
    assert_eq!(writer.push(vec![series], PATIENCE).await, 0);
    assert_eq!(writer.shutdown(PATIENCE).await.sent, 2_880);

    configure(dir.path(), &prometheus, influx.read_url().as_str());
    let f = Foreshadow::start(dir.path(), &[]).await;
    plain_is_foreseen(&f).await;
    assert!(n_read(&f, "plain").await >= 1_430.0);
    assert!(
        n_read(&f, "rich").await < 100.0,
        "Prometheus itself has but ten minutes"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn history_is_read_from_prometheus_by_remote_read() {
    let dir = tempfile::tempdir().unwrap();
    let old = prometheus_with(&dir.path().join("old"), TWO_DAYS, &[]).await;
    let young = prometheus_with(&dir.path().join("young"), YOUNG, &[]).await;
    let read_url = old.url().join("api/v1/read").unwrap();
    configure(dir.path(), &young, read_url.as_str());
    let mut check = Command::new(env!("CARGO_BIN_EXE_foreshadow"));
    let check = check
        .current_dir(dir.path())
        .args(["check", "config", "foreshadow.yml"]);
    let said = String::from_utf8(check.output().unwrap().stdout).unwrap();
    assert!(
        said.contains(
            "\n  rich: history by the query API, since its expression has an aggregation\n"
        ),
        "{said}"
    );
    let f = Foreshadow::start(dir.path(), &[]).await;
    plain_is_foreseen(&f).await;
    assert!(n_read(&f, "plain").await >= 1_430.0);
    let raw = metric(&f, r#"history_samples_total{way="remote_read"}"#).await;
    assert!((1_430.0..=2_880.0).contains(&raw), "{raw}");
    let outcome = async |outcome| {
        let series = format!(r#"history_requests_total{{outcome="{outcome}",way="remote_read"}}"#);
        metric(&f, &series).await
    };
    assert!(outcome("answered").await > 0.5 && outcome("failed").await < 0.5);
}
