//! `kill -9` between journal and effect, and between effect and journal: one action, one effect.

use crate::world::{Fleet, Foreshadow, configure, firing, prometheus_with_past};
use serde_json::Value;
use std::sync::atomic::Ordering::SeqCst;

const WEBHOOK: &str = "/api/v1/webhook/alertmanager";

/// Delivers the alert twice, kills the program once `is_time`, starts it again, delivers once more, and
/// returns the actions at the end.
async fn killed_when(fleet: &Fleet, url: &str, is_time: impl Fn(&[Value]) -> bool) -> Vec<Value> {
    let dir = tempfile::tempdir().unwrap();
    let prometheus = prometheus_with_past(&dir.path().join("prometheus")).await;
    configure(dir.path(), prometheus.url().as_str(), url);

    let mut first = Foreshadow::start(dir.path(), &[]).await;
    first
        .until("there is a forecast", async |f| {
            f.get("/predictions").await.1.contains("load:forecast")
        })
        .await;
    for _ in 0..2 {
        let (status, body) = first.post(WEBHOOK, firing()).await;
        assert_eq!(status, 200, "{body}");
    }
    first
        .until("it is time to kill", async |f| is_time(&f.actions().await))
        .await;
    first.process.kill().await.unwrap();
    fleet.recover();

    let second = Foreshadow::start(dir.path(), &[]).await;
    let (status, body) = second.post(WEBHOOK, firing()).await;
    assert_eq!(status, 200, "{body}");
    let ended = async |f: &Foreshadow| f.actions().await.iter().all(|a| a["state"] == "succeeded");
    second.until("the action has succeeded", ended).await;
    second.actions().await
}

fn is_applying(actions: &[Value]) -> bool {
    actions.iter().any(|action| action["state"] == "applying")
}

#[tokio::test(flavor = "multi_thread")]
async fn killed_between_journal_and_effect_leaves_one_action_and_one_effect() {
    // The looks of the plan and of the guards are answered, the one just before the effect is not.
    let (fleet, url) = Fleet::start(2, true).await;
    let actions = killed_when(&fleet, &url, is_applying).await;
    assert_eq!(actions.len(), 1, "{actions:#?}");
    assert_eq!(fleet.puts.load(SeqCst), 1);
    assert_eq!(
        actions[0]["plan"]["target"]["replicas"],
        fleet.replicas.load(SeqCst)
    );
    assert!(fleet.replicas.load(SeqCst) > 4);
}

#[tokio::test(flavor = "multi_thread")]
async fn killed_between_effect_and_journal_leaves_one_action_and_one_effect() {
    let (fleet, url) = Fleet::start(u32::MAX, false).await;
    let effect_is_made = |actions: &[Value]| is_applying(actions) && fleet.puts.load(SeqCst) == 1;
    let actions = killed_when(&fleet, &url, effect_is_made).await;
    assert_eq!(actions.len(), 1, "{actions:#?}");
    assert_eq!(fleet.puts.load(SeqCst), 1);
}
