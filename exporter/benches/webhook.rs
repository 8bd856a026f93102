//! From a notification to its journaled answer, through the program itself: 200 requests a second for half a minute,
//! each sent when it is due whether or not earlier ones were answered, and timed from then. Beside it what a request
//! and what a synced row cost alone, in the same run.

#![expect(clippy::unwrap_used, reason = "a benchmark may stop where it stands")]

use axum::{Router, routing::post};
use serde_json::{Value, json};
use sqlx::{
    SqlitePool,
    sqlite::{SqliteConnectOptions, SqliteJournalMode, SqlitePoolOptions, SqliteSynchronous},
};
use std::{
    fmt::Write as _,
    fs,
    path::Path,
    process::ExitCode,
    time::{Duration, Instant},
};
use testbed::{Process, free_port};
use tokio::runtime::{Handle, Runtime};

const PER_SECOND: u32 = 200;

const SECONDS: u32 = 30;

/// Baselines vary less.
const BASELINE_SECONDS: u32 = 10;

/// What is promised of the 99th percentile.
const PROMISE: Duration = Duration::from_millis(10);

/// The workloads that alerts are about in turn.
const N_WORKLOADS: u32 = 50;

/// Alerts of one notification.
const N_ALERTS: u32 = 3;

const PATIENCE: Duration = Duration::from_mins(1);

fn main() -> ExitCode {
    let _ = rustls::crypto::ring::default_provider().install_default();
    let runtime = Runtime::new().unwrap();
    let folder = tempfile::tempdir().unwrap();
    println!("load before: {}", load());
    println!(
        "{:<44} {:>8}  {:>8}  {:>8}  {:>8}  {:>8}",
        "", "requests", "p50", "p90", "p99", "max"
    );
    print("a server that answers nothing", &bare(&runtime));
    print("one row in SQLite, synced", &row(&runtime, folder.path()));
    let webhook = webhook(&runtime, folder.path());
    print(
        &format!("the webhook, {N_ALERTS} alerts each, a third sent twice"),
        &webhook,
    );
    println!("load after: {}", load());
    if at(&webhook, 990) < PROMISE {
        return ExitCode::SUCCESS;
    }
    eprintln!("the 99th percentile is not below {PROMISE:?}");
    ExitCode::FAILURE
}

/// The machine's run queue: what else runs takes its share.
fn load() -> String {
    fs::read_to_string("/proc/loadavg")
        .unwrap_or_default()
        .trim()
        .to_owned()
}

fn print(what: &str, latencies: &[Duration]) {
    let [p50, p90, p99, max] = [500, 900, 990, 1_000].map(|share| at(latencies, share));
    let n_requests = latencies.len();
    println!("{what:<44} {n_requests:>8}  {p50:>8.2?}  {p90:>8.2?}  {p99:>8.2?}  {max:>8.2?}");
}

fn at(sorted: &[Duration], share: usize) -> Duration {
    sorted[(sorted.len() * share / 1_000).min(sorted.len() - 1)]
}

/// Begins something at each moment at which it is due, and returns how long after that each was done, sorted. The
/// thread that keeps time does nothing else, and sleeps by the system's clock, which is finer than a runtime's.
fn on_schedule<F>(handle: &Handle, seconds: u32, begin: impl Fn(u32) -> F) -> Vec<Duration>
where
    F: Future<Output = ()> + Send + 'static,
{
    let pause = Duration::from_secs(1) / PER_SECOND;
    let start = Instant::now() + pause;
    let mut tasks = Vec::new();
    for idx in 0..PER_SECOND * seconds {
        let due = start + pause * idx;
        std::thread::sleep(due.saturating_duration_since(Instant::now()));
        let work = begin(idx);
        tasks.push(handle.spawn(async move {
            work.await;
            due.elapsed()
        }));
    }
    let done = tasks.into_iter().map(|task| handle.block_on(task).unwrap());
    let mut latencies: Vec<_> = done.collect();
    latencies.sort_unstable();
    latencies
}

/// What a request and its answer take.
fn bare(runtime: &Runtime) -> Vec<Duration> {
    let url = runtime.block_on(async {
        let router = Router::new().route("/", post(async || "{}"));
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        tokio::spawn(async move { axum::serve(listener, router).await });
        format!("http://{address}/")
    });
    let http = client();
    on_schedule(runtime.handle(), BASELINE_SECONDS, |idx| {
        send(http.clone(), url.clone(), notification(idx))
    })
}

