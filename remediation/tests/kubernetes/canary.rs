//! A size is tried out on a second Deployment, and the first stays as it is until then.

use crate::{
    server::{Hand, Server, words},
    setting::{apply, tuned},
    world::World,
};
use remediation::{Canary, Shape, Strategy, actuator::Verdict};
use serde_json::{Value, json};
use store::State;

const TRIED: &str = r#"kind: Deployment, name: checkout, set: {initial: 4, container: app, canary: checkout-try,
      resources: {requests: {cpu: "{{ replicas * 250 }}m"}}, env: {WORKERS: "{{ replicas }}"}}"#;

/// A Deployment with so many instances of size 4, and what tries out other sizes on a copy of this name.
pub(crate) async fn tried(server: &Server, instances: u32, copy: &str) -> Hand {
    server.deploy(instances).await;
    apply(server, "foreshadow", tuned()).await;
    server.actuator("", &TRIED.replace("checkout-try", copy))
}

fn copy_path(server: &Server) -> String {
    server.path("apis/apps/v1", "deployments/checkout-try")
}

async fn copy(server: &Server) -> Option<Value> {
    let path = copy_path(server);
    let got = server
        .request(http::Method::GET, &path, "", &Value::Null)
        .await;
    // A real server deletes in its own time.
    got.ok()
        .filter(|copy| copy["metadata"]["deletionTimestamp"].is_null())
}

/// Ensures a shape as the supervisor does, reading before each try.
pub(crate) async fn ensure(hand: &Hand, shape: Shape) {
    let mut last = String::new();
    for _ in 0..60 {
        if let Ok(found) = hand.observe().await {
            if found.is_set_as(shape) {
                return;
            }
            match hand.ensure(shape).await {
                Ok(()) => return,
                Err(error) if error.verdict() == Verdict::GiveUp => panic!("{}", words(&error)),
                Err(error) => last = words(&error),
            }
        }
        tokio::time::sleep(std::time::Duration::from_millis(200)).await;
    }
    panic!("{shape} did not come about: {last}");
}

#[tokio::test]
async fn a_copy_tries_out_the_size_by_share_of_instances_and_goes_when_it_is_taken_over() {
    let server = Server::start().await;
    let hand = tried(&server, 6, "checkout-try").await;
    let before = hand.observe().await.unwrap();
    assert_eq!(before.canary, Some(Canary::default()));
    let steps = vec![0.1, 0.5];
    let stages = Strategy::Canary { steps }.stages(before, 6).unwrap();
    let shapes: Vec<_> = stages.iter().map(|stage| stage.shape).collect();
    let said = hand.rehearse(shapes[0]).await.unwrap().unwrap();
    assert!(said.starts_with("would send POST "), "{said}");
    assert!(copy(&server).await.is_none());

    let untouched = server.get(&server.deployment()).await["spec"].clone();
    ensure(&hand, shapes[0]).await;
    let made = copy(&server).await.unwrap();
    assert_eq!(made["spec"]["replicas"], 1);
    assert_eq!(hand.observe().await.unwrap(), shapes[0]);
    ensure(&hand, shapes[1]).await;
    let made = copy(&server).await.unwrap();
    assert_eq!(made["spec"]["replicas"], 3);
    let container = &made["spec"]["template"]["spec"]["containers"][0];
    assert_eq!(container["resources"]["requests"]["cpu"], "1500m");
    assert_eq!(container["env"], json!([{"name": "WORKERS", "value": "6"}]));
    for labels in [
        &made["spec"]["selector"]["matchLabels"],
        &made["spec"]["template"]["metadata"]["labels"],
    ] {
        assert_eq!(
            *labels,
            json!({"app": "checkout", "foreshadow/canary-of": "checkout"})
        );
    }
    assert_eq!(server.get(&server.deployment()).await["spec"], untouched);

    ensure(&hand, shapes[2]).await;
    assert!(copy(&server).await.is_none(), "nothing is left over");
    let after = server.get(&server.deployment()).await;
    assert_eq!(
        after["spec"]["template"]["spec"]["containers"][0]["env"][0]["value"],
        "6"
    );
    assert_eq!(after["spec"]["replicas"], 6);
}

