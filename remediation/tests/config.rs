//! The configuration: what is read, what stands in for what is left out, and every problem at once.

use remediation::{
    Strategy,
    config::{ActuatorConfig, HttpActuator, Method, Settings},
    machine::OnTimeout,
};
use std::time::Duration;
use store::Mode;

/// What workloads may be sized for.
const FORECASTS: [&str; 2] = ["service:requests:rate5m", "d"];

fn read(text: &str) -> Result<Settings, String> {
    let document = yaml::Document::parse("c.yml", text).map_err(|e| e.to_string())?;
    let settings = document.check(|node| node.map(|fields| Settings::read(fields, &FORECASTS)));
    settings.map_err(|problems| problems.to_string())
}

fn http<'s>(settings: &'s Settings, name: &str) -> &'s HttpActuator {
    match settings.actuators.get(name) {
        Some(ActuatorConfig::Http(http)) => http,
        other => panic!("{other:?}"),
    }
}

#[track_caller]
fn check(text: &str, problems: &[&str]) {
    assert_eq!(read(text).err(), Some(problems.join("\n")));
}

const LEAST: &str = r#"
actuators:
  fleet: {http: {url: "http://127.0.0.1:8081/replicas", body: '{"replicas": {{ replicas }}}'}}
workloads:
- name: checkout
  match: {service: checkout}
  demand: service:requests:rate5m
  sizing: {per_replica: 120, min: 3, max: 40}
  actuator: {use: fleet}
"#;

#[test]
fn what_is_left_out_has_its_default() {
    let settings = read(LEAST).unwrap();
    let workload = &settings.workloads[0];
    assert_eq!(workload.mode, Mode::Approve);
    assert_eq!(workload.pace.grace, Duration::from_secs(90));
    assert_eq!(workload.pace.approval_timeout, Duration::from_mins(1));
    assert_eq!(workload.pace.on_timeout, OnTimeout::Reject);
    assert_eq!(workload.pace.wait, Duration::from_secs(30));
    assert_eq!(workload.cooldown.up, Duration::from_mins(3));
    assert_eq!(workload.cooldown.down, Duration::from_mins(15));
    assert_eq!(workload.sizing.quantile.to_string(), "0.95");
    assert_eq!(
        (workload.sizing.step_up, workload.sizing.step_down),
        (1.0, 0.25)
    );
    assert_eq!(settings.guards.max_concurrent, 2);
    let http = http(&settings, "fleet");
    assert_eq!(
        (http.method, http.timeout),
        (Method::Put, Duration::from_secs(10))
    );
    let none = remediation::Target::new();
    assert_eq!(
        http.observe.url.at(&none).unwrap(),
        http.url.at(&none).unwrap()
    );
    assert_eq!(http.observe.fields.replicas, "/replicas");
}

#[test]
fn nothing_at_all_is_a_configuration_too() {
    let settings = read("{}").unwrap();
    assert!(settings.workloads.is_empty());
    assert_eq!(settings.guards.max_actions_per_hour, 12);
}

#[test]
fn all_keys_are_read() {
    let text = r#"
actuators:
  fleet:
    http:
      url: https://fleet.example/replicas
      method: PATCH
      body: '{"n": {{ replicas }}, "name": "{{ target.name }}"}'
      headers: {authorization: Bearer x, content-type: application/merge-patch+json}
      timeout: 3s
      observe: {url: "https://fleet.example/state", field: /spec/n}
workloads:
- name: checkout
  match: {service: checkout, env: prod}
  demand: service:requests:rate5m
  sizing: {per_replica: 120, quantile: 0.9, min: 3, max: 40, step_up: 50%, step_down: 10%}
  mode: auto
  grace: 2m
  approval: {timeout: 5m, on_timeout: approve}
  cooldown: {up: 10m, down: 1h}
  rollout: {direct: {wait: 1m, verify: ["p99 < 0.5", "min by (job) (errors < bool 1)"]}}
  actuator: {use: fleet, target: {name: checkout}}
guards: {max_concurrent: 1, max_actions_per_hour: 4, kill_switch_file: data/STOP}
"#;
    let settings = read(text).unwrap();
    let workload = &settings.workloads[0];
    assert_eq!(
        workload.labels.to_string(),
        r#"{env="prod",service="checkout"}"#
    );
    let verify = &workload.rollout.verify;
    assert_eq!(
        verify.iter().map(|c| c.zero_is_false).collect::<Vec<_>>(),
        [false, true]
    );
    assert_eq!(workload.pace.on_timeout, OnTimeout::Approve);
    assert_eq!(http(&settings, "fleet").method, Method::Patch);
    assert_eq!(
        settings.guards.kill_switch_file.unwrap().to_str(),
        Some("data/STOP")
    );
}

