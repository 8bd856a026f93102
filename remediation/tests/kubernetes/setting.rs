//! Numbers that are turned into resources, environment and configuration.

use crate::{
    server::{Hand, Server, words},
    world::World,
};
use kubernetes_stand_in::{Fault, Node};
use remediation::{
    Shape,
    actuator::{ActuatorError, Verdict},
};
use serde_json::{Value, json};
use store::State;

const TUNED: &str = r#"kind: Deployment, name: checkout, set: {initial: 4, container: app,
      resources: {requests: {cpu: "{{ replicas * 250 }}m"}}, env: {WORKERS: "{{ replicas }}"}}"#;

const RESIZED: &str = r#"kind: Deployment, name: checkout, set: {initial: 1, container: app, in_place: true,
      resources: {requests: {cpu: "{{ replicas * 100 }}m"}}}"#;

/// Applies fields of the container as one manager, whoever owned them before.
pub(crate) async fn apply(server: &Server, manager: &str, container: Value) {
    let mut container = container;
    container["name"] = json!("app");
    let body = json!({
        "apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "checkout"},
        "spec": {"template": {"spec": {"containers": [container]}}},
    });
    let path = format!("{}?fieldManager={manager}&force=true", server.deployment());
    let kind = "application/apply-patch+yaml";
    let done = server
        .request(http::Method::PATCH, &path, kind, &body)
        .await;
    done.unwrap_or_else(|refusal| panic!("{refusal}"));
}

pub(crate) fn tuned() -> Value {
    json!({"resources": {"requests": {"cpu": "1"}}, "env": [{"name": "WORKERS", "value": "4"}]})
}

async fn container(server: &Server) -> Value {
    let deployment = server.get(&server.deployment()).await;
    deployment["spec"]["template"]["spec"]["containers"][0].clone()
}

#[tokio::test]
async fn a_number_becomes_resources_and_environment_and_comes_back() {
    let server = Server::start().await;
    server.deploy(2).await;
    // The fields are handed over once, as the documentation says.
    apply(&server, "foreshadow", tuned()).await;
    let hand = server.actuator("", TUNED);
    assert_eq!(hand.observe().await.unwrap(), Shape::of(4));
    let said = hand.rehearse(Shape::of(6)).await.unwrap().unwrap();
    assert!(said.contains(r#""cpu":"1500m""#), "{said}");

    hand.set(6).await.unwrap();
    let made = container(&server).await;
    assert_eq!(made["resources"]["requests"]["cpu"], "1500m");
    assert_eq!(
        made["resources"]["requests"]["memory"], "64Mi",
        "what is not ours stays"
    );
    assert_eq!(made["env"], json!([{"name": "WORKERS", "value": "6"}]));
    assert_eq!(hand.observe().await.unwrap(), Shape::of(6));

    hand.set(4).await.unwrap();
    assert_eq!(container(&server).await["env"][0]["value"], "4");
    assert_eq!(server.replicas().await, 2, "replicas are not touched");
}

#[tokio::test]
async fn what_somebody_else_owns_is_refused_with_the_name_of_the_owner() {
    let server = Server::start().await;
    server.deploy(2).await;
    apply(&server, "deployer", tuned()).await;
    let hand = server.actuator("", TUNED);
    assert_eq!(hand.observe().await.unwrap(), Shape::of(4));
    let refusal = hand.rehearse(Shape::of(6)).await.unwrap_err();
    assert_eq!(refusal.verdict(), Verdict::GiveUp);
    let said = words(&refusal);
    assert!(
        said.starts_with("left alone: ") && said.contains("\"deployer\""),
        "{said}"
    );
    assert!(hand.set(6).await.is_err());
    assert_eq!(container(&server).await["env"][0]["value"], "4");
}

#[tokio::test]
async fn fields_that_are_not_what_the_number_says_are_left_alone() {
    let server = Server::start().await;
    server.deploy(2).await;
    let hand = server.actuator("", TUNED);
    let refusal = words(&hand.observe().await.unwrap_err());
    assert!(refusal.contains("is not set, and should be"), "{refusal}");
    apply(&server, "foreshadow", tuned()).await;
    hand.set(6).await.unwrap();
    apply(
        &server,
        "somebody",
        json!({"env": [{"name": "WORKERS", "value": "9"}]}),
    )
    .await;
    let refusal = words(&hand.observe().await.unwrap_err());
    assert_eq!(
        refusal,
        "left alone: WORKERS is 9, and should be 6 for size 6"
    );
}

#[tokio::test]
async fn a_number_becomes_a_key_of_a_config_map() {
    let server = Server::start().await;
    let map = json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "tuning"}, "data": {"colour": "blue"}});
    server
        .create(&server.path("api/v1", "configmaps"), &map)
        .await;
    let path = server.path("api/v1", "configmaps/tuning");
    let handed_over = json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "tuning"}, "data": {"workers": "4"}});
    let apply = format!("{path}?fieldManager=foreshadow");
    let kind = "application/apply-patch+yaml";
    server
        .request(http::Method::PATCH, &apply, kind, &handed_over)
        .await
        .unwrap();
    let target =
        r#"kind: ConfigMap, name: tuning, set: {initial: 4, data: {workers: "{{ replicas }}"}}"#;
    let hand = server.actuator("", target);
    hand.set(7).await.unwrap();
    assert_eq!(
        server.get(&path).await["data"],
        json!({"colour": "blue", "workers": "7"})
    );
    assert_eq!(hand.observe().await.unwrap(), Shape::of(7));
}