/// What it takes to have one row on the disk.
fn row(runtime: &Runtime, folder: &Path) -> Vec<Duration> {
    let options = SqliteConnectOptions::new()
        .filename(folder.join("row.db"))
        .create_if_missing(true)
        .journal_mode(SqliteJournalMode::Wal)
        .synchronous(SqliteSynchronous::Full);
    let pool = SqlitePoolOptions::new().max_connections(1);
    let pool: SqlitePool = runtime.block_on(pool.connect_with(options)).unwrap();
    let create = sqlx::raw_sql("CREATE TABLE rows (id INTEGER PRIMARY KEY, text TEXT)");
    runtime.block_on(create.execute(&pool)).unwrap();
    on_schedule(runtime.handle(), BASELINE_SECONDS, |idx| {
        let (pool, text) = (pool.clone(), notification(idx));
        async move {
            let insert = sqlx::query("INSERT INTO rows (text) VALUES ($1)").bind(text);
            insert.execute(&pool).await.unwrap();
        }
    })
}

/// What a notification takes. No forecast is to be had, so all actions stay open and are looked at again and again
/// meanwhile.
fn webhook(runtime: &Runtime, folder: &Path) -> Vec<Duration> {
    configure(folder);
    let address = format!("127.0.0.1:{}", free_port().unwrap());
    let program = Path::new(env!("CARGO_BIN_EXE_foreshadow"));
    let args = [
        "serve",
        "--config.file",
        "foreshadow.yml",
        "--web.listen-address",
        &address,
    ];
    let url = format!("http://{address}/api/v1/webhook/alertmanager");
    let healthy = format!("http://{address}/-/healthy");
    let mut process = runtime.block_on(async {
        let mut process = Process::spawn(folder, "foreshadow", program, args).unwrap();
        process.wait_until_up(&healthy, PATIENCE).await.unwrap();
        process
    });
    let http = client();
    let latencies = on_schedule(runtime.handle(), SECONDS, |idx| {
        send(http.clone(), url.clone(), notification(idx))
    });
    runtime.block_on(process.terminate(PATIENCE)).unwrap();
    latencies
}

fn configure(folder: &Path) {
    let rules =
        "groups: [{name: g, rules: [{forecast: d, expr: d, history: 1d, horizons: [5m]}]}]\n";
    fs::write(folder.join("rules.yml"), rules).unwrap();
    let mut config = "prometheus: {url: http://127.0.0.1:9}\nrule_files: [rules.yml]\n\
                      actuators: {fleet: {http: {url: 'http://127.0.0.1:9/', body: '{{ replicas }}'}}}\nworkloads:\n"
        .to_owned();
    for idx in 0..N_WORKLOADS {
        writeln!(
            config,
            "- {{name: w{idx}, match: {{service: w{idx}}}, demand: d, sizing: {{per_replica: 1, min: 1, max: 2}}, \
             actuator: {{use: fleet}}}}"
        )
        .unwrap();
    }
    fs::write(folder.join("foreshadow.yml"), config).unwrap();
}

/// Keeps its connections, as Alertmanager does.
fn client() -> reqwest::Client {
    reqwest::Client::builder().no_proxy().build().unwrap()
}

async fn send(http: reqwest::Client, url: String, body: String) {
    let request = http.post(url).header("content-type", "application/json");
    let answer = request.body(body).send().await.unwrap();
    assert_eq!(answer.status(), 200);
    answer.bytes().await.unwrap();
}

/// Every third notification is one that was sent before, as from a highly available pair.
fn notification(idx: u32) -> String {
    let idx = if idx % 3 == 2 { idx - 1 } else { idx };
    let alerts: Vec<_> = (0..N_ALERTS).map(|nth| alert(idx, nth)).collect();
    json!({
        "version": "4", "groupKey": format!("{{}}:{{g=\"{idx}\"}}"), "truncatedAlerts": 0, "status": "firing",
        "receiver": "foreshadow", "groupLabels": {}, "commonLabels": {"severity": "page"},
        "commonAnnotations": {}, "externalURL": "http://alertmanager.example:9093", "alerts": alerts,
    })
    .to_string()
}

fn alert(idx: u32, nth: u32) -> Value {
    let service = (idx + nth) % N_WORKLOADS;
    json!({
        "status": "firing", "fingerprint": format!("{idx:012x}{nth:04x}"),
        "labels": {"alertname": "OverloadPredicted", "service": format!("w{service}"), "severity": "page"},
        "annotations": {"summary": "more is foreseen than what there is can serve"},
        "startsAt": "2026-01-01T00:00:00Z", "endsAt": "0001-01-01T00:00:00Z",
        "generatorURL": "http://prometheus.example:9090/graph?g0.expr=load",
    })
}
