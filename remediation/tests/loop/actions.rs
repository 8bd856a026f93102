//! Alerts to actions against a real fleet behind HTTP: the ways an action goes when nothing breaks.

use crate::world::{BEGUN, NOW, World, after, alert, firing, resolved};
use alertmanager_client::webhook::Webhook;
use remediation::ControlError;
use store::{Outcome, State};

#[tokio::test]
async fn an_automatic_action_goes_straight_and_acts_once() {
    let world = World::new("mode: auto").await;
    let receipt = world.deliver(&firing(), 0).await;
    assert_eq!(receipt.alerts[0].outcome, Outcome::Acted);
    world.ticks(0..=89).await;
    world.assert_state(State::Grace, "scale 4 → 7").await;
    assert_eq!(world.n_puts(), 0, "the grace period is kept");
    world.ticks(90..=119).await;
    world.assert_state(State::Verifying, "scaled 4 → 7").await;
    world.ticks(120..=125).await;
    let why = "verified in one look: service:latency:p99 < 0.5";
    world.assert_state(State::Succeeded, why).await;

    assert_eq!(world.fleet().puts, [r#"{"replicas": 7, "tier": "a\"b"}"#]);
    assert_eq!(world.fleet().headers["authorization"], "Bearer token");
    assert_eq!(world.fleet().headers["content-type"], "application/json");
    let action = world.action().await;
    assert_eq!(action.pre_image, Some(serde_json::json!({"replicas": 4})));
    let plan = action.plan.unwrap();
    assert_eq!(
        (&plan["target"]["replicas"], &plan["demand"]),
        (&7.into(), &812.0.into())
    );
    let states: Vec<_> = world.history().await.iter().map(|line| line.to).collect();
    assert_eq!(
        states,
        [
            State::Proposed,
            State::Grace,
            State::Applying,
            State::Verifying,
            State::Succeeded
        ]
    );
}

#[tokio::test]
async fn repeats_and_the_other_half_of_a_pair_change_nothing() {
    let world = World::new("mode: auto").await;
    world.deliver(&firing(), 0).await;
    let again = world.deliver(&firing(), 1).await;
    assert!(again.alerts[0].is_duplicate);
    world.ticks(1..=200).await;
    let after_success = world.deliver(&firing(), 4_000).await;
    assert!(after_success.alerts[0].is_duplicate);
    assert_eq!(after_success.alerts[0].outcome, Outcome::Acted);
    world.ticks(4_000..=4_100).await;
    assert_eq!(world.n_puts(), 1);
    world.assert_state(State::Succeeded, "").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn ticks_and_deliveries_that_race_act_once() {
    let world = World::new("mode: auto").await;
    let tasks: Vec<_> = (0..20)
        .map(|idx| {
            let remediation = std::sync::Arc::clone(&world.remediation);
            let webhook = crate::world::notification(&firing());
            tokio::spawn(async move {
                remediation.receive(&webhook, after(0)).await.unwrap();
                for second in 0..30 {
                    remediation.tick(after(second * 5 + idx % 5)).await.unwrap();
                }
            })
        })
        .collect();
    for task in tasks {
        task.await.unwrap();
    }
    // Whichever clock was behind when the effect was made, by now it has settled.
    world.tick(300).await;
    assert_eq!(world.n_puts(), 1);
    world.assert_state(State::Succeeded, "").await;
}

#[tokio::test]
async fn another_alert_on_the_same_workload_joins() {
    let world = World::new("mode: auto").await;
    world.deliver(&firing(), 0).await;
    let other = vec![alert("firing", "f2", BEGUN, "checkout")];
    let receipt = world.deliver(&other, 1).await;
    assert_eq!(receipt.alerts[0].outcome, Outcome::Joined);
    assert_eq!(receipt.alerts[0].action, Some(world.action().await.id));
}

#[tokio::test]
async fn a_person_approves_and_the_grace_period_begins() {
    let world = World::new("mode: approve").await;
    world.deliver(&firing(), 0).await;
    world.ticks(0..=10).await;
    world
        .assert_state(State::AwaitingApproval, "scale 4 → 7")
        .await;
    let id = world.action().await.id;
    world
        .remediation
        .approve(id, "ada", after(10))
        .await
        .unwrap();
    world.ticks(10..=99).await;
    world.assert_state(State::Grace, "approved by ada").await;
    world.ticks(100..=131).await;
    world.assert_state(State::Succeeded, "").await;
    assert_eq!(world.n_puts(), 1);
    let late = world.remediation.approve(id, "bob", after(132)).await;
    assert_eq!(
        late.unwrap_err().to_string(),
        format!("action {id} is succeeded, so it cannot be approved")
    );
}

#[tokio::test]
async fn a_person_rejects_with_a_reason() {
    let world = World::new("mode: approve").await;
    world.deliver(&firing(), 0).await;
    world.tick(0).await;
    let id = world.action().await.id;
    let why = "the sale was called off";
    world
        .remediation
        .reject(id, "ada", why, after(5))
        .await
        .unwrap();
    world.ticks(5..=300).await;
    world.assert_state(State::Rejected, why).await;
    assert_eq!(world.history().await.last().unwrap().actor, "ada");
    assert_eq!(world.n_puts(), 0);
}

#[tokio::test]
async fn without_an_answer_nothing_is_done_by_default() {
    let world = World::new("mode: approve").await;
    world.deliver(&firing(), 0).await;
    world.ticks(0..=59).await;
    world.assert_state(State::AwaitingApproval, "").await;
    world.ticks(60..=300).await;
    world
        .assert_state(State::Expired, "nobody approved in time")
        .await;
    assert_eq!(world.n_puts(), 0);
}

#[tokio::test]
async fn without_an_answer_it_is_done_where_that_is_configured() {
    let approving = "approval: {timeout: 60s, on_timeout: approve}";
    let world = World::new(approving).await;
    world.deliver(&firing(), 0).await;
    world.ticks(0..=200).await;
    world.assert_state(State::Succeeded, "").await;
    assert_eq!(world.n_puts(), 1);
}

#[tokio::test]
async fn observing_writes_down_what_would_have_been() {
    let world = World::new("mode: observe").await;
    world.deliver(&firing(), 0).await;
    world.ticks(0..=200).await;
    let expect = "observe mode: would have scaled 4 → 7: 812 foreseen in 1h at quantile 0.95 (400 now) \
                  needs 7 at 120 per replica";
    world.assert_state(State::Rejected, expect).await;
    assert_eq!(world.n_puts(), 0);
}

#[tokio::test]
async fn the_end_of_the_alert_supersedes_what_has_not_begun() {
    for mode in ["mode: approve", "mode: auto"] {
        let world = World::new(mode).await;
        world.deliver(&firing(), 0).await;
        world.tick(0).await;
        let receipt = world.deliver(&resolved(), 5).await;
        assert_eq!(receipt.alerts[0].outcome, Outcome::Superseded);
        // A gossip pair may send the beginning once more, and the end some seconds later.
        let late = world.deliver(&firing(), 6).await;
        assert_eq!(late.alerts[0].outcome, Outcome::Ignored, "{late:?}");
        world.ticks(6..=20).await;
        world.deliver(&resolved(), 21).await;
        world.ticks(21..=200).await;
        world
            .assert_state(State::Superseded, "resolved before")
            .await;
        assert_eq!(world.n_puts(), 0);
    }
}

#[tokio::test]
async fn a_firing_heard_only_after_its_end_is_ignored() {
    let world = World::new("mode: auto").await;
    world.deliver(&resolved(), 0).await;
    let receipt = world.deliver(&firing(), 1).await;
    assert_eq!(receipt.alerts[0].outcome, Outcome::Ignored);
    assert_eq!(world.actions().await, []);
}

#[tokio::test]
async fn an_alert_about_nothing_of_ours_has_its_reason() {
    let world = World::new("mode: auto").await;
    let strange = vec![alert("firing", "f1", BEGUN, "{{ replicas }}")];
    let receipt = world.deliver(&strange, 0).await;
    assert_eq!(receipt.alerts[0].outcome, Outcome::Unmatched);
    assert!(
        receipt.alerts[0].reason.contains("no workload"),
        "{receipt:?}"
    );
    assert_eq!(world.remediation.deliveries(10).await.unwrap().len(), 1);
    assert_eq!(world.actions().await, []);
}

#[tokio::test]
async fn what_there_is_may_suffice_already() {
    let world = World::new("mode: auto").await;
    world.fleet().replicas = 9;
    world.deliver(&firing(), 0).await;
    world.tick(0).await;
    world
        .assert_state(State::Superseded, "nothing to do: 812")
        .await;
    assert_eq!(world.n_puts(), 0);
}

#[tokio::test]
async fn somebody_else_may_have_scaled_during_the_grace_period() {
    let world = World::new("mode: auto").await;
    world.deliver(&firing(), 0).await;
    world.tick(0).await;
    world.fleet().replicas = 8;
    world.ticks(1..=95).await;
    world
        .assert_state(State::Superseded, "there are 8 by now, and 7 were planned")
        .await;
    assert_eq!(world.n_puts(), 0);
}

#[tokio::test]
async fn a_success_is_rolled_back_when_a_person_asks() {
    let world = World::new("mode: auto").await;
    world.deliver(&firing(), 0).await;
    world.ticks(0..=125).await;
    let id = world.action().await.id;
    world
        .remediation
        .rollback(id, "ada", after(130))
        .await
        .unwrap();
    world.tick(131).await;
    world
        .assert_state(State::RolledBack, "scaled back 7 → 4")
        .await;
    assert_eq!(world.fleet().replicas, 4);
    let unknown = store::ActionId::new(NOW);
    let missing = world.remediation.rollback(unknown, "ada", after(132)).await;
    assert!(matches!(
        missing,
        Err(ControlError::Journal(store::StoreError::NotFound(_)))
    ));
}

#[tokio::test]
async fn an_action_whose_workload_is_gone_from_the_configuration_ends() {
    let world = World::new("mode: auto").await;
    world.deliver(&firing(), 0).await;
    world.tick(0).await;
    let text = "workloads: []";
    let document = yaml::Document::parse("foreshadow.yml", text).unwrap();
    let read = |fields: &yaml::Fields| remediation::config::Settings::read(fields, &[]);
    let empty = document.check(|node| node.map(read));
    world.remediation.reload(empty.unwrap()).unwrap();
    world.tick(1).await;
    world
        .assert_state(State::Rejected, "no longer configured")
        .await;
}

#[tokio::test]
async fn recorded_notifications_of_every_version_get_their_outcomes() {
    let world = World::new("mode: auto").await;
    let folder = concat!(
        env!("CARGO_MANIFEST_DIR"),
        "/../alertmanager-client/tests/fixtures"
    );
    let mut n_alerts = 0;
    for entry in std::fs::read_dir(folder).unwrap() {
        let body = std::fs::read(entry.unwrap().path()).unwrap();
        let webhook = Webhook::parse(&body).unwrap();
        let receipt = world.remediation.receive(&webhook, NOW).await.unwrap();
        assert_eq!(receipt.alerts.len(), webhook.alerts.len());
        assert_eq!(receipt.truncated, webhook.truncated_alerts);
        assert!(receipt.alerts.iter().all(|alert| !alert.reason.is_empty()));
        n_alerts += receipt.alerts.len();
    }
    assert!(n_alerts >= 10, "{n_alerts}");
    assert_eq!(world.actions().await, []);
}
