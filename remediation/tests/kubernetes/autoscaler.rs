//! Where a horizontal pod autoscaler governs, its floor is moved and nothing else.

use crate::{
    server::{Server, words},
    world::World,
};
use remediation::{
    Shape,
    actuator::{ActuatorError, Verdict},
};
use serde_json::{Value, json};
use store::State;

/// The newest API of autoscalers that the server has; the fields that matter are the same in both.
async fn api(server: &Server) -> &'static str {
    let newest = server.request(http::Method::GET, "/apis/autoscaling/v2", "", &Value::Null);
    if newest.await.is_ok() { "v2" } else { "v1" }
}

/// An autoscaler for the Deployment.
pub(crate) async fn autoscaler(server: &Server, name: &str, min: u32, max: u32) {
    let version = api(server).await;
    let mut autoscaler = json!({
        "apiVersion": format!("autoscaling/{version}"), "kind": "HorizontalPodAutoscaler",
        "metadata": {"name": name},
        "spec": {
            "scaleTargetRef": {"apiVersion": "apps/v1", "kind": "Deployment", "name": "checkout"},
            "minReplicas": min, "maxReplicas": max,
        },
    });
    if version == "v2" {
        autoscaler["spec"]["metrics"] = json!([{"type": "Resource", "resource": {
            "name": "cpu", "target": {"type": "Utilization", "averageUtilization": 70},
        }}]);
    }
    let group = format!("apis/autoscaling/{version}");
    let path = server.path(&group, "horizontalpodautoscalers");
    server.create(&path, &autoscaler).await;
}

async fn path(server: &Server) -> String {
    let group = format!("apis/autoscaling/{}", api(server).await);
    server.path(&group, "horizontalpodautoscalers/checkout")
}

pub(crate) async fn bounds(server: &Server) -> (Value, Value) {
    let spec = server.get(&path(server).await).await["spec"].clone();
    (spec["minReplicas"].clone(), spec["maxReplicas"].clone())
}

#[tokio::test]
async fn the_floor_is_raised_and_comes_back_and_the_scale_is_the_autoscalers() {
    let server = Server::start().await;
    server.deploy(4).await;
    autoscaler(&server, "checkout", 2, 9).await;
    let hand = server.scaler();
    let before = hand.observe().await.unwrap();
    assert_eq!(before.to_string(), "4 (floor 2)");
    hand.set(6).await.unwrap();
    assert_eq!(bounds(&server).await, (json!(6), json!(9)));
    server
        .eventually("six replicas", async |server| server.replicas().await == 6)
        .await;
    assert_eq!(hand.observe().await.unwrap().to_string(), "6 (floor 6)");

    // The reactive loop goes above the floor, and what is there is still what was set.
    server
        .change(&server.deployment(), &json!({"spec": {"replicas": 8}}))
        .await;
    let grown = hand.observe().await.unwrap();
    assert!(grown.is_set_as(before.set_to(6)), "{grown}");
    hand.set(before.set_point()).await.unwrap();
    assert_eq!(bounds(&server).await, (json!(2), json!(9)));
}

#[tokio::test]
async fn an_action_raises_the_floor_and_its_way_back_restores_it() {
    let server = Server::start().await;
    if !server.runs_pods().await {
        return;
    }
    let world = World::new(server).await;
    autoscaler(&world.server, "checkout", 2, 9).await;
    world.alert("").await;
    let action = world.until(State::Verifying, 0..20).await;
    assert_eq!(
        bounds(&world.server).await,
        (json!(7), json!(9)),
        "{}",
        action.reason
    );
    world.worsen();
    let action = world.until(State::RolledBack, 8..60).await;
    assert_eq!(bounds(&world.server).await, (json!(2), json!(9)));
    let expect = "set back floor 7 → 2; the autoscaler scales above it";
    assert_eq!(action.reason, expect);
}

#[tokio::test]
async fn an_autoscaler_that_is_deleted_in_the_grace_period_is_a_rejection() {
    let world = World::new(Server::start().await).await;
    autoscaler(&world.server, "checkout", 2, 9).await;
    world.alert("").await;
    world.until(State::Grace, 0..2).await;
    let path = path(&world.server).await;
    let gone = world.server.request(
        http::Method::DELETE,
        &path,
        "application/json",
        &Value::Null,
    );
    gone.await.unwrap();
    let action = world.until(State::Rejected, 2..20).await;
    let expect =
        "the autoscaler that governed it is gone since the plan was made, so it is not followed";
    assert_eq!(action.reason, expect);
    assert_eq!(world.server.replicas().await, 4);
}

#[tokio::test]
async fn an_autoscaler_that_is_deleted_while_its_floor_is_verified_is_no_success() {
    let server = Server::start().await;
    if !server.runs_pods().await {
        return;
    }
    let world = World::new(server).await;
    autoscaler(&world.server, "checkout", 2, 9).await;
    world.alert("").await;
    world.until(State::Verifying, 0..20).await;
    let path = path(&world.server).await;
    let gone = world.server.request(
        http::Method::DELETE,
        &path,
        "application/json",
        &Value::Null,
    );
    gone.await.unwrap();
    let action = world.until(State::Failed, 8..60).await;
    assert_eq!(action.reason, "the autoscaler whose floor was set is gone");
}

