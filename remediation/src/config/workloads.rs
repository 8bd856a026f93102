//! The section `workloads`.

use super::{
    Actuators,
    scalars::{count, duration, positive_duration, share, words},
};
use crate::{
    Shape, Target,
    machine::{OnTimeout, Pace},
    sizing::Sizing,
};
use promql_parser::parser::{Expr, value::ValueType};
use series::{Labels, Quantile};
use std::{collections::BTreeSet, time::Duration};
use store::Mode;
use yaml::{Fields, Node};

/// Something that may be acted on.
#[derive(Debug, Clone)]
pub struct Workload {
    /// Its name in the journal and in the API.
    pub name: String,
    /// An alert with all of these labels is about it; never empty.
    pub labels: Labels,
    /// The forecast that is sized for.
    pub demand: String,
    /// How many replicas a demand needs.
    pub sizing: Sizing,
    /// Who decides.
    pub mode: Mode,
    /// How long its actions stay in each state.
    pub pace: Pace,
    /// How long it is left alone after an action.
    pub cooldown: Cooldown,
    /// How an effect is judged.
    pub rollout: Rollout,
    /// How it is reached.
    pub actuator: ActuatorUse,
}

/// How long a workload is left alone after an action.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Cooldown {
    /// Before it is scaled up again.
    pub up: Duration,
    /// Before it is scaled down; an alert that foresees a breach never does.
    pub down: Duration,
}

/// All at once, and judged afterwards.
#[derive(Debug, Clone)]
pub struct Rollout {
    /// Each must hold; none at all means that carrying the effect out is success.
    pub verify: Vec<Check>,
}

/// A PromQL expression that must hold.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Check {
    /// The expression. It holds when it returns at least one series.
    pub expr: String,
    /// Whether a comparison in it has the modifier `bool`, so that a 0 in its answer means false. Without
    /// the modifier a comparison drops what does not hold, and 0 is a value like any other.
    pub zero_is_false: bool,
}

/// How a workload is reached.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ActuatorUse {
    /// The actuator's name; it is there.
    pub name: String,
    /// What the actuator's templates may use.
    pub target: Target,
}

/// A person is asked until the team has watched enough plans to trust them; then `auto` is one word away.
const MODE: Mode = Mode::Approve;

/// Long enough to read a message and object, short against the time that a new replica needs.
const GRACE: Duration = Duration::from_secs(90);

/// A breach minutes ahead cannot wait longer, and a tired person who is silent has not agreed.
const APPROVAL_TIMEOUT: Duration = Duration::from_mins(1);

/// The delay that a new replica needs before the next forecast can see it work.
const COOLDOWN_UP: Duration = Duration::from_mins(3);

/// Five times as long: capacity that is gone when the load returns costs more than capacity that idles.
const COOLDOWN_DOWN: Duration = Duration::from_mins(15);

/// Doubling catches up with any growth in a few actions, and a wild forecast costs at most as much again.
const STEP_UP: f64 = 1.0;

/// A quarter, so that a wrong step down leaves three quarters to carry the load.
const STEP_DOWN: f64 = 0.25;

/// Sized so that one time in twenty the demand is higher.
const QUANTILE: f64 = 0.95;

/// Two scrapes at the usual interval, before an effect can be seen at all.
const WAIT: Duration = Duration::from_secs(30);

/// Reads the section `workloads`; their actuators and forecasts must be among these.
pub fn read_workloads(
    node: &Node,
    actuators: &Actuators,
    forecasts: &[&str],
) -> Option<Vec<Workload>> {
    let mut names = BTreeSet::new();
    node.list(|node| {
        node.map(|fields| {
            let name = fields.required("name", words);
            if let Some(name) = name.clone().filter(|name| !names.insert(name.clone())) {
                fields.problem("name", format!("there is another workload `{name}`"));
            }
            workload(name, fields, actuators, forecasts)
        })
    })
}

fn workload(
    name: Option<String>,
    fields: &Fields,
    actuators: &Actuators,
    forecasts: &[&str],
) -> Option<Workload> {
    let labels = fields.required("match", labels);
    let demand = fields.required("demand", |node| demand(node, forecasts));
    let sizing = fields.required("sizing", |node| node.map(sizing));
    let mode = fields.optional("mode", Node::parse::<Mode>).unwrap_or(MODE);
    let grace = fields.optional("grace", duration).unwrap_or(GRACE);
    let approval = fields.optional("approval", |node| node.map(|f| Some(approval(f))));
    let (approval_timeout, on_timeout) = approval.unwrap_or((APPROVAL_TIMEOUT, OnTimeout::Reject));
    let cooldown = fields.optional("cooldown", |node| {
        node.map(|fields| {
            let up = fields.optional("up", duration);
            Some((up, fields.optional("down", duration)))
        })
    });
    let (up, down) = cooldown.unwrap_or_default();
    let rollout = fields.optional("rollout", rollout);
    let (wait, verify) = rollout.unwrap_or_else(|| (WAIT, Vec::new()));
    let actuator = fields.required("actuator", |node| actuator_use(node, actuators));
    Some(Workload {
        name: name?,
        labels: labels?,
        demand: demand?,
        sizing: sizing?,
        mode,
        pace: Pace {
            grace,
            approval_timeout,
            on_timeout,
            wait,
        },
        cooldown: Cooldown {
            up: up.unwrap_or(COOLDOWN_UP),
            down: down.unwrap_or(COOLDOWN_DOWN),
        },
        rollout: Rollout { verify },
        actuator: actuator?,
    })
}

