//! The program in a terminal: short identifiers, sentences for what is not there, completions, and the log of a start.

use crate::world::{Fleet, Foreshadow, configure, firing, prometheus_with_past};
use std::{
    fs,
    process::{Command, Output},
};

/// Runs the program with the address of a service in its environment.
fn foreshadow(url: &str, args: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_foreshadow"));
    let command = command.env("FORESHADOW_URL", url).args(args);
    command.output().unwrap()
}

#[track_caller]
fn refused(url: &str, args: &[&str], words: &str) {
    let output = foreshadow(url, args);
    let said = String::from_utf8(output.stderr).unwrap();
    assert!(
        !output.status.success() && said.contains(words),
        "{args:?}: {said}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn actions_are_named_by_their_beginning_and_a_start_is_told() {
    let dir = tempfile::tempdir().unwrap();
    let prometheus = prometheus_with_past(&dir.path().join("prometheus")).await;
    let (_fleet, fleet) = Fleet::start(u32::MAX, true).await;
    configure(dir.path(), prometheus.url().as_str(), &fleet);
    let f = Foreshadow::start(dir.path(), &[]).await;
    f.until("there are forecasts", async |f| {
        f.get("/predictions").await.1.contains("load:forecast{")
    })
    .await;
    for _ in 0..2 {
        let (status, _) = f.post("/api/v1/webhook/alertmanager", firing()).await;
        assert_eq!(status, 200);
    }
    let id = f.actions().await[0]["id"].as_str().unwrap().to_owned();

    let url = f.url.clone();
    let shown = foreshadow(&url, &["actions", "show", &id[..9]]);
    let shown = String::from_utf8(shown.stdout).unwrap();
    assert!(shown.contains(&id), "{shown}");
    refused(
        &url,
        &["actions", "show", "ffff"],
        "there is no action ffff",
    );
    let nobody = ["actions", "list", "--workload", "nobody"];
    refused(
        &url,
        &nobody,
        "no workload \"nobody\" is configured, nor has it an action: there are checkout",
    );
    refused(
        &url,
        &["actions", "list", "--state", "done"],
        "awaiting_approval",
    );
    let (status, body) = f.get("/api/v1/actions?state=done").await;
    assert!(
        status == 400 && body.contains("expected proposed, awaiting_approval"),
        "{body}"
    );

    let log = fs::read_to_string(f.process.log()).unwrap();
    for line in [
        "level=info msg=\"starting Foreshadow\" version=",
        "msg=\"configuration loaded\" file=foreshadow.yml groups=1 rules=1 workloads=1 ",
        "msg=\"Prometheus answers\"",
        "msg=\"first forecasts\" after=",
        "msg=\"all forecast rules give forecasts\"",
    ] {
        assert!(log.contains(line), "no {line}\n{log}");
    }
    // The second notification was no news.
    assert_eq!(log.matches("msg=\"alert taken in\"").count(), 1, "{log}");
}

#[test]
fn shells_take_the_completions_and_the_version_tells_the_build() {
    let script = foreshadow("http://127.0.0.1:9", &["completions", "bash"]);
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("completions");
    fs::write(&file, script.stdout).unwrap();
    let read = Command::new("bash").arg("-n").arg(&file).status().unwrap();
    assert!(read.success());
    let version = foreshadow("http://127.0.0.1:9", &["--version"]);
    let version = String::from_utf8(version.stdout).unwrap();
    assert!(
        version.contains("\n  commit:   ") && version.contains("rustc 1."),
        "{version}"
    );
}