/// A Deployment with two pods that run, and what resizes them; none where no node runs pods.
pub(crate) async fn running(server: &Server) -> Option<Hand> {
    server.deploy(2).await;
    apply(
        server,
        "deployer",
        json!({"resources": {"requests": {"cpu": "100m"}}}),
    )
    .await;
    let started = tokio::time::Instant::now();
    while !are_up(&pods(server).await) {
        if started.elapsed() > std::time::Duration::from_secs(30) {
            eprintln!("kubernetes: no node runs pods here, so none was resized");
            return None;
        }
        tokio::time::sleep(std::time::Duration::from_millis(200)).await;
    }
    let hand = server.actuator("", RESIZED);
    match hand.rehearse(Shape::of(3)).await {
        Err(ActuatorError::Refused { status: 404, .. }) => {
            eprintln!("kubernetes: this server resizes no pods, so none was");
            None
        }
        _ => Some(hand),
    }
}

/// Whether there are two pods of the template as it is now, and no others, and both run.
fn are_up(pods: &[Value]) -> bool {
    let is_up = |pod: &Value| {
        let container = &pod["spec"]["containers"][0];
        pod["status"]["phase"] == "Running" && container["resources"]["requests"]["cpu"] == "100m"
    };
    pods.len() == 2 && pods.iter().all(is_up)
}

async fn pods(server: &Server) -> Vec<Value> {
    let path = format!(
        "{}?labelSelector=app%3Dcheckout",
        server.path("api/v1", "pods")
    );
    let list = server.get(&path).await;
    let all = list["items"].as_array().unwrap().iter();
    all.filter(|pod| pod["metadata"]["deletionTimestamp"].is_null())
        .cloned()
        .collect()
}

async fn requests(server: &Server) -> Vec<Value> {
    let request =
        |pod: &Value| pod["spec"]["containers"][0]["resources"]["requests"]["cpu"].clone();
    pods(server).await.iter().map(request).collect()
}

async fn notes(server: &Server) -> Value {
    let deployment = server.get(&server.deployment()).await;
    let all = &deployment["metadata"]["annotations"];
    json!([all["foreshadow/size"], all["foreshadow/resizing-to"]])
}