fn labels(node: &Node) -> Option<Labels> {
    let pairs = node.entries(|name, node| Some((name.to_owned(), words(node)?)))?;
    let labels = node.accept(Labels::new(pairs))?;
    if labels.is_empty() {
        node.problem("must name at least one label, or every alert would be about this workload");
        return None;
    }
    Some(labels)
}

/// A workload is sized for a forecast, so some rule must make it.
fn demand(node: &Node, forecasts: &[&str]) -> Option<String> {
    let name = node.string()?;
    if !forecasts.contains(&name.as_str()) {
        node.problem(format!("no forecast rule is named `{name}`"));
        return None;
    }
    Some(name)
}

fn sizing(fields: &Fields) -> Option<Sizing> {
    let per_replica = fields.required("per_replica", |node| {
        let number = node.number()?;
        if !(number.is_finite() && number > 0.0) {
            node.problem(format!("must be above 0, got {number}"));
            return None;
        }
        Some(number)
    });
    let quantile = fields.optional("quantile", |node| {
        node.accept(Quantile::new(node.number()?))
    });
    let min = fields.required("min", count);
    let max = fields.required("max", count);
    if let (Some(min), Some(max)) = (min, max)
        && min > max
    {
        fields.problem("min", format!("min {min} is above max {max}"));
    }
    let step_up = fields.optional("step_up", share);
    let step_down = fields.optional("step_down", share);
    if step_down.is_some_and(|share| share > 1.0) {
        fields.problem("step_down", "no more than 100% can be taken away");
    }
    Some(Sizing {
        per_replica: per_replica?,
        quantile: quantile.unwrap_or(Quantile::new(QUANTILE).expect("0.95 is a level")),
        min: min?,
        max: max?,
        step_up: step_up.unwrap_or(STEP_UP),
        step_down: step_down.unwrap_or(STEP_DOWN),
    })
}

fn approval(fields: &Fields) -> (Duration, OnTimeout) {
    let timeout = fields.optional("timeout", positive_duration);
    let on_timeout = fields.optional("on_timeout", |node| match node.string()?.as_str() {
        "reject" => Some(OnTimeout::Reject),
        "approve" => Some(OnTimeout::Approve),
        other => {
            node.problem(format!("`{other}` is not one of reject, approve"));
            None
        }
    });
    (
        timeout.unwrap_or(APPROVAL_TIMEOUT),
        on_timeout.unwrap_or(OnTimeout::Reject),
    )
}

fn rollout(node: &Node) -> Option<(Duration, Vec<Check>)> {
    node.map(|fields| {
        for kind in ["canary", "blue_green"] {
            fields.optional(kind, |node| -> Option<()> {
                node.problem("is not available in this version; use direct");
                None
            });
        }
        fields.optional("direct", |node| {
            node.map(|fields| {
                let wait = fields.optional("wait", duration).unwrap_or(WAIT);
                let verify = fields.optional("verify", |node| node.list(check));
                Some((wait, verify.unwrap_or_default()))
            })
        })
    })
}

fn check(node: &Node) -> Option<Check> {
    let expr = words(node)?;
    let parsed = node.accept(promql_parser::parser::parse(&expr))?;
    if matches!(parsed.value_type(), ValueType::Matrix | ValueType::String) {
        let kind = parsed.value_type();
        node.problem(format!(
            "must return an instant vector or a scalar, not a {kind}"
        ));
        return None;
    }
    let zero_is_false = returns_bool(&parsed);
    Some(Check {
        expr,
        zero_is_false,
    })
}

fn returns_bool(expr: &Expr) -> bool {
    match expr {
        Expr::Paren(inner) => returns_bool(&inner.expr),
        Expr::Aggregate(inner) => returns_bool(&inner.expr),
        Expr::Binary(binary) => {
            let here = binary.modifier.as_ref().is_some_and(|m| m.return_bool);
            here || returns_bool(&binary.lhs) || returns_bool(&binary.rhs)
        }
        _ => false,
    }
}

fn actuator_use(node: &Node, actuators: &Actuators) -> Option<ActuatorUse> {
    node.map(|fields| {
        let name = fields.required("use", words);
        let target = fields.optional("target", |node| {
            node.entries(|key, node| Some((key.to_owned(), node.string()?)))
        });
        let target: Target = target.unwrap_or_default().into_iter().collect();
        let name = name?;
        let Some(actuator) = actuators.get(&name) else {
            if !actuators.is_named(&name) {
                fields.problem("use", format!("there is no actuator `{name}`"));
            }
            return None;
        };
        if let Err(problem) = probe(actuator, &target) {
            let problem = format!("the body of actuator `{name}` does not work here: {problem}");
            fields.node().problem(problem);
        }
        Some(ActuatorUse { name, target })
    })
}

/// Renders the body once with one replica and once with two, as no action has yet.
fn probe(actuator: &super::HttpActuator, target: &Target) -> Result<(), String> {
    let render = |replicas| {
        let body = actuator.body.render(target, Shape { replicas });
        body.map_err(|e| e.to_string())
    };
    let (one, two) = (render(1)?, render(2)?);
    if one == two {
        return Err("it does not depend on {{ replicas }}".to_owned());
    }
    if actuator.sends_json() {
        serde_json::from_str::<serde_json::Value>(&one)
            .map_err(|e| format!("rendered, it is not JSON: {e}"))?;
    }
    Ok(())
}
