//! The stand-in answers as a real server did: each recorded request is made again, and the answers compared.

#![expect(
    clippy::unwrap_used,
    reason = "shared test code may stop the test where it stands"
)]

use kubernetes_stand_in::StandIn;
use serde_json::{Value, json};
use std::{fs, path::Path};

const POD: &str = "/api/v1/namespaces/default/pods/api-6867f8f5d8-khqkc";
const DEPLOYMENT: &str = "/apis/apps/v1/namespaces/default/deployments/api";

fn recording(name: &str) -> Value {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("recordings");
    let text = fs::read_to_string(folder.join(format!("{name}.json"))).unwrap();
    serde_json::from_str(&text).unwrap()
}

/// The cluster that was recorded, before the first exchange.
async fn cluster() -> StandIn {
    // Whichever test comes first installs it; to the others it is an error without meaning.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let server = StandIn::start().await;
    let pods = recording("17-pods-list")["body"]["items"].clone();
    let template = json!({
        "metadata": {"labels": {"app": "api"}}, "spec": {"containers": pods[0]["spec"]["containers"]},
    });
    let deployment = json!({
        "metadata": {"resourceVersion": "418"},
        "spec": {"replicas": 5, "selector": {"matchLabels": {"app": "api"}}, "template": template},
    });
    server.put(DEPLOYMENT, deployment);
    server
}

/// What of an answer matters: all but identities, versions and times, and what nobody reads.
fn essence(value: &Value) -> Value {
    const NOISE: [&str; 9] = [
        "managedFields",
        "uid",
        "resourceVersion",
        "creationTimestamp",
        "generation",
        "continue",
        "generateName",
        "terminationMessagePath",
        "terminationMessagePolicy",
    ];
    match value {
        Value::Object(fields) => fields
            .iter()
            .filter(|(name, _)| !NOISE.contains(&name.as_str()))
            .map(|(name, value)| (name.clone(), essence(value)))
            .collect::<serde_json::Map<_, _>>()
            .into(),
        Value::Array(items) => items.iter().map(essence).collect(),
        other => other.clone(),
    }
}

async fn replay(server: &StandIn, recorded: &Value) -> (u16, Value) {
    let request = &recorded["request"];
    let method = request["method"].as_str().unwrap().parse().unwrap();
    let url = format!("{}{}", server.url(), request["path"].as_str().unwrap());
    let mut made = reqwest::Client::new()
        .request(method, url)
        .header("user-agent", "Python-urllib/3.11")
        .header("content-type", request["content_type"].as_str().unwrap());
    if !request["body"].is_null() {
        made = made.body(request["body"].to_string());
    }
    let answer = made.send().await.unwrap();
    let status = answer.status().as_u16();
    (
        status,
        serde_json::from_str(&answer.text().await.unwrap()).unwrap(),
    )
}

/// Makes a recorded request again, and compares the status and these parts of the answer.
#[track_caller]
fn compare(name: &str, recorded: &Value, answer: &(u16, Value), parts: &[&str]) {
    assert_eq!(json!(answer.0), recorded["status"], "{name}: {}", answer.1);
    for part in parts {
        let (theirs, ours) = (recorded["body"].pointer(part), answer.1.pointer(part));
        let essence = |value: Option<&Value>| value.map(essence);
        assert_eq!(essence(ours), essence(theirs), "{name}: {part}");
    }
}

async fn check(server: &StandIn, name: &str, parts: &[&str]) {
    let recorded = recording(name);
    let answer = replay(server, &recorded).await;
    compare(name, &recorded, &answer, parts);
}

/// All of a refusal.
const REFUSAL: &[&str] = &[""];

