//! The program's own metrics, `foreshadow_*`.

mod collisions;
mod connections;
mod doors;
mod groups;
mod history;
mod register;
mod remote_write;
mod rules;
mod state;

pub(crate) use self::{
    collisions::Collisions,
    connections::{ConnectionMetrics, Given},
    doors::{DoorMetrics, ReadOutcome},
    groups::GroupMetrics,
    history::{HistoryMetrics, Way},
    register::Register,
    rules::RuleMetrics,
    state::StateMetrics,
};

use crate::{learned::LearnedMetrics, push::LaneFigures, version};
use ::rules::Group;
use prometheus::{Gauge, IntCounterVec, IntGauge, IntGaugeVec};
use remediation::{Learned, Plan, Unattended, config::Workload};
use remote_write::RemoteWriteMetrics;
use series::Timestamp;
use std::{
    collections::BTreeSet,
    sync::{Arc, Mutex},
};
use store::{Action, State};

/// Everything that the program says about itself.
pub(crate) struct Metrics {
    register: Register,
    pub(crate) reload_successful: IntGauge,
    pub(crate) reload_success_time: Gauge,
    pub(crate) groups: GroupMetrics,
    pub(crate) rules: RuleMetrics,
    pub(crate) state: StateMetrics,
    pub(crate) history: HistoryMetrics,
    pub(crate) connections: ConnectionMetrics,
    pub(crate) doors: DoorMetrics,
    pub(crate) collisions: Arc<Collisions>,
    pub(crate) actions: ActionMetrics,
    pub(crate) journal_writable: IntGauge,
    learned: LearnedMetrics,
    remote_write: RemoteWriteMetrics,
    configured: Mutex<Configured>,
    /// Held while actions are shown and written, so that no scrape sees half of them.
    encoding: Mutex<()>,
}

/// What is looked up when the metrics are asked for.
pub(crate) struct Shown<'a> {
    /// The newest actions; those that were shown stay where the journal cannot be read.
    pub(crate) newest: Option<&'a [Action]>,
    /// None where the journal cannot be read.
    pub(crate) learned: Option<&'a [Learned]>,
    /// Alerts that fire while nothing is done about them.
    pub(crate) unattended: &'a [Unattended],
    /// What has become of what was pushed.
    pub(crate) pushed: &'a [LaneFigures],
    pub(crate) now: Timestamp,
}

/// What the last configuration held.
#[derive(Default)]
struct Configured {
    /// Group and name of each rule.
    rules: BTreeSet<(String, String)>,
    /// The label values of groups.
    groups: BTreeSet<String>,
}

/// What was done to workloads.
pub(crate) struct ActionMetrics {
    pub(crate) open: IntGaugeVec,
    pub(crate) transitions: IntCounterVec,
    pub(crate) target_replicas: IntGaugeVec,
    pub(crate) info: IntGaugeVec,
    pub(crate) kill_switch: IntGauge,
    unattended: IntGaugeVec,
    missing: IntGaugeVec,
}

