//! The scale subresource of anything that has one.

use super::{
    Found, Means,
    api::{Api, Order},
};
use crate::{Identity, Shape, actuator::ActuatorError, config::Object};
use serde_json::{Value, json};

/// The path of an object's group and version.
pub(super) fn prefix(group: &str, version: &str) -> String {
    if group.is_empty() {
        format!("/api/{version}")
    } else {
        format!("/apis/{group}/{version}")
    }
}

/// The path of an object whose kind has this plural.
pub(super) fn path(object: &Object, plural: &str) -> String {
    let prefix = prefix(&object.group, &object.version);
    let (namespace, name) = (&object.namespace, &object.name);
    format!("{prefix}/namespaces/{namespace}/{plural}/{name}")
}

/// Asks the API server for the plural of a kind.
pub(super) async fn discover(api: &Api, object: &Object) -> Result<String, ActuatorError> {
    let list = api.get(&prefix(&object.group, &object.version)).await?;
    let resources = list["resources"].as_array().into_iter().flatten();
    let of_kind = resources.filter(|one| one["kind"] == object.kind.as_str());
    let mut names = of_kind.filter_map(|one| one["name"].as_str());
    let plural = names.find(|name| name.bytes().all(|byte| byte.is_ascii_alphanumeric()));
    plural.map(str::to_owned).ok_or_else(|| {
        let (version, kind) = (object.api_version(), &object.kind);
        ActuatorError::Unreadable(format!("{version} has no kind {kind}"))
    })
}

/// Reads how many there are to be.
pub(super) async fn look(api: &Api, object_path: &str) -> Result<Found, ActuatorError> {
    let path = format!("{object_path}/scale");
    let scale = api.get(&path).await?;
    Ok(Found {
        shape: Shape {
            identity: identity(&scale),
            ..Shape::of(replicas(&scale)?)
        },
        version: version(&scale)?,
        uid: uid(&scale),
        path,
        means: Means::Replicas,
    })
}

/// The change that sets so many, if nobody has changed the object since.
pub(super) fn order(found: &Found, replicas: u32) -> Order {
    let body = json!({
        "metadata": {"resourceVersion": found.version},
        "spec": {"replicas": replicas},
    });
    Order::merge(found.path.clone(), body)
}

/// How many a Scale asks for.
pub(super) fn replicas(scale: &Value) -> Result<u32, ActuatorError> {
    number(scale, "/spec/replicas").map(Option::unwrap_or_default)
}

/// The number at a place, where there is something; what is zero is left out by the server.
pub(super) fn number(object: &Value, at: &str) -> Result<Option<u32>, ActuatorError> {
    let Some(value) = object.pointer(at).filter(|value| !value.is_null()) else {
        return Ok(None);
    };
    let number = value.as_u64().and_then(|number| number.try_into().ok());
    let unreadable = || ActuatorError::Unreadable(format!("at `{at}` is no number of replicas"));
    number.map(Some).ok_or_else(unreadable)
}

/// The version of an object, as the precondition of a change.
pub(super) fn version(object: &Value) -> Result<String, ActuatorError> {
    let version = object["metadata"]["resourceVersion"].as_str();
    let unreadable = || ActuatorError::Unreadable("it has no resourceVersion".to_owned());
    version.map(str::to_owned).ok_or_else(unreadable)
}

/// The identity of an object, as it is written; a scale has that of the object that it belongs to.
pub(super) fn uid(object: &Value) -> Option<String> {
    object["metadata"]["uid"].as_str().map(str::to_owned)
}

/// The identity of an object, as shapes keep it.
pub(super) fn identity(object: &Value) -> Option<Identity> {
    Identity::of(object["metadata"]["uid"].as_str()?)
}
