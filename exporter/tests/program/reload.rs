//! A reload that finds problems changes nothing; one that finds none takes effect.

use crate::world::{Foreshadow, configure};
use std::{fs, time::Duration};

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
        log.contains("configuration not loaded") && log.contains("message=stopped"),
        "{log}"
    );
}