impl Metrics {
    /// Registers all metrics, those of the process included.
    pub(crate) fn new() -> anyhow::Result<Self> {
        let register = Register::default();
        register.add_process()?;
        let build = register.int_gauges(
            "build_info",
            "Always 1; its labels tell the version, the commit, and by what and for what it was built.",
            &["version", "revision", "rustc", "target"],
        )?;
        let labels = [
            version::VERSION,
            version::COMMIT,
            version::RUSTC,
            version::TARGET,
        ];
        build.with_label_values(&labels).set(1);
        Ok(Self {
            reload_successful: register.add(IntGauge::new(
                "foreshadow_config_last_reload_successful",
                "Whether the last configuration reload attempt was successful.",
            )?)?,
            reload_success_time: register.gauge(
                "config_last_reload_success_timestamp_seconds",
                "Timestamp of the last successful configuration reload.",
            )?,
            groups: GroupMetrics::new(&register)?,
            rules: RuleMetrics::new(&register)?,
            state: StateMetrics::new(&register)?,
            history: HistoryMetrics::new(&register)?,
            connections: ConnectionMetrics::new(&register)?,
            doors: DoorMetrics::new(&register)?,
            collisions: Arc::new(Collisions::new(&register)?),
            actions: ActionMetrics::new(&register)?,
            journal_writable: register.add(IntGauge::new(
                "foreshadow_journal_writable",
                "Whether the action journal could be written at the last attempt.",
            )?)?,
            learned: LearnedMetrics::new(&register)?,
            remote_write: RemoteWriteMetrics::new(&register)?,
            configured: Mutex::default(),
            encoding: Mutex::default(),
            register,
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
        for group in groups {
            self.groups.prepare(group);
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

    /// The sum of a counter over its series that have all of these label values, whatever their labels.
    pub(crate) fn total(&self, name: &str, values: &[&str]) -> u64 {
        self.register.total(name, values)
    }

    /// All of it in Prometheus' text format, what is looked up included.
    pub(crate) fn encode(&self, shown: &Shown<'_>) -> anyhow::Result<String> {
        let _one_at_a_time = self
            .encoding
            .lock()
            .expect("no holder of this lock can panic");
        if let Some(newest) = shown.newest {
            self.actions.show(newest);
        }
        if let Some(learned) = shown.learned {
            self.learned.show(learned);
        }
        self.actions.show_unattended(shown.unattended);
        self.remote_write.show(shown.pushed);
        let configured = self
            .configured
            .lock()
            .expect("no holder of this lock can panic");
        for (group, rule) in &configured.rules {
            self.rules.show_age([group, rule], shown.now);
        }
        self.register.text()
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

    /// Shows which alerts nothing is done about, in place of those shown before.
    fn show_unattended(&self, unattended: &[Unattended]) {
        self.unattended.reset();
        self.missing.reset();
        for one in unattended {
            let labels = [one.workload.as_str(), one.reason.as_str()];
            let alerts = self.unattended.with_label_values(&labels);
            alerts.add(i64::from(one.n_alerts));
            let missing = self.missing.with_label_values(&[&one.workload]);
            missing.set(missing.get().max(i64::from(one.missing)));
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

impl ActionMetrics {
    fn new(register: &Register) -> anyhow::Result<Self> {
        Ok(Self {
            open: register.int_gauges(
                "actions_open",
                "Actions that have not ended, by workload and state.",
                &["workload", "state"],
            )?,
            transitions: register.counters(
                "action_transitions_total",
                "Transitions of actions into a state.",
                &["workload", "state"],
            )?,
            target_replicas: register.int_gauges(
                "action_target_replicas",
                "Replicas that the workload's newest action asks for.",
                &["workload"],
            )?,
            kill_switch: register.add(IntGauge::new(
                "foreshadow_kill_switch_thrown",
                "Whether the kill switch stands against all actions.",
            )?)?,
            unattended: register.int_gauges(
                "alerts_unattended",
                "Alerts that fire, match a workload, and are not being acted upon although nobody said no.",
                &["workload", "reason"],
            )?,
            missing: register.int_gauges(
                "workload_missing_replicas",
                "Replicas that the workload needs beyond its maximum.",
                &["workload"],
            )?,
            info: register.int_gauges(
                "action_info",
                "Always 1; one series for each of the newest actions, with its state.",
                &["workload", "id", "state", "plan"],
            )?,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(metrics: &Metrics) -> String {
        let shown = Shown {
            newest: Some(&[]),
            learned: Some(&[]),
            unattended: &[],
            pushed: &[],
            now: Timestamp::from_seconds(100),
        };
        metrics.encode(&shown).unwrap()
    }

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
        let text = self::text(&metrics);
        assert!(text.contains(zero), "{text}");
        metrics.prepare(&group("new"), &[]);
        let text = self::text(&metrics);
        assert!(
            !text.contains(r#"rule="old""#) && text.contains(r#"rule="new""#),
            "{text}"
        );
    }

    #[test]
    fn predictions_grow_old_from_the_last_success_on() {
        let metrics = Metrics::new().unwrap();
        metrics.prepare(&group("a"), &[]);
        let name = "foreshadow_rule_prediction_age_seconds";
        assert!(!text(&metrics).contains(name));
        metrics
            .rules
            .last_success
            .with_label_values(&["g", "a"])
            .set(90.0);
        let line = format!(r#"{name}{{group="g",rule="a"}} 10"#);
        assert!(text(&metrics).contains(&line));
    }

    /// The first column of the tables, and the second.
    fn documented() -> BTreeSet<(String, String)> {
        let page = include_str!("../../docs/metrics.md");
        let rows = page.lines().filter_map(|line| line.strip_prefix("| `"));
        let row = |line: &str| {
            let mut cells = line
                .split('|')
                .map(|cell| cell.replace('`', "").trim().to_owned());
            (cells.next().unwrap(), cells.next().unwrap())
        };
        rows.map(row).collect()
    }

    #[test]
    fn every_metric_is_in_the_table_and_the_table_has_no_other() {
        let told = Metrics::new().unwrap().register.told();
        let told: BTreeSet<_> = told
            .into_iter()
            .map(|(name, labels)| (name, labels.join(", ")))
            .collect();
        let documented = documented();
        let missing: Vec<_> = told.difference(&documented).collect();
        let invented: Vec<_> = documented.difference(&told).collect();
        assert!(
            missing.is_empty() && invented.is_empty(),
            "missing {missing:#?}, invented {invented:#?}"
        );
    }
}
