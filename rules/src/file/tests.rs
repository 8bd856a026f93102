//! What rule files mean, and what they are told.

use super::*;
use insta::assert_snapshot;

fn problems(text: &str) -> String {
    let read = parse("r.yml", text).and_then(|groups| check_all(&groups));
    read.map_or_else(|problems| problems.to_string(), |()| "fine".to_owned())
}

/// One group with these rules, each an inline mapping.
fn rules(rules: &[&str]) -> String {
    let head = "groups:\n- name: g\n  rules:\n";
    let rules = rules.iter().map(|rule| format!("  - {{{rule}}}\n"));
    format!("{head}{}", rules.collect::<String>())
}

fn forecast(text: &str) -> ForecastRule {
    let groups = parse("r.yml", &rules(&[text])).unwrap();
    match &groups[0].rules[0].kind {
        RuleKind::Forecast(rule) => rule.clone(),
        RuleKind::Record(_) => panic!("a recording rule"),
    }
}

#[test]
fn the_example_of_the_design_is_read() {
    let rule = forecast(
        "forecast: 'instance:cpu', expr: 1 - avg by (instance) (rate(cpu[5m])), step: 5m, \
         history: 21d, horizons: [15m, 24h], quantiles: [0.05, 0.5, 0.95], bounds: [0, null], \
         seasons: [1d, 1w], model: mstl, labels: {team: infra}",
    );
    assert_eq!(rule.gauge(), "instance:cpu:forecast");
    assert_eq!(rule.n_history(), 21 * 288);
    assert_eq!(rule.horizons[1].text, "24h");
    assert_eq!(rule.longest_horizon(), Duration::from_hours(24));
    assert_eq!(rule.settings.bounds.upper, f64::INFINITY);
    assert_eq!(rule.settings.seasons.as_ref().unwrap().len(), 2);
    assert_eq!(rule.labels.get("team"), "infra");
}

#[test]
fn a_rule_of_two_keys_has_the_defaults() {
    let rule = forecast("forecast: x, expr: up");
    assert_eq!(rule.step.get(), defaults::STEP);
    assert_eq!(rule.history, defaults::HISTORY);
    assert_eq!(rule.horizons.len(), defaults::HORIZONS.len());
    assert_eq!(rule.quantiles.len(), defaults::QUANTILES.len());
    assert_eq!(rule.settings.seasons, None);
}

#[test]
fn groups_have_their_own_interval_offset_and_limit() {
    let text = "groups:\n- {name: a, interval: 30s, query_offset: 1m, limit: 5, rules: []}\n\
                - {name: b, limit: 0, rules: []}\n- {name: c, rules: []}\n";
    let groups = parse("r.yml", text).unwrap();
    assert_eq!(groups[0].interval, Some(Duration::from_secs(30)));
    assert_eq!(groups[0].query_offset, Some(Duration::from_mins(1)));
    let limits: Vec<_> = groups.iter().map(|group| group.limit).collect();
    assert_eq!(limits, [5, usize::MAX, defaults::LIMIT]);
}

#[test]
fn every_problem_of_a_group_is_told() {
    assert_snapshot!(problems(
        "groups:\n- name: g\n  interval: 0s\n  limit: many\n  rules:\n  - expr: up\n\
        - name: g\n  intervall: 1m\n  rules: []\n- rules: [5]\n"
    ), @"");
}

#[test]
fn every_problem_of_a_rule_is_told() {
    assert_snapshot!(problems(&rules(&[
        "forecast: 9x, expr: 'sum(', step: 0s, horizons: [1h, soon], quantiles: [0.5, 1.5], bounds: [1], model: magic",
        "forecast: x, expr: up, horizons: [1h, 15m], quantiles: [], bounds: [1, 0], labels: {horizon: 1h, a-b: c}",
        "forecast: x, expr: up, bounds: [low, null], history: 1h, seasons: [1m, 1d]",
        "forecast: x, expr: up, step: 1s, history: 30d",
        "forecast: x, expr: up, step: 1h, history: 1h, horizons: [30m]",
        "forecast: x, record: y, expr: up",
        "record: 'a-b', expr: 'up[5m]', labels: {__name__: b}, step: 1m",
    ])), @"");
}

#[test]
fn what_comes_in_a_later_version_says_so() {
    assert_snapshot!(problems(&rules(&[
        "drift: d, fleet: [image], of: [x]",
        "trajectory: t, objective: {expr: up}",
        "alert: A, expr: up == 0, for: 5m",
        "forecast: x, expr: up, calendar: {timezone: UTC}, projections: [sale], model: online",
    ])), @"");
}

#[test]
fn two_rules_for_one_series_are_refused_across_files() {
    let one = rules(&["forecast: x, expr: up", "record: y, expr: up"]);
    let other = rules(&[
        "forecast: x, expr: down, labels: {}",
        "record: y, expr: up",
        "record: y, expr: down",
        "forecast: x, expr: up, labels: {zone: a}",
    ]);
    let mut groups = parse("a.yml", &one).unwrap();
    groups.extend(parse("b.yml", &other).unwrap());
    assert_snapshot!(check_all(&groups).unwrap_err(), @"");
}

#[test]
fn a_file_without_groups_is_told_what_it_needs() {
    assert_snapshot!(problems("rules: []\n"), @"");
}