#[tokio::test]
async fn a_floor_above_the_maximum_is_refused_before_anything_is_done() {
    let server = Server::start().await;
    server.deploy(4).await;
    autoscaler(&server, "checkout", 2, 6).await;
    let hand = server.scaler();
    let before = hand.observe().await.unwrap();
    let refusal = hand.rehearse(before.set_to(9)).await.unwrap_err();
    assert_eq!(refusal.verdict(), Verdict::GiveUp);
    let said = words(&refusal);
    assert!(
        said.contains("must be greater than or equal to `minReplicas`"),
        "{said}"
    );
    assert_eq!(bounds(&server).await, (json!(2), json!(6)));
}

#[tokio::test]
async fn the_maximum_is_raised_where_that_is_configured_and_comes_back_with_the_floor() {
    let server = Server::start().await;
    server.deploy(4).await;
    autoscaler(&server, "checkout", 2, 6).await;
    let hand = server.actuator(", raise_max: true", "kind: Deployment, name: checkout");
    hand.set(9).await.unwrap();
    assert_eq!(bounds(&server).await, (json!(9), json!(9)));
    hand.set(11).await.unwrap();
    assert_eq!(bounds(&server).await, (json!(11), json!(11)));
    hand.set(2).await.unwrap();
    assert_eq!(bounds(&server).await, (json!(2), json!(6)));
    let after = server.get(&path(&server).await).await;
    let kept = after["metadata"]
        .get("annotations")
        .and_then(|all| all.as_object());
    assert!(kept.is_none_or(serde_json::Map::is_empty), "{kept:?}");
}

#[tokio::test]
async fn a_maximum_that_somebody_set_since_stays() {
    let server = Server::start().await;
    server.deploy(4).await;
    autoscaler(&server, "checkout", 2, 10).await;
    let hand = server.actuator(", raise_max: true", "kind: Deployment, name: checkout");
    hand.set(14).await.unwrap();
    assert_eq!(bounds(&server).await, (json!(14), json!(14)));
    let by_hand = json!({"spec": {"maxReplicas": 50}});
    server.change(&path(&server).await, &by_hand).await;
    hand.set(15).await.unwrap();
    assert_eq!(bounds(&server).await, (json!(15), json!(50)));
    hand.set(2).await.unwrap();
    assert_eq!(bounds(&server).await, (json!(2), json!(50)));
    let after = server.get(&path(&server).await).await;
    let kept = &after["metadata"]["annotations"]["foreshadow/max-replicas-before"];
    assert_eq!(*kept, Value::Null);
}

#[track_caller]
fn left_alone(outcome: Result<Shape, ActuatorError>, why: &str) {
    let refusal = outcome.unwrap_err();
    assert_eq!(refusal.verdict(), Verdict::GiveUp);
    let said = words(&refusal);
    assert!(
        said.starts_with("left alone: ") && said.contains(why),
        "{said}"
    );
}

#[tokio::test]
async fn what_somebody_else_keeps_is_left_alone() {
    let server = Server::start().await;
    server.deploy(4).await;
    autoscaler(&server, "checkout", 2, 6).await;
    let hand = server.scaler();
    let owner = json!([{
        "apiVersion": "keda.sh/v1alpha1", "kind": "ScaledObject", "name": "by-queue", "controller": true,
        "uid": "6b4b4c2e-0000-4000-8000-000000000000",
    }]);
    if server.is_real() {
        // The garbage collector would take away what is owned by something that is not there.
        autoscaler(&server, "second", 2, 6).await;
        left_alone(hand.observe().await, "two autoscalers govern Deployment");
        return;
    }
    server
        .change(
            &path(&server).await,
            &json!({"metadata": {"ownerReferences": owner}}),
        )
        .await;
    left_alone(
        hand.observe().await,
        "autoscaler checkout is kept by ScaledObject by-queue",
    );
    autoscaler(&server, "second", 2, 6).await;
    left_alone(hand.observe().await, "two autoscalers govern Deployment");
}

#[tokio::test]
async fn an_autoscaler_rests_at_zero() {
    let server = Server::start().await;
    server.deploy(0).await;
    autoscaler(&server, "checkout", 2, 6).await;
    left_alone(
        server.scaler().observe().await,
        "is at zero, where autoscaler checkout rests",
    );
}

#[tokio::test]
async fn an_autoscaler_that_came_or_went_since_the_plan_stops_the_effect() {
    let server = Server::start().await;
    server.deploy(4).await;
    let hand = server.scaler();
    let planned = hand.observe().await.unwrap().set_to(5);
    autoscaler(&server, "checkout", 2, 6).await;
    let governed = hand.observe().await.unwrap();
    left_alone(
        hand.ensure(planned).await.map(|()| planned),
        "an autoscaler governs it since",
    );

    let gone = http::Method::DELETE;
    let done = server
        .request(gone, &path(&server).await, "application/json", &Value::Null)
        .await;
    done.unwrap();
    hand.observe().await.unwrap();
    let outcome = hand.ensure(governed.set_to(5)).await;
    left_alone(outcome.map(|()| governed), "is gone");
    assert_eq!(server.replicas().await, 4);
}
