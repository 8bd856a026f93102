//! The client against the real Prometheus.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use prometheus_api::{Client, Limits, Reason};
use series::{Step, Timestamp};
use std::{
    process::{Child, Command, Stdio},
    time::{Duration, Instant, SystemTime},
};

/// A Prometheus of the test's own, which scrapes nothing but itself; killed when dropped.
struct Prometheus {
    child: Child,
    client: Client,
    _data: tempfile::TempDir,
}

const CONFIG: &str = "
global: {scrape_interval: 1s}
scrape_configs:
- job_name: self
  static_configs: [{targets: ['ADDRESS']}]
";

impl Prometheus {
    fn start() -> Self {
        let _ = rustls::crypto::ring::default_provider().install_default();
        let data = tempfile::tempdir().unwrap();
        let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let address = port.local_addr().unwrap().to_string();
        drop(port);
        let config = data.path().join("prometheus.yml");
        std::fs::write(&config, CONFIG.replace("ADDRESS", &address)).unwrap();
        let child = Command::new("prometheus")
            .arg(format!("--config.file={}", config.display()))
            .arg(format!("--storage.tsdb.path={}", data.path().display()))
            .arg(format!("--web.listen-address={address}"))
            .stderr(Stdio::null())
            .spawn()
            .expect("prometheus is not installed: run scripts/setup");
        let base = format!("http://{address}").parse().unwrap();
        Self {
            child,
            client: Client::new(base, reqwest::Client::new(), Limits::default()),
            _data: data,
        }
    }

    /// Waits until it has scraped itself twice, and returns the time then.
    async fn scraped(&self) -> Timestamp {
        let begun = Instant::now();
        while begun.elapsed() < Duration::from_mins(1) {
            tokio::time::sleep(Duration::from_millis(100)).await;
            if self.client.ready().await.is_err() {
                continue;
            }
            let now = clock();
            let scrapes = self
                .client
                .instant("count_over_time(up[1m]) > 1", now)
                .await;
            if !scrapes.unwrap().value.is_empty() {
                return now;
            }
        }
        panic!("prometheus did not scrape itself within a minute");
    }
}

#[expect(
    clippy::disallowed_methods,
    reason = "the server under test lives in the real time"
)]
fn clock() -> Timestamp {
    let since_epoch = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH);
    Timestamp::default() + since_epoch.expect("the clock is set")
}

impl Drop for Prometheus {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

#[tokio::test]
async fn the_real_prometheus_is_understood() {
    let prometheus = Prometheus::start();
    let now = prometheus.scraped().await;
    let client = &prometheus.client;

    let up = client.instant("up", now).await.unwrap();
    assert_eq!(up.value[0].0.get("job"), "self");
    assert_eq!(up.value[0].1.at, now);
    assert!(up.warnings.is_empty(), "{:?}", up.warnings);

    let scalar = client.instant("-1 / 0", now).await.unwrap();
    assert!(scalar.value[0].0.is_empty());
    assert!(scalar.value[0].1.value < f64::MIN);

    let step = Step::new(Duration::from_secs(1)).unwrap();
    let start = now - Duration::from_mins(500);
    let series = client
        .range("vector(time())", start, now, step)
        .await
        .unwrap();
    assert_eq!(series.value[0].samples.len(), 30_001);
    let last = series.value[0].samples.last().unwrap();
    assert_eq!((last.at, last.value), (now, now.as_seconds_f64()));

    let jobs = client.label_values("job").await.unwrap();
    assert_eq!(jobs.value, ["self"]);

    let error = client.instant("sum(", now).await.unwrap_err();
    assert_eq!(error.reason(), Reason::Rejected);
    assert!(error.to_string().contains("parse error"), "{error}");
}
