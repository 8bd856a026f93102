//! What is learned from made-up effects.

use super::*;
use crate::config::Settings;
use proptest::prelude::*;

fn workload(feedback: &str) -> Workload {
    let text = format!(
        "actuators: {{fleet: {{http: {{url: 'http://a/', body: '{{{{ replicas }}}}'}}}}}}
workloads:
- name: shop
  match: {{service: shop}}
  demand: d
  sizing: {{per_replica: 100, min: 1, max: 9, lead_time: 4m}}
  feedback: {feedback}
  actuator: {{use: fleet}}
"
    );
    let document = yaml::Document::parse("c.yml", &text).unwrap();
    let settings = document.check(|node| node.map(|fields| Settings::read(fields, &["d"])));
    settings.unwrap().workloads.remove(0)
}

fn effect(demand: f64, replicas: u32, utilisation: f64, lead: f64) -> Effect {
    Effect {
        before: None,
        after: Some(Measured {
            at: 0,
            replicas,
            demand: Some(demand),
            utilisation: Some(utilisation),
            objective: None,
            cost: None,
        }),
        lead_seconds: vec![(0, lead)],
    }
}

const MEASURED: &str = "{utilisation: u, target: 70%}";

#[track_caller]
fn check_response(responses: &[f64], expect: (f64, usize)) {
    let effects: Vec<_> = responses
        .iter()
        // At half the capacity, a replica that carries `r` at 70 % carries r / 0.7 / 2.
        .map(|r| effect(r / 0.7 * 0.5 * 4.0, 4, 0.5, 60.0))
        .collect();
    let (got, n) = response(&workload(MEASURED), &effects);
    assert!(
        (got - expect.0).abs() < 1e-9 && n == expect.1,
        "{got} from {n}"
    );
}

#[test]
fn the_response_is_the_median_once_there_are_enough() {
    check_response(&[80.0; 4], (100.0, 0));
    check_response(&[80.0, 82.0, 79.0, 81.0, 80.0], (80.0, 5));
}

#[test]
fn one_action_that_went_astray_does_not_move_the_response() {
    check_response(&[80.0, 82.0, 79.0, 81.0, 8_000.0], (81.0, 5));
}

#[test]
fn what_is_learned_stays_near_what_is_configured_and_is_not_read_out_of_noise() {
    check_response(&[20.0; 5], (50.0, 5));
    check_response(&[900.0; 6], (200.0, 6));
    check_response(&[20.0, 60.0, 100.0, 200.0, 400.0], (100.0, 0));
}

#[test]
fn without_an_aim_nothing_is_learned_of_the_response() {
    let effects = vec![effect(100.0, 4, 0.5, 60.0); 9];
    assert_eq!(response(&workload("{}"), &effects), (100.0, 0));
}

#[test]
fn the_lead_time_is_that_of_the_slower_actions() {
    let workload = workload("{}");
    let of = |seconds: &[f64]| {
        let effects: Vec<_> = seconds.iter().map(|s| effect(1.0, 1, 1.0, *s)).collect();
        let (lead, n) = lead_time(&workload, &effects);
        (lead.as_secs(), n)
    };
    assert_eq!(of(&[20.0, 30.0]), (240, 0));
    assert_eq!(of(&[20.0, 30.0, 25.0]), (30, 3));
    let many: Vec<_> = (1..=20).map(f64::from).collect();
    assert_eq!(of(&many), (18, 20));
}

#[test]
fn effects_are_read_back() {
    let whole = effect(1.5, 2, 0.25, 12.0);
    let json = serde_json::to_value(&whole).unwrap();
    assert_eq!(Effect::deserialize(&json).unwrap(), whole);
    let old = serde_json::json!({});
    assert_eq!(Effect::deserialize(&old).unwrap(), Effect::default());
}

proptest! {
    #[test]
    fn no_measurement_leads_beyond_the_bounds(
        figures in proptest::collection::vec((-1e9..1e9_f64, 0..1_000_u32, -2.0..2.0_f64), 0..40),
    ) {
        let effects: Vec<_> = figures.iter().map(|(d, n, u)| effect(*d, *n, *u, 1.0)).collect();
        let (per_replica, _) = response(&workload(MEASURED), &effects);
        prop_assert!((50.0..=200.0).contains(&per_replica));
    }
}