#[test]
fn every_problem_of_a_workload_is_reported_at_once() {
    let text = "
workloads:
- name: a
  match: {}
  demand: requests
  sizing: {per_replica: 0, quantile: 95, min: 9, max: 3, step_up: 2, step_down: 150%}
  mode: maybe
  grace: 90
  approval: {timeout: 0s, on_timeout: shrug}
  rollout: {canary: {steps: [50%, 10%]}, direct: {verify: ['up[5m]', 'sum('], count: 2, failure_limit: 2}}
  actuator: {use: fleet}
- name: a
  sizing: {per_replica: 1, min: 1}
";
    check(
        text,
        &[
            "c.yml:4: workloads[0].match: must name at least one label, or every alert would be about this workload",
            "c.yml:5: workloads[0].demand: no forecast rule is named `requests`",
            "c.yml:6: workloads[0].sizing.min: min 9 is above max 3",
            "c.yml:6: workloads[0].sizing.per_replica: must be above 0, got 0",
            "c.yml:6: workloads[0].sizing.quantile: quantile 95 is not between 0 and 1",
            "c.yml:6: workloads[0].sizing.step_down: no more than 100% can be taken away",
            "c.yml:6: workloads[0].sizing.step_up: `2` is not a percentage above zero: write a number and a percent sign, like 25%",
            "c.yml:7: workloads[0].mode: \"maybe\" is not a mode: expected observe, approve, auto",
            "c.yml:8: workloads[0].grace: `90` is not a duration: write numbers with units from y, w, d, h, m, s, ms, like 1h30m",
            "c.yml:9: workloads[0].approval.on_timeout: `shrug` is not one of reject, approve",
            "c.yml:9: workloads[0].approval.timeout: must be longer than 0s",
            "c.yml:10: workloads[0].rollout: must name one way: direct, canary or blue_green",
            "c.yml:10: workloads[0].rollout.canary.steps: must ascend and stay below 100%, which follows by itself",
            "c.yml:10: workloads[0].rollout.direct.failure_limit: must be below count, which is 2, or nothing could fail",
            "c.yml:10: workloads[0].rollout.direct.verify[0]: must return an instant vector or a scalar, not a matrix",
            "c.yml:10: workloads[0].rollout.direct.verify[1]: is not PromQL: unclosed left parenthesis",
            "c.yml:11: workloads[0].actuator.use: there is no actuator `fleet`",
            "c.yml:12: workloads[1]: `actuator` is missing",
            "c.yml:12: workloads[1]: `demand` is missing",
            "c.yml:12: workloads[1]: `match` is missing",
            "c.yml:12: workloads[1].name: there is another workload `a`",
            "c.yml:13: workloads[1].sizing: `max` is missing",
        ],
    );
}

