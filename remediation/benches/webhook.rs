//! From a notification to its answer, everything written down: 200 requests a second for ten seconds, sent on
//! their schedule whether or not earlier ones were answered.

#![expect(clippy::unwrap_used, reason = "a benchmark may stop where it stands")]

use alertmanager_client::webhook::Webhook;
use futures::future::BoxFuture;
use remediation::{Evidence, Foreseen, Foresight, Ports, Question, Remediation, config::Settings};
use series::{Horizon, Labels, Timestamp};
use std::{
    process::ExitCode,
    sync::Arc,
    time::{Duration, Instant},
};
use store::Journal;

const PER_SECOND: u32 = 200;

const SECONDS: u32 = 10;

/// What is promised of the 99th percentile.
const PROMISE: Duration = Duration::from_millis(10);

/// The workloads that alerts are about in turn.
const N_WORKLOADS: u32 = 50;

/// Alerts of one notification.
const N_ALERTS: u32 = 3;

const NOW: Timestamp = Timestamp::from_seconds(1_800_000_000);

/// Forecasts what suffices, so that actions begin and end beside the alerts.
struct Lender;

impl Foresight for Lender {
    fn demand(&self, _: Question<'_>, now: Timestamp) -> Option<Foreseen> {
        let horizon = Duration::from_hours(1);
        Some(Foreseen {
            value: 100.0,
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

fn settings() -> Settings {
    let workload = |idx: u32| {
        format!(
            "- {{name: w{idx}, match: {{service: w{idx}}}, demand: d, sizing: {{per_replica: 1, min: 1, max: 2}}, \
             actuator: {{use: fleet}}}}\n"
        )
    };
    let workloads: String = (0..N_WORKLOADS).map(workload).collect();
    let text = format!(
        "actuators: {{fleet: {{http: {{url: 'http://127.0.0.1:1/', body: '{{{{ replicas }}}}'}}}}}}\nworkloads:\n{workloads}"
    );
    let document = yaml::Document::parse("c.yml", &text).unwrap();
    let settings = document.check(|node| node.map(|fields| Settings::read(fields, &["d"])));
    settings.map_err(|problems| problems.to_string()).unwrap()
}

/// Every third notification is one that was sent before, as from a highly available pair.
fn notification(idx: u32) -> Webhook {
    let idx = if idx % 3 == 2 { idx - 1 } else { idx };
    let alert = |nth: u32| {
        let service = (idx + nth) % N_WORKLOADS;
        let begun = idx / 60 % 60;
        format!(
            r#"{{"status": "firing", "labels": {{"service": "w{service}", "severity": "page"}},
                "annotations": {{"summary": "a breach is foreseen"}}, "startsAt": "2027-01-15T07:{begun:02}:00Z",
                "endsAt": "0001-01-01T00:00:00Z", "generatorURL": "http://prometheus:9090/graph",
                "fingerprint": "f{idx}-{nth}"}}"#
        )
    };
    let alerts: Vec<_> = (0..N_ALERTS).map(alert).collect();
    let body = format!(
        r#"{{"version": "4", "groupKey": "g{idx}", "status": "firing", "receiver": "r", "alerts": [{}]}}"#,
        alerts.join(",")
    );
    Webhook::parse(body.as_bytes()).unwrap()
}

async fn send(remediation: Arc<Remediation>, idx: u32, due: Instant) -> Duration {
    let webhook = notification(idx);
    let receipt = remediation.receive(&webhook, NOW).await.unwrap();
    assert_eq!(receipt.alerts.len(), N_ALERTS as usize);
    due.elapsed()
}

#[tokio::main(flavor = "multi_thread", worker_threads = 2)]
async fn main() -> ExitCode {
    let _ = rustls::crypto::ring::default_provider().install_default();
    let folder = tempfile::tempdir().unwrap();
    let journal = Journal::open(&folder.path().join("journal.db"))
        .await
        .unwrap();
    let lender = Arc::new(Lender);
    let ports = Ports::new(lender.clone(), lender);
    let remediation = Arc::new(Remediation::new(journal, settings(), ports).unwrap());

    let pause = Duration::from_secs(1) / PER_SECOND;
    let begun = Instant::now() + pause;
    let mut answers = Vec::new();
    for idx in 0..PER_SECOND * SECONDS {
        let due = begun + pause * idx;
        tokio::time::sleep_until(due.into()).await;
        answers.push(tokio::spawn(send(Arc::clone(&remediation), idx, due)));
    }
    let mut latencies = Vec::new();
    for answer in answers {
        latencies.push(answer.await.unwrap());
    }
    latencies.sort_unstable();
    let at = |share: usize| latencies[(latencies.len() * share / 1_000).min(latencies.len() - 1)];
    println!(
        "notifications  alerts each  per second       p50       p90       p99     p99.9       max"
    );
    println!(
        "{:>13}  {N_ALERTS:>11}  {PER_SECOND:>10}  {:>8.2?}  {:>8.2?}  {:>8.2?}  {:>8.2?}  {:>8.2?}",
        latencies.len(),
        at(500),
        at(900),
        at(990),
        at(999),
        at(1_000)
    );
    if at(990) < PROMISE {
        return ExitCode::SUCCESS;
    }
    eprintln!("the 99th percentile is not below {PROMISE:?}");
    ExitCode::FAILURE
}
