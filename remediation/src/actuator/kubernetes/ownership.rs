//! Which fields the server has us down for: an apply deletes those of our fields that it leaves out.

use super::api::FIELD_MANAGER;
use crate::{
    actuator::ActuatorError,
    config::{Object, Rendered, Values},
};
use serde_json::Value;

/// A step on the way to a field: its name, or the name of a list's item.
type Way<'a> = &'a [String];

/// Annotations that are ours.
const OUR_ANNOTATIONS: &str = "foreshadow/";

/// How many of the fields are named.
const MAX_NAMED: usize = 3;

/// Refuses an object of which we own more than we set: what the next apply leaves out, and nobody else owns, would
/// be gone.
pub(super) fn check(
    value: &Value,
    object: &Object,
    standing: &Rendered,
) -> Result<(), ActuatorError> {
    let Some(values) = object.setting.as_ref().map(|setting| &setting.values) else {
        return Ok(());
    };
    let entries = value["metadata"]["managedFields"].as_array();
    let ours = entries.into_iter().flatten().filter(|entry| {
        entry["manager"] == FIELD_MANAGER
            && entry["operation"] == "Apply"
            && entry["subresource"].as_str().is_none_or(str::is_empty)
    });
    let mut all = Vec::new();
    ours.for_each(|entry| gather(&entry["fieldsV1"], &mut Vec::new(), &mut all));
    all.retain(|way| !is_ours(way, values, standing));
    if all.is_empty() {
        return Ok(());
    }
    let named: Vec<_> = all.iter().take(MAX_NAMED).map(|way| said(way)).collect();
    let more = match all.len().saturating_sub(MAX_NAMED) {
        0 => String::new(),
        more => format!(" and {more} more"),
    };
    Err(ActuatorError::NotOurs(format!(
        "the field manager {FIELD_MANAGER} owns more of {object} than what is `set`: {}{more}. An apply would delete what \
         nobody else owns of it: apply the whole manifest by your own manager first, then hand over the fields of `set` \
         alone, as docs/kubernetes.md says under \"Hand the fields over\"",
        named.join(", ")
    )))
}

/// All fields of a set that hold no further ones.
fn gather(set: &Value, way: &mut Vec<String>, all: &mut Vec<Vec<String>>) {
    let Some(fields) = set.as_object() else {
        return;
    };
    for (step, below) in fields {
        // The item of a list, or the map, itself.
        if step == "." {
            continue;
        }
        way.push(step.clone());
        if below.as_object().is_some_and(|below| !below.is_empty()) {
            gather(below, way, all);
        } else {
            all.push(way.clone());
        }
        way.pop();
    }
}

fn is_ours(way: Way<'_>, values: &Values, standing: &Rendered) -> bool {
    let steps: Vec<_> = way.iter().map(|step| step_name(step)).collect();
    let steps: Vec<_> = steps.iter().map(String::as_str).collect();
    match steps.as_slice() {
        ["metadata", "annotations", name] => name.starts_with(OUR_ANNOTATIONS),
        ["data", key] => {
            matches!(values, Values::Data(_))
                && standing.iter().any(|([_, _, known], _)| known == key)
        }
        [
            "spec",
            "template",
            "spec",
            "containers",
            container,
            rest @ ..,
        ] => match values {
            Values::Container(ours) if !ours.in_place && ours.name == *container => {
                is_ours_in_container(rest, standing)
            }
            _ => false,
        },
        _ => false,
    }
}

fn is_ours_in_container(rest: &[&str], standing: &Rendered) -> bool {
    let is_set = |what: &str, part: &str, key: &str| {
        let mut all = standing.iter();
        all.any(|([a, b, c], _)| a == what && b == part && c == key)
    };
    match rest {
        [] | ["name"] => true,
        ["resources", part, resource] => is_set("resources", part, resource),
        ["env", variable] | ["env", variable, "name" | "value"] => is_set("env", "", variable),
        _ => false,
    }
}

/// The name in a step such as `f:spec` or `k:{"name":"app"}`.
fn step_name(step: &str) -> String {
    match step.split_once(':') {
        Some(("f", name)) => name.to_owned(),
        Some(("k", key)) => {
            let key: Value = serde_json::from_str(key).unwrap_or_default();
            key["name"].as_str().unwrap_or(step).to_owned()
        }
        _ => step.to_owned(),
    }
}

/// A field in words, as the server writes it in conflicts.
fn said(way: Way<'_>) -> String {
    let step = |step: &String| match step.split_once(':') {
        Some(("f", name)) => format!(".{name}"),
        Some(("k" | "v", key)) => format!("[{key}]"),
        _ => format!("[{step}]"),
    };
    way.iter().map(step).collect()
}
