//! The program's own metrics, `foreshadow_*`.

mod groups;
mod rules;
mod state;

pub(crate) use self::{groups::GroupMetrics, rules::RuleMetrics, state::StateMetrics};

use crate::learned::LearnedMetrics;
use ::rules::Group;
use prometheus::{
    Encoder as _, Gauge, GaugeVec, Histogram, HistogramOpts, HistogramVec, IntCounterVec, IntGauge,
    IntGaugeVec, Opts, Registry, TextEncoder, core::Collector,
};
use remediation::{Learned, Plan, config::Workload};
use std::{collections::BTreeSet, sync::Mutex};
use store::{Action, State};

/// Everything that the program says about itself.
pub(crate) struct Metrics {
    registry: Registry,
    pub(crate) reload_successful: IntGauge,
    pub(crate) reload_success_time: Gauge,
    pub(crate) groups: GroupMetrics,
    pub(crate) rules: RuleMetrics,
    pub(crate) state: StateMetrics,
    pub(crate) doors: DoorMetrics,
    pub(crate) actions: ActionMetrics,
    learned: LearnedMetrics,
    configured: Mutex<Configured>,
    /// Held while actions are shown and written, so that no scrape sees half of them.
    encoding: Mutex<()>,
}

/// What the last configuration held.
#[derive(Default)]
struct Configured {
    /// Group and name of each rule.
    rules: BTreeSet<(String, String)>,
    /// The label values of groups.
    groups: BTreeSet<String>,
}

/// What comes in from Prometheus and Alertmanager.
pub(crate) struct DoorMetrics {
    pub(crate) requests: IntCounterVec,
    pub(crate) duration: HistogramVec,
    pub(crate) read_samples: IntCounterVec,
    pub(crate) alerts: IntCounterVec,
}

/// What was done to workloads.
pub(crate) struct ActionMetrics {
    pub(crate) open: IntGaugeVec,
    pub(crate) transitions: IntCounterVec,
    pub(crate) target_replicas: IntGaugeVec,
    pub(crate) info: IntGaugeVec,
}

/// Upper bounds in seconds of one request.
const REQUEST_BUCKETS: [f64; 8] = [0.001, 0.005, 0.01, 0.05, 0.1, 0.5, 1.0, 5.0];

impl Metrics {
    /// Registers all metrics, those of the process included.
    pub(crate) fn new() -> anyhow::Result<Self> {
        let registry = Registry::new();
        let process = prometheus::process_collector::ProcessCollector::for_self();
        registry.register(Box::new(process))?;
        let build = int_gauges(
            &registry,
            "build_info",
            "Always 1; its labels tell the version.",
            &["version"],
        )?;
        build.with_label_values(&[env!("CARGO_PKG_VERSION")]).set(1);
        Ok(Self {
            reload_successful: added(
                &registry,
                IntGauge::new(
                    "foreshadow_config_last_reload_successful",
                    "Whether the last configuration reload attempt was successful.",
                )?,
            )?,
            reload_success_time: gauge(
                &registry,
                "config_last_reload_success_timestamp_seconds",
                "Timestamp of the last successful configuration reload.",
            )?,
            groups: GroupMetrics::new(&registry)?,
            rules: RuleMetrics::new(&registry)?,
            state: StateMetrics::new(&registry)?,
            doors: DoorMetrics::new(&registry)?,
            actions: ActionMetrics::new(&registry)?,
            learned: LearnedMetrics::new(&registry)?,
            configured: Mutex::default(),
            encoding: Mutex::default(),
            registry,
        })
    }

    /// Sets counters of configured rules and workloads to zero where they are not counted yet, so that the first
    /// event is an increase, and forgets rules that are configured no more.
    pub(crate) fn prepare(&self, groups: &[Group], workloads: &[Workload]) {
        let rules = groups.iter().flat_map(|group| {
            let name = |rule: &::rules::Rule| (group.name.clone(), rule.kind.name().to_owned());
            group.rules.iter().map(name)
        });
        let rules: BTreeSet<_> = rules.collect();
        for (group, rule) in &rules {
            self.rules.prepare([group, rule]);
        }
        for workload in workloads {
            self.actions.prepare(&workload.name);
        }
        let mut configured = self
            .configured
            .lock()
            .expect("no holder of this lock can panic");
        for (group, rule) in configured.rules.difference(&rules) {
            self.rules.forget([group, rule]);
        }
        let keys = groups
            .iter()
            .map(|group| groups::key(&group.file, &group.name));
        let keys: BTreeSet<_> = keys.collect();
        for gone in configured.groups.difference(&keys) {
            self.groups.forget(gone);
        }
        *configured = Configured {
            rules,
            groups: keys,
        };
    }

    /// All of it in Prometheus' text format, the newest actions included.
    pub(crate) fn encode(&self, newest: &[Action], learned: &[Learned]) -> anyhow::Result<String> {
        let _one_at_a_time = self
            .encoding
            .lock()
            .expect("no holder of this lock can panic");
        self.actions.show(newest);
        self.learned.show(learned);
        let mut text = Vec::new();
        TextEncoder::new().encode(&self.registry.gather(), &mut text)?;
        Ok(String::from_utf8(text)?)
    }
}

impl ActionMetrics {
    fn prepare(&self, workload: &str) {
        for state in State::ALL {
            self.transitions
                .with_label_values(&[workload, state.as_str()]);
            if state.is_open() {
                self.open.with_label_values(&[workload, state.as_str()]);
            }
        }
    }

