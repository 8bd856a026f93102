//! What the tests run the program in: a past in Prometheus, a fleet that counts what it is told.

use axum::{Json, Router, extract::State, http::StatusCode, routing::get};
use serde_json::{Value, json};
use series::Timestamp;
use std::{
    fmt::Write as _,
    fs,
    path::{Path, PathBuf},
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU32, Ordering::SeqCst},
    },
    time::Duration,
};
use testbed::{Process, Prometheus, create_blocks, free_port, http_client};
use tokio::time::{Instant, sleep};

/// How long anything that these tests wait for may take on a busy machine.
pub(crate) const PATIENCE: Duration = Duration::from_secs(90);

#[expect(
    clippy::disallowed_methods,
    reason = "the real Prometheus has the real clock"
)]
pub(crate) fn now() -> Timestamp {
    let since_epoch = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
    Timestamp::default() + since_epoch.unwrap()
}

/// A running `foreshadow serve` on a free port.
pub(crate) struct Foreshadow {
    pub(crate) process: Process,
    pub(crate) url: String,
    http: reqwest::Client,
}

impl Foreshadow {
    /// Starts on `dir/foreshadow.yml` and waits until it is ready.
    pub(crate) async fn start(dir: &Path, more: &[&str]) -> Self {
        Self::start_at(dir, &free_address(), more).await
    }

    /// The same at an address.
    pub(crate) async fn start_at(dir: &Path, address: &str, more: &[&str]) -> Self {
        let mut started = Self::spawn_at(dir, address, more);
        let ready = format!("{}/-/healthy", started.url);
        // A server that wants credentials is up when it says so.
        if more.contains(&"--web.config.file") {
            started
                .until("the server answers", async |f| {
                    f.get("/-/healthy").await.0 == 401
                })
                .await;
        } else {
            started
                .process
                .wait_until_up(&ready, PATIENCE)
                .await
                .unwrap();
        }
        started
    }

    /// Starts, and waits for nothing.
    pub(crate) fn spawn(dir: &Path, more: &[&str]) -> Self {
        Self::spawn_at(dir, &free_address(), more)
    }

    fn spawn_at(dir: &Path, address: &str, more: &[&str]) -> Self {
        let mut args = vec!["serve", "--config.file", "foreshadow.yml"];
        args.extend(["--web.listen-address", address]);
        args.extend(more);
        let program = Path::new(env!("CARGO_BIN_EXE_foreshadow"));
        let process = Process::spawn(dir, "foreshadow", program, args).unwrap();
        Self::of(process, address)
    }

    /// A process that serves at an address.
    pub(crate) fn of(process: Process, address: &str) -> Self {
        let http = http_client(Duration::from_secs(20)).unwrap();
        Self {
            process,
            url: format!("http://{address}"),
            http,
        }
    }

    pub(crate) async fn get(&self, path: &str) -> (u16, String) {
        answer(self.http.get(format!("{}{path}", self.url))).await
    }

    pub(crate) async fn post(&self, path: &str, body: impl Into<reqwest::Body>) -> (u16, String) {
        answer(self.http.post(format!("{}{path}", self.url)).body(body)).await
    }

    pub(crate) fn request(&self, method: reqwest::Method, path: &str) -> reqwest::RequestBuilder {
        self.http.request(method, format!("{}{path}", self.url))
    }

    /// One of the program's own metrics, by its name without labels.
    pub(crate) async fn metric(&self, name: &str) -> Option<f64> {
        let (_, text) = self.get("/metrics").await;
        let lines = text.lines().map(|line| Ok(line.to_owned()));
        let scrape = prometheus_parse::Scrape::parse(lines).unwrap();
        let sample = scrape
            .samples
            .into_iter()
            .find(|sample| sample.metric == name)?;
        match sample.value {
            prometheus_parse::Value::Counter(value)
            | prometheus_parse::Value::Gauge(value)
            | prometheus_parse::Value::Untyped(value) => Some(value),
            _ => None,
        }
    }

    pub(crate) async fn actions(&self) -> Vec<Value> {
        let (_, body) = self.get("/api/v1/actions").await;
        let answer: Value = serde_json::from_str(&body).unwrap();
        answer["data"].as_array().unwrap().clone()
    }

    /// Waits until something holds.
    pub(crate) async fn until(&self, what: &str, holds: impl AsyncFn(&Self) -> bool) {
        let deadline = Instant::now() + PATIENCE;
        while !holds(self).await {
            let late = Instant::now() > deadline;
            assert!(!late, "waited in vain: {what}\n{}", self.process.log_tail());
            sleep(Duration::from_millis(100)).await;
        }
    }
}

fn free_address() -> String {
    format!("127.0.0.1:{}", free_port().unwrap())
}

/// Sends a request; status 0 stands for no answer at all.
pub(crate) async fn answer(request: reqwest::RequestBuilder) -> (u16, String) {
    match request.send().await {
        Ok(response) => (
            response.status().as_u16(),
            response.text().await.unwrap_or_default(),
        ),
        Err(_) => (0, String::new()),
    }
}

/// A service's load, one sample a minute for so many up to now: times in seconds, oldest first, and values.
pub(crate) fn past(n_minutes: i64) -> impl Iterator<Item = (i64, f64)> {
    let end = now().as_millis() / 60_000 * 60;
    let times = (0..n_minutes).rev().map(move |minutes| end - minutes * 60);
    times.map(|at| {
        let phase = at as f64 / 86_400.0 * std::f64::consts::TAU;
        let ripple = (at / 60 % 7) as f64;
        (at, 200.0 + 80.0 * phase.sin() + ripple)
    })
}

