//! The section `workloads`.

use super::{
    ActuatorConfig, Actuators, Feedback, Object, Rollout, SilenceOrder,
    feedback::{feedback, silence},
    kubernetes::object,
    rollouts::rollout,
    scalars::{duration, positive_duration, words},
    sizing::sizing,
};
use crate::{
    Target,
    machine::{OnTimeout, Pace},
    rollout::Strategy,
    sizing::Sizing,
};
use series::Labels;
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
    /// What is measured before and after an action.
    pub feedback: Feedback,
    /// Which alerts are held back while an action takes effect.
    pub silence: Option<SilenceOrder>,
    /// How it is reached.
    pub actuator: ActuatorUse,
}

/// How long a workload is left alone after an action.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Cooldown {
    /// Before it is scaled up again.
    pub up: Duration,
    /// Before it is scaled down, which only a person can ask for.
    pub down: Duration,
}

/// How a workload is reached.
#[derive(Debug, Clone)]
pub struct ActuatorUse {
    /// The actuator's name; it is there.
    pub name: String,
    /// What the actuator's templates may use.
    pub target: Target,
    /// The object of Kubernetes, where the actuator is of that kind.
    pub object: Option<Box<Object>>,
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

/// Reads the section `workloads`; their actuators and forecasts must be among these.
pub fn read_workloads(
    node: &Node,
    actuators: &Actuators,
    forecasts: &[&str],
) -> Option<Vec<Workload>> {
    let (mut names, mut objects) = (BTreeSet::new(), BTreeSet::new());
    node.list(|node| {
        node.map(|fields| {
            let name = fields.required("name", words);
            if let Some(name) = name.clone().filter(|name| !names.insert(name.clone())) {
                fields.problem("name", format!("there is another workload `{name}`"));
            }
            let workload = workload(name, fields, actuators, forecasts)?;
            let used = &workload.actuator;
            let touched = used.object.iter().flat_map(|object| object.touched());
            let cluster = actuators.get(&used.name).and_then(ActuatorConfig::cluster);
            let keys: Vec<_> = touched.map(|one| (cluster.clone(), one)).collect();
            if let Some((_, one)) = keys.iter().find(|key| objects.contains(*key)) {
                fields.problem("actuator", format!("another workload acts on {one}"));
            }
            objects.extend(keys);
            Some(workload)
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
    let rollout = rollout.unwrap_or_else(Rollout::standard);
    let feedback = fields.optional("feedback", feedback).unwrap_or_default();
    let silence = fields.optional("silence", silence);
    let actuator = fields.required("actuator", |node| actuator_use(node, actuators));
    if let (Some(used), Strategy::BlueGreen { .. }) = (&actuator, &rollout.strategy)
        && actuators.get(&used.name).is_some_and(|a| !a.knows_fleets())
        && used
            .object
            .as_ref()
            .is_none_or(|object| object.fleets.is_none())
    {
        let problem = "blue_green needs an actuator whose `observe` has `active` and `idle`, or a target with `fleets`";
        fields.problem("rollout", problem);
    }
    if let Some(object) = actuator.as_ref().and_then(|used| used.object.as_deref()) {
        check_object(fields, object, sizing.as_ref());
    }
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
            wait: rollout.wait,
            on_inconclusive: rollout.on_inconclusive,
        },
        cooldown: Cooldown {
            up: up.unwrap_or(COOLDOWN_UP),
            down: down.unwrap_or(COOLDOWN_DOWN),
        },
        rollout,
        feedback,
        silence,
        actuator: actuator?,
    })
}

/// What an object of Kubernetes asks of the rest of its workload.
fn check_object(fields: &Fields, object: &Object, sizing: Option<&Sizing>) {
    if let Some(sizing) = sizing
        && let Err(problem) = object.probe(sizing.min, sizing.max)
    {
        fields.problem("actuator", problem);
    }
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

fn actuator_use(node: &Node, actuators: &Actuators) -> Option<ActuatorUse> {
    node.map(|fields| {
        let name = fields.required("use", words);
        let actuator = name.as_deref().and_then(|name| actuators.get(name));
        if let Some(ActuatorConfig::Kubernetes(_)) = actuator {
            let object = fields.required("target", |node| node.map(object))?;
            return Some(ActuatorUse {
                name: name?,
                target: object.as_target(),
                object: Some(Box::new(object)),
            });
        }
        let target = fields.optional("target", |node| {
            // What an actuator that cannot be used would make of it is not known.
            actuator?;
            node.entries(|key, node| Some((key.to_owned(), node.string()?)))
        });
        let target: Target = target.unwrap_or_default().into_iter().collect();
        let name = name?;
        let Some(actuator) = actuator else {
            if !actuators.is_named(&name) {
                fields.problem("use", format!("there is no actuator `{name}`"));
            }
            return None;
        };
        if let Err(problem) = actuator.probe(&target) {
            let problem = format!("actuator `{name}` does not work here: {problem}");
            fields.node().problem(problem);
        }
        Some(ActuatorUse {
            name,
            target,
            object: None,
        })
    })
}
