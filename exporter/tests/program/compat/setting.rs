//! One program with forecasts, and a server of each version that reads its curves.

use super::proxy::Proxy;
use crate::world::{Foreshadow, PATIENCE, now};
use serde_json::Value;
use std::{
    fmt::Write as _,
    fs,
    path::{Path, PathBuf},
    time::Duration,
};
use tempfile::TempDir;
use testbed::{Prometheus, Version, create_blocks, http_client};

/// Series of the large rule.
pub(super) const MANY: usize = 10_000;

/// How long rules may take to be evaluated.
pub(super) const RULES: Duration = Duration::from_secs(30);

/// All that runs.
pub(super) struct Setting {
    pub(super) foreshadow: Foreshadow,
    pub(super) servers: Vec<Server>,
    /// Where the program reads the past.
    _feeding: Server,
    _dir: TempDir,
}

/// A Prometheus that reads the curves through a wire of its own.
pub(super) struct Server {
    /// Whether it asks for chunks first, as 2.55 and later do for any query.
    pub(super) reads_streams: bool,
    prometheus: Prometheus,
    pub(super) proxy: Proxy,
    http: reqwest::Client,
}

/// A rule is served for two intervals, which must be longer than a busy machine makes one wait.
const RULE_FILE: &str = "groups:
- name: small
  interval: 15s
  rules:
  - {forecast: load, expr: 'last_over_time(load[2h])', history: 2h, horizons: [10m, 30m], quantiles: [0.1, 0.5, 0.9]}
- name: large
  interval: 15s
  rules:
  - {forecast: many, expr: 'last_over_time(many[2h])', history: 40m, horizons: [10m], quantiles: [0.5], model: seasonal_naive}
";

/// A recording and an alert on the curve, as people will write them although the gauges are better for it.
const ON_THE_CURVE: &str = r#"groups:
- name: curve
  interval: 1s
  rules:
  - record: load:in_10m
    expr: load:forecast_curve{source="foreshadow", quantile="0.5"} offset -10m
  - alert: LoadAhead
    expr: max_over_time(load:forecast_curve{source="foreshadow", quantile="0.9"}[10m] offset -10m) > 0
"#;

impl Setting {
    pub(super) async fn start(versions: &[Version]) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let past = past(dir.path()).await;
        let feeding = Server::start(&versions[0], dir.path(), &past, None).await;
        fs::write(dir.path().join("rules.yml"), RULE_FILE).unwrap();
        let url = feeding.prometheus.url();
        let config = format!(
            "prometheus: {{url: {url}}}\nrule_files: [rules.yml]\nstorage: {{path: data}}\n"
        );
        fs::write(dir.path().join("foreshadow.yml"), config).unwrap();
        let foreshadow = Foreshadow::start(dir.path(), &[]).await;
        foreshadow
            .until("all series are forecast", async |f| {
                is_served(f, "load", 1).await && is_served(f, "many", MANY).await
            })
            .await;
        let mut servers = Vec::new();
        for version in versions {
            servers.push(Server::start(version, dir.path(), &past, Some(&foreshadow)).await);
        }
        // Starting them takes a busy machine so long that an evaluation may have been missed.
        foreshadow
            .until("the curves are served still", async |f| {
                is_served(f, "load", 1).await
            })
            .await;
        Self {
            foreshadow,
            servers,
            _feeding: feeding,
            _dir: dir,
        }
    }

    /// The program stops working, but its connections stay.
    pub(super) async fn freeze(&self) {
        let pid = self.foreshadow.process.pid().unwrap().to_string();
        let mut stop = tokio::process::Command::new("kill");
        assert!(
            stop.args(["-s", "STOP", &pid])
                .status()
                .await
                .unwrap()
                .success()
        );
    }
}

/// Whether so many series of a rule are forecast, and not from too long ago.
async fn is_served(f: &Foreshadow, rule: &str, n_series: usize) -> bool {
    let (_, predictions) = f.get("/predictions").await;
    let gauge = format!("{rule}:forecast{{");
    let medians = predictions.lines().filter(|line| {
        line.starts_with(&gauge)
            && line.contains(r#"horizon="10m""#)
            && line.contains(r#"quantile="0.5""#)
    });
    medians.count() == n_series
}

impl Server {
    async fn start(version: &Version, dir: &Path, past: &Path, reads: Option<&Foreshadow>) -> Self {
        let role = if reads.is_some() { "reads" } else { "feeds" };
        let dir = dir.join(format!("{role}-{}", version.number));
        copy(past, &Prometheus::data_dir(&dir));
        let address = reads.map_or("127.0.0.1:9", |f| f.url.trim_start_matches("http://"));
        let proxy = Proxy::to(address).await;
        let mut config =
            "global: {evaluation_interval: 1s, external_labels: {cluster: test}}\n".to_owned();
        if reads.is_some() {
            fs::write(dir.join("curve.yml"), ON_THE_CURVE).unwrap();
            write!(
                config,
                "rule_files: [curve.yml]\nremote_read:\n- url: http://{}/api/v1/read\n  read_recent: true\n  \
                 filter_external_labels: false\n  required_matchers: {{source: foreshadow}}\n  remote_timeout: 30s\n",
                proxy.address
            )
            .unwrap();
        }
        let prometheus = Prometheus::start_as(&version.program, &dir, &config, &[])
            .await
            .unwrap();
        Self {
            reads_streams: version.is_at_least(2, 55),
            prometheus,
            proxy,
            http: http_client(PATIENCE).unwrap(),
        }
    }

    /// Asks the API, and takes nothing but a success.
    pub(super) async fn get(&self, path: &str, query: &[(&str, &str)]) -> Result<Value, String> {
        let url = format!("{}api/v1/{path}", self.prometheus.url());
        let answer = self
            .http
            .get(url)
            .query(query)
            .send()
            .await
            .map_err(|e| e.to_string())?;
        let status = answer.status().as_u16();
        let body: Value = answer.json().await.map_err(|e| e.to_string())?;
        if status == 200 {
            Ok(body)
        } else {
            Err(format!("status {status}: {body}"))
        }
    }
}

/// Three hours of one series and one hour of very many, up to now, as blocks in a folder.
async fn past(dir: &Path) -> PathBuf {
    let end = now().as_millis() / 60_000 * 60;
    let mut text = String::from("# TYPE load gauge\n");
    for at in (0..180).rev().map(|minute| end - minute * 60) {
        let load = 200 + at / 60 % 13;
        writeln!(text, "load{{service=\"checkout\"}} {load} {at}").unwrap();
    }
    text.push_str("# TYPE many gauge\n");
    for at in (0..60).rev().map(|minute| end - minute * 60) {
        for n in 0..MANY {
            writeln!(text, "many{{n=\"{n}\"}} {} {at}", n % 100).unwrap();
        }
    }
    text.push_str("# EOF\n");
    let (file, blocks) = (dir.join("past.om"), dir.join("past"));
    fs::write(&file, text).unwrap();
    create_blocks(&file, &blocks).await.unwrap();
    blocks
}

fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    for entry in fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        let to = to.join(entry.file_name());
        if entry.file_type().unwrap().is_dir() {
            copy(&entry.path(), &to);
        } else {
            fs::copy(entry.path(), to).unwrap();
        }
    }
}
