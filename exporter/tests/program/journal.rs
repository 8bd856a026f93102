//! The journal under the program: a disk without room, a storage folder that is moved away, a second program.

use crate::world::{Foreshadow, PATIENCE, answer};
use reqwest::Method;
use serde_json::{Value, json};
use std::{fmt::Write as _, fs, path::Path, process::Command};
use testbed::{Alertmanager, Process, free_port, http_client};

const WEBHOOK: &str = "/api/v1/webhook/alertmanager";

/// Workloads `a`, `b` and `c`. There is no Prometheus, so actions stay open.
fn configure(dir: &Path, more: &str) {
    let rules =
        "groups: [{name: g, rules: [{forecast: d, expr: d, history: 1d, horizons: [5m]}]}]\n";
    fs::write(dir.join("rules.yml"), rules).unwrap();
    let mut config = format!(
        "prometheus: {{url: http://127.0.0.1:9}}\nrule_files: [rules.yml]\nstorage: {{path: data}}\n{more}\
         actuators: {{fleet: {{http: {{url: 'http://127.0.0.1:9/', body: '{{{{ replicas }}}}'}}}}}}\nworkloads:\n"
    );
    for name in ["a", "b", "c"] {
        writeln!(
            config,
            "- {{name: {name}, match: {{service: {name}}}, demand: d, sizing: {{per_replica: 1, min: 1, max: 2}}, \
             actuator: {{use: fleet}}}}"
        )
        .unwrap();
    }
    fs::write(dir.join("foreshadow.yml"), config).unwrap();
}

fn notification(alerts: &[Value]) -> String {
    json!({
        "version": "4", "groupKey": "{}:{}", "truncatedAlerts": 0, "status": "firing", "receiver": "foreshadow",
        "groupLabels": {}, "commonLabels": {}, "commonAnnotations": {}, "externalURL": "", "alerts": alerts,
    })
    .to_string()
}

fn alert(fingerprint: &str, service: &str) -> Value {
    json!({
        "status": "firing", "fingerprint": fingerprint, "labels": {"service": service}, "annotations": {},
        "startsAt": "2026-01-01T00:00:00Z", "endsAt": "0001-01-01T00:00:00Z", "generatorURL": "",
    })
}

async fn deliver(f: &Foreshadow, service: &str) -> u16 {
    let body = notification(&[alert(service, service)]);
    f.post(WEBHOOK, body).await.0
}

/// Sets how large the program's files may grow.
fn limit_files(f: &Foreshadow, limit: &str) {
    let pid = f.process.pid().unwrap().to_string();
    let limit = format!("--fsize={limit}:unlimited");
    let status = Command::new("prlimit")
        .args(["--pid", &pid, &limit])
        .status();
    assert!(status.unwrap().success());
}

/// Starts the program so that a file that cannot grow is an error and not its end.
async fn start_unkillable(dir: &Path) -> Foreshadow {
    let script = dir.join("foreshadow.sh");
    let program = env!("CARGO_BIN_EXE_foreshadow");
    fs::write(&script, format!("trap '' XFSZ\nexec {program} \"$@\"\n")).unwrap();
    let address = format!("127.0.0.1:{}", free_port().unwrap());
    let script = script.to_str().unwrap();
    let args = [
        script,
        "serve",
        "--config.file",
        "foreshadow.yml",
        "--web.listen-address",
        &address,
    ];
    let process = Process::spawn(dir, "foreshadow", Path::new("/bin/sh"), args).unwrap();
    let mut f = Foreshadow::of(process, &address);
    let healthy = format!("{}/-/healthy", f.url);
    f.process.wait_until_up(&healthy, PATIENCE).await.unwrap();
    f
}

async fn until_unready(f: &Foreshadow, because: &str) {
    f.until("readiness says why", async |f| {
        let (status, sentence) = f.get("/-/ready").await;
        status == 503 && sentence.contains(because)
    })
    .await;
    assert_eq!(f.get("/-/healthy").await.0, 200);
    assert_eq!(f.metric("foreshadow_journal_writable").await, Some(0.0));
}

async fn until_ready(f: &Foreshadow) {
    f.until(
        "the journal is found to be writable, without an alert",
        async |f| f.get("/-/ready").await.0 == 200,
    )
    .await;
    assert_eq!(f.metric("foreshadow_journal_writable").await, Some(1.0));
}

#[tokio::test]
async fn work_goes_on_when_the_disk_has_room_again() {
    let dir = tempfile::tempdir().unwrap();
    configure(dir.path(), "");
    let f = start_unkillable(dir.path()).await;
    assert_eq!(deliver(&f, "a").await, 200);
    limit_files(&f, "4096");
    for _ in 0..3 {
        assert_eq!(deliver(&f, "b").await, 503);
    }
    let id = f.actions().await[0]["id"].as_str().unwrap().to_owned();
    let reject = format!("/api/v1/actions/{id}/reject");
    let no = json!({"reason": "no"}).to_string();
    let decide = async || {
        let request = f.request(Method::POST, &reject);
        let request = request.header("content-type", "application/json");
        answer(request.body(no.clone())).await.0
    };
    assert_eq!(decide().await, 503);
    until_unready(&f, "journal.sqlite cannot be written: ").await;

    limit_files(&f, "unlimited");
    until_ready(&f).await;
    assert_eq!(deliver(&f, "b").await, 200);
    assert_eq!(decide().await, 200);
    f.until("the log says so", async |f| {
        let log = fs::read_to_string(f.process.log()).unwrap();
        log.contains("the journal can be written again")
    })
    .await;
}

