//! The sections `actuators`, `workloads` and `guards` of the configuration, checked to the last problem.

mod actuators;
mod checks;
mod exec;
mod feedback;
mod guards;
mod http;
mod intervals;
mod kubernetes;
mod quantity;
mod rollouts;
mod scalars;
mod sizing;
mod workloads;

pub use actuators::{ActuatorConfig, Actuators, Fields, FleetFields, read_actuators};
pub use checks::{Check, Comparison, Measured, Pair, Sides, Template};
pub use exec::{CommandLine, ExecActuator};
pub use feedback::{Feedback, SilenceOrder};
pub use guards::{Guards, Proof, read_guards};
pub use http::{Address, HttpActuator, Method, Observation};
pub use intervals::TimeInterval;
#[cfg(feature = "kubernetes")]
pub(crate) use kubernetes::Rendered;
pub use kubernetes::{Container, FleetsOf, KubernetesActuator, Object, Setting, Values};
pub use quantity::Quantity;
pub use rollouts::{Judging, Rollout};
pub use workloads::{ActuatorUse, Cooldown, Workload, read_workloads};

/// All that the configuration says of actions.
#[derive(Debug, Clone)]
pub struct Settings {
    /// How the world is reached, by name.
    pub actuators: Actuators,
    /// What may be acted on, in the order of the file.
    pub workloads: Vec<Workload>,
    /// What holds for all of them.
    pub guards: Guards,
}

impl Settings {
    /// Reads the three sections out of the configuration's top level; each may be left out. `forecasts` are the
    /// names that workloads may be sized for.
    pub fn read(fields: &yaml::Fields, forecasts: &[&str]) -> Option<Self> {
        let actuators = fields
            .optional("actuators", read_actuators)
            .unwrap_or_else(Actuators::none);
        let workloads = fields.optional("workloads", |node| {
            read_workloads(node, &actuators, forecasts)
        });
        let guards = fields.optional("guards", read_guards);
        Some(Self {
            actuators,
            workloads: workloads.unwrap_or_default(),
            guards: guards.unwrap_or_else(Guards::standard),
        })
    }

    /// The workload of this name.
    pub fn workload(&self, name: &str) -> Option<&Workload> {
        self.workloads.iter().find(|workload| workload.name == name)
    }
}
