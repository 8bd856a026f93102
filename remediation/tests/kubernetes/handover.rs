//! Handing fields over: nothing is lost on the way, and where we own more than we set, nothing is done.

use crate::{
    arrival::arrived,
    server::{Server, words},
};
use remediation::{Shape, actuator::Verdict};
use serde_json::{Value, json};
use std::{ffi::OsString, path::Path};

const DOCUMENTED: &str = r#"kind: Deployment, name: checkout, set: {initial: 4, container: app,
      resources: {requests: {cpu: "{{ replicas * 250 }}m"}, limits: {memory: "{{ replicas * 128 }}Mi"}},
      env: {WORKERS: "{{ replicas }}"}}"#;

const APPLY: &str = "application/apply-patch+yaml";

/// The manifest of the documentation's user, with the fields that are handed over, or without.
fn manifest(with_ours: bool) -> Value {
    let mut app = json!({
        "name": "app", "image": "registry.k8s.io/pause:3.10",
        "resources": {"requests": {"memory": "64Mi"}},
        "env": [{"name": "COLOUR", "value": "blue"}],
    });
    if with_ours {
        app["resources"]["requests"]["cpu"] = json!("1");
        app["resources"]["limits"] = json!({"memory": "512Mi"});
        let ours = json!({"name": "WORKERS", "value": "4"});
        app["env"].as_array_mut().unwrap().push(ours);
    }
    json!({
        "apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "checkout", "labels": {"team": "shop"}},
        "spec": {
            "replicas": 2, "selector": {"matchLabels": {"app": "checkout"}},
            "template": {
                "metadata": {"labels": {"app": "checkout"}},
                "spec": {"containers": [app, {"name": "side", "image": "registry.k8s.io/pause:3.9"}]},
            },
        },
    })
}

/// The fields of `set`, as the documentation applies them.
fn ours() -> Value {
    json!({
        "apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "checkout"},
        "spec": {"template": {"spec": {"containers": [{
            "name": "app", "resources": {"requests": {"cpu": "1"}, "limits": {"memory": "512Mi"}},
            "env": [{"name": "WORKERS", "value": "4"}],
        }]}}},
    })
}

async fn apply(server: &Server, manager: &str, path: &str, body: &Value) {
    let path = format!("{path}?fieldManager={manager}&force=true");
    let done = server.request(http::Method::PATCH, &path, APPLY, body);
    done.await.unwrap_or_else(|refusal| panic!("{refusal}"));
}

/// Holds that the user's own fields are all there, and ours as they stand for a size.
async fn nothing_is_lost(server: &Server, size: u32) {
    let deployment = server.get(&server.deployment()).await;
    assert_eq!(deployment["metadata"]["labels"]["team"], "shop");
    assert_eq!(deployment["spec"]["replicas"], 2);
    let containers = &deployment["spec"]["template"]["spec"]["containers"];
    assert_eq!(containers[1]["image"], "registry.k8s.io/pause:3.9");
    let app = &containers[0];
    assert_eq!(app["image"], "registry.k8s.io/pause:3.10");
    assert_eq!(app["resources"]["requests"]["memory"], "64Mi");
    let env = app["env"].as_array().unwrap();
    let value = |name: &str| env.iter().find(|one| one["name"] == name).unwrap()["value"].clone();
    assert_eq!(value("COLOUR"), "blue");
    assert_eq!(value("WORKERS"), size.to_string());
}

#[tokio::test]
async fn fields_are_handed_over_without_a_loss_as_documented() {
    let server = Server::start().await;
    let path = server.deployment();
    apply(&server, "kubectl", &path, &manifest(true)).await;
    apply(&server, "foreshadow", &path, &ours()).await;
    apply(&server, "kubectl", &path, &manifest(false)).await;
    nothing_is_lost(&server, 4).await;
    let hand = server.actuator("", DOCUMENTED);
    hand.set(6).await.unwrap();
    nothing_is_lost(&server, 6).await;
    // What the user applies from then on leaves ours alone.
    apply(&server, "kubectl", &path, &manifest(false)).await;
    nothing_is_lost(&server, 6).await;
    hand.set(4).await.unwrap();
    nothing_is_lost(&server, 4).await;
}

#[tokio::test]
async fn an_object_of_which_we_own_more_than_we_set_is_left_alone_until_that_is_mended() {
    let server = Server::start().await;
    let path = server.deployment();
    // As a migration leaves it: all that there is belongs to us.
    apply(&server, "foreshadow", &path, &manifest(true)).await;
    let hand = server.actuator("", DOCUMENTED);
    let refusal = hand.observe().await.unwrap_err();
    assert_eq!(refusal.verdict(), Verdict::GiveUp);
    let said = words(&refusal);
    let expect = "left alone: the field manager foreshadow owns more of Deployment ";
    assert!(said.starts_with(expect), "{said}");
    assert!(
        said.contains(".metadata.labels.team") && said.contains(" more. "),
        "{said}"
    );
    assert!(said.contains("by your own manager first"), "{said}");
    nothing_is_lost(&server, 4).await;

    apply(&server, "kubectl", &path, &manifest(true)).await;
    apply(&server, "foreshadow", &path, &ours()).await;
    apply(&server, "kubectl", &path, &manifest(false)).await;
    hand.set(6).await.unwrap();
    nothing_is_lost(&server, 6).await;
}

