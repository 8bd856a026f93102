//! One action for a terminal: facts, history, looks, what was measured.

use super::text;
use crate::{
    figures::found,
    table::{Align, table},
    visible::visible,
};
use remediation::{Effect, Measured, Plan, Shape};
use serde::Deserialize as _;
use serde_json::Value;

/// All that is known of an action, in aligned columns.
pub(super) fn show(action: &Value) -> String {
    let parts = [
        facts(action),
        history(action),
        looks(action),
        measured(action),
    ];
    let parts: Vec<_> = parts.into_iter().filter(|part| !part.is_empty()).collect();
    parts.join("\n")
}

fn facts(action: &Value) -> String {
    let plan = Plan::from_json(action.get("plan").filter(|plan| !plan.is_null())).ok();
    let pre_image = action.get("pre_image").filter(|found| !found.is_null());
    let mut facts = vec![
        ("id", text(action, "id")),
        ("workload", text(action, "workload")),
        ("state", text(action, "state")),
        ("mode", text(action, "mode")),
    ];
    if let Some(plan) = plan {
        facts.push(("plan", way(&plan)));
        facts.push(("why", plan.why));
        facts.extend(plan.rehearsal.map(|said| ("rehearsal", said)));
    }
    if let Ok(found) = Shape::from_json(pre_image) {
        facts.push(("found before", found.to_string()));
    }
    for key in ["created_at", "applied_at", "updated_at", "deadline"] {
        facts.push((key, text(action, key)));
    }
    facts.push(("reason", text(action, "reason")));
    facts.push(("held up", text(action, "held_up")));
    facts.retain(|(_, value)| !value.is_empty());
    let width = facts.iter().map(|(name, _)| name.len()).max().unwrap_or(0);
    facts.iter().fold(String::new(), |lines, (name, value)| {
        lines + &format!("{name:<width$}  {}\n", visible(value))
    })
}

/// Where a plan begins, what it goes by and where it ends.
fn way(plan: &Plan) -> String {
    let stages = plan.stages.iter().map(|stage| stage.shape.to_string());
    let all: Vec<_> = std::iter::once(plan.observed.to_string())
        .chain(stages)
        .collect();
    all.join(" → ")
}

fn history(action: &Value) -> String {
    use Align::Left;
    let columns = [
        ("AT", Left),
        ("STATE", Left),
        ("ACTOR", Left),
        ("REASON", Left),
    ];
    rows(&action["transitions"], columns, |step| {
        ["at", "to", "actor", "reason"].map(|key| text(step, key))
    })
}

fn looks(action: &Value) -> String {
    use Align::{Left, Right};
    let columns = [
        ("AT", Left),
        ("STAGE", Right),
        ("LOOK", Right),
        ("CHECK", Left),
        ("VERDICT", Left),
        ("BEFORE", Right),
        ("AFTER", Right),
        ("REASON", Left),
    ];
    rows(&action["looks"], columns, |look| {
        // People count from one, as the page does.
        let stage = look["stage"].as_u64().map(|stage| stage + 1);
        [
            text(look, "at"),
            stage.map_or_else(String::new, |stage| stage.to_string()),
            text(look, "number"),
            text(look, "check"),
            text(look, "verdict"),
            found(&look["before"]).unwrap_or_default(),
            found(&look["after"]).unwrap_or_default(),
            text(look, "reason"),
        ]
    })
}

/// The objects of a list, one a line; nothing where there are none.
fn rows<const N: usize>(
    list: &Value,
    columns: [(&str, Align); N],
    cells: impl Fn(&Value) -> [String; N],
) -> String {
    let rows: Vec<_> = list.as_array().into_iter().flatten().map(cells).collect();
    if rows.is_empty() {
        return String::new();
    }
    table(columns, &rows)
}

fn measured(action: &Value) -> String {
    let Some(effect) = Effect::deserialize(&action["effect"]).ok() else {
        return String::new();
    };
    let row = |name: &str, read: &dyn Fn(&Measured) -> Option<f64>| {
        let cell = |side: &Option<Measured>| {
            let value = side.as_ref().and_then(read);
            value.map_or_else(|| "-".to_owned(), |value| format!("{value:.3}"))
        };
        [name.to_owned(), cell(&effect.before), cell(&effect.after)]
    };
    let rows = [
        row("replicas", &|m| Some(f64::from(m.replicas))),
        row("demand", &|m| m.demand),
        row("utilisation", &|m| m.utilisation),
        row("objective", &|m| m.objective),
        row("cost", &|m| m.cost),
    ];
    let known: Vec<_> = rows
        .into_iter()
        .filter(|[_, before, after]| before != "-" || after != "-")
        .collect();
    if known.is_empty() {
        return String::new();
    }
    let columns = [
        ("MEASURED", Align::Left),
        ("BEFORE", Align::Right),
        ("AFTER", Align::Right),
    ];
    table(columns, &known)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn an_action_is_shown_with_all_that_happened_to_it() {
        let action = json!({
            "id": "a1", "workload": "checkout", "state": "succeeded", "mode": "auto",
            "plan": {
                "target": {"replicas": 14}, "observed": {"replicas": 4}, "demand": 812.0, "demand_at": 0,
                "stages": [{"shape": {"replicas": 5}, "judged": true}, {"shape": {"replicas": 14}, "judged": true}],
                "horizon": "1h", "quantile": 0.95, "why": "812 foreseen",
            },
            "pre_image": {"replicas": 4},
            "created_at": "2026-01-01T00:00:00Z", "applied_at": "2026-01-01T00:01:00Z",
            "updated_at": "2026-01-01T00:09:00Z", "deadline": null, "reason": "verified",
            "transitions": [
                {"at": "2026-01-01T00:00:00Z", "from": null, "to": "proposed", "actor": "receiver", "reason": "it fires"},
                {"at": "2026-01-01T00:01:00Z", "from": "grace", "to": "applying", "actor": "ann", "reason": "yes"},
            ],
            "looks": [{"at": "2026-01-01T00:02:00Z", "stage": 0, "number": 1, "check": "p99 < 0.5",
                       "verdict": "successful", "before": null, "after": {"holds": true, "value": 0.31}, "reason": "it holds"}],
            "effect": {"before": {"at": 0, "replicas": 4, "demand": 400.0, "utilisation": 0.8},
                       "after": {"at": 0, "replicas": 14, "demand": 410.0}},
        });
        insta::assert_snapshot!(show(&action));
    }

    #[test]
    fn an_action_without_a_plan_is_shown_as_far_as_it_goes() {
        let action = json!({
            "id": "a1", "workload": "w", "state": "proposed", "mode": "auto", "plan": null, "effect": null,
            "reason": "it \u{202e}fires\nid  b2", "transitions": [], "looks": [],
        });
        insta::assert_snapshot!(show(&action), @r"
        id        a1
        workload  w
        state     proposed
        mode      auto
        reason    it \u{202e}fires\nid  b2
        ");
    }
}
