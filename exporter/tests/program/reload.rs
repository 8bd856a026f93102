//! A reload that finds problems changes nothing; one that finds none takes effect.

use crate::world::{Foreshadow, configure};
use std::{fs, path::Path, process::Command, time::Duration};

const SUCCESSFUL: &str = "foreshadow_config_last_reload_successful";

#[tokio::test(flavor = "multi_thread")]
async fn a_wrong_configuration_leaves_the_running_one_in_place() {
    let dir = tempfile::tempdir().unwrap();
    let file = configure(
        dir.path(),
        "http://127.0.0.1:9",
        "http://127.0.0.1:9/replicas",
    );
    let good = fs::read_to_string(&file).unwrap();
    let mut f = Foreshadow::start(dir.path(), &[]).await;
    assert_eq!(f.metric(SUCCESSFUL).await, Some(1.0));

    fs::write(
        &file,
        good.replace("mode: auto", "mode: bold")
            .replace("demand: load", "demand: lod"),
    )
    .unwrap();
    let (status, body) = f.post("/-/reload", "").await;
    assert_eq!(status, 500);
    assert!(
        body.contains("workloads[0].mode") && body.contains("foreshadow.yml:12"),
        "{body}"
    );
    assert_eq!(f.metric(SUCCESSFUL).await, Some(0.0));
    assert_eq!(f.get("/-/ready").await.0, 200);

    fs::write(&file, good).unwrap();
    f.process.hang_up().await.unwrap();
    f.until("the signal has been obeyed", async |f| {
        f.metric(SUCCESSFUL).await == Some(1.0)
    })
    .await;

    f.process.terminate(Duration::from_secs(20)).await.unwrap();
    let log = fs::read_to_string(f.process.log()).unwrap();
    assert!(
        log.contains("configuration not loaded") && log.contains("msg=stopped"),
        "{log}"
    );
}

/// Puts a named pipe that nobody writes to in the place of a file.
fn pipe(path: &Path) {
    let _ = fs::remove_file(path);
    let made = Command::new("mkfifo").arg(path).status().unwrap();
    assert!(made.success(), "{}", path.display());
}

#[tokio::test(flavor = "multi_thread")]
async fn pipes_in_place_of_files_are_refused_and_hold_up_nothing() {
    let dir = tempfile::tempdir().unwrap();
    let file = configure(
        dir.path(),
        "http://127.0.0.1:9",
        "http://127.0.0.1:9/replicas",
    );
    let config = fs::read_to_string(&file).unwrap();
    let with_password = config.replace(
        "prometheus: {url: http://127.0.0.1:9}",
        "prometheus: {url: http://127.0.0.1:9, basic_auth: {username: a, password_file: word}}",
    );
    fs::write(&file, &with_password).unwrap();
    fs::write(dir.path().join("word"), "secret").unwrap();
    fs::write(dir.path().join("web.yml"), "").unwrap();
    let mut f = Foreshadow::spawn(dir.path(), &["--web.config.file", "web.yml"]);
    f.until("it serves", async |f| f.get("/-/healthy").await.0 == 200)
        .await;

    for name in ["rules.yml", "word", "web.yml", "foreshadow.yml"] {
        let path = dir.path().join(name);
        let before = fs::read(&path).unwrap();
        pipe(&path);
        let (status, body) = f.post("/-/reload", "").await;
        assert_eq!(status, 500, "{name}: {body}");
        assert!(body.contains("is a pipe and not a regular file"), "{body}");
        assert_eq!(f.get("/-/healthy").await.0, 200, "{name}");
        fs::remove_file(&path).unwrap();
        fs::write(&path, before).unwrap();
    }
    assert_eq!(f.post("/-/reload", "").await.0, 200);
    pipe(&dir.path().join("word"));
    f.process.terminate(Duration::from_secs(20)).await.unwrap();
    let log = fs::read_to_string(f.process.log()).unwrap();
    assert!(log.contains("stopped"), "{log}");
}
