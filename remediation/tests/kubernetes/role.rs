//! What the program may do: the role of the documentation, on a server that knows roles.

use crate::{
    autoscaler::autoscaler,
    server::{Server, words},
};
use kube::config::Kubeconfig;
use remediation::actuator::ActuatorError;
use serde_json::{Value, json};

/// The rules of the documentation's role, without those that are commented out.
fn rules() -> Value {
    json!([
        {"apiGroups": ["apps"], "resources": ["deployments/scale"], "resourceNames": ["checkout"], "verbs": ["get", "patch"]},
        {"apiGroups": ["autoscaling"], "resources": ["horizontalpodautoscalers"], "verbs": ["list"]},
        {"apiGroups": ["autoscaling"], "resources": ["horizontalpodautoscalers"], "resourceNames": ["checkout"], "verbs": ["patch"]},
        {"apiGroups": ["events.k8s.io"], "resources": ["events"], "verbs": ["create"]},
    ])
}

/// Lets a service account do no more than that, and acts as it from then on.
async fn become_foreshadow(server: &mut Server) {
    let group = "apis/rbac.authorization.k8s.io/v1";
    let role = json!({"metadata": {"name": "foreshadow"}, "rules": rules()});
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
