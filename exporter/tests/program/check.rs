//! `foreshadow check` tells every problem, with file, line and key.

use std::{fs, process::Command};

const CONFIG: &str = "\
global: {evaluation_interval: 0s}
prometheus:
  url: localhost:9090
  tls_config: {ca_file: none.pem}
  basic_auth: {username: ann}
  timeot: 5s
rule_files: [rules.yml, missing.yml]
actuators:
  fleet: {http: {url: 'http://127.0.0.1:1/', body: '{{ replicas'}}
workloads:
- name: checkout
  match: {service: checkout}
  demand: nothing
  sizing: {per_replica: 0, min: 5, max: 3}
  mode: bold
  actuator: {use: flet}
";

const RULES: &str = "\
groups:
- name: one
  interval: -1m
  rules:
  - forecast: ''
    expr: sum by (service (rate(x[5m]))
    horizons: [1h, 15m]
  - forecst: x
";

#[test]
fn every_problem_is_told_at_once() {
    let dir = tempfile::tempdir().unwrap();
    fs::write(dir.path().join("foreshadow.yml"), CONFIG).unwrap();
    fs::write(dir.path().join("rules.yml"), RULES).unwrap();
    let mut command = Command::new(env!("CARGO_BIN_EXE_foreshadow"));
    let output = command
        .current_dir(dir.path())
        .args(["check", "config", "foreshadow.yml"])
        .output();
    let output = output.unwrap();
    assert_eq!(output.status.code(), Some(1));
    insta::assert_snapshot!(String::from_utf8(output.stderr).unwrap());
}

#[test]
fn rules_that_are_there_twice_are_told_beside_other_problems() {
    let dir = tempfile::tempdir().unwrap();
    let rules = "groups:\n- name: one\n  rules:\n  - {forecast: a, expr: up}\n  - {forecast: b, expr: 'sum('}\n  \
                 - {forecast: a, expr: down}\n";
    fs::write(dir.path().join("rules.yml"), rules).unwrap();
    let mut command = Command::new(env!("CARGO_BIN_EXE_foreshadow"));
    let output = command
        .current_dir(dir.path())
        .args(["check", "rules", "rules.yml"])
        .output();
    let said = String::from_utf8(output.unwrap().stderr).unwrap();
    assert!(said.contains("FAILED: 2 problems"), "{said}");
    assert!(
        said.contains("rules.yml:5: groups[0].rules[1].expr: is not PromQL"),
        "{said}"
    );
    assert!(
        said.contains("rules.yml:6: `a` with these labels is given by rules.yml:4 already"),
        "{said}"
    );
}

#[test]
fn the_schema_of_rule_files_is_printed() {
    let mut command = Command::new(env!("CARGO_BIN_EXE_foreshadow"));
    let output = command.args(["check", "schema"]).output().unwrap();
    let schema: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(schema["required"][0], "groups");
}

#[test]
fn the_rules_of_the_demo_are_good() {
    let rules = concat!(env!("CARGO_MANIFEST_DIR"), "/../demo/config/rules.yml");
    let output = Command::new(env!("CARGO_BIN_EXE_foreshadow"))
        .args(["check", "rules", rules])
        .output();
    let output = output.unwrap();
    let said = String::from_utf8(output.stdout).unwrap();
    assert!(
        output.status.success()
            && said.contains("SUCCESS: 3 rules found, about 13 to 41 series for each input series"),
        "{said}"
    );
}

#[test]
fn what_is_no_regular_file_is_refused_and_not_waited_for() {
    let dir = tempfile::tempdir().unwrap();
    let made = Command::new("mkfifo").arg(dir.path().join("pipe")).status();
    assert!(made.unwrap().success());
    let runs: [&[&str]; 5] = [
        &["check", "rules", "pipe"],
        &["check", "config", "pipe"],
        &["forecast", "--horizon", "1h", "--csv", "pipe"],
        &["backtest", "--horizon", "1h", "--csv", "pipe"],
        &["actions", "list", "--http.config.file", "pipe"],
    ];
    for arguments in runs {
        let mut command = Command::new(env!("CARGO_BIN_EXE_foreshadow"));
        let output = command.current_dir(dir.path()).args(arguments).output();
        let output = output.unwrap();
        let said = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(1), "{arguments:?}: {said}");
        let why = "it is a pipe and not a regular file";
        assert!(said.contains(why), "{arguments:?}: {said}");
    }
    for (name, why) in [(".", "it is a folder"), ("/dev/zero", "it is a device")] {
        let mut command = Command::new(env!("CARGO_BIN_EXE_foreshadow"));
        let output = command
            .current_dir(dir.path())
            .args(["check", "rules", name])
            .output();
        let said = String::from_utf8(output.unwrap().stderr).unwrap();
        assert!(said.contains(why), "{name}: {said}");
    }
}
