//! What the program may do: the role of the documentation, on a server that knows roles.

use crate::{
    autoscaler::autoscaler,
    canary::tried,
    fleets::side_by_side,
    server::{Hand, Server, words},
    setting::running,
};
use kube::config::Kubeconfig;
use kubernetes_stand_in::Made;
use remediation::{Canary, Colour, Fleets, Shape, actuator::ActuatorError};
use serde_json::{Value, json};

/// The documentation's role: what is asked for always, or with that which only some workloads need.
fn rules(is_all: bool) -> Value {
    let page = include_str!("../../../docs/kubernetes.md");
    let (_, chapter) = page.split_once("## The least that it needs").unwrap();
    let (_, listed) = chapter.split_once("rules:\n").unwrap();
    let (listed, _) = listed.split_once("---\n").unwrap();
    let lines = listed.lines().map(|line| match line.strip_prefix("# -") {
        Some(rule) if is_all => format!("-{rule}\n"),
        _ => format!("{line}\n"),
    });
    let document = yaml::Document::parse("role", &lines.collect::<String>()).unwrap();
    let texts = |node: &yaml::Node| node.list(yaml::Node::string).map(Value::from);
    let rule = |node: &yaml::Node| {
        let keys = node.entries(|key, node| Some((key.to_owned(), texts(node)?)))?;
        Some(keys.into_iter().collect::<Value>())
    };
    document.check(|node| node.list(rule)).unwrap().into()
}

/// Whether a role lets a request be made.
fn is_allowed(rules: &Value, made: &Made) -> bool {
    let path = made.path.split('?').next().unwrap();
    let (group, rest) = path.split_once("/namespaces/").unwrap();
    let group = group.strip_prefix("/apis/").unwrap_or_default();
    let (group, _) = group.split_once('/').unwrap_or_default();
    let parts: Vec<_> = rest.split('/').skip(1).collect();
    let (resource, name) = match parts[..] {
        [resource, name, part] => (format!("{resource}/{part}"), Some(name)),
        [resource, name] => (resource.to_owned(), Some(name)),
        _ => (parts[0].to_owned(), None),
    };
    let verb = match (made.method.as_str(), name) {
        ("GET", None) => "list",
        ("GET", Some(_)) => "get",
        ("PATCH", _) => "patch",
        ("DELETE", _) => "delete",
        _ => "create",
    };
    let holds = |list: &Value, one: &str| list.as_array().unwrap().contains(&json!(one));
    rules.as_array().unwrap().iter().any(|rule| {
        let names = rule.get("resourceNames");
        holds(&rule["apiGroups"], group)
            && holds(&rule["resources"], &resource)
            && holds(&rule["verbs"], verb)
            && names.is_none_or(|names| name.is_some_and(|name| holds(names, name)))
    })
}

/// What is asked of the stand-in while something is set to three and then to two.
async fn asked(server: &Server, hand: &Hand) -> Vec<Made> {
    let before = server.faulty().made().len();
    let found = hand.observe().await.unwrap();
    hand.rehearse(found.set_to(3)).await.unwrap();
    hand.set(3).await.unwrap();
    // How far it has come, and who stands in the way where nothing does.
    hand.arrival(found.set_to(3)).await;
    hand.arrival(found.set_to(40)).await;
    hand.set(2).await.unwrap();
    server.faulty().made().split_off(before)
}

