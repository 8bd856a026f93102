//! From a notification to its journaled answer, through the program itself: so many requests a second, each sent when it
//! is due whether or not earlier ones were answered, and timed from then. Three loads: a usual one, a storm that must
//! still be journaled, and one beyond what can be, whose rest must be refused at once. Beside them what a request and what a
//! synced row cost alone, in the same run.

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

/// A rate of notifications, and its duration.
#[derive(Clone, Copy)]
struct Load {
    per_second: u32,
    /// Of each notification.
    n_alerts: u32,
    seconds: u32,
}

const USUAL: Load = Load {
    per_second: 200,
    n_alerts: 3,
    seconds: 30,
};

/// 4,000 alerts a second.
const STORM: Load = Load {
    per_second: 200,
    n_alerts: 20,
    seconds: 20,
};

/// 20,000 alerts a second.
const BEYOND: Load = Load {
    per_second: 1_000,
    n_alerts: 20,
    seconds: 10,
};

/// Baselines vary less.
const BASELINE: Load = Load {
    seconds: 10,
    ..USUAL
};

/// Promises for the 99th percentiles, of refusals too.
const USUAL_PROMISE: Duration = Duration::from_millis(10);
const STORM_PROMISE: Duration = Duration::from_millis(250);
const REFUSAL_PROMISE: Duration = Duration::from_millis(100);

/// The workloads that alerts are about in turn.
const N_WORKLOADS: u32 = 50;

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
    let promises = [
        (USUAL, USUAL_PROMISE),
        (STORM, STORM_PROMISE),
        (BEYOND, Duration::MAX),
    ];
    let mut kept = true;
    for (load, promise) in promises {
        let folder = tempfile::tempdir().unwrap();
        let (taken, refused) = webhook(&runtime, folder.path(), load);
        let what = format!(
            "{} a second, {} alerts each",
            load.per_second, load.n_alerts
        );
        print(&format!("{what}: taken"), &taken);
        print(&format!("{what}: refused"), &refused);
        kept &= at(&taken, 990) < promise && at(&refused, 990) < REFUSAL_PROMISE;
    }
    println!("load after: {}", load());
    if kept {
        return ExitCode::SUCCESS;
    }
    eprintln!(
        "a 99th percentile is not below what is promised: {USUAL_PROMISE:?}, {STORM_PROMISE:?}, and of refusals \
         {REFUSAL_PROMISE:?}"
    );
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

/// Zero where there are none.
fn at(sorted: &[Duration], share: usize) -> Duration {
    let idx = (sorted.len() * share / 1_000).min(sorted.len().saturating_sub(1));
    sorted.get(idx).copied().unwrap_or_default()
}

/// Begins something at each moment at which it is due, and returns how long after that each was done, sorted. The
/// thread that keeps time does nothing else, and sleeps by the system's clock, which is finer than a runtime's.
fn on_schedule<F, T>(handle: &Handle, load: Load, begin: impl Fn(u32) -> F) -> Vec<(Duration, T)>
where
    F: Future<Output = T> + Send + 'static,
    T: Send + 'static,
{
    let pause = Duration::from_secs(1) / load.per_second;
    let start = Instant::now() + pause;
    let mut tasks = Vec::new();
    for idx in 0..load.per_second * load.seconds {
        let due = start + pause * idx;
        std::thread::sleep(due.saturating_duration_since(Instant::now()));
        let work = begin(idx);
        tasks.push(handle.spawn(async move {
            let outcome = work.await;
            (due.elapsed(), outcome)
        }));
    }
    let done = tasks.into_iter().map(|task| handle.block_on(task).unwrap());
    let mut done: Vec<_> = done.collect();
    done.sort_unstable_by_key(|(latency, _)| *latency);
    done
}

fn latencies<T>(done: Vec<(Duration, T)>) -> Vec<Duration> {
    done.into_iter().map(|(latency, _)| latency).collect()
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
    latencies(on_schedule(runtime.handle(), BASELINE, |idx| {
        send(
            http.clone(),
            url.clone(),
            notification(idx, BASELINE.n_alerts),
        )
    }))
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
    latencies(on_schedule(runtime.handle(), BASELINE, |idx| {
        let (pool, text) = (pool.clone(), notification(idx, BASELINE.n_alerts));
        async move {
            let insert = sqlx::query("INSERT INTO rows (text) VALUES ($1)").bind(text);
            insert.execute(&pool).await.unwrap();
        }
    }))
}

/// Latencies of notifications that are taken in, and of those that are refused. No forecast is to be had, so all actions
/// stay open and are looked at again and again meanwhile.
fn webhook(runtime: &Runtime, folder: &Path, load: Load) -> (Vec<Duration>, Vec<Duration>) {
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
    let done = on_schedule(runtime.handle(), load, |idx| {
        send(http.clone(), url.clone(), notification(idx, load.n_alerts))
    });
    runtime.block_on(process.terminate(PATIENCE)).unwrap();
    let (taken, refused) = done.into_iter().partition(|(_, status)| *status == 200);
    (latencies(taken), latencies(refused))
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

/// Sends a notification and returns the status of the answer: 200, or 503 where it was refused.
async fn send(http: reqwest::Client, url: String, body: String) -> u16 {
    let request = http.post(url).header("content-type", "application/json");
    let answer = request.body(body).send().await.unwrap();
    let status = answer.status().as_u16();
    assert!(status == 200 || status == 503, "{status}");
    answer.bytes().await.unwrap();
    status
}

/// Every third notification is one that was sent before, as from a highly available pair.
fn notification(idx: u32, n_alerts: u32) -> String {
    let idx = if idx % 3 == 2 { idx - 1 } else { idx };
    let alerts: Vec<_> = (0..n_alerts).map(|nth| alert(idx, nth)).collect();
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