#[tokio::test]
async fn the_way_back_takes_the_copy_away_and_nothing_else() {
    let server = Server::start().await;
    let hand = tried(&server, 6, "checkout-try").await;
    let before = hand.observe().await.unwrap();
    let steps = vec![0.5];
    let stages = Strategy::Canary { steps }.stages(before, 6).unwrap();
    ensure(&hand, stages[0].shape).await;
    let untouched = server.get(&server.deployment()).await["spec"].clone();
    ensure(&hand, before).await;
    assert!(copy(&server).await.is_none());
    assert_eq!(server.get(&server.deployment()).await["spec"], untouched);
}

#[tokio::test]
async fn what_an_action_left_over_goes_before_another_size_is_tried() {
    let server = Server::start().await;
    let hand = tried(&server, 2, "checkout-try").await;
    let before = hand.observe().await.unwrap();
    let tries = |size| Shape {
        canary: Some(Canary { size, percent: 50 }),
        ..before
    };
    ensure(&hand, tries(5)).await;
    // A rehearsal deletes nothing.
    hand.rehearse(tries(6)).await.unwrap();
    assert!(copy(&server).await.is_some());
    ensure(&hand, tries(6)).await;
    let made = copy(&server).await.unwrap();
    assert_eq!(made["metadata"]["annotations"]["foreshadow/size"], "6");
}

#[tokio::test]
async fn a_deployment_of_that_name_that_is_no_copy_is_left_alone() {
    let server = Server::start().await;
    let hand = tried(&server, 2, "checkout-try").await;
    let mut other = server.get(&server.deployment()).await;
    other["metadata"] = json!({"name": "checkout-try"});
    server
        .create(&server.path("apis/apps/v1", "deployments"), &other)
        .await;
    let refusal = hand.observe().await.unwrap_err();
    assert_eq!(refusal.verdict(), Verdict::GiveUp);
    assert!(
        words(&refusal).contains("is no canary of Deployment"),
        "{}",
        words(&refusal)
    );
}

/// An action that tries size 7 out on half of the instances.
async fn trying() -> Option<World> {
    let server = Server::start().await;
    if !server.runs_pods().await {
        return None;
    }
    let rollout = "{canary: {steps: [50%], wait: 5s, count: 1, verify: ['p99 < 0.5']}}";
    let world = World::of(server, rollout, TRIED).await;
    apply(&world.server, "foreshadow", tuned()).await;
    world.alert("").await;
    world.until(State::Verifying, 0..20).await;
    let made = copy(&world.server).await.unwrap();
    assert_eq!(made["spec"]["replicas"], 2);
    Some(world)
}

async fn workers(server: &Server) -> Value {
    let deployment = server.get(&server.deployment()).await;
    deployment["spec"]["template"]["spec"]["containers"][0]["env"][0]["value"].clone()
}

#[tokio::test]
async fn an_action_takes_over_what_was_good_on_the_copy() {
    let Some(world) = trying().await else { return };
    assert_eq!(workers(&world.server).await, "4");
    world.until(State::Succeeded, 8..90).await;
    assert_eq!(workers(&world.server).await, "7");
    assert!(copy(&world.server).await.is_none());
}

#[tokio::test]
async fn an_action_that_does_harm_on_the_copy_never_reaches_the_rest() {
    let Some(world) = trying().await else { return };
    world.worsen();
    world.until(State::RolledBack, 8..90).await;
    assert_eq!(workers(&world.server).await, "4");
    assert!(copy(&world.server).await.is_none());
}

#[tokio::test]
async fn an_action_takes_back_its_own_and_not_what_another_left_over() {
    let rollout = "{canary: {steps: [50%], wait: 5s, count: 1, verify: ['p99 < 0.5']}}";
    let server = Server::start().await;
    if !server.runs_pods().await {
        return;
    }
    let world = World::of(server, rollout, TRIED).await;
    apply(&world.server, "foreshadow", tuned()).await;
    let earlier = world.server.actuator("", TRIED);
    let left_over = Some(Canary {
        size: 5,
        percent: 50,
    });
    let before = earlier.observe().await.unwrap();
    let shape = Shape {
        canary: left_over,
        ..before
    };
    ensure(&earlier, shape).await;
    world.alert("").await;
    world.until(State::Verifying, 0..60).await;
    world.worsen();
    world.until(State::RolledBack, 8..90).await;
    assert_eq!(workers(&world.server).await, "4");
    assert!(copy(&world.server).await.is_none());
}