#[tokio::test]
async fn running_pods_are_resized_and_the_template_is_not() {
    let server = Server::start().await;
    let Some(mut hand) = running(&server).await else {
        return;
    };
    hand.set(3).await.unwrap();
    assert_eq!(requests(&server).await, ["300m", "300m"]);
    assert_eq!(
        container(&server).await["resources"]["requests"]["cpu"],
        "100m"
    );
    assert_eq!(hand.observe().await.unwrap(), Shape::of(3));
    assert_eq!(notes(&server).await, json!(["3", null]));
    hand.state = State::RollingBack;
    hand.set(1).await.unwrap();
    assert_eq!(requests(&server).await, ["100m", "100m"]);
    assert_eq!(hand.observe().await.unwrap(), Shape::of(1));
}

#[tokio::test]
async fn another_class_of_service_is_refused_before_anything_is_done() {
    let server = Server::start().await;
    let Some(_) = running(&server).await else {
        return;
    };
    let all = r#"kind: Deployment, name: checkout, set: {initial: 1, container: app, in_place: true,
      resources: {requests: {cpu: "{{ replicas * 100 }}m", memory: "128Mi"}, limits: {cpu: "{{ replicas * 100 }}m"}}}"#;
    let refusal = server
        .actuator("", all)
        .rehearse(Shape::of(3))
        .await
        .unwrap_err();
    assert_eq!(refusal.verdict(), Verdict::GiveUp);
    assert_eq!(requests(&server).await, ["100m", "100m"]);
}

#[tokio::test]
async fn what_a_node_will_never_do_is_taken_back_and_said() {
    let server = Server::stand_in().await;
    let hand = running(&server).await.unwrap();
    server.faulty().set_node(Node::Infeasible);
    let refusal = hand.set(3).await.unwrap_err();
    assert_eq!(refusal.verdict(), Verdict::GiveUp);
    let said = words(&refusal);
    assert!(
        said.contains("Infeasible: Node didn't have enough capacity"),
        "{said}"
    );
    assert_eq!(requests(&server).await, ["100m", "100m"]);
    assert_eq!(notes(&server).await, json!(["1", null]));
}

/// Throws the kill switch as soon as nodes have been asked for these, and lets them do it from then on.
async fn throw_once_asked(server: &Server, wanted: &str) {
    server
        .eventually("the resize", async |server| {
            requests(server).await.iter().all(|one| one == wanted)
        })
        .await;
    std::fs::write(server.kill_switch(), "").unwrap();
    server.faulty().set_node(Node::Prompt);
}

#[tokio::test]
async fn the_kill_switch_stops_an_effect_between_two_of_its_writes() {
    let server = Server::stand_in().await;
    let mut hand = running(&server).await.unwrap();
    hand.guards.kill_switch_file = Some(server.kill_switch());
    server.faulty().set_node(Node::Deferred);
    let thrown = throw_once_asked(&server, "300m");
    let (outcome, ()) = tokio::join!(hand.set(3), thrown);
    let refusal = outcome.unwrap_err();
    assert_eq!(refusal.verdict(), Verdict::GiveUp);
    let said = words(&refusal);
    assert!(
        said.starts_with("stopped on the way: the kill switch"),
        "{said}"
    );
    assert_eq!(notes(&server).await, json!(["1", "3"]));
}

#[tokio::test]
async fn a_way_back_that_the_kill_switch_stopped_is_gone_when_it_is_released() {
    let rollout = "{direct: {wait: 5s, count: 1, verify: ['p99 < 0.5']}}";
    let resized = r#"kind: Deployment, name: checkout, set: {initial: 3, container: app, in_place: true,
      resources: {requests: {cpu: "{{ replicas * 100 }}m"}}}"#;
    let world = World::of(Server::stand_in().await, rollout, resized).await;
    let server = &world.server;
    let asked = json!({"resources": {"requests": {"cpu": "300m"}}});
    apply(server, "deployer", asked).await;
    world.alert("").await;
    world.until(State::Verifying, 0..60).await;
    world.worsen();
    server.faulty().set_node(Node::Deferred);
    let thrown = throw_once_asked(server, "300m");
    let ticks = async {
        world.until(State::RollingBack, 8..60).await;
        for second in 60..66 {
            world.until(State::RollingBack, second..second + 1).await;
        }
    };
    tokio::join!(ticks, thrown);
    assert_eq!(notes(server).await, json!(["6", "6"]));
    std::fs::remove_file(server.kill_switch()).unwrap();
    world.until(State::RolledBack, 66..120).await;
    assert_eq!(requests(server).await, ["300m"; 4]);
}

