//! How far a change has come: what controllers and nodes say of the instances that it is about.

use super::{api::Api, scale::number};
use crate::{
    actuator::{ActuatorError, Arrival},
    config::Object,
    template::percent_encoded,
};
use serde_json::{Map, Value};

/// Instances that are waited for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Wanted {
    /// So many, ready, of whichever template.
    Ready(u32),
    /// All that the object is to have, each of the template as it is now, ready, and no others.
    Renewed,
}

/// What the status of an object says.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Outcome {
    There(u32),
    Missing(String),
    Hopeless(String),
}

/// Asks how far an object's instances are. Who may not read the object is told by its scale how many there are.
pub(super) async fn of_instances(
    api: &Api,
    object: &Object,
    (path, wanted): (&str, Wanted),
) -> Result<Arrival, ActuatorError> {
    let value = match api.get(path).await {
        Ok(value) => value,
        Err(error @ ActuatorError::Refused { status: 403, .. }) => {
            let Wanted::Ready(count) = wanted else {
                return Err(error);
            };
            let remark = format!("whether they are ready could not be read: {error}");
            return by_scale(api, path, count, Some(remark)).await;
        }
        Err(error) => return Err(error),
    };
    let outcome = match object.kind.as_str() {
        "Deployment" => deployment(&value, wanted)?,
        "StatefulSet" => stateful_set(&value, wanted)?,
        "ReplicaSet" => ready(&value, wanted)?,
        // What the status of other kinds means is not known, but for what their scale says.
        _ => match wanted {
            Wanted::Ready(count) => return by_scale(api, path, count, None).await,
            Wanted::Renewed => return Ok(Arrival::AS_SET),
        },
    };
    Ok(match outcome {
        Outcome::There(instances) => Arrival::Arrived {
            instances: Some(instances),
            remark: None,
        },
        Outcome::Hopeless(why) => Arrival::Stuck(why),
        Outcome::Missing(why) => match troubled_pod(api, object, path).await {
            Some(trouble) => Arrival::Underway(format!("{why}; {trouble}")),
            None => Arrival::Underway(why),
        },
    })
}

async fn by_scale(
    api: &Api,
    path: &str,
    wanted: u32,
    remark: Option<String>,
) -> Result<Arrival, ActuatorError> {
    let scale = api.get(&format!("{path}/scale")).await?;
    let there = number(&scale, "/status/replicas")?.unwrap_or_default();
    if there < wanted {
        return Ok(Arrival::Underway(format!(
            "{there} of {wanted} instances are there"
        )));
    }
    Ok(Arrival::Arrived {
        instances: None,
        remark,
    })
}

fn deployment(value: &Value, wanted: Wanted) -> Result<Outcome, ActuatorError> {
    let outcome = match wanted {
        Wanted::Ready(_) => ready(value, wanted)?,
        Wanted::Renewed => renewed(value)?,
    };
    let Outcome::Missing(why) = outcome else {
        return Ok(outcome);
    };
    if wanted == Wanted::Renewed && is_paused(value) {
        let why = format!("{why}; it is paused, and no instance is renewed until it is resumed");
        return Ok(Outcome::Missing(why));
    }
    let condition = |kind: &str, status: &str| {
        let all = value["status"]["conditions"].as_array();
        all.into_iter()
            .flatten()
            .find(|one| one["type"] == kind && one["status"] == status)
    };
    if let Some(late) = condition("Progressing", "False")
        && late["reason"] == "ProgressDeadlineExceeded"
        && has_seen(value)
    {
        let said = late["message"].as_str().unwrap_or_default();
        return Ok(Outcome::Hopeless(format!(
            "{why}; ProgressDeadlineExceeded: {said}"
        )));
    }
    if let Some(failure) = condition("ReplicaFailure", "True") {
        let said = failure["message"].as_str().unwrap_or_default();
        return Ok(Outcome::Missing(format!("{why}; {said}")));
    }
    Ok(Outcome::Missing(why))
}

/// Whether changes of a Deployment's template are held back.
pub(super) fn is_paused(deployment: &Value) -> bool {
    deployment["spec"]["paused"] == true
}

/// Whether pods of a `StatefulSet` are only renewed by somebody who deletes them.
pub(super) fn is_renewed_by_hand(object: &Value) -> bool {
    object["spec"]["updateStrategy"]["type"] == "OnDelete"
}

/// Whether the controller has seen the object as it is now.
fn has_seen(value: &Value) -> bool {
    let seen = value["status"]["observedGeneration"].as_u64();
    seen >= value["metadata"]["generation"].as_u64()
}

fn unseen() -> Outcome {
    Outcome::Missing("its controller has not seen the change yet".to_owned())
}

