//! Ten thousand alerts that say whatever they like reach no command line, address or target but the configured
//! ones.

use alertmanager_client::webhook::Webhook;
use axum::{Router, body::Bytes, extract::State as Shared, http::Request};
use futures::future::BoxFuture;
use proptest::{
    prelude::*,
    strategy::ValueTree as _,
    test_runner::{RngAlgorithm, TestRng, TestRunner},
};
use remediation::{
    Evidence, Foreseen, Foresight, Ports, Question, Remediation,
    config::{ActuatorConfig, Settings},
};
use serde_json::{Value, json};
use series::{Horizon, Labels, Timestamp};
use std::{
    fs,
    os::unix::fs::PermissionsExt as _,
    path::Path,
    sync::{Arc, Mutex},
    time::Duration,
};
use store::Journal;

const N_ALERTS: usize = 10_000;

const BATCH: usize = 100;

const NOW: Timestamp = Timestamp::from_seconds(1_800_000_000);

/// What people have tried.
const EVIL: [&str; 14] = [
    "{{ target.name }}",
    "{{ replicas }}",
    "{% for i in range(9) %}x{% endfor %}",
    "$(touch MARKER)",
    "`touch MARKER`",
    "; touch MARKER #",
    "' || touch MARKER || '",
    "\n/usr/bin/touch MARKER\n",
    "--help",
    "-rf",
    "../../../../etc/passwd",
    "http://169.254.169.254/latest/meta-data/",
    "%2e%2e%2fscale",
    "\",\"replicas\":9999,\"x\":\"",
];

/// Names that mean something to somebody.
const NAMES: [&str; 12] = [
    "service",
    "alertname",
    "severity",
    "replicas",
    "target",
    "name",
    "url",
    "host",
    "PATH",
    "LD_PRELOAD",
    "IFS",
    "BASH_ENV",
];

/// Requests as they came in: method, host, path and query, body.
type Seen = Arc<Mutex<Vec<[String; 4]>>>;

async fn note(Shared(seen): Shared<Seen>, request: Request<axum::body::Body>) -> String {
    let (head, body) = request.into_parts();
    let body: Bytes = axum::body::to_bytes(body, 1 << 20).await.unwrap();
    let host = head.headers["host"].to_str().unwrap().to_owned();
    let one = [
        head.method.to_string(),
        host,
        head.uri.to_string(),
        String::from_utf8(body.to_vec()).unwrap(),
    ];
    seen.lock().unwrap().push(one);
    json!({ "replicas": 4 }).to_string()
}

async fn serve(seen: Seen) -> String {
    let app = Router::new().fallback(note).with_state(seen);
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move { axum::serve(listener, app).await });
    address.to_string()
}

/// Wants a little more each time it is asked, and finds all effects good.
#[derive(Default)]
struct Lender(Mutex<u32>);

impl Foresight for Lender {
    fn demand(&self, _: Question<'_>, now: Timestamp) -> Option<Foreseen> {
        let mut n_asked = self.0.lock().unwrap();
        *n_asked += 1;
        let horizon = Duration::from_hours(1);
        Some(Foreseen {
            value: 500.0 + f64::from(*n_asked % 400),
            at: now + horizon,
            horizon: Horizon::new(horizon).unwrap(),
            current: None,
        })
    }
}

impl Evidence for Lender {
    fn query<'a>(
        &'a self,
        _: &'a str,
        _: Timestamp,
    ) -> BoxFuture<'a, Result<Vec<(Labels, f64)>, String>> {
        Box::pin(async { Ok(Vec::new()) })
    }
}

/// Notes its arguments, one line a call with a bar between them, and the names of its environment.
const SCRIPT: &str = r#"#!/bin/sh
dir=$1; shift
line=''
for one in "$@"; do line="$line|$one"; done
printf '%s\n' "$line" >> "$dir/arguments"
while IFS= read -r -d '' one; do printf '%s\n' "${one%%=*}"; done < /proc/self/environ >> "$dir/names"
echo 4
"#;

