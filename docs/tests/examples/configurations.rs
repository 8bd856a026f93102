//! Configuration examples, checked by the programs that read them.

use crate::{
    none, of,
    programs::{amtool, complaint, foreshadow, promtool},
};
use docs::{Block, Kind, files};
use std::{fmt::Write as _, fs, path::Path};

const CONFIGURATIONS: [Kind; 8] = [
    Kind::PrometheusConfig,
    Kind::AlertmanagerConfig,
    Kind::PrometheusRules,
    Kind::PredictiveRules,
    Kind::Configuration,
    Kind::WorkloadKeys,
    Kind::HttpConfig,
    Kind::WebConfig,
];

#[test]
fn every_configuration_is_taken_by_the_program_that_reads_it() {
    let examples = of(&CONFIGURATIONS);
    let refused: Vec<_> = examples.iter().filter_map(refusal).collect();
    none(&refused);
}

fn refusal((kind, block): &(Kind, Block)) -> Option<String> {
    let dir = tempfile::tempdir().unwrap();
    let written = files(*kind, block);
    for file in &written {
        fs::write(dir.path().join(file.name), &file.text).unwrap();
    }
    supply(dir.path());
    let (name, ours) = (written[0].name, foreshadow());
    let said = match kind {
        Kind::PrometheusConfig => promtool(&["check", "config", name], dir.path()),
        Kind::PrometheusRules => promtool(&["check", "rules", name], dir.path()),
        Kind::AlertmanagerConfig => amtool(&["check-config", name], dir.path()),
        Kind::PredictiveRules => complaint(&ours, &["check", "rules", name], dir.path()),
        Kind::WebConfig => complaint(&ours, &["check", "web-config", name], dir.path()),
        _ => complaint(&ours, &["check", "config", name], dir.path()),
    };
    said.map(|said| format!("{}: {said}\n{}", block.place(), written[0].text))
}

/// Files that examples name: certificates, a password, a kubeconfig.
fn supply(dir: &Path) {
    let signed = rcgen::generate_simple_self_signed(vec!["localhost".to_owned()]).unwrap();
    let (certificate, key) = (signed.cert.pem(), signed.signing_key.serialize_pem());
    for name in ["server.crt", "clients.crt", "ca.crt"] {
        fs::write(dir.join(name), &certificate).unwrap();
    }
    fs::write(dir.join("server.key"), key).unwrap();
    fs::write(dir.join("password"), "secret").unwrap();
}

#[test]
fn every_expression_is_promql() {
    let mut rules = "groups:\n- name: expressions\n  rules:\n".to_owned();
    for (_, block) in of(&[Kind::PromQl]) {
        for expression in expressions(&block.text) {
            let text = expression.replace('\n', "\n      ");
            writeln!(
                rules,
                "  # {}\n  - record: example\n    expr: |\n      {text}",
                block.place()
            )
            .unwrap();
        }
    }
    let dir = tempfile::tempdir().unwrap();
    fs::write(dir.path().join("rules.yml"), &rules).unwrap();
    // Recordings under one name are no mistake here.
    let said = promtool(&["check", "rules", "--lint=none", "rules.yml"], dir.path());
    assert!(said.is_none(), "{}\n{rules}", said.unwrap_or_default());
}

/// Expressions that stand below each other; a line that is indented goes on.
fn expressions(text: &str) -> Vec<String> {
    let mut found: Vec<String> = Vec::new();
    for line in text.lines().filter(|line| !line.trim().is_empty()) {
        match found.last_mut() {
            Some(last) if line.starts_with(' ') => {
                last.push('\n');
                last.push_str(line.trim());
            }
            _ => found.push(line.to_owned()),
        }
    }
    found
}

#[test]
fn every_json_example_is_json() {
    let broken = |(_, block): (Kind, Block)| {
        let read = serde_json::from_str::<serde_json::Value>(&block.text);
        read.err()
            .map(|error| format!("{}: {error}", block.place()))
    };
    let broken: Vec<_> = of(&[Kind::Json]).into_iter().filter_map(broken).collect();
    none(&broken);
}

#[test]
fn every_kubernetes_object_says_what_it_is() {
    let mut offences = Vec::new();
    for (_, block) in of(&[Kind::Kubernetes]) {
        for object in block.text.split("\n---\n") {
            for key in ["apiVersion: ", "kind: ", "metadata: {name: "] {
                if !object.contains(key) {
                    offences.push(format!("{}: an object without `{key}`", block.place()));
                }
            }
        }
    }
    none(&offences);
}
