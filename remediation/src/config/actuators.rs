//! The section `actuators`.

use super::{
    exec::{ExecActuator, exec},
    http::{HttpActuator, http},
    kubernetes::{KubernetesActuator, kubernetes},
};
use crate::{
    Shape, Target,
    shape::{Colour, Fleets},
};
use std::{
    collections::{BTreeMap, BTreeSet},
    path::PathBuf,
};
use yaml::Node;

/// How the world is reached, by the names that workloads use.
#[derive(Debug, Clone)]
pub struct Actuators {
    usable: BTreeMap<String, ActuatorConfig>,
    /// Those with problems too, so that a workload that names one is not blamed as well.
    named: BTreeSet<String>,
}

/// One way to reach the world.
#[derive(Debug, Clone)]
pub enum ActuatorConfig {
    /// By HTTP.
    Http(Box<HttpActuator>),
    /// By a program on this machine.
    Exec(Box<ExecActuator>),
    /// By the API server of a Kubernetes cluster.
    Kubernetes(Box<KubernetesActuator>),
}

/// Where in an answer the shape is: JSON pointers (RFC 6901), the empty one being all of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fields {
    /// How many instances serve.
    pub replicas: String,
    /// Which of two fleets serves and how many the other one has, where there are two.
    pub fleets: Option<FleetFields>,
}

/// See [`Fields`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FleetFields {
    /// `blue` or `green`.
    pub active: String,
    /// How many instances the other fleet has.
    pub idle: String,
}

impl Actuators {
    /// What there is when the section is left out.
    pub fn none() -> Self {
        Self {
            usable: BTreeMap::new(),
            named: BTreeSet::new(),
        }
    }

    /// The actuator of this name.
    pub fn get(&self, name: &str) -> Option<&ActuatorConfig> {
        self.usable.get(name)
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = (&String, &ActuatorConfig)> {
        self.usable.iter()
    }

    /// Whether the section has this name, be it usable or not.
    pub fn is_named(&self, name: &str) -> bool {
        self.named.contains(name)
    }
}

impl ActuatorConfig {
    /// Whether it tells two fleets from each other.
    pub fn knows_fleets(&self) -> bool {
        self.fleets().is_some()
    }

    /// Where objects are that it acts on: the file that says so, and which of the file's contexts.
    pub(super) fn cluster(&self) -> Option<(Option<PathBuf>, Option<String>)> {
        match self {
            Self::Kubernetes(config) => Some((config.kubeconfig.clone(), config.context.clone())),
            Self::Http(_) | Self::Exec(_) => None,
        }
    }

    fn fleets(&self) -> Option<&FleetFields> {
        match self {
            Self::Http(http) => http.observe.fields.fleets.as_ref(),
            Self::Exec(exec) => exec.output.fleets.as_ref(),
            Self::Kubernetes(_) => None,
        }
    }

    /// Makes all that would be sent or run, once with one replica and once with two, as no action has yet.
    pub(super) fn probe(&self, target: &Target) -> Result<(), String> {
        let fleets = self.fleets().map(|_| Fleets {
            active: Colour::Blue,
            idle: 0,
        });
        let render = |replicas| {
            let shape = Shape {
                fleets,
                ..Shape::of(replicas)
            };
            match self {
                Self::Http(http) => http.probe(target, shape),
                Self::Exec(exec) => exec.probe(target, shape),
                // What such a target sets is looked at with the sizes that the workload may have.
                Self::Kubernetes(_) => Ok(replicas.to_string()),
            }
        };
        if render(1)? == render(2)? {
            return Err("it does not depend on {{ replicas }}".to_owned());
        }
        Ok(())
    }
}

/// Reads the section `actuators`.
pub fn read_actuators(node: &Node) -> Option<Actuators> {
    let mut named = BTreeSet::new();
    let usable = node.entries(|name, node| {
        named.insert(name.to_owned());
        Some((name.to_owned(), actuator(node)?))
    })?;
    Some(Actuators {
        usable: usable.into_iter().collect(),
        named,
    })
}

fn actuator(node: &Node) -> Option<ActuatorConfig> {
    node.map(|fields| {
        let http = fields.optional("http", |node| node.map(http));
        let exec = fields.optional("exec", |node| node.map(exec));
        let kubernetes = fields.optional("kubernetes", |node| {
            node.map(|fields| Some(kubernetes(fields)))
        });
        let kinds = ["http", "exec", "kubernetes"];
        match kinds.iter().filter(|kind| fields.has(kind)).count() {
            0 => fields
                .node()
                .problem("must say how: `http`, `exec` or `kubernetes` is missing"),
            1 => {}
            _ => fields.node().problem("must be of one kind"),
        }
        let http = http.map(|http| ActuatorConfig::Http(Box::new(http)));
        let exec = exec.map(|exec| ActuatorConfig::Exec(Box::new(exec)));
        let kubernetes = kubernetes.map(|one| ActuatorConfig::Kubernetes(Box::new(one)));
        http.or(exec).or(kubernetes)
    })
}

/// The fields `field`, `active` and `idle`.
pub(super) fn shape_fields(fields: &yaml::Fields, standard: &str) -> Fields {
    let replicas = fields.optional("field", pointer);
    let active = fields.optional("active", pointer);
    let idle = fields.optional("idle", pointer);
    if fields.has("active") != fields.has("idle") {
        let problem = "`active` and `idle` go together";
        fields.node().problem(problem);
    }
    Fields {
        replicas: replicas.unwrap_or_else(|| standard.to_owned()),
        fleets: active
            .zip(idle)
            .map(|(active, idle)| FleetFields { active, idle }),
    }
}

fn pointer(node: &Node) -> Option<String> {
    let text = node.string()?;
    if !text.is_empty() && !text.starts_with('/') {
        node.problem(format!(
            "`{text}` is not a JSON pointer: write it like /spec/replicas"
        ));
        return None;
    }
    Some(text)
}