#[test]
fn every_problem_of_an_actuator_is_reported_once() {
    let text = r#"
actuators:
  a: {http: {url: "http://{{ target.host }}/", body: "{{ replicas", method: GET, timeout: 0s}}
  b: {http: {url: "ftp://x/", observe: {field: replicas}}}
  c: {http: {url: "http://me:secret@x/", body: "{{ replicas }}", headers: {"a b": c}}}
  e: {exec: {observe: [rm], ensure: ["/bin/{{ target.x }}"], environment: {AMX_X: a, 1x: b}, pattern: "("}}
  f: {}
workloads:
- name: checkout
  match: {service: checkout}
  demand: d
  sizing: {per_replica: 1, min: 1, max: 2}
  actuator: {use: e, target: {name: [1]}}
"#;
    check(
        text,
        &[
            "c.yml:3: actuators.a.http.body: the template cannot be rendered: syntax error: unexpected end of input, expected end of variable block (in <string>:1)",
            "c.yml:3: actuators.a.http.method: `GET` is not one of PUT, POST, PATCH",
            "c.yml:3: actuators.a.http.timeout: must be longer than 0s",
            "c.yml:3: actuators.a.http.url: the scheme, host and port of an address are never templates",
            "c.yml:4: actuators.b.http: `body` is missing",
            "c.yml:4: actuators.b.http.observe.field: `replicas` is not a JSON pointer: write it like /spec/replicas",
            "c.yml:4: actuators.b.http.url: must begin with http:// or https:// and name a host",
            "c.yml:5: actuators.c.http.headers.a b: `a b` is no header name",
            "c.yml:5: actuators.c.http.url: must not hold credentials: put them under `headers`",
            "c.yml:6: actuators.e.exec.ensure[0]: a program is never a template",
            "c.yml:6: actuators.e.exec.environment.1x: `1x` is no name of an environment variable",
            "c.yml:6: actuators.e.exec.environment.AMX_X: names that begin with AMX_ or FORESHADOW_ are set by the program",
            "c.yml:6: actuators.e.exec.observe[0]: `rm` must be an absolute path: nothing is searched for",
            "c.yml:6: actuators.e.exec.pattern: is no regular expression: unclosed group",
            "c.yml:7: actuators.f: must say how: `http`, `exec` or `kubernetes` is missing",
        ],
    );
}