fn settings(address: &str, folder: &Path) -> Settings {
    let script = folder.join("script");
    fs::write(&script, SCRIPT.replace("#!/bin/sh", "#!/bin/bash")).unwrap();
    fs::set_permissions(&script, fs::Permissions::from_mode(0o700)).unwrap();
    let (script, folder) = (script.display(), folder.display());
    let workload = |name: &str, target: &str| {
        format!(
            "- name: {name}
  match: {{service: {name}}}
  demand: d
  mode: auto
  sizing: {{per_replica: 100, min: 1, max: 9}}
  grace: 0s
  cooldown: {{up: 0s}}
  rollout: {{direct: {{wait: 0s}}}}
  actuator: {{use: {name}, target: {{name: {target}}}}}
"
        )
    };
    let text = format!(
        "actuators:
  web:
    http:
      url: 'http://{address}/apps/{{{{ target.name }}}}/scale?by={{{{ target.name }}}}'
      body: '{{\"replicas\": {{{{ replicas }}}}, \"name\": \"{{{{ target.name }}}}\"}}'
  cron:
    exec:
      observe: ['{script}', '{folder}', get, '{{{{ target.name }}}}']
      ensure: ['{script}', '{folder}', set, '--name={{{{ target.name }}}}', '{{{{ replicas }}}}']
workloads:
{}{}
guards: {{max_actions_per_hour: 1000000}}
",
        workload("web", "shop"),
        workload("cron", "nightly"),
    );
    let document = yaml::Document::parse("c.yml", &text).unwrap();
    let settings = document.check(|node| node.map(|fields| Settings::read(fields, &["d"])));
    let settings = settings.map_err(|problems| problems.to_string()).unwrap();
    assert!(matches!(
        settings.actuators.get("cron"),
        Some(ActuatorConfig::Exec(_))
    ));
    settings
}

fn texts() -> impl Strategy<Value = String> {
    prop_oneof![
        2 => proptest::sample::select(EVIL.to_vec()).prop_map(str::to_owned),
        1 => any::<String>(),
        1 => "[ -~]{0,40}",
    ]
}

fn pairs() -> impl Strategy<Value = Value> {
    let names = prop_oneof![
        proptest::sample::select(NAMES.to_vec()).prop_map(str::to_owned),
        "[a-zA-Z_][a-zA-Z0-9_]{0,12}",
        texts(),
    ];
    let pairs = proptest::collection::btree_map(names, texts(), 0..6);
    pairs.prop_map(|pairs| serde_json::to_value(pairs).unwrap())
}

/// An alert; a third of them are about one of the workloads.
fn alerts() -> impl Strategy<Value = Value> {
    let services = proptest::sample::select(vec!["web", "cron", "", "other", "web ", "WEB"]);
    let status = prop_oneof![3 => Just("firing"), 1 => Just("resolved")];
    let said = (pairs(), pairs(), texts(), texts());
    (services, status, said, 0..100_000_u32).prop_map(|(service, status, said, begun)| {
        let (mut labels, annotations, generator, fingerprint) = said;
        if !service.is_empty() {
            labels["service"] = service.into();
        }
        let second = begun % 60;
        // Longer ones, and control characters in them, are refused with their notification.
        let fingerprint = fingerprint.chars().filter(|c| !c.is_control()).take(8);
        let fingerprint: String = fingerprint.collect();
        json!({
            "status": status, "labels": labels, "annotations": annotations,
            "startsAt": format!("2027-01-15T07:{:02}:{second:02}Z", begun / 60 % 60),
            "endsAt": "0001-01-01T00:00:00Z", "generatorURL": generator,
            "fingerprint": format!("{fingerprint}{begun}"),
        })
    })
}

