//! What goes wrong on the way to the API server: no effect is doubled, lost, or late.

use crate::{server::Server, world::World};
use kube::config::Kubeconfig;
use kubernetes_stand_in::{Fault, Made};
use serde_json::json;
use std::{sync::Arc, time::Duration};
use store::State;

/// An action whose effect comes next; none where nothing runs that it could have one on.
async fn about_to_act() -> Option<World> {
    let server = Server::wired().await;
    if !server.runs_pods().await {
        return None;
    }
    let world = World::new(server).await;
    world.alert("").await;
    world.until(State::Grace, 0..2).await;
    Some(world)
}

fn is_effect(made: &Made) -> bool {
    made.method == "PATCH" && made.path.contains("/scale") && !made.path.contains("dryRun")
}

/// How often the scale was to be changed for good, and how often it was.
async fn changes(world: &World) -> (usize, u64) {
    let made = world.server.faulty().made();
    let path = world.server.deployment();
    let deployment = world.server.get(&path).await;
    let generation = deployment["metadata"]["generation"].as_u64().unwrap();
    (
        made.iter().filter(|made| is_effect(made)).count(),
        generation - 1,
    )
}

/// Holds how often the scale was to be changed, and how often it was. On a real server controllers may come between,
/// and then there is one try more.
async fn assert_changes(world: &World, expect: (usize, u64)) {
    let (tries, made) = changes(world).await;
    let is_as_often = tries == expect.0 || world.server.is_real() && tries > expect.0;
    assert!(is_as_often, "{tries} tries, not {}", expect.0);
    assert_eq!(made, expect.1);
}

/// An action that meets a fault at its effect ends with seven replicas and one change, after so many tries.
async fn check(fault: Fault, n_tries: usize) {
    let Some(world) = about_to_act().await else {
        return;
    };
    world.server.faulty().order("PATCH /scale", fault);
    let action = world.until(State::Succeeded, 2..60).await;
    assert_eq!(
        world.server.replicas().await,
        7,
        "{fault:?}: {}",
        action.reason
    );
    assert_changes(&world, (n_tries, 1)).await;
}

#[tokio::test]
async fn what_is_refused_for_now_is_tried_again_after_reading_back() {
    for status in [409, 429, 500, 503, 504] {
        check(Fault::Refuse(status, Some(2)), 2).await;
    }
}

#[tokio::test]
async fn an_effect_of_which_nobody_knows_is_read_back_and_not_doubled() {
    check(Fault::Reset, 2).await;
    check(Fault::Hang, 2).await;
    check(Fault::DoneAndReset, 1).await;
    check(Fault::DoneButSilent, 1).await;
}

#[tokio::test]
async fn a_question_without_an_answer_leaves_nothing_unknown() {
    for fault in [Fault::Reset, Fault::Hang] {
        let world = World::new(Server::wired().await).await;
        world.server.faulty().order("GET /scale", fault);
        world.alert("").await;
        let action = world.until(State::Proposed, 0..1).await;
        let held_up = world.remediation.held_up(&action).unwrap();
        let expect = "no answer from the API server http://127.0.0.1:";
        assert!(held_up.starts_with(expect), "{held_up}");
        assert!(!held_up.contains("unknown"), "{held_up}");
        let action = world.until(State::Grace, 1..10).await;
        assert_eq!(world.remediation.held_up(&action), None);
    }
}

#[tokio::test]
async fn a_server_that_asks_for_time_gets_it() {
    let Some(world) = about_to_act().await else {
        return;
    };
    world
        .server
        .faulty()
        .order("PATCH /scale", Fault::Refuse(429, Some(20)));
    world.until(State::Applying, 2..8).await;
    for second in 8..24 {
        let action = world.until(State::Applying, second..second + 1).await;
        assert!(action.reason.contains("429"), "{}", action.reason);
    }
    assert_changes(&world, (1, 0)).await;
    world.until(State::Succeeded, 24..60).await;
    assert_changes(&world, (2, 1)).await;
}

#[tokio::test]
async fn a_write_that_lands_late_changes_nothing_any_more() {
    let Some(world) = about_to_act().await else {
        return;
    };
    let delay = world.server.limit() * 4;
    world
        .server
        .faulty()
        .order("PATCH /scale", Fault::Late(delay));
    world.until(State::Succeeded, 2..60).await;
    assert_changes(&world, (2, 1)).await;
    let path = world.server.deployment();
    world
        .server
        .change(&path, &json!({"spec": {"replicas": 9}}))
        .await;
    tokio::time::sleep(delay).await;
    assert_eq!(world.server.replicas().await, 9);
}

#[tokio::test]
async fn what_is_refused_for_good_ends_the_action_in_the_words_of_the_server() {
    for status in [403, 404, 422] {
        let Some(world) = about_to_act().await else {
            return;
        };
        world
            .server
            .faulty()
            .order("PATCH /scale", Fault::Refuse(status, None));
        let action = world.until(State::Failed, 2..20).await;
        let expect = format!("the actuator answered {status}: an error on the server");
        assert!(action.reason.contains(&expect), "{}", action.reason);
        assert_changes(&world, (1, 0)).await;
    }
}

/// Runs until the effect was sent, and drops the tick in the middle of its work, as `kill -9` does.
async fn crash_at_the_effect(world: &World) {
    let remediation = Arc::clone(&world.remediation);
    let ticks = tokio::spawn(async move {
        for second in 2..20 {
            let now = series::Timestamp::from_seconds(1_800_000_000 + second);
            remediation.tick(now).await.unwrap();
        }
    });
    for _ in 0..1_000 {
        if changes(world).await.0 > 0 {
            ticks.abort();
            let _ = ticks.await;
            return;
        }
        tokio::time::sleep(Duration::from_millis(2)).await;
    }
    panic!("the effect did not come");
}

