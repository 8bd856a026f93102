//! Replica counts by the scale subresource.

use crate::{
    autoscaler::{autoscaler, bounds},
    server::{Server, chance, words},
};
use remediation::{
    Shape,
    actuator::{ActuatorError, Verdict},
};
use serde_json::{Value, json};

#[tokio::test]
async fn replicas_are_read_and_set_and_what_is_so_already_is_not_written() {
    let server = Server::start().await;
    server.deploy(4).await;
    let hand = server.scaler();
    assert_eq!(hand.observe().await.unwrap(), Shape::of(4));
    hand.set(7).await.unwrap();
    assert_eq!(server.replicas().await, 7);

    let before = server.get(&server.deployment()).await;
    hand.set(7).await.unwrap();
    let after = server.get(&server.deployment()).await;
    assert_eq!(
        before["metadata"]["generation"],
        after["metadata"]["generation"]
    );
    assert_eq!(hand.observe().await.unwrap(), Shape::of(7));
}

#[tokio::test]
async fn zero_replicas_which_the_server_leaves_out_are_zero() {
    let server = Server::start().await;
    server.deploy(0).await;
    assert_eq!(server.scaler().observe().await.unwrap(), Shape::of(0));
}

#[tokio::test]
async fn a_stale_write_does_not_land() {
    let server = Server::start().await;
    server.deploy(4).await;
    let hand = server.scaler();
    assert_eq!(hand.observe().await.unwrap(), Shape::of(4));
    server
        .change(&server.deployment(), &json!({"spec": {"replicas": 9}}))
        .await;
    let refusal = hand.ensure(Shape::of(7)).await.unwrap_err();
    assert!(
        matches!(refusal, ActuatorError::Refused { status: 409, .. }),
        "{refusal}"
    );
    assert!(
        words(&refusal).contains("the object has been modified"),
        "{}",
        words(&refusal)
    );
    assert_eq!(refusal.verdict(), Verdict::Retry(None));
    assert_eq!(server.replicas().await, 9);
}

