//! What a real server checks and fills in, as far as it matters here.

use crate::{
    answer::{Answer, Cause},
    kinds::Kind,
};
use serde_json::{Value, json};

/// Fills in what is left out.
pub(crate) fn complete(kind: &Kind, object: &mut Value) {
    match kind.name.as_str() {
        "Deployment" | "StatefulSet" if object["spec"]["replicas"].is_null() => {
            object["spec"]["replicas"] = json!(1);
        }
        "HorizontalPodAutoscaler" => {
            if object["spec"]["minReplicas"].is_null() {
                object["spec"]["minReplicas"] = json!(1);
            }
            object["status"] = json!({"desiredReplicas": 0, "currentMetrics": null});
        }
        "Event" => {
            object["deprecatedSource"] = json!({});
            object["deprecatedFirstTimestamp"] = Value::Null;
            object["deprecatedLastTimestamp"] = Value::Null;
        }
        _ => {}
    }
}

/// Refuses what cannot be.
pub(crate) fn check(kind: &Kind, name: &str, object: &Value) -> Result<(), Answer> {
    let found = match kind.name.as_str() {
        "HorizontalPodAutoscaler" => autoscaler(object),
        "Pod" => containers(&object["spec"], "spec"),
        "Deployment" | "StatefulSet" => {
            containers(&object["spec"]["template"]["spec"], "spec.template.spec")
        }
        "Event" if object["eventTime"].is_null() => Some(required("eventTime".to_owned())),
        _ => None,
    };
    found.map_or(Ok(()), |cause| Err(Answer::invalid(kind, name, &cause)))
}

/// Holds floors of autoscalers to the one policy, as scales are.
pub(crate) fn admit(
    policy: Option<&str>,
    kind: &Kind,
    name: &str,
    (before, after): (&Value, &Value),
) -> Result<(), Answer> {
    let floor = |value: &Value| value["spec"]["minReplicas"].as_i64().unwrap_or(1);
    let is_over = kind.name == "HorizontalPodAutoscaler" && floor(after) > floor(before) * 2 + 1;
    match policy {
        Some(policy) if is_over => Err(Answer::denied_by(policy, kind, name)),
        _ => Ok(()),
    }
}

fn required(field: String) -> Cause {
    Cause {
        reason: "FieldValueRequired",
        field,
        message: "Required value".to_owned(),
    }
}

fn invalid(field: &str, message: String) -> Cause {
    Cause {
        reason: "FieldValueInvalid",
        field: field.to_owned(),
        message,
    }
}

fn autoscaler(object: &Value) -> Option<Cause> {
    let spec = &object["spec"];
    let (min, max) = (spec["minReplicas"].as_i64()?, spec["maxReplicas"].as_i64()?);
    if min < 1 {
        let message = format!("Invalid value: {min}: must be greater than or equal to 1");
        return Some(invalid("spec.minReplicas", message));
    }
    (max < min).then(|| {
        let message =
            format!("Invalid value: {max}: must be greater than or equal to `minReplicas`");
        invalid("spec.maxReplicas", message)
    })
}

fn containers(spec: &Value, at: &str) -> Option<Cause> {
    let all = spec["containers"].as_array()?;
    all.iter().enumerate().find_map(|(idx, container)| {
        if container["image"].is_null() {
            return Some(required(format!("{at}.containers[{idx}].image")));
        }
        ["limits", "requests"].iter().find_map(|part| {
            let amounts = container["resources"][part].as_object()?;
            let (resource, amount) = amounts.iter().find(|(_, amount)| is_negative(amount))?;
            let field = format!("{at}.containers[{idx}].resources.{part}[{resource}]");
            let message = format!("Invalid value: {amount}: must be greater than or equal to 0");
            Some(invalid(&field, message))
        })
    })
}

fn is_negative(amount: &Value) -> bool {
    amount.as_str().is_some_and(|text| text.starts_with('-'))
}

/// The class that a pod's resources put it in.
pub(crate) fn quality_of_service(pod: &Value) -> &'static str {
    let containers = pod["spec"]["containers"].as_array();
    let all: Vec<_> = containers
        .into_iter()
        .flatten()
        .map(|one| &one["resources"])
        .collect();
    let is_empty = |part: &Value| part.as_object().is_none_or(serde_json::Map::is_empty);
    if all
        .iter()
        .all(|one| is_empty(&one["requests"]) && is_empty(&one["limits"]))
    {
        return "BestEffort";
    }
    let is_guaranteed = all.iter().all(|one| {
        let both = ["cpu", "memory"]
            .iter()
            .all(|resource| !one["limits"][resource].is_null());
        both && (is_empty(&one["requests"]) || one["requests"] == one["limits"])
    });
    if is_guaranteed {
        "Guaranteed"
    } else {
        "Burstable"
    }
}
