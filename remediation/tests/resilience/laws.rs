//! Laws that hold whatever happens, in whichever order, on the real journal.

use crate::sim::{CHECK, Call, Failure, Kind, NOW, Reaction, Sim, Sins};
use proptest::prelude::*;
use series::Timestamp;
use std::{collections::BTreeSet, time::Duration};
use store::{ActionId, State};

/// Something that happens to the program.
#[derive(Debug, Clone)]
enum Happening {
    Deliver {
        is_firing: bool,
        workload: usize,
    },
    /// Time passes, or the clock is put back, and the program looks at its actions.
    Tick(i64),
    Approve(usize),
    Reject(usize),
    Override(usize, u32),
    RollBack(usize),
    /// From now on.
    Fail(Option<Failure>),
    Deceive(Failure),
    /// At the next call.
    Die {
        is_after: bool,
    },
    Health(bool),
    Demand(Option<f64>),
    Meddle {
        workload: usize,
        replicas: u32,
    },
    KillSwitch(bool),
}

const WORKLOADS: [&str; 2] = ["checkout", "search"];

fn failures() -> impl Strategy<Value = Failure> {
    prop_oneof![
        Just(Failure::TimeOut),
        prop_oneof![Just(403), Just(409), Just(429), Just(500)].prop_map(Failure::Status),
    ]
}

fn happenings() -> impl Strategy<Value = Happening> {
    use Happening::{
        Approve, Deceive, Deliver, Demand, Die, Fail, Health, KillSwitch, Meddle, Override, Reject,
        RollBack, Tick,
    };
    prop_oneof![
        4 => (any::<bool>(), 0..2_usize).prop_map(|(is_firing, workload)| Deliver { is_firing, workload }),
        12 => (-30..90_i64).prop_map(Tick),
        1 => (-7_200..7_200_i64).prop_map(Tick),
        2 => (0..4_usize).prop_map(Approve),
        1 => (0..4_usize).prop_map(Reject),
        1 => (0..4_usize, 0..50_u32).prop_map(|(idx, replicas)| Override(idx, replicas)),
        1 => (0..4_usize).prop_map(RollBack),
        2 => proptest::option::of(failures()).prop_map(Fail),
        1 => failures().prop_map(Deceive),
        2 => any::<bool>().prop_map(|is_after| Die { is_after }),
        2 => any::<bool>().prop_map(Health),
        2 => proptest::option::of(0.0..5_000.0_f64).prop_map(Demand),
        1 => (0..2_usize, 0..50_u32).prop_map(|(workload, replicas)| Meddle { workload, replicas }),
        1 => any::<bool>().prop_map(KillSwitch),
    ]
}

fn rollouts() -> impl Strategy<Value = String> {
    prop_oneof![
        Just(format!("{{direct: {{wait: 10s, {CHECK}}}}}")),
        Just(format!(
            "{{canary: {{steps: [10%, 50%], wait: 10s, {CHECK}}}}}"
        )),
        Just(format!(
            "{{blue_green: {{retain: 30s, wait: 10s, {CHECK}}}}}"
        )),
    ]
}

async fn befall(sim: &mut Sim, happening: &Happening, now: &mut Timestamp) {
    let actions = sim.actions().await;
    let id_of = |idx: usize| -> Option<ActionId> { Some(actions.get(idx)?.id) };
    let remediation = sim.remediation.clone();
    let on_set =
        |reaction: Reaction| move |call: Call| (call.kind == Kind::Set).then_some(reaction);
    match *happening {
        Happening::Deliver {
            is_firing,
            workload,
        } => {
            let status = if is_firing { "firing" } else { "resolved" };
            assert!(sim.deliver(status, WORKLOADS[workload], *now).await);
        }
        Happening::Tick(seconds) => {
            *now = Timestamp::from_millis(now.as_millis() + 1_000 * seconds);
            sim.tick(*now).await;
        }
        // Whether a decision is taken or refused is the machine's affair; here it only may break nothing.
        Happening::Approve(idx) => {
            if let Some(id) = id_of(idx) {
                let _ = remediation.approve(id, "ada", *now).await;
            }
        }
        Happening::Reject(idx) => {
            if let Some(id) = id_of(idx) {
                let _ = remediation.reject(id, "ada", "no", *now).await;
            }
        }
        Happening::Override(idx, replicas) => {
            if let Some(id) = id_of(idx) {
                let _ = remediation.override_plan(id, "ada", replicas, *now).await;
            }
        }
        Happening::RollBack(idx) => {
            if let Some(id) = id_of(idx) {
                let _ = remediation.rollback(id, "ada", *now).await;
            }
        }
        Happening::Fail(None) => sim.react(|_| None),
        Happening::Fail(Some(failure)) => sim.react(move |_| Some(Reaction::Refuse(failure))),
        Happening::Deceive(failure) => sim.react(on_set(Reaction::Deceive(failure))),
        Happening::Die { is_after: true } => sim.react(|_| Some(Reaction::DieAfter)),
        Happening::Die { is_after: false } => sim.react(|_| Some(Reaction::DieBefore)),
        Happening::Health(is_healthy) => sim.set_healthy(is_healthy),
        Happening::Demand(demand) => sim.foresee(demand),
        Happening::Meddle { workload, replicas } => sim.meddle(WORKLOADS[workload], replicas),
        Happening::KillSwitch(true) => std::fs::write(&sim.kill_switch, "").unwrap(),
        Happening::KillSwitch(false) => {
            let _ = std::fs::remove_file(&sim.kill_switch);
        }
    }
}

/// What has to be true after each happening.
async fn check(sim: &Sim) {
    let open = sim.open_actions().await;
    let workloads: BTreeSet<_> = open.iter().map(|action| &action.workload).collect();
    assert_eq!(workloads.len(), open.len(), "two actions on one workload");
    let sins = sim.sins();
    assert_eq!(sins, Sins::default());
}

async fn live_through(mode: &str, rollout: &str, happenings: &[Happening]) {
    let mut sim = Sim::new(mode, rollout).await;
    let mut now = NOW;
    for happening in happenings {
        befall(&mut sim, happening, &mut now).await;
        check(&sim).await;
    }
    // Nothing more happens but time; the alerts resolve, so that no new action begins.
    sim.react(|_| None);
    let _ = std::fs::remove_file(&sim.kill_switch);
    for workload in WORKLOADS {
        sim.deliver("resolved", workload, now).await;
    }
    // Whatever the clock did, by then it is later than it ever was.
    now = now + Duration::from_hours(24 * 30);
    for _ in 0..4 * State::ALL.len() {
        now = now + Duration::from_mins(10);
        sim.tick(now).await;
        check(&sim).await;
    }
    assert_eq!(sim.open_actions().await, [], "actions without end");
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 100, ..ProptestConfig::default() })]

    #[test]
    fn one_action_at_a_time_no_effect_without_an_entry_and_all_of_them_end(
        mode in prop_oneof![Just("auto"), Just("approve"), Just("observe")],
        rollout in rollouts(),
        happenings in proptest::collection::vec(happenings(), 1..60),
    ) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(live_through(mode, &rollout, &happenings));
    }
}
