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
        "forecast: 'instance:cpu', expr: '1 - avg by (instance) (rate(cpu[5m]))', step: 5m, \
         history: 21d, horizons: [15m, 24h], quantiles: [0.05, 0.5, 0.95], bounds: [0, null], \
         seasons: [1d, 1w], model: mstl, labels: {team: infra}",
    );
    assert_eq!(rule.gauge(), "instance:cpu:forecast");
    assert_eq!(rule.n_history(), 21 * 288);
    assert_eq!(rule.horizons[1].text, "24h");
    assert_eq!(rule.longest_horizon(), Duration::from_hours(24));
    assert!(rule.settings.bounds.upper > f64::MAX);
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
fn labels_of_a_group_give_way_to_those_of_a_rule() {
    let text = "groups:\n- name: g\n  labels: {team: infra, tier: 1.10}\n  rules:\n  - {record: a, expr: up}\n  - {forecast: b, expr: up, labels: {team: web}}\n";
    let groups = parse("r.yml", text).unwrap();
    let labels = groups[0].rules.iter().map(|rule| match &rule.kind {
        RuleKind::Forecast(rule) => rule.labels.to_string(),
        RuleKind::Record(rule) => rule.labels.to_string(),
    });
    let expect = [
        r#"{team="infra",tier="1.10"}"#,
        r#"{team="web",tier="1.10"}"#,
    ];
    assert_eq!(labels.collect::<Vec<_>>(), expect);
    let taken = "groups: [{name: g, labels: {horizon: 1h}, rules: []}]";
    assert_snapshot!(problems(taken), @"r.yml:1: groups[0].labels.horizon: label `horizon` is set by the rule itself");
}