#[tokio::test]
async fn a_crash_at_the_effect_is_resolved_by_reading_back() {
    for (fault, n_tries) in [(Fault::DoneButSilent, 1), (Fault::Hang, 2)] {
        let Some(mut world) = about_to_act().await else {
            return;
        };
        world.server.faulty().order("PATCH /scale", fault);
        crash_at_the_effect(&world).await;
        assert_eq!(world.action().await.state, State::Applying);
        world.restart().await;
        world.until(State::Succeeded, 20..60).await;
        assert_eq!(world.server.replicas().await, 7);
        assert_changes(&world, (n_tries, 1)).await;
    }
}

#[tokio::test]
async fn an_effect_that_does_harm_is_taken_back() {
    let Some(world) = about_to_act().await else {
        return;
    };
    world.until(State::Verifying, 2..20).await;
    assert_eq!(world.server.replicas().await, 7);
    world.worsen();
    world.until(State::RolledBack, 8..60).await;
    assert_eq!(world.server.replicas().await, 4);
}

#[tokio::test]
async fn what_somebody_else_has_scaled_since_is_left_alone() {
    let Some(world) = about_to_act().await else {
        return;
    };
    world.until(State::Verifying, 2..20).await;
    let path = world.server.deployment();
    world
        .server
        .change(&path, &json!({"spec": {"replicas": 5}}))
        .await;
    world.worsen();
    let action = world.until(State::Failed, 8..60).await;
    let expect = "there are 5, not the 7 that were set: somebody else has changed that since";
    assert_eq!(action.reason, expect);
    assert_eq!(world.server.replicas().await, 5);
}

#[tokio::test]
async fn nothing_in_an_alert_names_a_target() {
    let world = World::new(Server::wired().await).await;
    let path = world.server.path("apis/apps/v1", "deployments/payroll");
    let mut payroll = world.server.get(&world.server.deployment()).await;
    payroll["metadata"] = json!({"name": "payroll"});
    payroll["spec"]["replicas"] = json!(2);
    let all = world.server.path("apis/apps/v1", "deployments");
    world.server.create(&all, &payroll).await;
    let n_before = world.server.faulty().made().len();
    let lure = r#", "namespace": "kube-system", "name": "payroll", "deployment": "payroll", "kind": "StatefulSet",
        "target": "payroll", "container": "../../payroll", "workload": "payroll", "url": "http://127.0.0.1:1""#;
    world.alert(lure).await;
    world.until(State::Succeeded, 0..60).await;
    let own = world.server.deployment();
    for made in world.server.faulty().made().split_off(n_before) {
        // The suite looks on from the same side where there is no wire.
        let is_setup = made.method == "GET" && made.path == "/api/v1/nodes";
        let is_own = made.path.starts_with(&own);
        let is_about = [
            "/horizontalpodautoscalers",
            "/events?fieldManager=foreshadow",
            "/deployments",
            "/pods?labelSelector=app%3Dcheckout",
        ]
        .iter()
        .any(|end| made.path.ends_with(end) && made.path.contains(&world.server.namespace));
        assert!(is_setup || is_own || is_about, "{made:?}");
        let said = made.body.to_string();
        assert!(
            !said.contains("payroll") && !said.contains("kube-system"),
            "{said}"
        );
    }
    assert_eq!(world.server.get(&path).await["spec"]["replicas"], 2);
    assert_eq!(world.server.replicas().await, 7);
}

#[tokio::test]
async fn a_rehearsal_is_repeated_while_controllers_change_the_object() {
    let server = Server::wired().await;
    server.deploy(4).await;
    let hand = server.scaler();
    if server.runs_pods().await {
        // Controllers leave it alone from then on.
        crate::arrival::arrived(&hand, remediation::Shape::of(4)).await;
    }
    for _ in 0..3 {
        server
            .faulty()
            .order("PATCH /scale", Fault::Refuse(409, None));
    }
    assert!(hand.rehearse(remediation::Shape::of(7)).await.is_ok());
    for _ in 0..4 {
        server
            .faulty()
            .order("PATCH /scale", Fault::Refuse(409, None));
    }
    assert!(hand.rehearse(remediation::Shape::of(7)).await.is_err());
}

#[tokio::test]
async fn a_token_of_the_kubeconfig_is_what_lets_in() {
    let mut server = Server::start().await;
    server.deploy(4).await;
    let real = std::fs::read_to_string(&server.kubeconfig).unwrap();
    let (wrong, right) = if server.is_real() {
        let mut wrong = serde_json::to_value(Kubeconfig::read_from(&server.kubeconfig).unwrap());
        for user in wrong.as_mut().unwrap()["users"].as_array_mut().unwrap() {
            user["user"] = json!({"token": "wrong"});
        }
        (wrong.unwrap().to_string(), real)
    } else {
        server.faulty().require("secret");
        (real, server.faulty().kubeconfig())
    };
    let path = server.folder().join("acting.kubeconfig");
    server.act_by(path.clone());
    std::fs::write(&path, wrong).unwrap();
    let refusal = server.scaler().observe().await.unwrap_err();
    assert!(
        refusal.to_string().contains("401: Unauthorized"),
        "{refusal}"
    );
    std::fs::write(&path, right).unwrap();
    assert!(server.scaler().observe().await.is_ok());
}
