//! Fields of an object that a number is turned into, by server-side apply, and the number beside them.

use super::{
    Found, Means,
    api::Order,
    arrival::{is_paused, is_renewed_by_hand},
    ownership,
    scale::{identity, uid, version},
};
use crate::{
    Shape,
    actuator::ActuatorError,
    config::{Object, Quantity, Rendered, Setting, Values},
};
use serde_json::{Map, Value, json};

/// The annotation that keeps the number that the fields stand for.
pub(super) const SIZE: &str = "foreshadow/size";

/// The number that an object's fields stand for, after a look whether they do.
pub(super) fn found(
    value: &Value,
    object: &Object,
    setting: &Setting,
    path: String,
) -> Result<Found, ActuatorError> {
    let size = annotated(value, SIZE)?.unwrap_or(setting.initial);
    let standing = rendered(object, size)?;
    if let Some(odd) = first_odd(value, &setting.values, &standing)? {
        return Err(ActuatorError::NotOurs(format!("{odd} for size {size}")));
    }
    ownership::check(value, object, &standing)?;
    Ok(Found {
        shape: Shape {
            identity: identity(value),
            ..Shape::of(size)
        },
        version: version(value)?,
        uid: uid(value),
        path,
        means: Means::Setting(held_back(value)),
    })
}

/// A number in the annotations of an object.
pub(super) fn annotated(value: &Value, name: &str) -> Result<Option<u32>, ActuatorError> {
    let Some(text) = value["metadata"]["annotations"][name].as_str() else {
        return Ok(None);
    };
    let number = text.parse().map(Some);
    number.map_err(|_| ActuatorError::Unreadable(format!("annotation {name} is {text:?}")))
}

/// What a number is turned into.
pub(super) fn rendered(object: &Object, number: u32) -> Result<Rendered, ActuatorError> {
    let setting = object.setting.as_ref();
    let values = setting.map(|setting| setting.values.rendered(object, number));
    values
        .unwrap_or_else(|| Ok(Rendered::new()))
        .map_err(ActuatorError::Impossible)
}

/// Why a controller keeps a change of an object's template from its pods, where it does.
pub(super) fn held_back(value: &Value) -> Option<String> {
    let why = if is_paused(value) {
        "is paused, so no instance would get what is set: resume it"
    } else if is_renewed_by_hand(value) {
        "has the update strategy OnDelete, so no instance would get what is set: use RollingUpdate"
    } else {
        return None;
    };
    Some(why.to_owned())
}

/// The change that makes the fields stand for a number; the fields are ours from then on.
pub(super) fn order(object: &Object, found: &Found, number: u32) -> Result<Order, ActuatorError> {
    let annotations = json!({SIZE: number.to_string()});
    let mut body = skeleton(object, &found.version, &annotations);
    let rendered = rendered(object, number)?;
    match object.setting.as_ref().map(|setting| &setting.values) {
        Some(Values::Data(_)) => {
            let data = rendered
                .into_iter()
                .map(|([_, _, key], text)| (key, json!(text)));
            body["data"] = Value::Object(data.collect());
        }
        Some(Values::Container(container)) if !container.in_place => {
            let mut fields = json!({"name": container.name});
            fill(&mut fields, rendered);
            body["spec"]["template"]["spec"]["containers"] = json!([fields]);
        }
        // The template of pods that are resized in place stays as it is.
        Some(Values::Container(_)) | None => {}
    }
    Ok(Order::apply(found.path.clone(), body))
}

/// What every apply of ours says, with these annotations alone.
pub(super) fn skeleton(object: &Object, version: &str, annotations: &Value) -> Value {
    json!({
        "apiVersion": object.api_version(),
        "kind": object.kind,
        "metadata": {
            "name": object.name, "namespace": object.namespace,
            "resourceVersion": version, "annotations": annotations,
        },
    })
}

/// Puts values into a container; what else it has stays.
pub(super) fn fill(container: &mut Value, rendered: Rendered) {
    for ([what, part, key], text) in rendered {
        if what != "env" {
            container["resources"][part][key] = json!(text);
            continue;
        }
        let variable = json!({"name": key, "value": text});
        let Some(env) = container["env"].as_array_mut() else {
            container["env"] = json!([variable]);
            continue;
        };
        match env.iter_mut().find(|one| one["name"] == key.as_str()) {
            Some(one) => *one = variable,
            None => env.push(variable),
        }
    }
}

/// The resources of a container alone, as a pod is asked to take them.
pub(super) fn resources(rendered: Rendered) -> Value {
    let mut fields = json!({});
    fill(&mut fields, rendered);
    fields["resources"].take()
}

/// Whether an answer says what was applied.
pub(super) fn confirm(answer: &Value, object: &Object, shape: Shape) -> Result<(), ActuatorError> {
    let Some(setting) = &object.setting else {
        return Ok(());
    };
    let wanted = shape.set_point();
    let made = annotated(answer, SIZE)?;
    let odd = match setting.values.in_place() {
        Some(_) => None,
        None => first_odd(answer, &setting.values, &rendered(object, wanted)?)?,
    };
    match odd {
        None if made == Some(wanted) => Ok(()),
        None => Err(ActuatorError::Impossible(format!(
            "the API server did not take annotation {SIZE}"
        ))),
        Some(odd) => Err(ActuatorError::Impossible(format!(
            "the API server did not take all of it: {odd}"
        ))),
    }
}

/// The first field that is not what it should be, in words.
fn first_odd(
    value: &Value,
    values: &Values,
    standing: &Rendered,
) -> Result<Option<String>, ActuatorError> {
    let holder = match values {
        Values::Data(_) => &value["data"],
        Values::Container(container) => named(
            &value["spec"]["template"]["spec"]["containers"],
            &container.name,
        )?,
    };
    Ok(standing
        .iter()
        .find_map(|(at, wanted)| odd(holder, at, wanted)))
}

/// The container of this name.
pub(super) fn named<'v>(containers: &'v Value, name: &str) -> Result<&'v Value, ActuatorError> {
    let mut all = containers.as_array().into_iter().flatten();
    let container = all.find(|one| one["name"] == name);
    container.ok_or_else(|| ActuatorError::Impossible(format!("there is no container {name}")))
}

/// What is odd about one field, if something is. Amounts are compared, not their spelling.
pub(super) fn odd(holder: &Value, at: &[String; 3], wanted: &str) -> Option<String> {
    let [what, part, key] = at;
    let empty = Map::new();
    let (label, there) = match what.as_str() {
        "env" => {
            let mut env = holder["env"].as_array().into_iter().flatten();
            let one = env.find(|one| one["name"] == key.as_str());
            (key.clone(), one.and_then(|one| one["value"].as_str()))
        }
        "resources" => {
            let amounts = holder["resources"][part].as_object().unwrap_or(&empty);
            (
                format!("{part}.{key}"),
                amounts.get(key).and_then(Value::as_str),
            )
        }
        _ => (key.clone(), holder[key].as_str()),
    };
    let Some(there) = there else {
        return Some(format!("{label} is not set, and should be {wanted}"));
    };
    let amount = |text: &str| text.parse::<Quantity>().ok();
    let is_same = there == wanted
        || what == "resources" && amount(there).is_some() && amount(there) == amount(wanted);
    (!is_same).then(|| format!("{label} is {there}, and should be {wanted}"))
}
