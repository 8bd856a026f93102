//! Events in the cluster, so that who looks at an object there sees what was done to it and why.

use super::api::{Api, Order};
use crate::{Fleets, Shape, actuator::Occasion, config::Object};
use http::Method;
use serde_json::json;
use std::time::Duration;
use store::State;

/// An event is a courtesy, and no action waits longer for one.
const LIMIT: Duration = Duration::from_secs(3);

/// What is kept of a note.
const MAX_NOTE_CHARS: usize = 1_000;

/// Who reports.
const CONTROLLER: &str = "foreshadow";

/// What an event is about.
pub(super) struct Regarding {
    pub(super) object: Object,
    /// Its identity, by which `kubectl describe` looks for events.
    pub(super) uid: Option<String>,
}

/// Writes an event about what was set. That this fails stops nothing.
pub(super) async fn tell(
    api: &Api,
    occasion: Occasion<'_>,
    regarding: &Regarding,
    change: (Shape, Shape),
) {
    let object = &regarding.object;
    let order = order(occasion, regarding, change);
    let said = tokio::time::timeout(LIMIT, api.note(&order)).await;
    let why = match said {
        // The event of an earlier try is there already.
        Ok(Ok(_) | Err(crate::actuator::ActuatorError::Refused { status: 409, .. })) => return,
        Ok(Err(error)) => crate::error::in_full(&error),
        Err(_) => format!("no answer within {LIMIT:?}"),
    };
    tracing::warn!(action = %occasion.action, %object, error = why, "no event could be written");
}

fn order(occasion: Occasion<'_>, regarding: &Regarding, (from, to): (Shape, Shape)) -> Order {
    let Regarding { object, uid } = regarding;
    let (action, workload) = (occasion.action, occasion.workload);
    let (done, reason) = match occasion.state {
        State::RollingBack => ("RollBack", "ForeshadowRolledBack"),
        _ => ("Scale", "ForeshadowScaled"),
    };
    let change = from.change_to(to);
    let note = format!("{change}, action {action} on workload {workload}");
    let note: String = note.chars().take(MAX_NOTE_CHARS).collect();
    // One name for one change: the event of a second try is the same event.
    let name = format!("{}.{action}.{}", object.name, step(to));
    let name = match occasion.state {
        State::RollingBack => format!("{name}.back"),
        _ => name,
    };
    let namespace = &object.namespace;
    let mut body = json!({
        "apiVersion": "events.k8s.io/v1",
        "kind": "Event",
        "metadata": {"name": shortened(&name), "namespace": namespace},
        "eventTime": micros(occasion),
        "reportingController": CONTROLLER,
        "reportingInstance": CONTROLLER,
        "action": done,
        "reason": reason,
        "type": "Normal",
        "regarding": {
            "apiVersion": object.api_version(),
            "kind": object.kind,
            "namespace": namespace,
            "name": object.name,
        },
        "note": note,
    });
    if let Some(uid) = uid {
        body["regarding"]["uid"] = json!(uid);
    }
    Order {
        method: Method::POST,
        path: format!("/apis/events.k8s.io/v1/namespaces/{namespace}/events"),
        content_type: "application/json",
        body,
    }
}

/// What tells a stage from the others of its action.
fn step(to: Shape) -> String {
    let canary = to.canary.unwrap_or_default();
    match (to.fleets, canary.size) {
        (Some(Fleets { active, idle }), _) => format!("{}.{}.{idle}", active.as_str(), to.replicas),
        (None, 0) => to.set_point().to_string(),
        (None, size) => format!("canary.{size}.{}", canary.percent),
    }
}

/// The end of a name tells one from another.
fn shortened(name: &str) -> &str {
    const MAX_BYTES: usize = 253;
    let start = name.len().saturating_sub(MAX_BYTES);
    name[start..].trim_start_matches(['.', '-'])
}

/// RFC 3339 with six digits, which is all that the API takes.
fn micros(occasion: Occasion<'_>) -> String {
    let millis = occasion.now.as_millis();
    let at = jiff::Timestamp::from_millisecond(millis).unwrap_or_default();
    at.strftime("%Y-%m-%dT%H:%M:%S.%6fZ").to_string()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Canary, Colour, Strategy};
    use std::collections::BTreeSet;

    #[track_caller]
    fn check(strategy: &Strategy, before: Shape) {
        let stages = strategy.stages(before, 6).unwrap();
        let steps: BTreeSet<_> = stages.iter().map(|stage| step(stage.shape)).collect();
        assert_eq!(steps.len(), stages.len(), "{steps:?}");
    }

    #[test]
    fn each_stage_of_an_action_has_an_event_of_its_own() {
        let fleets = Some(Fleets {
            active: Colour::Blue,
            idle: 0,
        });
        let retain = Duration::from_mins(1);
        let before = Shape::of(3);
        check(&Strategy::BlueGreen { retain }, Shape { fleets, ..before });
        let steps = vec![0.3, 0.6];
        let canary = Some(Canary::default());
        check(
            &Strategy::Canary {
                steps: steps.clone(),
            },
            Shape { canary, ..before },
        );
        check(&Strategy::Canary { steps }, before);
    }
}
