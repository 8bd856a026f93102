//! The workloads of a world, and the program's configuration for them.

use crate::{
    event::{Mode, N_WORKLOADS},
    prometheus::Demand,
};
use anyhow::Context as _;
use std::{
    fmt::Write as _,
    fs,
    path::{Path, PathBuf},
};

/// Replicas at the beginning of each round.
pub const START: u32 = 4;

/// Demand that one replica carries.
const PER_REPLICA: f64 = 40.0;

/// One workload: what it needs, and how it is acted on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Workload {
    /// Its name, and the value of the label `service`.
    pub name: &'static str,
    /// Replicas that its demand calls for.
    pub needs: u32,
    /// The most that it may have.
    pub max: u32,
    /// Its mode unless a reload says otherwise.
    pub mode: Mode,
    sizing: &'static str,
    rest: &'static str,
}

/// One that is done at once, one in stages, one that people decide on, one that needs more than it may have, and one
/// that takes several steps.
pub const WORKLOADS: [Workload; N_WORKLOADS] = [
    Workload {
        name: "a",
        needs: 8,
        max: 20,
        mode: Mode::Auto,
        sizing: "",
        rest: "  rollout: {direct: {wait: 1s, count: 1, failure_limit: 0, inconclusive_limit: 0}}\n",
    },
    Workload {
        name: "b",
        needs: 14,
        max: 20,
        mode: Mode::Auto,
        sizing: ", step_up: 300%",
        rest: "  rollout: {canary: {steps: [50%], wait: 1s, count: 2, interval: 1s, failure_limit: 0, \
               inconclusive_limit: 0, verify: ['quality{service=\"b\"} > 0']}}\n",
    },
    Workload {
        name: "c",
        needs: 8,
        max: 20,
        mode: Mode::Approve,
        sizing: "",
        rest: "  approval: {timeout: 4s}\n  \
               rollout: {direct: {wait: 1s, count: 1, failure_limit: 0, inconclusive_limit: 0}}\n",
    },
    Workload {
        name: "d",
        needs: 8,
        max: 6,
        mode: Mode::Auto,
        sizing: "",
        rest: "  rollout: {direct: {wait: 1s, count: 1, failure_limit: 0, inconclusive_limit: 0}}\n",
    },
    Workload {
        name: "e",
        needs: 11,
        max: 20,
        mode: Mode::Auto,
        sizing: ", step_up: 50%",
        rest: "  rollout: {direct: {wait: 1s, count: 2, interval: 1s, failure_limit: 0, inconclusive_limit: 0, \
               verify: ['quality{service=\"e\"} > 0']}}\n",
    },
];

/// The modes that no reload has changed.
pub fn usual_modes() -> [Mode; N_WORKLOADS] {
    WORKLOADS.map(|workload| workload.mode)
}

impl Workload {
    /// The replicas that it should have while an alert fires.
    pub fn wanted(&self) -> u32 {
        self.needs.min(self.max)
    }

    /// Its demand, half a replica below the need, so that a wave does not change it.
    pub fn demand(&self) -> Demand {
        Demand {
            service: self.name.to_owned(),
            level: PER_REPLICA * (f64::from(self.needs) - 0.5),
        }
    }
}

/// Addresses and paths in the configuration.
#[derive(Debug, Clone)]
pub struct Places {
    /// Folder of the configuration.
    pub dir: PathBuf,
    /// Folder of journal and models.
    pub storage: PathBuf,
    /// The file whose presence stops all actions.
    pub kill_switch: PathBuf,
    /// Address of Prometheus.
    pub prometheus: String,
    /// Address of the fleet.
    pub fleet: String,
}

const RULES: &str = "groups:
- name: g
  interval: 1s
  rules:
  - {forecast: load, expr: load, step: 5s, history: 20m, horizons: [30s, 1m], bounds: [0, null]}
";

impl Places {
    /// Writes the rules and the configuration.
    pub fn configure(&self, modes: [Mode; N_WORKLOADS]) -> anyhow::Result<()> {
        write(&self.dir.join("rules.yml"), RULES)?;
        write(&self.config(), &self.text(modes))
    }

    /// Writes a configuration that cannot be read.
    pub fn break_configuration(&self) -> anyhow::Result<()> {
        write(&self.config(), "prometheus: {url: [\n")
    }

    fn config(&self) -> PathBuf {
        self.dir.join("foreshadow.yml")
    }

    fn text(&self, modes: [Mode; N_WORKLOADS]) -> String {
        let Self {
            storage,
            kill_switch,
            prometheus,
            fleet,
            ..
        } = self;
        let (storage, kill_switch) = (storage.display(), kill_switch.display());
        let mut text = format!(
            "prometheus: {{url: '{prometheus}', timeout: 2s}}\nrule_files: [rules.yml]\n\
             storage: {{path: '{storage}', save_interval: 10s}}\nactuators:\n  fleet:\n    http:\n      \
             url: '{fleet}/apps/{{{{ target.name }}}}'\n      body: '{{\"replicas\": {{{{ replicas }}}}}}'\n      \
             timeout: 1s\nguards:\n  max_concurrent: 2\n  max_actions_per_hour: 1000000\n  \
             kill_switch_file: '{kill_switch}'\n  forecast: {{max_mase: 100000, max_coverage_shortfall: 100%}}\n\
             workloads:\n"
        );
        for (workload, mode) in WORKLOADS.iter().zip(modes) {
            let Workload {
                name,
                max,
                sizing,
                rest,
                ..
            } = workload;
            let mode = match mode {
                Mode::Observe => "observe",
                Mode::Approve => "approve",
                Mode::Auto => "auto",
            };
            let _ = write!(
                text,
                "- name: {name}\n  match: {{alertname: Hot, service: {name}}}\n  demand: load\n  \
                 sizing: {{per_replica: {PER_REPLICA}, min: 1, max: {max}, lead_time: 10s{sizing}}}\n  \
                 mode: {mode}\n  grace: 1s\n  cooldown: {{up: 2s, down: 2s}}\n\
                 {rest}  actuator: {{use: fleet, target: {{name: {name}}}}}\n"
            );
        }
        text
    }
}

fn write(path: &Path, text: &str) -> anyhow::Result<()> {
    let next = path.with_extension("next");
    let written = fs::write(&next, text).and_then(|()| fs::rename(&next, path));
    written.with_context(|| format!("cannot write {}", path.display()))
}