    /// Shows the newest actions, in place of those shown before.
    fn show(&self, newest: &[Action]) {
        self.open.reset();
        self.info.reset();
        self.target_replicas.reset();
        // Oldest first, so that the newest has the last word.
        for action in newest.iter().rev() {
            let (workload, state) = (action.workload.as_str(), action.state.as_str());
            self.prepare(workload);
            if action.state.is_open() {
                self.open.with_label_values(&[workload, state]).inc();
            }
            let plan = Plan::from_json(action.plan.as_ref()).ok();
            let change = plan
                .as_ref()
                .map(|p| format!("{} → {}", p.observed, p.target));
            let id = action.id.to_string();
            let labels = [workload, &id, state, change.as_deref().unwrap_or("")];
            self.info.with_label_values(&labels).set(1);
            if let Some(plan) = plan {
                let target = i64::from(plan.target.replicas);
                self.target_replicas
                    .with_label_values(&[workload])
                    .set(target);
            }
        }
    }
}

impl DoorMetrics {
    fn new(registry: &Registry) -> anyhow::Result<Self> {
        Ok(Self {
            requests: counters(
                registry,
                "http_requests_total",
                "HTTP requests answered, by route and status code.",
                &["handler", "code"],
            )?,
            duration: histograms(
                registry,
                "http_request_duration_seconds",
                "Time to answer an HTTP request.",
                (&["handler"], &REQUEST_BUCKETS),
            )?,
            read_samples: counters(
                registry,
                "remote_read_samples_total",
                "Samples answered to remote read, by the type of the response.",
                &["type"],
            )?,
            alerts: counters(
                registry,
                "alerts_received_total",
                "Alerts that Alertmanager delivered, by what became of them.",
                &["outcome"],
            )?,
        })
    }
}

impl ActionMetrics {
    fn new(registry: &Registry) -> anyhow::Result<Self> {
        Ok(Self {
            open: int_gauges(
                registry,
                "actions_open",
                "Actions that have not ended, by workload and state.",
                &["workload", "state"],
            )?,
            transitions: counters(
                registry,
                "action_transitions_total",
                "Transitions of actions into a state.",
                &["workload", "state"],
            )?,
            target_replicas: int_gauges(
                registry,
                "action_target_replicas",
                "Replicas that the workload's newest action asks for.",
                &["workload"],
            )?,
            info: int_gauges(
                registry,
                "action_info",
                "Always 1; one series for each of the newest actions, with its state.",
                &["workload", "id", "state", "plan"],
            )?,
        })
    }
}

fn counters(
    registry: &Registry,
    name: &str,
    help: &str,
    labels: &[&str],
) -> anyhow::Result<IntCounterVec> {
    added(
        registry,
        IntCounterVec::new(Opts::new(format!("foreshadow_{name}"), help), labels)?,
    )
}

fn gauge(registry: &Registry, name: &str, help: &str) -> anyhow::Result<Gauge> {
    added(registry, Gauge::new(format!("foreshadow_{name}"), help)?)
}

fn gauges(
    registry: &Registry,
    name: &str,
    help: &str,
    labels: &[&str],
) -> anyhow::Result<GaugeVec> {
    added(
        registry,
        GaugeVec::new(Opts::new(format!("foreshadow_{name}"), help), labels)?,
    )
}

fn int_gauges(
    registry: &Registry,
    name: &str,
    help: &str,
    labels: &[&str],
) -> anyhow::Result<IntGaugeVec> {
    added(
        registry,
        IntGaugeVec::new(Opts::new(format!("foreshadow_{name}"), help), labels)?,
    )
}

fn histogram(
    registry: &Registry,
    name: &str,
    help: &str,
    buckets: &[f64],
) -> anyhow::Result<Histogram> {
    let options = HistogramOpts::new(format!("foreshadow_{name}"), help).buckets(buckets.to_vec());
    added(registry, Histogram::with_opts(options)?)
}

fn histograms(
    registry: &Registry,
    name: &str,
    help: &str,
    (labels, buckets): (&[&str], &[f64]),
) -> anyhow::Result<HistogramVec> {
    let options = HistogramOpts::new(format!("foreshadow_{name}"), help).buckets(buckets.to_vec());
    added(registry, HistogramVec::new(options, labels)?)
}

fn added<C: Collector + Clone + 'static>(registry: &Registry, metric: C) -> anyhow::Result<C> {
    registry.register(Box::new(metric.clone()))?;
    Ok(metric)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn group(rule: &str) -> Vec<Group> {
        let text = format!("groups: [{{name: g, rules: [{{record: {rule}, expr: up}}]}}]");
        ::rules::parse("r.yml", &text).unwrap()
    }

    #[test]
    fn rules_are_counted_from_zero_and_forgotten_when_they_are_gone() {
        let metrics = Metrics::new().unwrap();
        metrics.prepare(&group("old"), &[]);
        let labels = ["g", "old"];
        metrics.rules.series.with_label_values(&labels).set(7);
        let zero = r#"foreshadow_rule_evaluations_total{group="g",rule="old"} 0"#;
        let text = metrics.encode(&[], &[]).unwrap();
        assert!(text.contains(zero), "{text}");
        metrics.prepare(&group("new"), &[]);
        let text = metrics.encode(&[], &[]).unwrap();
        assert!(
            !text.contains(r#"rule="old""#) && text.contains(r#"rule="new""#),
            "{text}"
        );
    }
}
