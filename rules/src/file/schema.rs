//! The JSON Schema of rule files says what the reader of rule files does.

use super::*;
use serde_json::Value;
use std::collections::BTreeSet;

fn schema() -> Value {
    serde_json::from_str(include_str!("../../../docs/rules.schema.json")).unwrap()
}

/// The keys that the reader knows where it finds one that it does not.
fn known_keys(text: &str) -> BTreeSet<String> {
    let problems = parse("r.yml", text).unwrap_err().to_string();
    let (_, keys) = problems.split_once("expected one of: ").unwrap();
    let keys = keys.lines().next().unwrap().split(", ");
    let later = ["calendar", "projections"];
    keys.filter(|key| !later.contains(key))
        .map(str::to_owned)
        .collect()
}

/// Holds one kind of mapping, whose required keys have the values given, against the schema.
#[track_caller]
fn check(definition: &str, file_with: impl Fn(&str) -> String, required: &[(&str, &str)]) {
    let schema = schema();
    let definition = &schema["definitions"][definition];
    let keys = definition["properties"].as_object().unwrap().keys();
    let with = |left_out: &str, more: &str| {
        let kept = required.iter().filter(|(key, _)| *key != left_out);
        let lines = kept.map(|(key, value)| format!("{key}: {value}, "));
        file_with(&(lines.collect::<String>() + more))
    };
    assert_eq!(
        keys.cloned().collect::<BTreeSet<_>>(),
        known_keys(&with("", "zzzzzz: 1"))
    );
    assert_eq!(definition["additionalProperties"], false);
    let named = required.iter().map(|(key, _)| *key);
    assert_eq!(definition["required"], named.collect::<Value>());
    assert!(parse("r.yml", &with("", "")).is_ok());
    for (key, _) in required {
        assert!(parse("r.yml", &with(key, "")).is_err(), "without {key}");
    }
}

#[test]
fn every_key_of_a_group_is_in_the_schema() {
    let file_with = |keys: &str| format!("groups: [{{{keys}}}]");
    check("group", file_with, &[("name", "g"), ("rules", "[]")]);
}

#[test]
fn every_key_of_a_rule_is_in_the_schema() {
    let file_with = |keys: &str| format!("groups: [{{name: g, rules: [{{{keys}}}]}}]");
    for kind in ["forecast", "record"] {
        check(kind, file_with, &[(kind, "up"), ("expr", "up")]);
    }
}

#[test]
fn defaults_and_choices_are_those_of_the_schema() {
    let schema = schema();
    let properties = &schema["definitions"]["forecast"]["properties"];
    let rule = |more: &str| {
        let text = format!("groups: [{{name: g, rules: [{{forecast: x, expr: up{more}}}]}}]");
        parse("r.yml", &text).map(|groups| groups[0].rules[0].kind.clone())
    };
    let plain = rule("").unwrap();
    for key in [
        "step",
        "history",
        "horizons",
        "quantiles",
        "bounds",
        "model",
    ] {
        let written = format!(", {key}: {}", properties[key]["default"]);
        assert_eq!(rule(&written), Ok(plain.clone()), "{written}");
    }
    for model in properties["model"]["enum"].as_array().unwrap() {
        assert!(rule(&format!(", model: {model}")).is_ok(), "{model}");
    }
    let not = &properties["labels"]["propertyNames"]["not"]["enum"];
    for name in not.as_array().unwrap() {
        assert!(rule(&format!(", labels: {{{name}: a}}")).is_err(), "{name}");
    }
    let group = &schema["definitions"]["group"]["properties"];
    assert_eq!(group["limit"]["default"], defaults::LIMIT);
}
