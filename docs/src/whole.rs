//! Whole files out of examples that show a part.

use crate::{Block, Kind, kind::keys};
use std::{collections::BTreeSet, fmt::Write as _};

/// A file to be written beside others.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct File {
    /// Its name in the folder.
    pub name: &'static str,
    /// What it holds.
    pub text: String,
}

fn file(name: &'static str, text: impl Into<String>) -> File {
    File {
        name,
        text: text.into(),
    }
}

/// An actuator of what has no `kind`, for workloads whose example shows something else.
const FLEET: &str =
    "http: {url: 'http://127.0.0.1:8081/replicas', body: '{\"replicas\": {{ replicas }}}'}";

/// The files that an example stands for, the one to be checked first. Keys that it leaves out are filled in, and names of
/// other files and rules lead somewhere. Empty for kinds that are no configuration.
pub fn files(kind: Kind, block: &Block) -> Vec<File> {
    let text = &block.text;
    match kind {
        Kind::PrometheusConfig => vec![
            file("prometheus.yml", text),
            file("alerts.yml", "groups: []\n"),
        ],
        Kind::AlertmanagerConfig => vec![file("alertmanager.yml", text)],
        Kind::PrometheusRules => vec![file("alerts.yml", grouped(text))],
        Kind::PredictiveRules => vec![file("rules.yml", grouped(text))],
        Kind::Configuration => configuration(text),
        Kind::WorkloadKeys => configuration(&workload(text)),
        Kind::HttpConfig => {
            let options = indented(text, 2);
            let url = "prometheus:\n  url: https://127.0.0.1:9090\n";
            configuration(&format!("{url}{options}"))
        }
        Kind::WebConfig => vec![file("web.yml", text)],
        _ => Vec::new(),
    }
}

/// List items as the rules of a group.
fn grouped(text: &str) -> String {
    if text.starts_with("- ") {
        format!("groups:\n- name: example\n  rules:\n{}", indented(text, 2))
    } else {
        text.to_owned()
    }
}

fn indented(text: &str, n: usize) -> String {
    let line = |line: &str| format!("{:n$}{line}\n", "");
    text.lines().map(line).collect()
}

/// A workload with some keys, and those that it must have.
fn workload(text: &str) -> String {
    let mut whole = format!("workloads:\n- name: checkout\n{text}");
    let needed = [
        ("match", "{service: checkout}"),
        ("demand", "load"),
        ("sizing", "{per_replica: 100, min: 2, max: 12}"),
        ("actuator", "{use: fleet}"),
    ];
    let given = keys(text);
    for (key, value) in needed.iter().filter(|(key, _)| !given.contains(key)) {
        let _ = writeln!(whole, "  {key}: {value}");
    }
    whole
}

/// `foreshadow.yml` with what it needs, and rules for all that it sizes by.
fn configuration(text: &str) -> Vec<File> {
    let mut whole = text.to_owned();
    let given = keys(text);
    if !given.contains(&"prometheus") {
        whole.push_str("prometheus: {url: http://localhost:9090}\n");
    }
    if !given.contains(&"rule_files") {
        whole.push_str("rule_files: [rules.yml]\n");
    }
    let used = values(text, "use: ");
    if !given.contains(&"actuators") && !used.is_empty() {
        whole.push_str("actuators:\n");
        let kind = if text.contains("kind: ") {
            "kubernetes: {}"
        } else {
            FLEET
        };
        for name in used {
            let _ = writeln!(whole, "  {name}: {{{kind}}}");
        }
    }
    let mut rules = "groups:\n- name: demands\n  rules:\n".to_owned();
    let demands = values(text, "demand: ");
    let spare = demands.is_empty().then(|| "load".to_owned());
    for demand in demands.into_iter().chain(spare) {
        let _ = writeln!(rules, "  - {{forecast: '{demand}', expr: up}}");
    }
    vec![file("foreshadow.yml", whole), file("rules.yml", rules)]
}

/// The words behind a key, wherever it stands.
fn values(text: &str, key: &str) -> BTreeSet<String> {
    let lines = text.lines().filter_map(|line| line.split_once(key));
    let word = |(_, rest): (&str, &str)| {
        let end = rest.find([',', '}', ' ', '#']).unwrap_or(rest.len());
        rest[..end].to_owned()
    };
    lines.map(word).filter(|word| !word.is_empty()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_part_of_a_configuration_gets_what_it_needs() {
        let whole = configuration(
            "workloads:\n- name: a\n  demand: x:rate5m  # the load\n  actuator: {use: prod}\n",
        );
        let (config, rules) = (&whole[0].text, &whole[1].text);
        assert!(config.contains("\nprometheus: {url:"), "{config}");
        assert!(config.contains("\n  prod: {http:"), "{config}");
        assert!(rules.contains("forecast: 'x:rate5m'"), "{rules}");
    }

    #[test]
    fn list_items_are_put_into_a_group() {
        assert_eq!(
            grouped("- alert: a\n  expr: b\n"),
            "groups:\n- name: example\n  rules:\n  - alert: a\n    expr: b\n"
        );
    }
}