#[track_caller]
fn check_body(body: &str, problem: &str) {
    let text = LEAST.replace(r#"{"replicas": {{ replicas }}}"#, body);
    let expect =
        format!("c.yml:9: workloads[0].actuator: actuator `fleet` does not work here: {problem}");
    check(&text, &[&expect]);
}

#[test]
fn a_body_is_tried_out_with_each_workload() {
    check_body("{}", "it does not depend on {{ replicas }}");
    check_body(
        "{{ replicas }}}",
        "rendered, the body is not JSON: trailing characters at line 1 column 2",
    );
    check_body(
        "{{ replicas }}{{ target.name }}",
        "the template cannot be rendered: there is no `target.name`, only replicas",
    );
}

#[test]
fn guards_that_would_stop_everything_or_are_not_there_yet_are_refused() {
    check(
        "guards: {max_concurrent: 0, budget: 20, blast_radius: 120%, max_action_per_hour: 1}",
        &[
            "c.yml:1: guards.blast_radius: cannot be more than 100%",
            "c.yml:1: guards.budget: is not available in this version, which knows no prices; bound each workload by sizing.max",
            "c.yml:1: guards.max_action_per_hour: unknown key, did you mean `max_actions_per_hour`?",
            "c.yml:1: guards.max_concurrent: must be at least 1; to stop all actions, use kill_switch_file",
        ],
    );
}

#[test]
fn rollouts_feedback_and_silences_are_read() {
    let text = LEAST.to_owned()
        + r#"  rollout:
    canary:
      steps: [10%, 50%]
      wait: 5m
      count: 4
      on_inconclusive: keep
      verify: ["p99 < 0.5"]
      compare:
      - name: errors
        margin: 1%
        bad: {canary: 'a @ $before', rest: 'b @ $before'}
        total: {canary: 'increase(c[$window])', rest: 'increase(d[$window])'}
      - {name: speed, margin: 10%, better: higher, min_sample: 5, value: {canary: e, rest: f}}
  feedback: {ready: up, utilisation: u, target: 70%, objective: o, cost: c}
  silence: {selector: '{alertname="X", job!~"a|b"}', for: 10m}
guards:
  blast_radius: 20%
  maintenance: [{weekdays: [saturday, sunday], location: Europe/Berlin}]
  forecast: {max_mase: 1.5}
"#;
    let settings = read(&text).unwrap();
    let workload = &settings.workloads[0];
    let rollout = &workload.rollout;
    let expect = Strategy::Canary {
        steps: vec![0.1, 0.5],
    };
    assert_eq!(rollout.strategy, expect);
    assert_eq!(rollout.judging.interval, Duration::from_mins(5));
    assert_eq!(
        (rollout.judging.count, rollout.judging.failure_limit),
        (4, 1)
    );
    let names: Vec<_> = rollout.names().collect();
    assert_eq!(names, ["p99 < 0.5", "errors", "speed"]);
    let samples: Vec<_> = rollout.compare.iter().map(|c| c.min_sample).collect();
    assert_eq!(samples, [100, 5]);
    // Two stages before the last, each with its wait and three more looks.
    assert_eq!(rollout.duration(), Duration::from_mins(2 * 20));
    assert_eq!(workload.feedback.target, Some(0.7));
    assert_eq!(workload.silence.as_ref().unwrap().matchers.len(), 2);
    assert_eq!(settings.guards.blast_radius, Some(0.2));
    assert_eq!(settings.guards.forecast.max_mase.to_string(), "1.5");
    assert_eq!(settings.guards.maintenance.len(), 1);
}

#[test]
fn what_could_never_judge_or_would_hush_everything_is_refused() {
    let text = LEAST.to_owned()
        + r#"  rollout:
    blue_green:
      count: 0
      verify: ["x > 1", "x > 1"]
      compare:
      - {name: a, margin: 0%, value: {canary: e, rest: e}}
      - {name: b, margin: 1%, bad: {canary: e, rest: f}}
      - {name: c, margin: 1%, value: {canary: 'e[5m]', rest: '$after'}}
      - {name: d, margin: 1%, min_sample: 2, value: {canary: e, rest: f}}
  feedback: {target: 120%}
  silence: {selector: '{job=~".+"}', for: 2h}
"#;
    check(
        &text,
        &[
            "c.yml:10: workloads[0].rollout: blue_green needs an actuator whose `observe` has `active` and `idle`, or a target with `fleets`",
            "c.yml:11: workloads[0].rollout.blue_green: there are two checks `x > 1`",
            "c.yml:12: workloads[0].rollout.blue_green.count: must be at least 1",
            "c.yml:15: workloads[0].rollout.blue_green.compare[0].margin: `0%` is not a percentage above zero: write a number and a percent sign, like 25%",
            "c.yml:15: workloads[0].rollout.blue_green.compare[0].value: both sides ask the same, so they cannot differ",
            "c.yml:16: workloads[0].rollout.blue_green.compare[1]: must have `value`, or `bad` and `total`",
            "c.yml:17: workloads[0].rollout.blue_green.compare[2].value.canary: must return an instant vector or a scalar, not a matrix",
            "c.yml:17: workloads[0].rollout.blue_green.compare[2].value.rest: is not PromQL: unexpected character: '$'",
            "c.yml:18: workloads[0].rollout.blue_green.compare[3].min_sample: must be at least 3",
            "c.yml:19: workloads[0].feedback.target: cannot be more than 100%",
            "c.yml:19: workloads[0].feedback.target: is the aim of `utilisation`, which is missing",
            "c.yml:20: workloads[0].silence.for: must not be longer than 1h",
            "c.yml:20: workloads[0].silence.selector: must have one label that equals a value, or it might hold back everything",
        ],
    );
}

#[test]
fn hosts_are_fixed_and_networks_hold_for_literal_ones() {
    let one = |url: &str, more: &str| {
        format!("actuators: {{a: {{http: {{url: '{url}', body: '{{{{ replicas }}}}'{more}}}}}}}")
    };
    for url in [
        "http://{{ target.x }}/",
        "http://a{{ target.x }}/b",
        "{{ target.x }}://a/",
    ] {
        let problem = read(&one(url, "")).unwrap_err();
        assert!(problem.contains("are never templates"), "{problem}");
    }
    assert!(read(&one("http://a:8080/x/{{ target.x }}?y={{ target.y }}", "")).is_ok());
    assert!(read(&one("http://10.1.2.3/x", ", networks: [10.0.0.0/8]")).is_ok());
    let problem = read(&one("http://192.168.0.1/x", ", networks: [10.0.0.0/8]")).unwrap_err();
    assert!(
        problem.contains("192.168.0.1 is in none of the `networks`"),
        "{problem}"
    );
    let problem = read(&one("http://a/", ", networks: [ten]")).unwrap_err();
    assert!(problem.contains("invalid IP address syntax"), "{problem}");
}

#[cfg(not(feature = "kubernetes"))]
#[test]
fn without_its_client_kubernetes_is_refused_by_name() {
    let problem = "c.yml:1: actuators.a.kubernetes: this build has no Kubernetes support";
    check("actuators: {a: {kubernetes: {}}}", &[problem]);
}

#[cfg(feature = "kubernetes")]
mod kubernetes {
    use super::{check, read};
    use remediation::config::{ActuatorConfig, Object, Settings, Values};
    use std::time::Duration;

    const WORKLOAD: &str = "
actuators: {prod: {kubernetes: {}}}
workloads:
- name: checkout
  match: {service: checkout}
  demand: d
  sizing: {per_replica: 1, min: 2, max: 8}
  actuator:
    use: prod
    target: ";

    fn target(text: &str) -> Result<Settings, String> {
        read(&format!("{WORKLOAD}{text}\n"))
    }

    fn object(text: &str) -> Object {
        let settings = target(text).expect("the target is good");
        let object = settings.workloads[0].actuator.object.clone();
        *object.expect("the actuator is of the kind kubernetes")
    }

    #[track_caller]
    fn refused(text: &str, problems: &[&str]) {
        let at = |problem: &&str| format!("c.yml:10: workloads[0].actuator{problem}");
        let problems: Vec<_> = problems.iter().map(at).collect();
        assert_eq!(target(text).err(), Some(problems.join("\n")));
    }

    #[test]
    fn an_object_is_named_by_kind_namespace_and_name() {
        let settings = target("{kind: Deployment, namespace: shop, name: checkout}").unwrap();
        let Some(ActuatorConfig::Kubernetes(prod)) = settings.actuators.get("prod") else {
            panic!("the actuator is of the kind kubernetes");
        };
        assert_eq!((&prod.kubeconfig, prod.raise_max), (&None, false));
        assert_eq!(prod.timeout, Duration::from_secs(15));
        let known = object("{kind: StatefulSet, namespace: shop, name: a.b}");
        assert_eq!(known.api_version(), "apps/v1");
        assert_eq!(known.plural.as_deref(), Some("statefulsets"));
        let own = "{kind: Brigade, api_version: fire.example.com/v1beta2, namespace: shop, name: x";
        assert_eq!(object(&format!("{own}}}")).plural, None);
        let own = object(&format!("{own}, plural: brigades}}"));
        assert_eq!(own.plural.as_deref(), Some("brigades"));
        assert_eq!(own.api_version(), "fire.example.com/v1beta2");
    }

    #[test]
    fn all_that_is_set_is_read() {
        let tuned = object(
            r#"{kind: Deployment, namespace: shop, name: x, set: {initial: 4, container: app,
            resources: {requests: {cpu: "{{ replicas * 250 }}m"}, limits: {memory: 1Gi}}, env: {N: "{{ replicas }}"}}}"#,
        );
        let setting = tuned.setting.unwrap();
        assert_eq!(setting.initial, 4);
        let Values::Container(container) = setting.values else {
            panic!("a container is set");
        };
        assert_eq!(
            (container.name.as_str(), container.in_place),
            ("app", false)
        );
        let parts: Vec<_> = container.resources.keys().collect();
        assert_eq!(parts, ["limits", "requests"]);
    }

    #[test]
    fn every_problem_of_an_object_is_reported_at_once() {
        refused(
            "{kind: deployment, api_version: apps, plural: a/b, namespace: ../kube-system, name: 'a b', extra: 1}",
            &[
                ".target.api_version: `apps` is no API version: write it like apps/v1",
                ".target.extra: unknown key, expected one of: kind, api_version, plural, namespace, name, set, fleets",
                ".target.kind: `deployment` is no kind of Kubernetes",
                ".target.name: `a b` is no name of Kubernetes",
                ".target.namespace: `../kube-system` is no namespace of Kubernetes",
                ".target.plural: `a/b` is no plural of Kubernetes",
            ],
        );
        refused(
            "{kind: Brigade, namespace: shop, name: x}",
            &[".target.kind: `Brigade` needs its `api_version`, like example.com/v1"],
        );
    }

    #[test]
    fn what_is_set_must_be_possible() {
        let set = |kind: &str, set: &str| {
            format!("{{kind: {kind}, namespace: shop, name: x, set: {{{set}}}}}")
        };
        refused(
            &set(
                "Deployment",
                r#"initial: 4, container: app, resources: {request: {cpu: 1}, limits: {cpu: "{{ replicas"}}"#,
            ),
            &[
                ".target.set.resources.limits.cpu: the template cannot be rendered: syntax error: unexpected end of input, expected end of variable block (in <string>:1)",
                ".target.set.resources.request: `request` is not one of requests, limits",
            ],
        );
        refused(
            &set(
                "ConfigMap",
                "initial: 4, container: app, env: {A: '{{ replicas }}'}, in_place: true",
            ),
            &[
                ".target: a ConfigMap has no containers: set its `data`",
                ".target.set.in_place: the environment of a running pod cannot change",
            ],
        );
        refused(
            &set("Deployment", "container: app"),
            &[
                ".target.set: `initial` is missing",
                ".target.set: must say what of the container is set: `resources` or `env`",
            ],
        );
        let canary = "initial: 4, container: app, env: {A: '{{ replicas }}'}, canary: x";
        let problem = "a canary is a second Deployment beside a first, with a name of its own";
        refused(
            &set("Deployment", canary),
            &[&format!(".target.set: {problem}")],
        );
        refused(
            &set("StatefulSet", &canary.replace("canary: x", "canary: y")),
            &[&format!(".target.set: {problem}")],
        );
        refused(
            "{kind: ConfigMap, namespace: shop, name: x}",
            &[".target: a ConfigMap has no replicas, so `set` is needed"],
        );
    }

    #[test]
    fn what_is_set_is_tried_out_with_the_sizes_of_the_workload() {
        let refused = |cpu: &str, problem: &str| {
            let target = format!(
                "{{kind: Deployment, namespace: shop, name: x, set: {{initial: 4, container: app, \
                resources: {{requests: {{cpu: \"{cpu}\"}}}}}}}}"
            );
            let expect = format!("c.yml:8: workloads[0].actuator: {problem}");
            assert_eq!(
                super::read(&format!("{WORKLOAD}{target}\n")).err(),
                Some(expect)
            );
        };
        refused(
            "{{ replicas }} cores",
            "requests.cpu: \"2 cores\" is no quantity: write it like 250m, 1.5 or 64Mi",
        );
        refused(
            "{{ (replicas - 3) * 100 }}m",
            "the template cannot be rendered: invalid operation: \"-100\" begins with a dash, so it could be taken for an option (in <string>:1)",
        );
        refused("250m", "what is set does not depend on {{ replicas }}");
    }

    #[test]
    fn two_fleets_are_two_deployments_and_a_service() {
        let two = "{kind: Deployment, namespace: shop, name: x, fleets: {service: x, label: example.com/colour}}";
        let rollout = "\n  rollout: {blue_green: {retain: 5m}}\n";
        assert!(target(&format!("{two}{rollout}")).is_ok());
        let fleets = object(two).fleets.expect("there are two");
        assert_eq!(
            (fleets.service.as_str(), fleets.label.as_str()),
            ("x", "example.com/colour")
        );
        let one = "{kind: Deployment, namespace: shop, name: x}";
        let problem = target(&format!("{one}{rollout}")).err();
        let expect = "c.yml:11: workloads[0].rollout: blue_green needs an actuator whose `observe` has `active` and \
            `idle`, or a target with `fleets`";
        assert_eq!(problem.as_deref(), Some(expect));
        refused(
            "{kind: StatefulSet, namespace: shop, name: x, fleets: {service: x, label: 'a b'}}",
            &[
                ".target.fleets: are two Deployments, of which the replicas are set",
                ".target.fleets.label: `a b` is no label of Kubernetes",
            ],
        );
    }

    #[test]
    fn instances_may_be_waited_for_where_another_number_is_set() {
        let target = "{kind: Deployment, namespace: shop, name: x, set: {initial: 4, container: app, \
            env: {A: '{{ replicas }}'}}}";
        let text = format!("{WORKLOAD}{target}\n  feedback: {{ready: up}}\n");
        let settings = read(&text).unwrap();
        assert!(settings.workloads[0].feedback.ready.is_some());
    }

    #[test]
    fn two_workloads_do_not_act_on_one_object() {
        let one = format!("{WORKLOAD}{{kind: Deployment, namespace: shop, name: x}}\n");
        let (_, workload) = one.split_once("workloads:\n").unwrap();
        let two = format!(
            "{one}{}",
            workload.replace("name: checkout", "name: search")
        );
        let problem = "c.yml:15: workloads[1].actuator: another workload acts on Deployment shop/x";
        check(&two, &[problem]);
    }

    /// What is wrong with two targets, of which the second is reached by this actuator.
    fn beside(first: &str, (actuator, second): (&str, &str)) -> Option<String> {
        let one = format!("{WORKLOAD}{{kind: Deployment, namespace: shop, {first}}}\n");
        let one = one.replace(
            "{prod: {kubernetes: {}}}",
            "{prod: {kubernetes: {}}, again: {kubernetes: {raise_max: true}}}",
        );
        let workloads = one.split_once("workloads:\n");
        let (_, workload) = workloads.expect("the text has workloads");
        let workload = workload
            .replace("name: checkout\n", "name: search\n")
            .replace("use: prod", &format!("use: {actuator}"))
            .replace(first, second);
        read(&format!("{one}{workload}")).err()
    }

    #[track_caller]
    fn collides(first: &str, second: (&str, &str), on: &str) {
        let problem = format!("c.yml:15: workloads[1].actuator: another workload acts on {on}");
        assert_eq!(beside(first, second), Some(problem));
    }

    #[test]
    fn fleets_and_canaries_are_objects_and_two_actuators_may_reach_one_cluster() {
        let fleets = "name: x, fleets: {service: x, label: colour}";
        let canary = "name: y, set: {initial: 4, container: app, canary: x-green, env: {A: '{{ replicas }}'}}";
        collides("name: x", ("again", "name: x"), "Deployment shop/x");
        collides(fleets, ("prod", "name: x-blue"), "Deployment shop/x-blue");
        collides(
            "name: x-green",
            ("again", fleets),
            "Deployment shop/x-green",
        );
        collides(canary, ("prod", fleets), "Deployment shop/x-green");
        let other = "name: z, fleets: {service: x, label: colour}";
        collides(fleets, ("prod", other), "Service shop/x");
        assert_eq!(beside(fleets, ("prod", "name: x")), None);
        assert_eq!(beside(canary, ("again", "name: x")), None);
    }

    #[test]
    fn a_kubeconfig_is_looked_at_when_the_configuration_is() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("kubeconfig");
        std::fs::write(
            &path,
            "{apiVersion: v1, kind: Config, contexts: [], current-context: a}",
        )
        .unwrap();
        let path = path.display().to_string();
        let actuator = |keys: &str| format!("actuators: {{a: {{kubernetes: {{{keys}}}}}}}");
        let at = "c.yml:1: actuators.a.kubernetes";
        let problem = format!("{at}.kubeconfig: has no context `a`");
        check(&actuator(&format!("kubeconfig: {path}")), &[&problem]);
        let problem = format!("{at}.kubeconfig: has no context `b`");
        check(
            &actuator(&format!("kubeconfig: {path}, context: b")),
            &[&problem],
        );
        let (relative, alone) = (
            format!("{at}.kubeconfig: `kubeconfig` must be an absolute path"),
            format!("{at}.timeout: must be longer than 0s"),
        );
        check(
            &actuator("kubeconfig: kubeconfig, timeout: 0s"),
            &[&relative, &alone],
        );
        let problem = format!("{at}.context: is one of a `kubeconfig`, which is missing");
        check(&actuator("context: b"), &[&problem]);
        let missing = read(&actuator("kubeconfig: /nowhere/kubeconfig")).unwrap_err();
        assert!(missing.contains("No such file"), "{missing}");
    }
}
