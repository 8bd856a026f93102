//! Foreshadow's actions, as its API tells of them.

use serde_json::Value;
use series::Timestamp;

/// One action in the journal.
#[derive(Debug, Clone, PartialEq)]
pub struct Action {
    /// Its identity.
    pub id: String,
    /// What it is about.
    pub workload: String,
    /// Where it stands: `grace`, `verifying`, `succeeded` …
    pub state: String,
    /// Why it stands there; may be empty.
    pub reason: String,
    /// The count that it is to bring about, when it says so.
    pub replicas: Option<u64>,
    /// When it was first written down, when it says so.
    pub created: Option<Timestamp>,
    /// How it came there, oldest first.
    pub transitions: Vec<Transition>,
}

/// One step of an action.
#[derive(Debug, Clone, PartialEq)]
pub struct Transition {
    /// The state it went to.
    pub to: String,
    /// When.
    pub at: Timestamp,
    /// Why; may be empty.
    pub reason: String,
}

impl Action {
    /// Whether nothing will happen to it any more.
    pub fn is_over(&self) -> bool {
        matches!(
            self.state.as_str(),
            "succeeded" | "failed" | "rejected" | "expired" | "superseded" | "rolled_back"
        )
    }

    /// When it was first written down.
    pub fn begun(&self) -> Option<Timestamp> {
        let first = self.transitions.iter().map(|step| step.at).min();
        self.created.or(first)
    }
}

/// Reads the answer of `/api/v1/actions`, oldest first. What an action lacks stays empty.
pub fn read(answer: &Value) -> Vec<Action> {
    let list = answer["data"].as_array().into_iter().flatten();
    let mut actions: Vec<_> = list.map(action).collect();
    actions.sort_by_key(Action::begun);
    actions
}

fn action(value: &Value) -> Action {
    let steps = value["transitions"].as_array().into_iter().flatten();
    Action {
        id: text(value, "id"),
        workload: text(value, "workload"),
        state: text(value, "state"),
        reason: text(value, "reason"),
        replicas: value["plan"]["target"]["replicas"].as_u64(),
        created: time(value, "created_at"),
        transitions: steps.filter_map(transition).collect(),
    }
}

fn transition(value: &Value) -> Option<Transition> {
    Some(Transition {
        to: text(value, "to"),
        at: time(value, "at")?,
        reason: text(value, "reason"),
    })
}

/// An RFC 3339 time in a field.
pub fn time(value: &Value, key: &str) -> Option<Timestamp> {
    let time: jiff::Timestamp = value.get(key)?.as_str()?.parse().ok()?;
    Some(Timestamp::from_millis(time.as_millisecond()))
}

fn text(value: &Value, key: &str) -> String {
    let text = value.get(key).and_then(Value::as_str);
    text.unwrap_or_default().to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn answer() -> Value {
        json!({"status": "success", "data": [{
            "id": "a1", "workload": "checkout", "state": "rolled_back", "plan": {"target": {"replicas": 6}},
            "transitions": [
                {"to": "proposed", "at": "2026-01-01T00:00:01.5Z", "reason": "because"},
                {"to": "grace", "at": "nonsense"}
            ]
        }]})
    }

    #[test]
    fn actions_are_read_as_far_as_they_can_be() {
        let actions = read(&answer());
        assert_eq!((actions[0].replicas, actions[0].is_over()), (Some(6), true));
        let begun = Timestamp::from_millis(1_767_225_601_500);
        assert_eq!(
            (actions[0].begun(), actions[0].transitions.len()),
            (Some(begun), 1)
        );
    }

    #[test]
    fn an_unreadable_answer_has_no_actions() {
        assert!(read(&json!({"error": "no"})).is_empty() && read(&Value::Null).is_empty());
    }
}