#[tokio::test]
async fn a_storage_folder_that_is_moved_away_is_noticed_and_found_again() {
    let dir = tempfile::tempdir().unwrap();
    configure(dir.path(), "");
    let f = Foreshadow::start(dir.path(), &[]).await;
    assert_eq!(deliver(&f, "a").await, 200);
    let (data, away) = (dir.path().join("data"), dir.path().join("away"));
    fs::rename(&data, &away).unwrap();
    assert_eq!(deliver(&f, "b").await, 503);
    until_unready(&f, "journal.sqlite is gone").await;
    assert!(!data.exists());
    fs::rename(&away, &data).unwrap();
    until_ready(&f).await;
    assert_eq!(deliver(&f, "b").await, 200);
    assert_eq!(f.actions().await.len(), 2);
}

#[tokio::test]
async fn a_second_program_is_refused_although_the_lock_file_was_removed() {
    let dir = tempfile::tempdir().unwrap();
    configure(dir.path(), "");
    let first = Foreshadow::start(dir.path(), &[]).await;
    fs::remove_file(dir.path().join("data/LOCK")).unwrap();
    let other = tempfile::tempdir().unwrap();
    for file in ["foreshadow.yml", "rules.yml"] {
        fs::copy(dir.path().join(file), other.path().join(file)).unwrap();
    }
    std::os::unix::fs::symlink(dir.path().join("data"), other.path().join("data")).unwrap();
    let mut second = Foreshadow::spawn(other.path(), &[]);
    let deadline = tokio::time::Instant::now() + PATIENCE;
    let status = loop {
        if let Some(status) = second.process.exit_status().unwrap() {
            break status;
        }
        assert!(
            tokio::time::Instant::now() < deadline,
            "it runs beside the first"
        );
        tokio::time::sleep(std::time::Duration::from_millis(100)).await;
    };
    assert!(!status.success());
    let log = second.process.log_tail();
    assert!(
        log.contains("another program works with this `storage.path`"),
        "{log}"
    );
    assert_eq!(deliver(&first, "a").await, 200);
}

#[tokio::test]
async fn a_notification_of_very_many_alerts_takes_little_memory() {
    let dir = tempfile::tempdir().unwrap();
    configure(dir.path(), "");
    let f = Foreshadow::start(dir.path(), &[]).await;
    assert_eq!(deliver(&f, "a").await, 200);
    let before = f.metric("process_resident_memory_bytes").await.unwrap();
    let alerts: Vec<_> = (0..45_000)
        .map(|idx| alert(&format!("{idx:x}"), "-"))
        .collect();
    let body = notification(&alerts);
    assert!(
        body.len() > 7 << 20 && body.len() < 8 << 20,
        "{}",
        body.len()
    );
    let (status, receipt) = f.post(WEBHOOK, body).await;
    assert_eq!(status, 200, "{receipt}");
    let receipt: Value = serde_json::from_str(&receipt).unwrap();
    assert_eq!(receipt["data"]["alerts"].as_array().unwrap().len(), 1_000);
    assert_eq!(receipt["data"]["truncated"], 35_000);
    let after = f.metric("process_resident_memory_bytes").await.unwrap();
    let grown = (after - before) / f64::from(1 << 20);
    assert!(grown < 64.0, "{grown} MiB more");
}

/// Alertmanager sends the name of a receiver as an expression, and takes one where it is asked.
#[tokio::test]
async fn alerts_that_were_left_out_are_found_whatever_the_receiver_is_called() {
    for receiver in ["team.a/hooks", r"a(b)+c*d?|[e]{f}^$"] {
        let dir = tempfile::tempdir().unwrap();
        let address = format!("127.0.0.1:{}", free_port().unwrap());
        let config = format!(
            "route: {{receiver: '{receiver}', group_by: [alertname], group_wait: 1s}}\nreceivers:\n\
             - name: '{receiver}'\n  webhook_configs: [{{url: 'http://{address}{WEBHOOK}', max_alerts: 1}}]\n"
        );
        let alertmanager = Alertmanager::start(&dir.path().join("am"), &config)
            .await
            .unwrap();
        configure(
            dir.path(),
            &format!("alertmanager: {{url: {}}}\n", alertmanager.url()),
        );
        let f = Foreshadow::start_at(dir.path(), &address, &[]).await;
        let alerts: Vec<_> = ["a", "b", "c"]
            .iter()
            .map(|service| json!({"labels": {"alertname": "Hot", "service": service}}))
            .collect();
        let http = http_client(PATIENCE).unwrap();
        let url = format!("{}api/v2/alerts", alertmanager.url());
        let (status, _) = answer(http.post(url).json(&alerts)).await;
        assert_eq!(status, 200);
        f.until("all three alerts lead to actions", async |f| {
            f.actions().await.len() == 3
        })
        .await;
    }
}