#[tokio::test]
async fn half_of_the_way_back_is_not_all_of_it() {
    let server = Server::stand_in().await;
    let mut hand = running(&server).await.unwrap();
    hand.set(3).await.unwrap();
    server.faulty().set_node(Node::Deferred);
    hand.state = State::RollingBack;
    assert!(hand.set(1).await.is_err());
    assert_eq!(hand.observe().await.unwrap(), Shape::of(3));
    server.faulty().set_node(Node::Prompt);
    hand.set(1).await.unwrap();
    assert_eq!(hand.observe().await.unwrap(), Shape::of(1));
}

#[tokio::test]
async fn what_a_node_has_not_done_yet_is_not_done_and_the_way_back_knows() {
    let server = Server::stand_in().await;
    let mut hand = running(&server).await.unwrap();
    server.faulty().set_node(Node::Deferred);
    let refusal = hand.set(3).await.unwrap_err();
    assert_eq!(refusal.verdict(), Verdict::Retry(None));
    assert!(words(&refusal).contains("Deferred"), "{}", words(&refusal));
    assert_eq!(notes(&server).await, json!(["1", "3"]));
    assert_eq!(
        hand.observe().await.unwrap(),
        Shape::of(1),
        "it is gone on with"
    );

    hand.state = State::RollingBack;
    assert_eq!(
        hand.observe().await.unwrap(),
        Shape::of(3),
        "it may have come that far"
    );
    // A way back that breaks off half-way may still have pods that came that far.
    server
        .faulty()
        .order("PATCH /resize", Fault::Refuse(503, None));
    assert!(hand.set(1).await.is_err());
    assert_eq!(notes(&server).await, json!(["1", "3"]));
    assert_eq!(hand.observe().await.unwrap(), Shape::of(3));
    server.faulty().set_node(Node::Prompt);
    hand.set(1).await.unwrap();
    assert_eq!(requests(&server).await, ["100m", "100m"]);
    assert_eq!(notes(&server).await, json!(["1", null]));
}

/// Lets all pods be made anew.
async fn renew(server: &Server) {
    for pod in pods(server).await {
        let name = pod["metadata"]["name"].as_str().unwrap();
        let path = server.path("api/v1", &format!("pods/{name}"));
        let done = server
            .request(
                http::Method::DELETE,
                &path,
                "application/json",
                &Value::Null,
            )
            .await;
        done.unwrap();
    }
}

#[tokio::test]
async fn pods_that_were_made_since_have_the_size_of_the_template() {
    let server = Server::stand_in().await;
    let hand = running(&server).await.unwrap();
    hand.set(3).await.unwrap();
    renew(&server).await;
    assert_eq!(hand.observe().await.unwrap(), Shape::of(1));
    hand.set(3).await.unwrap();
    assert_eq!(requests(&server).await, ["300m", "300m"]);
}

#[tokio::test]
async fn what_a_node_will_never_do_to_new_pods_is_taken_back_to_the_template() {
    let server = Server::stand_in().await;
    let hand = running(&server).await.unwrap();
    hand.set(3).await.unwrap();
    renew(&server).await;
    server.faulty().set_node(Node::Infeasible);
    let refusal = hand.set(5).await.unwrap_err();
    assert_eq!(refusal.verdict(), Verdict::GiveUp);
    assert_eq!(requests(&server).await, ["100m", "100m"]);
    assert_eq!(notes(&server).await, json!(["1", null]));
}
