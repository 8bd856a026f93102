//! Parts of objects that have a life of their own: scale and resize.

use crate::{
    answer::{Answer, Cause},
    cluster::{Cluster, Request, precondition},
    kinds::Kind,
    route::Place,
    validation,
};
use serde_json::{Value, json};

/// Reads or changes how many instances of something there are to be.
pub(crate) fn scale(
    cluster: &mut Cluster,
    request: &Request,
    place: &Place,
    name: &str,
) -> Result<Answer, Answer> {
    let mut object = cluster.existing(place, name)?;
    let before = scale_of(&object.value);
    let after = match request.method.as_str() {
        "GET" => return Ok(Answer::ok(before)),
        "PUT" => request.body.clone(),
        "PATCH" => request.patched(&before)?,
        _ => return Err(Answer::nowhere()),
    };
    precondition(request, place, name, &object.value)?;
    let replicas = after["spec"]["replicas"].as_i64().unwrap_or(0);
    if replicas < 0 {
        let cause = Cause {
            reason: "FieldValueInvalid",
            field: "spec.replicas".to_owned(),
            message: format!("Invalid value: {replicas}: must be greater than or equal to 0"),
        };
        return Err(Answer::invalid(&scale_kind(), name, &cause));
    }
    let there = before["spec"]["replicas"].as_i64().unwrap_or(0);
    if let Some(policy) = cluster.policy.as_ref().filter(|_| replicas > there * 2 + 1) {
        return Err(Answer::denied_by(policy, &place.kind, name));
    }
    let found = object.value.clone();
    object.value["spec"]["replicas"] = json!(replicas);
    object
        .owners
        .update(&found, &object.value, &request.manager(Some("scale")));
    let kept = cluster.keep(request, place, name, object);
    Ok(Answer::ok(scale_of(&kept)))
}

fn scale_kind() -> Kind {
    Kind {
        group: "autoscaling".to_owned(),
        versions: vec!["v1".to_owned()],
        plural: "scales".to_owned(),
        name: "Scale".to_owned(),
        scales: false,
    }
}

/// The scale of an object; zero replicas are left out, as the real server does.
fn scale_of(object: &Value) -> Value {
    let metadata = &object["metadata"];
    let mut spec = json!({});
    if let Some(replicas) = object["spec"]["replicas"]
        .as_i64()
        .filter(|count| *count != 0)
    {
        spec["replicas"] = json!(replicas);
    }
    let labels = object["spec"]["selector"]["matchLabels"].as_object();
    let pairs = labels.into_iter().flatten();
    let selector: Vec<_> = pairs
        .map(|(name, value)| format!("{name}={}", value.as_str().unwrap_or_default()))
        .collect();
    json!({
        "kind": "Scale", "apiVersion": "autoscaling/v1",
        "metadata": {
            "name": metadata["name"], "namespace": metadata["namespace"], "uid": metadata["uid"],
            "resourceVersion": metadata["resourceVersion"], "creationTimestamp": metadata["creationTimestamp"],
        },
        "spec": spec,
        "status": {"replicas": object["status"]["replicas"].as_i64().unwrap_or(0), "selector": selector.join(",")},
    })
}

/// Changes the resources of a running pod. Whatever else is asked for is dropped without a word.
pub(crate) fn resize(
    cluster: &mut Cluster,
    request: &Request,
    place: &Place,
    name: &str,
) -> Result<Answer, Answer> {
    let mut object = cluster.existing(place, name)?;
    precondition(request, place, name, &object.value)?;
    let wanted = request.patched(&object.value)?;
    let before = object.value.clone();
    let containers = object.value["spec"]["containers"].as_array_mut();
    for container in containers.into_iter().flatten() {
        let others = wanted["spec"]["containers"]
            .as_array()
            .into_iter()
            .flatten();
        let mut same = others.filter(|other| other["name"] == container["name"]);
        if let Some(other) = same.next() {
            container["resources"] = other["resources"].clone();
        }
    }
    validation::check(&place.kind, name, &object.value)?;
    // The message names the class that the pod has, not the one that it would come to.
    let class = validation::quality_of_service(&before);
    if class != validation::quality_of_service(&object.value) {
        let cause = Cause {
            reason: "FieldValueInvalid",
            field: "spec".to_owned(),
            message: format!(
                "Invalid value: \"{class}\": Pod QOS Class may not change as a result of resizing"
            ),
        };
        return Err(Answer::invalid(&place.kind, name, &cause));
    }
    let manager = request.manager(Some("resize"));
    object.owners.update(&before, &object.value, &manager);
    Ok(Answer::ok(cluster.keep(request, place, name, object)))
}
