//! Whether an effect has arrived: ready instances, the template that they have, and who took it away again.

use crate::{
    server::{Hand, Server, words},
    setting::{apply, tuned},
    world::World,
};
use remediation::{
    Shape,
    actuator::{Arrival, Verdict},
};
use serde_json::{Value, json};
use std::time::Duration;
use store::State;

const TUNED: &str = r#"kind: Deployment, name: checkout, set: {initial: 4, container: app,
      resources: {requests: {cpu: "{{ replicas * 250 }}m"}}, env: {WORKERS: "{{ replicas }}"}}"#;

const DIRECT: &str = "{direct: {wait: 5s, count: 1, verify: ['p99 < 0.5']}}";

/// A template whose pods no node takes, or any.
pub(crate) fn nowhere(is_so: bool) -> Value {
    let selector = if is_so {
        json!({"foreshadow-test": "nowhere"})
    } else {
        Value::Null
    };
    // Without this, the instances of the template before would be scaled in the place of the new ones.
    let strategy = json!({"type": "Recreate", "rollingUpdate": null});
    json!({"spec": {"strategy": strategy, "template": {"spec": {"nodeSelector": selector}}}})
}

/// Waits until a shape has arrived that was set.
pub(crate) async fn arrived(hand: &Hand, shape: Shape) -> Option<u32> {
    let mut last = Arrival::AS_SET;
    for _ in 0..300 {
        match hand.arrival(shape).await {
            Arrival::Arrived { instances, .. } => return instances,
            other => last = other,
        }
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
    panic!("{shape} did not arrive: {last:?}");
}

/// Waits until what is underway is said in these words.
async fn is_underway(hand: &Hand, shape: Shape, expect: &str) {
    let mut last = Arrival::AS_SET;
    for _ in 0..150 {
        last = hand.arrival(shape).await;
        if matches!(&last, Arrival::Underway(why) if why.contains(expect)) {
            return;
        }
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
    panic!("{last:?}, and not: {expect}");
}

#[tokio::test]
async fn replicas_have_arrived_when_they_are_ready_and_not_before() {
    let server = Server::start().await;
    if !server.runs_pods().await {
        return;
    }
    server.deploy(2).await;
    let hand = server.scaler();
    hand.set(3).await.unwrap();
    assert_eq!(arrived(&hand, Shape::of(3)).await, Some(3));
    server.change(&server.deployment(), &nowhere(true)).await;
    hand.set(5).await.unwrap();
    is_underway(
        &hand,
        Shape::of(5),
        " of 5 instances are ready; pod checkout-",
    )
    .await;
    is_underway(
        &hand,
        Shape::of(5),
        " is Unschedulable: 0/1 nodes are available",
    )
    .await;
}

#[tokio::test]
async fn a_template_has_arrived_when_all_instances_have_it() {
    let server = Server::start().await;
    if !server.runs_pods().await {
        return;
    }
    server.deploy(2).await;
    apply(&server, "foreshadow", tuned()).await;
    let hand = server.actuator("", TUNED);
    hand.set(6).await.unwrap();
    assert_eq!(arrived(&hand, Shape::of(6)).await, Some(2));

    server
        .change(&server.deployment(), &json!({"spec": {"paused": true}}))
        .await;
    let refusal = hand.rehearse(Shape::of(7)).await.unwrap_err();
    assert_eq!(refusal.verdict(), Verdict::GiveUp);
    let said = words(&refusal);
    assert!(
        said.starts_with("left alone: Deployment ") && said.contains("is paused"),
        "{said}"
    );
    assert!(hand.set(7).await.is_err());
    assert_eq!(hand.observe().await.unwrap(), Shape::of(6));
    // The way back is gone all the same.
    let mut back = server.actuator("", TUNED);
    back.state = State::RollingBack;
    back.set(4).await.unwrap();
    let expect = "0 of 2 instances are renewed; it is paused";
    is_underway(&hand, Shape::of(4), expect).await;
    server
        .change(&server.deployment(), &json!({"spec": {"paused": false}}))
        .await;
    assert_eq!(arrived(&hand, Shape::of(4)).await, Some(2));
}

#[tokio::test]
async fn a_rollout_that_misses_its_deadline_will_not_arrive() {
    let server = Server::start().await;
    if !server.runs_pods().await {
        return;
    }
    server.deploy(2).await;
    apply(&server, "foreshadow", tuned()).await;
    let hand = server.actuator("", TUNED);
    arrived(&hand, Shape::of(4)).await;
    let mut late = nowhere(true);
    late["spec"]["progressDeadlineSeconds"] = json!(2);
    server.change(&server.deployment(), &late).await;
    hand.set(6).await.unwrap();
    let mut last = Arrival::AS_SET;
    for _ in 0..150 {
        last = hand.arrival(Shape::of(6)).await;
        if matches!(last, Arrival::Stuck(_)) {
            break;
        }
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
    let Arrival::Stuck(why) = last else {
        panic!("{last:?}");
    };
    assert!(why.contains("ProgressDeadlineExceeded: "), "{why}");
}

/// An action that is being verified; none where nothing runs here.
async fn verifying(rollout: &str, target: &str) -> Option<World> {
    let server = Server::start().await;
    if !server.runs_pods().await {
        return None;
    }
    let world = World::of(server, rollout, target).await;
    if target == TUNED {
        apply(&world.server, "foreshadow", tuned()).await;
    }
    world.alert("").await;
    world.until(State::Verifying, 0..20).await;
    Some(world)
}

const SCALED: &str = "kind: Deployment, name: checkout";

#[tokio::test]
async fn instances_that_no_node_takes_are_no_success() {
    let server = Server::start().await;
    if !server.runs_pods().await {
        return;
    }
    let world = World::of(server, DIRECT, SCALED).await;
    let server = &world.server;
    server.change(&server.deployment(), &nowhere(true)).await;
    world.alert("").await;
    world.until(State::Verifying, 0..20).await;
    world.until(State::RolledBack, 8..400).await;
    let why = world.reason_of(State::RollingBack).await;
    assert!(why.contains("has not arrived in 5m"), "{why}");
    assert!(why.contains(" of 7 instances are ready"), "{why}");
    assert!(why.contains("Unschedulable"), "{why}");
    assert_eq!(world.server.replicas().await, 4);
}

#[tokio::test]
async fn what_another_writer_takes_away_while_it_is_verified_is_no_success() {
    let Some(world) = verifying(DIRECT, SCALED).await else {
        return;
    };
    let server = &world.server;
    let four = json!({"spec": {"replicas": 4}});
    server.change(&server.deployment(), &four).await;
    let action = world.until(State::Failed, 8..60).await;
    let expect = "there are 4, not the 7 that were set: somebody else has changed that since";
    assert_eq!(action.reason, expect);
    assert_eq!(server.replicas().await, 4);
}

#[tokio::test]
async fn a_field_that_another_writer_changes_while_it_is_verified_is_no_success() {
    let Some(world) = verifying(DIRECT, TUNED).await else {
        return;
    };
    let nine = json!({"env": [{"name": "WORKERS", "value": "9"}]});
    apply(&world.server, "somebody", nine).await;
    let action = world.until(State::Failed, 8..60).await;
    let expect = "left alone: WORKERS is 9, and should be 7 for size 7";
    assert_eq!(action.reason, expect);
}

#[tokio::test]
async fn a_deployment_that_is_paused_while_it_is_verified_is_waited_for() {
    let server = Server::start().await;
    if !server.runs_pods().await {
        return;
    }
    let world = World::of(server, DIRECT, TUNED).await;
    let server = &world.server;
    apply(server, "foreshadow", tuned()).await;
    // Nothing is renewed at once, so that the pause comes in time.
    server.change(&server.deployment(), &nowhere(true)).await;
    world.alert("").await;
    world.until(State::Verifying, 0..20).await;
    server
        .change(&server.deployment(), &json!({"spec": {"paused": true}}))
        .await;
    world.until(State::RolledBack, 8..400).await;
    let why = world.reason_of(State::RollingBack).await;
    assert!(why.contains("has not arrived in 5m"), "{why}");
    assert!(why.contains("it is paused"), "{why}");
}

#[tokio::test]
async fn the_verdict_says_how_many_instances_have_it() {
    let Some(world) = verifying(DIRECT, TUNED).await else {
        return;
    };
    let action = world.until(State::Succeeded, 8..60).await;
    let expect = "; all 4 instances are ready";
    assert!(action.reason.ends_with(expect), "{}", action.reason);
}

/// Deletes the Deployment, and makes another of its name.
async fn recreate(server: &Server, replicas: u32) {
    let path = server.deployment();
    let at_once =
        json!({"kind": "DeleteOptions", "apiVersion": "v1", "propagationPolicy": "Background"});
    let gone = server.request(http::Method::DELETE, &path, "application/json", &at_once);
    gone.await.unwrap();
    server
        .eventually("the end of the Deployment", async |server| {
            let got = server.request(http::Method::GET, &path, "", &Value::Null);
            got.await.is_err()
        })
        .await;
    server.deploy(replicas).await;
}

#[tokio::test]
async fn an_object_that_was_made_anew_in_the_grace_period_is_not_acted_upon() {
    let world = World::new(Server::start().await).await;
    world.alert("").await;
    world.until(State::Grace, 0..2).await;
    recreate(&world.server, 4).await;
    let action = world.until(State::Rejected, 2..20).await;
    let expect =
        "the object was deleted and made anew since the plan was made, so it is not followed";
    assert_eq!(action.reason, expect);
    assert_eq!(world.server.replicas().await, 4);
}

#[tokio::test]
async fn an_object_that_was_made_anew_while_it_is_verified_is_left_alone() {
    let Some(world) = verifying(DIRECT, SCALED).await else {
        return;
    };
    // Another of the same size: only its identity tells.
    recreate(&world.server, 7).await;
    let action = world.until(State::Failed, 8..60).await;
    let expect = "left alone: the object was deleted and made anew since the effect began";
    assert_eq!(action.reason, expect);
    assert_eq!(world.server.replicas().await, 7);
}

#[tokio::test]
async fn an_object_that_was_made_anew_is_not_rolled_back() {
    let Some(world) = verifying(DIRECT, SCALED).await else {
        return;
    };
    let action = world.until(State::Succeeded, 8..60).await;
    recreate(&world.server, 7).await;
    let now = series::Timestamp::from_seconds(1_800_001_000);
    let asked = world.remediation.rollback(action.id, "ada", now).await;
    asked.unwrap();
    let action = world.until(State::Failed, 1_001..1_020).await;
    let expect = "left alone: the object was deleted and made anew since the effect began";
    assert_eq!(action.reason, expect);
    assert_eq!(world.server.replicas().await, 7);
}