fn count(value: &Value, name: &str) -> Result<u32, ActuatorError> {
    number(value, &format!("/status/{name}")).map(Option::unwrap_or_default)
}

/// How many an object is to have; one where it says nothing.
fn asked_for(value: &Value) -> Result<u32, ActuatorError> {
    number(value, "/spec/replicas").map(|replicas| replicas.unwrap_or(1))
}

fn ready(value: &Value, wanted: Wanted) -> Result<Outcome, ActuatorError> {
    if !has_seen(value) {
        return Ok(unseen());
    }
    let ready = count(value, "readyReplicas")?;
    let wanted = match wanted {
        Wanted::Ready(count) => count,
        Wanted::Renewed => asked_for(value)?,
    };
    Ok(if ready >= wanted {
        Outcome::There(ready)
    } else {
        Outcome::Missing(format!("{ready} of {wanted} instances are ready"))
    })
}

/// The conditions of `kubectl rollout status`.
fn renewed(value: &Value) -> Result<Outcome, ActuatorError> {
    if !has_seen(value) {
        return Ok(unseen());
    }
    let wanted = asked_for(value)?;
    let (updated, all) = (count(value, "updatedReplicas")?, count(value, "replicas")?);
    let available = count(value, "availableReplicas")?;
    Ok(if updated < wanted {
        Outcome::Missing(format!("{updated} of {wanted} instances are renewed"))
    } else if all > updated {
        Outcome::Missing(format!("{} old instances are still there", all - updated))
    } else if available < updated {
        Outcome::Missing(format!(
            "{available} of {updated} renewed instances are available"
        ))
    } else {
        Outcome::There(available)
    })
}

fn stateful_set(value: &Value, wanted: Wanted) -> Result<Outcome, ActuatorError> {
    let outcome = ready(value, wanted)?;
    if wanted != Wanted::Renewed || !matches!(outcome, Outcome::There(_)) {
        return Ok(outcome);
    }
    let (all, updated) = (asked_for(value)?, count(value, "updatedReplicas")?);
    let status = &value["status"];
    if status["updateRevision"] == status["currentRevision"] {
        return Ok(outcome);
    }
    // Instances below the partition keep the template before, as somebody has asked for.
    let partition = number(value, "/spec/updateStrategy/rollingUpdate/partition")?;
    let due = all.saturating_sub(partition.unwrap_or_default());
    Ok(
        if updated >= due && partition.is_some_and(|first| first > 0) {
            outcome
        } else {
            Outcome::Missing(format!("{updated} of {due} instances are renewed"))
        },
    )
}

/// The trouble of one of an object's pods, in words. That pods cannot be read is none.
async fn troubled_pod(api: &Api, object: &Object, path: &str) -> Option<String> {
    let scale = api.get(&format!("{path}/scale")).await.ok()?;
    let selector = percent_encoded(scale["status"]["selector"].as_str()?);
    let namespace = &object.namespace;
    let path = format!("/api/v1/namespaces/{namespace}/pods?labelSelector={selector}");
    let list = api.get(&path).await.ok()?;
    let pods = list["items"].as_array()?;
    pods.iter().find_map(trouble)
}

