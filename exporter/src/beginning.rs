//! The first lines of the log: what runs, with which files, whether Prometheus answers, and when forecasts are there.

use crate::{app::App, config::Config, redact::redacted};
use rules::{GroupReport, RuleKind, Source as _};
use std::{
    collections::BTreeSet,
    path::Path,
    sync::{Arc, Mutex, PoisonError},
};
use tokio::time::Instant;
use tracing::{info, warn};

/// What a configuration comes to, for the log.
#[derive(Debug)]
pub(crate) struct Summary {
    n_groups: usize,
    n_rules: usize,
    n_workloads: usize,
    n_remote_write: usize,
    prometheus: String,
    alertmanager: Option<String>,
    storage: String,
}

impl Summary {
    /// Counts what is configured; addresses are without their passwords.
    pub(crate) fn of(config: &Config) -> Self {
        let alertmanager = config.alertmanager.as_ref();
        Self {
            n_groups: config.groups.len(),
            n_rules: config.groups.iter().map(|group| group.rules.len()).sum(),
            n_workloads: config.remediation.workloads.len(),
            n_remote_write: config.remote_write.len(),
            prometheus: redacted(&config.prometheus.upstream.url).to_string(),
            alertmanager: alertmanager.map(|upstream| redacted(&upstream.url).to_string()),
            storage: config.storage.path.display().to_string(),
        }
    }

    /// Tells that the configuration in a file is at work.
    pub(crate) fn tell(&self, file: &Path) {
        info!(
            file = %file.display(),
            groups = self.n_groups,
            rules = self.n_rules,
            workloads = self.n_workloads,
            prometheus = self.prometheus,
            alertmanager = self.alertmanager,
            remote_write = self.n_remote_write,
            storage = self.storage,
            "configuration loaded"
        );
    }
}

/// Asks Prometheus once whether it is there, and says so.
pub(crate) async fn tell_prometheus(app: Arc<App>) {
    let running = app.running();
    match running.source.instant("vector(1)", app.now()).await {
        Ok(_) => info!("Prometheus answers"),
        Err(error) => {
            let error = format!("{:#}", anyhow::Error::new(error));
            warn!(
                error,
                "Prometheus does not answer: rules are tried again at each interval"
            );
        }
    }
}

/// Which forecast rules have not given a forecast since the start.
#[derive(Debug)]
pub(crate) struct FirstForecasts {
    begun: Instant,
    waiting: Mutex<Waiting>,
}

#[derive(Debug, Default)]
struct Waiting {
    rules: BTreeSet<(String, String)>,
    n_series: usize,
    is_first_told: bool,
}

/// A line to be written.
#[derive(Debug, PartialEq, Eq)]
enum Said {
    First { rule: String, n_series: usize },
    All { n_series: usize },
}

impl FirstForecasts {
    /// Waits for the forecast rules of some groups, from now on.
    pub(crate) fn of(groups: &[rules::Group]) -> Self {
        let rules = groups.iter().flat_map(|group| {
            let forecasts = group
                .rules
                .iter()
                .filter(|rule| matches!(rule.kind, RuleKind::Forecast(_)));
            forecasts.map(|rule| (group.name.clone(), rule.kind.name().to_owned()))
        });
        let waiting = Waiting {
            rules: rules.collect(),
            ..Waiting::default()
        };
        Self {
            begun: Instant::now(),
            waiting: Mutex::new(waiting),
        }
    }

    /// Tells of the first rule that gives forecasts, and once all of them do.
    pub(crate) fn note(&self, report: &GroupReport) {
        let after = format!("{:.1}s", self.begun.elapsed().as_secs_f64());
        for said in self.said(report) {
            match said {
                Said::First { rule, n_series } => {
                    info!(after, rule, series = n_series, "first forecasts");
                }
                Said::All { n_series } => info!(
                    after,
                    series = n_series,
                    "all forecast rules give forecasts"
                ),
            }
        }
    }

    fn said(&self, report: &GroupReport) -> Vec<Said> {
        let mut said = Vec::new();
        let mut waiting = self.waiting.lock().unwrap_or_else(PoisonError::into_inner);
        for one in &report.rules {
            let Ok(evaluated) = &one.outcome else {
                continue;
            };
            let key = (report.group.clone(), one.rule.clone());
            // Without an origin there is no forecast.
            if evaluated.oldest_origin.is_none() || !waiting.rules.remove(&key) {
                continue;
            }
            let unfitted = evaluated.not_enough_history + evaluated.failed_fits;
            let n_series = evaluated.series.saturating_sub(unfitted);
            waiting.n_series += n_series;
            if !std::mem::replace(&mut waiting.is_first_told, true) {
                let rule = one.rule.clone();
                said.push(Said::First { rule, n_series });
            }
            if waiting.rules.is_empty() {
                let n_series = waiting.n_series;
                said.push(Said::All { n_series });
            }
        }
        said
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rules::{Evaluated, RuleReport};
    use series::Timestamp;
    use std::time::Duration;

    fn report(rule: &str, series: usize) -> GroupReport {
        let evaluated = Evaluated {
            series,
            oldest_origin: (series > 0).then(|| Timestamp::from_seconds(1)),
            ..Evaluated::default()
        };
        let rule = RuleReport {
            rule: rule.to_owned(),
            at: Timestamp::from_seconds(1),
            duration: Duration::ZERO,
            samples_read: 0,
            left_out: prometheus_api::LeftOut::default(),
            outcome: Ok(evaluated),
        };
        GroupReport {
            file: "r.yml".to_owned(),
            group: "g".to_owned(),
            at: Timestamp::from_seconds(1),
            duration: Duration::ZERO,
            interval: Duration::from_secs(1),
            iterations: 1,
            missed: 0,
            rules: vec![rule],
        }
    }

    #[test]
    fn the_first_forecasts_are_told_once_and_so_is_the_last_rule() {
        let rules = "{forecast: a, expr: up}, {forecast: b, expr: up}, {record: c, expr: up}";
        let groups = rules::parse("r.yml", &format!("groups: [{{name: g, rules: [{rules}]}}]"));
        let first = FirstForecasts::of(&groups.unwrap());
        assert_eq!(first.said(&report("a", 0)), []);
        let rule = "a".to_owned();
        assert_eq!(
            first.said(&report("a", 2)),
            [Said::First { rule, n_series: 2 }]
        );
        assert_eq!(first.said(&report("a", 2)), []);
        assert_eq!(first.said(&report("b", 3)), [Said::All { n_series: 5 }]);
        assert_eq!(first.said(&report("b", 3)), []);
    }
}
