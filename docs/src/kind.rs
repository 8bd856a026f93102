//! The purpose of an example, told by its language and its keys.

use crate::Block;

/// The reader of an example.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// `prometheus.yml`.
    PrometheusConfig,
    /// `alertmanager.yml`.
    AlertmanagerConfig,
    /// Rules that Prometheus evaluates: a whole file, or list items.
    PrometheusRules,
    /// Rules that Foreshadow evaluates: a whole file, or list items.
    PredictiveRules,
    /// `foreshadow.yml`, or some of its top-level keys.
    Configuration,
    /// Keys of one workload.
    WorkloadKeys,
    /// The web configuration file.
    WebConfig,
    /// A file of HTTP client options.
    HttpConfig,
    /// Kubernetes objects.
    Kubernetes,
    /// Commands for a shell.
    Shell,
    /// A session: prompts with commands, and what they print.
    Session,
    /// One or more PromQL expressions.
    PromQl,
    /// JSON.
    Json,
    /// Text that nothing reads, such as drawings.
    Text,
}

/// Top-level keys of `foreshadow.yml`.
const CONFIGURATION: [&str; 9] = [
    "global",
    "prometheus",
    "alertmanager",
    "rule_files",
    "storage",
    "remote_write",
    "actuators",
    "workloads",
    "guards",
];

/// Keys of a workload that stand alone in examples.
const WORKLOAD: [&str; 10] = [
    "match", "demand", "sizing", "mode", "grace", "approval", "cooldown", "rollout", "feedback",
    "actuator",
];

impl Kind {
    /// The reader of an example.
    ///
    /// # Errors
    /// A sentence when nothing is known to: an example that nobody holds to anything would rot.
    pub fn of(block: &Block) -> Result<Self, String> {
        let kind = match &*block.language {
            "sh" => Some(Self::Shell),
            "promql" => Some(Self::PromQl),
            "json" => Some(Self::Json),
            "yaml" => of_yaml(&block.text),
            "" if block.text.lines().any(|line| line.starts_with("$ ")) => Some(Self::Session),
            "" | "text" => Some(Self::Text),
            _ => None,
        };
        kind.ok_or_else(|| {
            format!(
                "{}: nothing checks this `{}` example: give it a language and keys that docs/src/kind.rs knows, or add a kind there",
                block.place(),
                block.language
            )
        })
    }
}

fn of_yaml(text: &str) -> Option<Kind> {
    let keys = keys(text);
    let has = |key: &str| keys.contains(&key);
    let all_of = |known: &[&str]| !keys.is_empty() && keys.iter().all(|key| known.contains(key));
    let items = text.starts_with("- ");
    if has("apiVersion") {
        Some(Kind::Kubernetes)
    } else if has("scrape_configs") {
        Some(Kind::PrometheusConfig)
    } else if has("route") || has("receivers") {
        Some(Kind::AlertmanagerConfig)
    } else if has("groups") || items {
        let predictive = text.contains("- forecast: ");
        let prometheus = text.contains("- alert: ") || text.contains("- record: ");
        let rules = prometheus.then_some(Kind::PrometheusRules);
        if predictive {
            Some(Kind::PredictiveRules)
        } else {
            rules
        }
    } else if has("tls_server_config") || has("basic_auth_users") {
        Some(Kind::WebConfig)
    } else if has("basic_auth") || has("authorization") {
        Some(Kind::HttpConfig)
    } else if all_of(&CONFIGURATION) {
        Some(Kind::Configuration)
    } else if text.starts_with("  ") && all_of(&WORKLOAD) {
        Some(Kind::WorkloadKeys)
    } else {
        None
    }
}

/// The outermost keys of a mapping, which may be indented as a whole.
pub(crate) fn keys(text: &str) -> Vec<&str> {
    let is_written = |line: &&str| !line.trim().is_empty() && !line.trim_start().starts_with('#');
    let indent = |line: &str| line.len() - line.trim_start().len();
    let lines: Vec<&str> = text.lines().filter(is_written).collect();
    let outermost = lines.iter().map(|line| indent(line)).min().unwrap_or(0);
    let outer = lines.into_iter().filter(|line| indent(line) == outermost);
    outer
        .filter(|line| !line.trim_start().starts_with("- "))
        .filter_map(|line| line.trim_start().split_once(':'))
        .map(|(key, _)| key.trim_start_matches('{'))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(text: &str, expect: Option<Kind>) {
        assert_eq!(of_yaml(text), expect, "{text}");
    }

    #[test]
    fn keys_tell_what_reads_a_file() {
        check(
            "scrape_configs:\n- a: b\nremote_write:\n",
            Some(Kind::PrometheusConfig),
        );
        check("prometheus: {url: x}\n", Some(Kind::Configuration));
        check("  rollout:\n    canary:\n", Some(Kind::WorkloadKeys));
        check("- forecast: a\n  expr: b\n", Some(Kind::PredictiveRules));
        check(
            "groups:\n- rules:\n  - alert: a\n",
            Some(Kind::PrometheusRules),
        );
        check("{apiVersion: v1, kind: Pod}\n", Some(Kind::Kubernetes));
    }

    #[test]
    fn what_nothing_reads_has_no_kind() {
        check("colour: blue\n", None);
        check("prometheus: {url: x}\ncolour: blue\n", None);
        check("", None);
    }
}