#[tokio::test]
async fn a_rehearsal_says_what_would_be_sent_and_changes_nothing() {
    let server = Server::start().await;
    server.deploy(4).await;
    let hand = server.scaler();
    let said = hand.rehearse(Shape::of(7)).await.unwrap().unwrap();
    let expect = format!("would send PATCH {}/scale {{", server.deployment());
    assert!(said.starts_with(&expect), "{said}");
    assert!(
        said.contains(r#""replicas":7"#) && said.contains("resourceVersion"),
        "{said}"
    );
    assert_eq!(server.replicas().await, 4);
    let said = hand.rehearse(Shape::of(4)).await.unwrap().unwrap();
    assert_eq!(said, "nothing to send: there are 4");
}

#[tokio::test]
async fn what_is_not_there_is_given_up_in_the_words_of_the_server() {
    let server = Server::start().await;
    let refusal = server.scaler().observe().await.unwrap_err();
    assert_eq!(refusal.verdict(), Verdict::GiveUp);
    // Older servers name the part, too: deployments/scale.apps.
    let said = words(&refusal);
    assert!(said.contains("answered 404: deployments"), "{said}");
    assert!(said.ends_with("\"checkout\" not found"), "{said}");
}

#[tokio::test]
async fn a_custom_resource_is_found_by_its_kind_and_scaled() {
    let mut server = Server::start().await;
    let group = format!("foreshadow-{}.example.com", chance());
    let schema = json!({"openAPIV3Schema": {"type": "object", "properties": {
        "spec": {"type": "object", "properties": {"workers": {"type": "integer"}, "replicas": {"type": "integer"}}},
        "status": {"type": "object", "properties": {"replicas": {"type": "integer"}}},
    }}});
    let scale =
        json!({"specReplicasPath": ".spec.replicas", "statusReplicasPath": ".status.replicas"});
    let definition = json!({
        "apiVersion": "apiextensions.k8s.io/v1", "kind": "CustomResourceDefinition",
        "metadata": {"name": format!("brigades.{group}")},
        "spec": {
            "group": group, "scope": "Namespaced",
            "names": {"plural": "brigades", "singular": "brigade", "kind": "Brigade"},
            "versions": [{
                "name": "v1", "served": true, "storage": true, "schema": schema,
                "subresources": {"status": {}, "scale": scale},
            }],
        },
    });
    let definitions = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions";
    server.create_for_all(definitions, &definition).await;
    let api = format!("apis/{group}/v1");
    server
        .eventually("the new kind", async |server| {
            let path = server.path(&api, "brigades");
            let list = server
                .request(http::Method::GET, &path, "", &serde_json::Value::Null)
                .await;
            list.is_ok()
        })
        .await;
    let brigade = json!({
        "apiVersion": format!("{group}/v1"), "kind": "Brigade", "metadata": {"name": "checkout"},
        "spec": {"replicas": 4},
    });
    server
        .create(&server.path(&api, "brigades"), &brigade)
        .await;
    let target = format!("kind: Brigade, api_version: {group}/v1, name: checkout");
    let hand = server.actuator("", &target);
    hand.set(6).await.unwrap();
    assert_eq!(hand.observe().await.unwrap(), Shape::of(6));
    let brigade = server.get(&server.path(&api, "brigades/checkout")).await;
    assert_eq!(brigade["spec"]["replicas"], 6);
    let lost = server.actuator("", &target.replace("Brigade", "Squad"));
    let refusal = lost.observe().await.unwrap_err();
    assert!(
        words(&refusal).contains("has no kind Squad"),
        "{}",
        words(&refusal)
    );
}

#[tokio::test]
async fn what_an_admission_policy_refuses_is_known_before_anything_is_done() {
    let mut server = Server::start().await;
    server.deploy(2).await;
    if !cap_steps(&mut server).await {
        eprintln!("kubernetes: this server has no ValidatingAdmissionPolicy, so none was tried");
        return;
    }
    let hand = server.scaler();
    let refused = async |server: &Server| {
        let _ = server;
        hand.rehearse(Shape::of(9)).await.is_err()
    };
    server.eventually("the policy", refused).await;
    let refusal = hand.rehearse(Shape::of(9)).await.unwrap_err();
    assert_eq!(refusal.verdict(), Verdict::GiveUp);
    assert!(
        words(&refusal).contains("denied request: step larger than x2+1"),
        "{}",
        words(&refusal)
    );
    assert!(hand.rehearse(Shape::of(5)).await.is_ok());
    assert_eq!(server.replicas().await, 2);

    autoscaler(&server, "checkout", 2, 20).await;
    let found = hand.observe().await.unwrap();
    let refusal = hand.rehearse(found.set_to(8)).await.unwrap_err();
    assert_eq!(refusal.verdict(), Verdict::GiveUp);
    let said = words(&refusal);
    assert!(
        said.contains("denied request: step larger than x2+1"),
        "{said}"
    );
    assert!(hand.rehearse(found.set_to(5)).await.is_ok());
    assert_eq!(bounds(&server).await, (json!(2), json!(20)));
}

/// The policies of the documentation, for this namespace and whoever acts there; false where there can be none.
async fn cap_steps(server: &mut Server) -> bool {
    if !server.is_real() {
        server.faulty().cap_steps("foreshadow");
        return true;
    }
    let api = "/apis/admissionregistration.k8s.io/v1";
    let path = format!("{api}/validatingadmissionpolicies");
    let nothing = Value::Null;
    if server
        .request(http::Method::GET, &path, "", &nothing)
        .await
        .is_err()
    {
        return false;
    }
    let page = include_str!("../../../docs/kubernetes.md");
    let (_, listed) = page.split_once("A policy bounds").unwrap();
    let (_, listed) = listed.split_once("```yaml\n").unwrap();
    let (listed, _) = listed.split_once("```").unwrap();
    // For this namespace and whoever acts there.
    let whom = "request.userInfo.username == \"system:serviceaccount:monitoring:foreshadow\"";
    let here = format!("request.namespace == \"{}\"", server.namespace);
    let run = chance();
    for one in listed.split("---\n") {
        let one = one
            .replace(whom, &here)
            .replace("name: foreshadow-", &format!("name: foreshadow-{run}-"))
            .replace(
                "policyName: foreshadow-",
                &format!("policyName: foreshadow-{run}-"),
            );
        let plural = if one.contains("kind: ValidatingAdmissionPolicyBinding\n") {
            "validatingadmissionpolicybindings"
        } else {
            assert!(one.contains(&here), "{one}");
            "validatingadmissionpolicies"
        };
        server.create_text(&format!("{api}/{plural}"), &one).await;
    }
    true
}

#[tokio::test]
async fn an_effect_and_the_way_back_are_events_on_the_object() {
    let server = Server::start().await;
    server.deploy(4).await;
    let mut hand = server.scaler();
    hand.set(7).await.unwrap();
    hand.state = store::State::RollingBack;
    hand.set(4).await.unwrap();
    let deployment = server.get(&server.deployment()).await;
    let events = server
        .get(&server.path("apis/events.k8s.io/v1", "events"))
        .await;
    let ours = |event: &&serde_json::Value| event["reportingController"] == "foreshadow";
    let mut told: Vec<_> = events["items"]
        .as_array()
        .unwrap()
        .iter()
        .filter(ours)
        .map(|event| {
            assert_eq!(event["regarding"]["name"], "checkout");
            // `kubectl describe` shows events of this identity alone.
            assert_eq!(event["regarding"]["uid"], deployment["metadata"]["uid"]);
            let note = event["note"].as_str().unwrap();
            let change = note.split(',').next().unwrap();
            format!("{} {change}", event["reason"].as_str().unwrap())
        })
        .collect();
    told.sort();
    assert_eq!(
        told,
        ["ForeshadowRolledBack 7 → 4", "ForeshadowScaled 4 → 7"]
    );
}