#[test]
fn every_problem_of_a_group_is_told() {
    assert_snapshot!(problems(
        "groups:\n- name: g\n  interval: 0s\n  limit: many\n  rules:\n  - expr: up\n\
        - name: g\n  intervall: 1m\n  rules: []\n- rules: [5]\n"
    ), @r#"
    r.yml:3: groups[0].interval: must be longer than zero
    r.yml:4: groups[0].limit: expected a whole number from 0 up, got the text "many"
    r.yml:6: groups[0].rules[0]: a rule needs the key `forecast` or `record`
    r.yml:7: groups[1]: group `g` is there twice
    r.yml:8: groups[1].intervall: unknown key, did you mean `interval`?
    r.yml:10: groups[2]: `name` is missing
    r.yml:10: groups[2].rules[0]: expected a mapping, got `5`
    "#);
}

#[test]
fn every_problem_of_a_rule_is_told() {
    assert_snapshot!(problems(&rules(&[
        "forecast: '', expr: 'sum(', step: 0s, horizons: [1h, soon], quantiles: [0.5, 1.5], bounds: [1], model: magic",
        "forecast: x, expr: up, horizons: [1h, 15m], quantiles: [], bounds: [1, 0], labels: {horizon: 1h, '': c}",
        "forecast: x, expr: up, bounds: [low, null], history: 1h, seasons: [1m, 1d]",
        "forecast: x, expr: up, step: 1s, history: 30d",
        "forecast: x, expr: up, step: 1h, history: 1h, horizons: [30m]",
        "forecast: x, expr: up, step: 1d, history: 100y",
        "forecast: x, record: y, expr: up",
        "record: '', expr: 'up[5m]', labels: {__name__: b}, step: 1m",
    ])), @r#"
    r.yml:4: groups[0].rules[0].bounds: expected two values, [lower, upper]
    r.yml:4: groups[0].rules[0].expr: is not PromQL: unclosed left parenthesis
    r.yml:4: groups[0].rules[0].forecast: a metric needs a name
    r.yml:4: groups[0].rules[0].horizons[1]: `soon` is not a duration: write numbers with units from y, w, d, h, m, s, ms, like 1h30m
    r.yml:4: groups[0].rules[0].model: `magic` is not a model, expected one of: online, auto, mstl, seasonal_naive
    r.yml:4: groups[0].rules[0].quantiles[1]: quantile 1.5 is not between 0 and 1
    r.yml:4: groups[0].rules[0].step: step must be at least 1ms
    r.yml:5: groups[0].rules[1].bounds: the lower bound must lie below the upper one
    r.yml:5: groups[0].rules[1].horizons: values must ascend, none twice
    r.yml:5: groups[0].rules[1].labels.: a label needs a name
    r.yml:5: groups[0].rules[1].labels.horizon: label `horizon` is set by the rule itself
    r.yml:5: groups[0].rules[1].quantiles: needs at least one value
    r.yml:6: groups[0].rules[2].bounds[0]: expected a number, got the text "low"
    r.yml:6: groups[0].rules[2].history: 1h is no longer than the longest horizon, 24h
    r.yml:6: groups[0].rules[2].seasons: season 1d is longer than the history
    r.yml:6: groups[0].rules[2].seasons: season 1m is shorter than two steps of 1m
    r.yml:7: groups[0].rules[3].history: 2592000 steps are more than the 200000 allowed; take a longer step
    r.yml:8: groups[0].rules[4].history: 1h holds less than two steps of 1h
    r.yml:9: groups[0].rules[5].history: 100y is longer than the 20y allowed
    r.yml:10: groups[0].rules[6].record: a rule is either `forecast` or `record`
    r.yml:11: groups[0].rules[7].expr: expected an instant vector or a scalar, got a matrix
    r.yml:11: groups[0].rules[7].labels.__name__: label `__name__` is set by the rule itself
    r.yml:11: groups[0].rules[7].record: a metric needs a name
    r.yml:11: groups[0].rules[7].step: unknown key, expected one of: record, expr, labels
    "#);
}

#[test]
fn names_may_hold_any_letters_as_in_prometheus_3() {
    let file = rules(&[
        r#"forecast: http.load, expr: '{"http.load", "http.route"=~"/v1/[^[]+"}', for_each: k8s.ns, labels: {k8s.zone: a}"#,
        r#"record: größe-1, expr: 'sum by ("k8s.ns") ({"http.load:forecast"})'"#,
    ]);
    let groups = parse("r.yml", &file).unwrap();
    let names = groups[0].rules.iter().map(|rule| rule.kind.name());
    assert_eq!(names.collect::<Vec<_>>(), ["http.load", "größe-1"]);
}

#[test]
fn what_comes_in_a_later_version_says_so() {
    assert_snapshot!(problems(&rules(&[
        "drift: d, fleet: [image], of: [x]",
        "trajectory: t, objective: {expr: up}",
        "alert: A, expr: up == 0, for: 5m",
        "forecast: x, expr: up, calendar: {timezone: UTC}, projections: [sale]",
    ])), @r"
    r.yml:4: groups[0].rules[0].drift: is not available in this version
    r.yml:5: groups[0].rules[1].trajectory: is not available in this version
    r.yml:6: groups[0].rules[2].alert: alerting rules belong in the rule files of Prometheus
    r.yml:7: groups[0].rules[3].calendar: is not available in this version
    r.yml:7: groups[0].rules[3].projections: is not available in this version
    ");
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
    assert_snapshot!(check_all(&groups).unwrap_err(), @r"
    b.yml:4: `x` with these labels is given by a.yml:4 already
    b.yml:5: `y` with these labels is given by a.yml:5 already
    ");
}

#[test]
fn an_empty_file_has_no_groups() {
    for text in ["", "# later\n", "\u{feff}", "---\n"] {
        assert_eq!(parse("r.yml", text), Ok(Vec::new()), "{text:?}");
    }
}

#[test]
fn label_values_are_kept_as_they_were_written() {
    let labels = "version: 2.50, port: 0x1F90, zip: 0123, big: 12345678901234567890123, on: yes, none: , day: 2024-01-01";
    let text = format!("forecast: x, expr: up, labels: {{{labels}}}");
    assert_eq!(
        forecast(&text).labels.to_string(),
        r#"{big="12345678901234567890123",day="2024-01-01",on="yes",port="0x1F90",version="2.50",zip="0123"}"#
    );
}

#[test]
fn a_file_that_is_nested_without_end_is_refused_at_once() {
    let begun = std::time::Instant::now();
    let told = problems(&format!(
        "groups: {}{}",
        "[".repeat(250_000),
        "]".repeat(250_000)
    ));
    assert!(
        told.starts_with("r.yml:1: ") && told.lines().count() == 1,
        "{told:.200}"
    );
    assert!(
        begun.elapsed() < Duration::from_secs(2),
        "{:?}",
        begun.elapsed()
    );
}

#[test]
fn a_file_without_groups_is_told_what_it_needs() {
    assert_snapshot!(problems("rules: []\n"), @r"
    r.yml:1: `groups` is missing
    r.yml:1: rules: unknown key, expected one of: groups
    ");
}

#[test]
fn a_file_that_is_too_large_is_refused_unread() {
    let begin = "groups: []\n#";
    let of_size = |n_bytes: usize| format!("{begin}{}", "x".repeat(n_bytes - begin.len()));
    assert_eq!(problems(&of_size(MAX_BYTES)), "fine");
    assert_snapshot!(
        problems(&of_size(MAX_BYTES + 1)),
        @"r.yml: is larger than the 1048576 bytes allowed; split it into several files"
    );
}