#[tokio::test]
async fn a_config_map_of_which_we_own_more_than_we_set_keeps_its_keys() {
    let server = Server::start().await;
    let path = server.path("api/v1", "configmaps/tuning");
    let map = |data: Value| json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "tuning"}, "data": data});
    let all = map(json!({"colour": "blue", "workers": "4", "url": "http://x"}));
    apply(&server, "foreshadow", &path, &all).await;
    let target =
        r#"kind: ConfigMap, name: tuning, set: {initial: 4, data: {workers: "{{ replicas }}"}}"#;
    let hand = server.actuator("", target);
    let said = words(&hand.set(7).await.unwrap_err());
    assert!(said.contains(".data.colour, .data.url. An apply"), "{said}");
    assert_eq!(server.get(&path).await["data"], all["data"]);

    apply(&server, "kubectl", &path, &all).await;
    apply(&server, "foreshadow", &path, &map(json!({"workers": "4"}))).await;
    let rest = map(json!({"colour": "blue", "url": "http://x"}));
    apply(&server, "kubectl", &path, &rest).await;
    hand.set(7).await.unwrap();
    let expect = json!({"colour": "blue", "workers": "7", "url": "http://x"});
    assert_eq!(server.get(&path).await["data"], expect);
    assert_eq!(arrived(&hand, Shape::of(7)).await, None);
}

/// A `kubectl` to run the documentation's commands with.
#[expect(
    clippy::disallowed_methods,
    reason = "the suite is pointed to a kubectl by its environment"
)]
fn kubectl() -> Option<OsString> {
    std::env::var_os("KUBECTL")
}

/// The commands of the documentation, the one block that takes the fields over and the one that ends it.
fn commands() -> [String; 2] {
    let page = include_str!("../../../docs/kubernetes.md");
    let (_, chapter) = page.split_once("### Hand the fields over").unwrap();
    let mut blocks = chapter.split("```sh\n").skip(1);
    let mut next = || {
        let (block, _) = blocks.next().unwrap().split_once("```").unwrap();
        block.to_owned()
    };
    [next(), next()]
}

/// Runs commands in a folder as a user would, with this `kubectl` for the one that they name.
async fn run(server: &Server, kubectl: &Path, commands: &str) -> String {
    let commands = commands.replace(
        "namespace: shop",
        &format!("namespace: {}", server.namespace),
    );
    let script = format!(
        "set -eu\nkubectl() {{ {} --kubeconfig {} --namespace {} \"$@\"; }}\n{commands}",
        kubectl.display(),
        server.kubeconfig.display(),
        server.namespace,
    );
    let ran = tokio::process::Command::new("bash")
        .args(["-c", &script])
        .current_dir(server.folder())
        .output();
    let ran = ran.await.unwrap();
    let said = String::from_utf8_lossy(&ran.stderr).into_owned();
    assert!(ran.status.success(), "{script}: {said}");
    String::from_utf8_lossy(&ran.stdout).into_owned()
}

#[tokio::test]
async fn the_documented_commands_hand_fields_over_without_a_loss() {
    let server = Server::start().await;
    let Some(kubectl) = kubectl().filter(|_| server.is_real()) else {
        eprintln!(
            "kubernetes: no real server, or no KUBECTL is named, so its commands were not tried"
        );
        return;
    };
    let kubectl = Path::new(&kubectl);
    let file = server.folder().join("checkout.yml");
    let write = |with_ours| std::fs::write(&file, manifest(with_ours).to_string()).unwrap();
    write(true);
    // Applied by the client before, as most are.
    run(&server, kubectl, "kubectl apply -f checkout.yml").await;
    let [take_over, give_up] = commands();
    run(&server, kubectl, &take_over).await;
    nothing_is_lost(&server, 4).await;
    write(false);
    run(&server, kubectl, &give_up).await;
    nothing_is_lost(&server, 4).await;
    let hand = server.actuator("", DOCUMENTED);
    hand.set(6).await.unwrap();
    nothing_is_lost(&server, 6).await;
    run(&server, kubectl, &give_up).await;
    nothing_is_lost(&server, 6).await;

    let said = run(&server, kubectl, "kubectl describe deployment checkout").await;
    assert!(said.contains("ForeshadowScaled"), "{said}");
}