/// Minutes of two days.
pub(crate) const TWO_DAYS: i64 = 2 * 24 * 60;

/// A Prometheus that holds two days of a service's load.
pub(crate) async fn prometheus_with_past(dir: &Path) -> Prometheus {
    prometheus_with(dir, TWO_DAYS, &[]).await
}

/// A Prometheus that holds a service's load of so many minutes, started with more flags.
pub(crate) async fn prometheus_with(dir: &Path, n_minutes: i64, flags: &[&str]) -> Prometheus {
    let mut text = String::from("# TYPE load gauge\n");
    for (at, load) in past(n_minutes) {
        writeln!(text, "load{{service=\"checkout\"}} {load} {at}").unwrap();
    }
    text.push_str("# EOF\n");
    fs::create_dir_all(dir).unwrap();
    let file = dir.join("past.om");
    fs::write(&file, text).unwrap();
    create_blocks(&file, &Prometheus::data_dir(dir))
        .await
        .unwrap();
    let config = "global: {scrape_interval: 15s, external_labels: {cluster: eu}}\n";
    Prometheus::start(dir, config, flags).await.unwrap()
}

/// Writes `foreshadow.yml` and `rules.yml` for one workload that is acted on at once.
pub(crate) fn configure(dir: &Path, prometheus: &str, fleet: &str) -> PathBuf {
    let rules = "groups:\n- name: load\n  interval: 1s\n  rules:\n  - forecast: load\n    expr: load\n    \
                 history: 1d\n    horizons: [5m, 10m]\n    quantiles: [0.1, 0.5, 0.9]\n    bounds: [0, null]\n";
    fs::write(dir.join("rules.yml"), rules).unwrap();
    let config = format!(
        "prometheus: {{url: {prometheus}}}\nrule_files: [rules.yml]\nstorage: {{path: data}}\n\
         actuators:\n  fleet:\n    http: {{url: '{fleet}', body: '{{\"replicas\": {{{{ replicas }}}}}}', timeout: 60s}}\n\
         workloads:\n- name: checkout\n  match: {{service: checkout}}\n  demand: load\n  \
         sizing: {{per_replica: 10, quantile: 0.9, min: 1, max: 100, step_up: 1000%}}\n  mode: auto\n  grace: 0s\n  \
         rollout: {{direct: {{wait: 1s}}}}\n  actuator: {{use: fleet}}\n"
    );
    let file = dir.join("foreshadow.yml");
    fs::write(&file, config).unwrap();
    file
}

/// A notification of one firing alert about the workload.
pub(crate) fn firing() -> String {
    json!({
        "version": "4", "groupKey": "{}:{}", "truncatedAlerts": 0, "status": "firing",
        "receiver": "foreshadow", "groupLabels": {}, "commonLabels": {}, "commonAnnotations": {},
        "externalURL": "http://alertmanager.example:9093",
        "alerts": [{
            "status": "firing", "fingerprint": "b565acbff94640dc",
            "labels": { "alertname": "OverloadPredicted", "service": "checkout" }, "annotations": {},
            "startsAt": "2026-01-01T00:00:00Z", "endsAt": "0001-01-01T00:00:00Z", "generatorURL": "",
        }],
    })
    .to_string()
}

/// A fleet that can be asked for its replicas and told to change them, and that may fall silent.
#[derive(Default)]
pub(crate) struct Fleet {
    pub(crate) replicas: AtomicU32,
    pub(crate) puts: AtomicU32,
    gets: AtomicU32,
    /// Requests to observe that are answered; further ones wait for ever.
    pub(crate) gets_answered: AtomicU32,
    /// Whether a change is answered once it was made.
    pub(crate) answers_puts: AtomicBool,
}

impl Fleet {
    /// Serves on loopback; answers the first `gets_answered` requests to observe.
    pub(crate) async fn start(gets_answered: u32, answers_puts: bool) -> (Arc<Self>, String) {
        let fleet = Arc::new(Self::default());
        fleet.replicas.store(4, SeqCst);
        fleet.gets_answered.store(gets_answered, SeqCst);
        fleet.answers_puts.store(answers_puts, SeqCst);
        let router = Router::new().route("/replicas", get(observe).put(ensure));
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}/replicas", listener.local_addr().unwrap());
        let service = router.with_state(fleet.clone());
        tokio::spawn(async move { axum::serve(listener, service).await });
        (fleet, url)
    }

    /// From now on everything is answered.
    pub(crate) fn recover(&self) {
        self.gets_answered.store(u32::MAX, SeqCst);
        self.answers_puts.store(true, SeqCst);
    }
}

async fn observe(State(fleet): State<Arc<Fleet>>) -> Json<Value> {
    if fleet.gets.fetch_add(1, SeqCst) >= fleet.gets_answered.load(SeqCst) {
        std::future::pending::<()>().await;
    }
    Json(json!({ "replicas": fleet.replicas.load(SeqCst) }))
}

async fn ensure(State(fleet): State<Arc<Fleet>>, Json(body): Json<Value>) -> StatusCode {
    let replicas = body["replicas"]
        .as_u64()
        .and_then(|n| u32::try_from(n).ok());
    fleet.replicas.store(replicas.unwrap(), SeqCst);
    fleet.puts.fetch_add(1, SeqCst);
    if !fleet.answers_puts.load(SeqCst) {
        std::future::pending::<()>().await;
    }
    StatusCode::OK
}