fn notification(alerts: &[Value], evil: &str) -> Webhook {
    let body = json!({
        "version": "4", "groupKey": evil, "status": "firing", "receiver": evil, "externalURL": evil,
        "groupLabels": {"service": evil}, "alerts": alerts,
    });
    Webhook::parse(body.to_string().as_bytes()).unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn ten_thousand_alerts_reach_nothing_that_is_not_configured() {
    let _ = rustls::crypto::ring::default_provider().install_default();
    let folder = tempfile::tempdir().unwrap();
    let seen = Seen::default();
    let address = serve(Arc::clone(&seen)).await;
    let journal = Journal::open(&folder.path().join("journal.db"))
        .await
        .unwrap();
    let lender = Arc::new(Lender::default());
    let ports = Ports::new(lender.clone(), lender);
    let settings = settings(&address, folder.path());
    let remediation = Remediation::new(journal, settings, ports).unwrap();

    let rng = TestRng::from_seed(RngAlgorithm::ChaCha, &[7; 32]);
    let mut runner = TestRunner::new_with_rng(ProptestConfig::default(), rng);
    let marker = folder.path().join("marker");
    let (mut now, mut n_taken) = (NOW, 0);
    while n_taken < N_ALERTS {
        let batch = proptest::collection::vec(alerts(), BATCH);
        let batch = batch.new_tree(&mut runner).unwrap().current();
        let text = serde_json::to_string(&batch).unwrap();
        let text = text.replace("MARKER", &marker.display().to_string());
        let batch: Vec<Value> = serde_json::from_str(&text).unwrap();
        let evil = EVIL[n_taken / BATCH % EVIL.len()];
        let receipt = remediation
            .receive(&notification(&batch, evil), now)
            .await
            .unwrap();
        n_taken += receipt.alerts.len();
        for _ in 0..3 {
            remediation.tick(now).await.unwrap();
            now = now + Duration::from_secs(40);
        }
    }

    let n_requests = check_requests(&seen.lock().unwrap(), &address);
    let n_runs = check_commands(folder.path());
    assert!(!marker.exists(), "an alert was taken for a command");
    println!(
        "{n_taken} fuzzed alerts led to {n_requests} requests and {n_runs} runs of a program; not configured were 0 of them"
    );
}

/// How many requests there were, all of them as configured.
fn check_requests(seen: &[[String; 4]], address: &str) -> usize {
    let uri = "/apps/shop/scale?by=shop";
    let mut n_writes = 0;
    for [method, host, path, body] in seen {
        assert_eq!((host.as_str(), path.as_str()), (address, uri));
        if method == "GET" {
            assert_eq!(body, "");
            continue;
        }
        assert_eq!(method, "PUT");
        let json: Value = serde_json::from_str(body).unwrap();
        let replicas = json["replicas"].as_u64().unwrap();
        assert!((1..=9).contains(&replicas));
        assert_eq!(json, json!({"replicas": replicas, "name": "shop"}));
        n_writes += 1;
    }
    assert!(n_writes > 10, "{n_writes}");
    seen.len()
}

/// How many runs of the program there were, all of them as configured.
fn check_commands(folder: &Path) -> usize {
    let lines = fs::read_to_string(folder.join("arguments")).unwrap();
    let mut n_writes = 0;
    for line in lines.lines() {
        if line == "|get|nightly" {
            continue;
        }
        let replicas = line.strip_prefix("|set|--name=nightly|").unwrap();
        assert!(
            (1..=9).contains(&replicas.parse::<u32>().unwrap()),
            "{line}"
        );
        n_writes += 1;
    }
    assert!(n_writes > 10, "{n_writes}");
    let names = fs::read_to_string(folder.join("names")).unwrap();
    for name in names.lines() {
        let is_ours = name.starts_with("AMX_") || name.starts_with("FORESHADOW_");
        assert!(is_ours, "{name}");
    }
    assert!(names.contains("AMX_ALERT_1_LABEL_service"));
    lines.lines().count()
}