#[tokio::test]
async fn scales_are_read_changed_and_refused_as_recorded() {
    let server = cluster().await;
    check(
        &server,
        "02-scale-get",
        &["/kind", "/apiVersion", "/metadata", "/spec", "/status"],
    )
    .await;
    // The replicas of the status follow later in a real cluster, and at once here.
    check(
        &server,
        "03-scale-patch",
        &["/kind", "/metadata", "/spec", "/status/selector"],
    )
    .await;
    check(&server, "04-scale-patch-stale-rv", REFUSAL).await;
    check(&server, "05-scale-put-stale", REFUSAL).await;
    check(
        &server,
        "06-scale-patch-dryrun",
        &["/kind", "/metadata", "/spec"],
    )
    .await;
    let after = server.get(DEPLOYMENT).unwrap();
    assert_eq!(after["spec"]["replicas"], 4, "a dry run changes nothing");
    check(&server, "07-scale-patch-negative", REFUSAL).await;
    check(&server, "08-scale-404", REFUSAL).await;
    check(&server, "12-bad-content-type", REFUSAL).await;
}

#[tokio::test]
async fn who_may_not_is_told_so_as_recorded() {
    let server = cluster().await;
    server.forbid("deployments/scale", "kube-system");
    check(&server, "09-scale-403", REFUSAL).await;
    server.cap_steps("remediator-guard");
    check(&server, "11-vap-denied", REFUSAL).await;
    server.require("secret");
    check(&server, "10-unauthorized", REFUSAL).await;
}

#[tokio::test]
async fn owners_of_fields_are_respected_as_recorded() {
    let server = cluster().await;
    check(&server, "03-scale-patch", &["/spec"]).await;
    check(&server, "13-ssa-conflict", REFUSAL).await;
    check(&server, "14-ssa-no-fieldmanager", REFUSAL).await;
}

#[tokio::test]
async fn pods_are_listed_and_resized_as_recorded() {
    let server = cluster().await;
    let list = recording("17-pods-list");
    let (status, answer) = replay(&server, &list).await;
    assert_eq!(json!(status), list["status"]);
    assert_eq!(
        (&answer["kind"], &answer["apiVersion"]),
        (&list["body"]["kind"], &list["body"]["apiVersion"])
    );
    let (ours, theirs) = (&answer["items"][0], &list["body"]["items"][0]);
    assert_eq!(
        answer["items"].as_array().map(Vec::len),
        list["body"]["items"].as_array().map(Vec::len)
    );
    assert_eq!(
        essence(&ours["spec"]["containers"]),
        essence(&theirs["spec"]["containers"])
    );
    assert_eq!(
        ours["metadata"]["labels"]["app"],
        theirs["metadata"]["labels"]["app"]
    );
    assert_eq!(
        ours["metadata"]["ownerReferences"][0]["kind"],
        theirs["metadata"]["ownerReferences"][0]["kind"]
    );

    // With its owner it would be one too many, and go.
    let mut pod = theirs.clone();
    pod["metadata"]["ownerReferences"] = json!([]);
    server.put(POD, pod);
    check(
        &server,
        "18-resize-ok",
        &["/kind", "/metadata/name", "/spec/containers"],
    )
    .await;
    check(&server, "19-resize-qos-change", REFUSAL).await;
    check(&server, "20-resize-image-refused", &["/spec/containers"]).await;
    check(&server, "21-resize-nonsense-quantity", REFUSAL).await;
}

#[tokio::test]
async fn autoscalers_are_made_and_changed_as_recorded() {
    let server = cluster().await;
    check(&server, "22-hpa-create", &[""]).await;
    check(&server, "23-hpa-min-above-max", REFUSAL).await;
    check(&server, "24-hpa-patch", &["/metadata", "/spec"]).await;
}

#[tokio::test]
async fn events_are_taken_as_recorded() {
    let server = cluster().await;
    let recorded = recording("30-event-create");
    let (status, mut answer) = replay(&server, &recorded).await;
    // The end of a generated name is chance.
    let name = answer["metadata"]["name"].as_str().unwrap().to_owned();
    assert!(name.starts_with("rem-"), "{name}");
    answer["metadata"]["name"] = recorded["body"]["metadata"]["name"].clone();
    compare("30-event-create", &recorded, &(status, answer), &[""]);
}

#[tokio::test]
async fn the_version_is_of_the_recorded_line() {
    let server = cluster().await;
    check(&server, "01-version", &["/major", "/minor", "/platform"]).await;
}
