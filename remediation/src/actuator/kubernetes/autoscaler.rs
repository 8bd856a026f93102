//! Horizontal pod autoscalers: where one governs a workload, its floor is what is set.

use super::{
    Found, Means,
    api::{Api, Order},
    scale::{identity, number, prefix, version},
};
use crate::{Shape, actuator::ActuatorError, config::Object};
use serde_json::{Value, json};

/// What an autoscaler keeps to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Bounds {
    max: u32,
    /// The maximum as it was before we raised it, where we did.
    max_before: Option<u32>,
}

/// Where the maximum is kept that was there before it was raised.
const MAX_BEFORE: &str = "foreshadow/max-replicas-before";

/// The newest first; servers before 1.23 have the second alone, in which these fields are the same.
const VERSIONS: [&str; 2] = ["v2", "v1"];

/// The autoscaler that governs an object, if one does.
pub(super) async fn governing(api: &Api, object: &Object) -> Result<Option<Value>, ActuatorError> {
    one(&all(api, &object.namespace).await?, object)
}

/// The autoscalers of a namespace, as a list.
pub(super) async fn all(api: &Api, namespace: &str) -> Result<Value, ActuatorError> {
    let mut answer = api.get(&path(VERSIONS[0], namespace)).await;
    if matches!(&answer, Err(ActuatorError::Refused { status: 404, .. })) {
        answer = api.get(&path(VERSIONS[1], namespace)).await;
    }
    // A server that cannot tell is no server without autoscalers.
    answer
}

fn path(version: &str, namespace: &str) -> String {
    let prefix = prefix("autoscaling", version);
    format!("{prefix}/namespaces/{namespace}/horizontalpodautoscalers")
}

/// The one of a list that governs an object, if one does.
pub(super) fn one(list: &Value, object: &Object) -> Result<Option<Value>, ActuatorError> {
    let all = list["items"].as_array().into_iter().flatten();
    let mut governing = all.filter(|one| governs(one, object));
    let first = governing.next();
    if let (Some(first), Some(second)) = (first, governing.next()) {
        let names = [first, second].map(|one| one["metadata"]["name"].to_string());
        let why = format!("two autoscalers govern {object}: {}", names.join(" and "));
        return Err(ActuatorError::NotOurs(why));
    }
    // Items of a list leave out what all of them are.
    Ok(first.map(|one| {
        let mut one = one.clone();
        one["apiVersion"] = list["apiVersion"].clone();
        one
    }))
}

fn governs(autoscaler: &Value, object: &Object) -> bool {
    let target = &autoscaler["spec"]["scaleTargetRef"];
    let api_version = target["apiVersion"].as_str().unwrap_or_default();
    let group = api_version.split_once('/').map_or("", |(group, _)| group);
    target["kind"] == object.kind.as_str()
        && target["name"] == object.name.as_str()
        && group == object.group
}

/// The floor of an autoscaler, over the number that it has scaled to.
pub(super) fn found(
    autoscaler: &Value,
    object: &Object,
    scale: Found,
) -> Result<Found, ActuatorError> {
    let replicas = scale.shape.replicas;
    let metadata = &autoscaler["metadata"];
    let name = metadata["name"].as_str().unwrap_or_default();
    let owners = metadata["ownerReferences"].as_array().into_iter().flatten();
    let mut controllers = owners.filter(|owner| owner["controller"] == true);
    if let Some(owner) = controllers.next() {
        let owner = format!("{} {}", text(&owner["kind"]), text(&owner["name"]));
        let why = format!("autoscaler {name} is kept by {owner}, which would undo a change");
        return Err(ActuatorError::NotOurs(why));
    }
    if replicas == 0 {
        let why = format!("{object} is at zero, where autoscaler {name} rests");
        return Err(ActuatorError::NotOurs(why));
    }
    let api_version = text(&autoscaler["apiVersion"]);
    let namespace = &object.namespace;
    let before = metadata["annotations"][MAX_BEFORE].as_str();
    let max = number(autoscaler, "/spec/maxReplicas")?;
    let max = max.ok_or_else(|| ActuatorError::Unreadable("it has no maxReplicas".to_owned()))?;
    Ok(Found {
        shape: Shape {
            floor: Some(floor(autoscaler)?),
            ceiling: Some(max),
            // A floor of an autoscaler that was made anew is none that we found or set.
            identity: match (scale.shape.identity, identity(autoscaler)) {
                (Some(object), Some(governor)) => Some(object.with(governor)),
                (either, or) => either.or(or),
            },
            ..scale.shape
        },
        uid: scale.uid,
        version: version(autoscaler)?,
        path: format!("/apis/{api_version}/namespaces/{namespace}/horizontalpodautoscalers/{name}"),
        means: Means::Floor(Bounds {
            max,
            max_before: before.and_then(|number| number.parse().ok()),
        }),
    })
}

fn text(value: &Value) -> &str {
    value.as_str().unwrap_or_default()
}

/// The floor that an autoscaler keeps; one where it says nothing.
pub(super) fn floor(autoscaler: &Value) -> Result<u32, ActuatorError> {
    number(autoscaler, "/spec/minReplicas").map(|floor| floor.unwrap_or(1))
}

/// The change that sets a floor. Where it would be above the maximum, and that may be raised, the maximum goes
/// with it, and comes down again with the floor.
pub(super) fn order(found: &Found, bounds: Bounds, floor: u32, raise_max: bool) -> Order {
    let mut metadata = json!({"resourceVersion": found.version});
    let mut spec = json!({"minReplicas": floor});
    // Who changed the maximum since we raised it has the last word.
    let stands = found.shape.set_point();
    let ours = bounds.max_before.filter(|_| bounds.max == stands);
    let own = ours.unwrap_or(bounds.max);
    if floor > own && raise_max {
        metadata["annotations"] = json!({MAX_BEFORE: own.to_string()});
        spec["maxReplicas"] = json!(floor);
    } else if floor <= own && bounds.max_before.is_some() {
        metadata["annotations"] = json!({MAX_BEFORE: null});
        if ours.is_some() {
            spec["maxReplicas"] = json!(own);
        }
    }
    Order::merge(
        found.path.clone(),
        json!({"metadata": metadata, "spec": spec}),
    )
}