fn trouble(pod: &Value) -> Option<String> {
    let name = pod["metadata"]["name"].as_str().unwrap_or_default();
    let listed = |at: &str| pod["status"][at].as_array().into_iter().flatten();
    let unscheduled = listed("conditions").find(|one| {
        one["type"] == "PodScheduled" && one["status"] == "False" && one["reason"].is_string()
    });
    let waiting = || {
        let states = listed("containerStatuses").map(|one| &one["state"]["waiting"]);
        let mut troubled = states.filter(|waiting| {
            let reason = waiting["reason"].as_str().unwrap_or("ContainerCreating");
            !matches!(reason, "ContainerCreating" | "PodInitializing")
        });
        troubled.next()
    };
    let why = unscheduled.or_else(waiting)?;
    let empty = Map::new();
    let why = why.as_object().unwrap_or(&empty);
    let text = |key: &str| why.get(key).and_then(Value::as_str).unwrap_or_default();
    Some(format!(
        "pod {name} is {}: {}",
        text("reason"),
        text("message")
    ))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[track_caller]
    fn check(outcome: Result<Outcome, ActuatorError>, expect: &str) {
        let said = match outcome.unwrap() {
            Outcome::There(count) => format!("{count} there"),
            Outcome::Missing(why) => format!("missing: {why}"),
            Outcome::Hopeless(why) => format!("hopeless: {why}"),
        };
        assert_eq!(said, expect);
    }

    #[expect(
        clippy::needless_pass_by_value,
        reason = "both are written where they are handed over"
    )]
    fn object(spec: Value, status: Value) -> Value {
        json!({"metadata": {"generation": 3}, "spec": spec, "status": status})
    }

    #[test]
    fn replicas_have_arrived_when_so_many_are_ready() {
        let of = |seen: u32, ready: Value| {
            let status = json!({"observedGeneration": seen, "readyReplicas": ready});
            deployment(&object(json!({"replicas": 8}), status), Wanted::Ready(8))
        };
        check(
            of(2, json!(8)),
            "missing: its controller has not seen the change yet",
        );
        check(of(3, Value::Null), "missing: 0 of 8 instances are ready");
        check(of(3, json!(7)), "missing: 7 of 8 instances are ready");
        check(of(3, json!(8)), "8 there");
        check(of(4, json!(11)), "11 there");
    }

    #[test]
    fn a_template_has_arrived_when_all_instances_have_it_and_are_available() {
        let of = |updated: u32, all: u32, available: u32| {
            let status = json!({
                "observedGeneration": 3, "replicas": all, "updatedReplicas": updated,
                "availableReplicas": available, "readyReplicas": all,
            });
            deployment(&object(json!({"replicas": 4}), status), Wanted::Renewed)
        };
        check(of(0, 4, 4), "missing: 0 of 4 instances are renewed");
        check(of(4, 5, 4), "missing: 1 old instances are still there");
        check(
            of(4, 4, 3),
            "missing: 3 of 4 renewed instances are available",
        );
        check(of(4, 4, 4), "4 there");
        let none = object(json!({"replicas": 0}), json!({"observedGeneration": 3}));
        check(deployment(&none, Wanted::Renewed), "0 there");
    }

    #[test]
    fn what_stands_in_the_way_is_said_and_a_missed_deadline_is_the_end() {
        let of = |spec: Value, condition: Value| {
            let status = json!({
                "observedGeneration": 3, "replicas": 4, "updatedReplicas": 1, "conditions": [condition],
            });
            deployment(&object(spec, status), Wanted::Renewed)
        };
        let paused = json!({"replicas": 4, "paused": true});
        let running = json!({"type": "Progressing", "status": "True"});
        let expect = "missing: 1 of 4 instances are renewed; it is paused, and no instance is renewed until it is resumed";
        check(of(paused, running), expect);
        let late = json!({
            "type": "Progressing", "status": "False", "reason": "ProgressDeadlineExceeded", "message": "timed out",
        });
        let expect = "hopeless: 1 of 4 instances are renewed; ProgressDeadlineExceeded: timed out";
        check(of(json!({"replicas": 4}), late), expect);
        let quota =
            json!({"type": "ReplicaFailure", "status": "True", "message": "exceeded quota: few"});
        let expect = "missing: 1 of 4 instances are renewed; exceeded quota: few";
        check(of(json!({"replicas": 4}), quota), expect);
    }

    #[test]
    fn a_stateful_set_is_renewed_down_to_its_partition() {
        let of = |partition: u32, updated: u32, revisions: [&str; 2]| {
            let spec = json!({
                "replicas": 4, "updateStrategy": {"rollingUpdate": {"partition": partition}},
            });
            let status = json!({
                "observedGeneration": 3, "readyReplicas": 4, "updatedReplicas": updated,
                "currentRevision": revisions[0], "updateRevision": revisions[1],
            });
            stateful_set(&object(spec, status), Wanted::Renewed)
        };
        check(
            of(0, 2, ["a", "b"]),
            "missing: 2 of 4 instances are renewed",
        );
        check(of(0, 4, ["b", "b"]), "4 there");
        check(
            of(3, 0, ["a", "b"]),
            "missing: 0 of 1 instances are renewed",
        );
        check(of(3, 1, ["a", "b"]), "4 there");
    }

    #[test]
    fn the_trouble_of_a_pod_is_quoted() {
        let pod = |status: Value| trouble(&json!({"metadata": {"name": "a"}, "status": status}));
        let unscheduled = json!({"conditions": [{
            "type": "PodScheduled", "status": "False", "reason": "Unschedulable", "message": "0/3 nodes are available",
        }]});
        let expect = "pod a is Unschedulable: 0/3 nodes are available";
        assert_eq!(pod(unscheduled).as_deref(), Some(expect));
        let waiting = |reason: &str| json!({"containerStatuses": [{"state": {"waiting": {"reason": reason, "message": "no"}}}]});
        let expect = "pod a is ImagePullBackOff: no";
        assert_eq!(pod(waiting("ImagePullBackOff")).as_deref(), Some(expect));
        assert_eq!(pod(waiting("ContainerCreating")), None);
        assert_eq!(pod(json!({})), None);
    }
}