#[tokio::test]
async fn nothing_is_asked_that_the_role_of_the_documentation_does_not_allow() {
    let (least, all) = (rules(false), rules(true));
    let check = |rules: &Value, asked: Vec<Made>| {
        assert!(asked.iter().any(|made| made.method == "PATCH"), "{asked:?}");
        for made in asked {
            assert!(is_allowed(rules, &made), "{} {}", made.method, made.path);
        }
    };
    let server = Server::wired().await;
    server.deploy(4).await;
    check(&least, asked(&server, &server.scaler()).await);
    autoscaler(&server, "checkout", 1, 9).await;
    check(&least, asked(&server, &server.scaler()).await);
    let server = Server::wired().await;
    if let Some(hand) = running(&server).await {
        check(&all, asked(&server, &hand).await);
    }

    let server = Server::wired().await;
    let hand = side_by_side(&server, 2).await;
    let fleets = |active, idle| Shape {
        fleets: Some(Fleets { active, idle }),
        ..Shape::of(2)
    };
    if server.runs_pods().await {
        let before = server.faulty().made().len();
        hand.observe().await.unwrap();
        while hand.ensure(fleets(Colour::Green, 0)).await.is_err() {
            tokio::time::sleep(std::time::Duration::from_millis(200)).await;
            hand.observe().await.unwrap();
        }
        check(&all, server.faulty().made().split_off(before));
    }

    let server = Server::wired().await;
    let hand = tried(&server, 2, "checkout-canary").await;
    let before = server.faulty().made().len();
    let found = hand.observe().await.unwrap();
    for (size, percent) in [(5, 50), (5, 100), (0, 0)] {
        let canary = Some(Canary { size, percent });
        crate::canary::ensure(&hand, Shape { canary, ..found }).await;
    }
    crate::canary::ensure(&hand, found.set_to(5)).await;
    check(&all, server.faulty().made().split_off(before));
}

/// Lets a service account do no more than that, and acts as it from then on.
async fn become_foreshadow(server: &mut Server) {
    let group = "apis/rbac.authorization.k8s.io/v1";
    let role = json!({"metadata": {"name": "foreshadow"}, "rules": rules(false)});
    server.create(&server.path(group, "roles"), &role).await;
    let account =
        json!({"kind": "ServiceAccount", "name": "foreshadow", "namespace": server.namespace});
    let binding = json!({
        "metadata": {"name": "foreshadow"}, "subjects": [account],
        "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "Role", "name": "foreshadow"},
    });
    server
        .create(&server.path(group, "rolebindings"), &binding)
        .await;
    let accounts = server.path("api/v1", "serviceaccounts");
    server
        .create(&accounts, &json!({"metadata": {"name": "foreshadow"}}))
        .await;
    let request =
        json!({"apiVersion": "authentication.k8s.io/v1", "kind": "TokenRequest", "spec": {}});
    let token = server
        .create(&format!("{accounts}/foreshadow/token"), &request)
        .await;

    let mut kubeconfig =
        serde_json::to_value(Kubeconfig::read_from(&server.kubeconfig).unwrap()).unwrap();
    for user in kubeconfig["users"].as_array_mut().unwrap() {
        user["user"] = json!({"token": token["status"]["token"]});
    }
    let path = server.folder().join("foreshadow.kubeconfig");
    std::fs::write(&path, kubeconfig.to_string()).unwrap();
    server.act_by(path);
}

#[tokio::test]
async fn the_role_of_the_documentation_suffices_and_lets_nothing_else_be_done() {
    let mut server = Server::start().await;
    if !server.is_real() {
        eprintln!("kubernetes: the stand-in knows no roles, so none was tried");
        return;
    }
    server.deploy(4).await;
    become_foreshadow(&mut server).await;
    let hand = server.scaler();
    hand.set(5).await.unwrap();
    assert_eq!(server.replicas().await, 5);
    autoscaler(&server, "checkout", 2, 9).await;
    hand.set(6).await.unwrap();
    if server.runs_pods().await {
        crate::arrival::arrived(&hand, hand.observe().await.unwrap()).await;
    }
    let events = server
        .get(&server.path("apis/events.k8s.io/v1", "events"))
        .await;
    let ours = |event: &&Value| event["reportingController"] == "foreshadow";
    assert_eq!(
        events["items"]
            .as_array()
            .unwrap()
            .iter()
            .filter(ours)
            .count(),
        2
    );

    let other = server.actuator("", "kind: Deployment, name: payroll");
    let refusal = other.observe().await.unwrap_err();
    assert!(
        matches!(refusal, ActuatorError::Refused { status: 403, .. }),
        "{refusal}"
    );
    assert!(
        words(&refusal).contains("is forbidden"),
        "{}",
        words(&refusal)
    );
}
