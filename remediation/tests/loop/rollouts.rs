//! Effects in stages, and what looks at them come to.

use crate::world::{Answer, SETUP, Setup, World, after, firing};
use remediation::Decider;
use series::Timestamp;
use store::{LookVerdict, State};

const DIRECT: &str = "{direct: {wait: 30s, verify: ['service:latency:p99 < 0.5']}}";

/// From four replicas to seven by way of five and six.
const CANARY: &str =
    "{canary: {steps: [10%, 50%], wait: 30s, count: 1, verify: ['service:latency:p99 < 0.5']}}";

/// An action on a world whose grace period ends with the next tick.
async fn about_to_act(setup: Setup<'_>) -> World {
    let world = World::of(setup).await;
    world.deliver(&firing(), 0).await;
    world.tick(0).await;
    if setup.mode == "mode: approve" {
        let id = world.action().await.id;
        let yes = world.remediation.approve(id, "ada", after(0));
        yes.await.unwrap();
    }
    world
}

async fn verdicts(world: &World) -> Vec<LookVerdict> {
    let id = world.action().await.id;
    let looks = world.remediation.record(id).await.unwrap().looks;
    looks.iter().map(|look| look.verdict).collect()
}

async fn reason_for(world: &World, to: State) -> String {
    let history = world.history().await;
    let line = history.iter().rfind(|line| line.to == to).unwrap();
    line.reason.clone()
}

/// What was set, in order.
fn puts(world: &World) -> Vec<u64> {
    let fleet = world.fleet();
    let replicas = |body: &String| {
        let json: serde_json::Value = serde_json::from_str(body).unwrap();
        json["replicas"].as_u64().unwrap()
    };
    fleet.puts.iter().map(replicas).collect()
}

#[tokio::test]
async fn an_effect_is_looked_at_three_times_before_it_is_called_good() {
    use LookVerdict::{Baseline, Successful};
    let world = about_to_act(Setup {
        rollout: DIRECT,
        ..SETUP
    })
    .await;
    world.ticks(90..=179).await;
    world.assert_state(State::Verifying, "look 2").await;
    world.ticks(180..=181).await;
    world
        .assert_state(State::Succeeded, "verified in 3 looks")
        .await;
    assert_eq!(
        verdicts(&world).await,
        [Baseline, Successful, Successful, Successful]
    );
    let id = world.action().await.id;
    let looks = world.remediation.record(id).await.unwrap().looks;
    assert_eq!(
        looks[1].before,
        Some(serde_json::json!({"holds": true, "value": 0.3}))
    );
    assert_eq!(looks[1].after, looks[1].before);
    assert_eq!((looks[0].at, looks[3].at), (after(90), after(180)));
}

#[tokio::test]
async fn one_bad_look_is_passed_over_and_a_second_is_not() {
    for (second_is_bad, end) in [(false, State::Succeeded), (true, State::RolledBack)] {
        let world = about_to_act(Setup {
            rollout: DIRECT,
            ..SETUP
        })
        .await;
        world.ticks(90..=119).await;
        world.witness(Ok(vec![]));
        world.tick(120).await;
        if !second_is_bad {
            world.witness(Ok(vec![0.2]));
        }
        world.ticks(121..=185).await;
        world.assert_state(end, "").await;
    }
}

#[tokio::test]
async fn a_check_that_did_not_hold_before_does_not_undo_a_right_action() {
    let world = about_to_act(Setup {
        rollout: DIRECT,
        ..SETUP
    })
    .await;
    world.answer("p99 < 0.5", Ok(vec![]));
    world.answer("p99", Ok(vec![0.9]));
    world.answer("p99 < 0.5", Ok(vec![]));
    world.ticks(90..=181).await;
    let why = "kept: 3 of 3 looks inconclusive: service:latency:p99 < 0.5 does not hold, as before the \
               action (0.9 → 0.9)";
    world.assert_state(State::Succeeded, why).await;
    assert_eq!(puts(&world), [7]);
}

#[tokio::test]
async fn a_check_that_gets_better_is_good_news() {
    let world = about_to_act(Setup {
        rollout: DIRECT,
        ..SETUP
    })
    .await;
    world.answer("p99", Ok(vec![2.0]));
    world.answer("p99 < 0.5", Ok(vec![]));
    world.tick(90).await;
    world.answer("p99", Ok(vec![0.7]));
    world.answer("p99 < 0.5", Ok(vec![]));
    world.ticks(91..=181).await;
    world
        .assert_state(State::Succeeded, "verified in 3 looks")
        .await;
}

#[tokio::test]
async fn in_doubt_a_person_is_asked_where_one_decides() {
    let setup = Setup {
        mode: "mode: approve",
        rollout: DIRECT,
        ..SETUP
    };
    for (says_yes, end) in [(true, State::Succeeded), (false, State::RolledBack)] {
        let world = about_to_act(setup).await;
        world.witness(Ok(vec![]));
        world.ticks(90..=181).await;
        world
            .assert_state(State::Paused, "a person has to say")
            .await;
        let id = world.action().await.id;
        for seen in [(State::AwaitingApproval, 0), (State::Paused, 1)] {
            refuse_as_seen_earlier(&world, seen).await;
        }
        let decided = if says_yes {
            world.remediation.approve(id, "ada", after(190)).await
        } else {
            let no = world
                .remediation
                .reject(id, "ada", "slower still", after(190));
            no.await
        };
        decided.unwrap();
        world.ticks(190..=195).await;
        world.assert_state(end, "").await;
        let warned = world.herald.warnings.lock().unwrap();
        let states: Vec<_> = warned.iter().map(|warning| warning.state).collect();
        // Each state is told of when it is entered and when it is left.
        let twice = ["awaiting_approval", "grace", "paused"].map(|state| [state; 2]);
        assert_eq!(states, twice.as_flattened());
    }
}

#[tokio::test]
async fn in_doubt_nobody_answers_and_the_effect_stays() {
    let world = about_to_act(Setup {
        mode: "mode: approve",
        rollout: DIRECT,
        ..SETUP
    })
    .await;
    world.witness(Ok(vec![]));
    world.ticks(90..=245).await;
    world
        .assert_state(State::Succeeded, "kept: nobody said in time")
        .await;
}

#[tokio::test]
async fn without_a_judge_nothing_is_begun() {
    let world = about_to_act(SETUP).await;
    world.witness(Err("connection refused".to_owned()));
    let report = world.tick(90).await;
    assert!(
        report.held[0].reason.contains("cannot evaluate"),
        "{report:?}"
    );
    world.ticks(91..=395).await;
    world.assert_state(State::Expired, "cannot evaluate").await;
    assert_eq!(world.n_puts(), 0);
}

#[tokio::test]
async fn a_canary_goes_step_by_step() {
    let world = about_to_act(Setup {
        rollout: CANARY,
        ..SETUP
    })
    .await;
    world.ticks(90..=119).await;
    assert_eq!((puts(&world), world.action().await.stage), (vec![5], 0));
    world.ticks(120..=149).await;
    assert_eq!((puts(&world), world.action().await.stage), (vec![5, 6], 1));
    world.ticks(150..=185).await;
    assert_eq!(puts(&world), [5, 6, 7]);
    world.assert_state(State::Succeeded, "").await;
    let why = "verified in one look: service:latency:p99 < 0.5; on to stage 3 of 3";
    assert_eq!(reason_for(&world, State::Applying).await, why);
    let stages = &world.action().await.plan.unwrap()["stages"];
    assert_eq!(stages.as_array().unwrap().len(), 3);
}

#[tokio::test]
async fn a_canary_that_does_harm_goes_back_from_where_it_is() {
    let world = about_to_act(Setup {
        rollout: CANARY,
        ..SETUP
    })
    .await;
    world.ticks(90..=130).await;
    world.witness(Ok(vec![]));
    world.ticks(131..=155).await;
    world
        .assert_state(State::RolledBack, "scaled back 6 → 4")
        .await;
    assert_eq!(puts(&world), [5, 6, 4]);
}

#[tokio::test]
async fn a_canary_that_is_refused_half_way_is_taken_back() {
    let world = about_to_act(Setup {
        rollout: CANARY,
        ..SETUP
    })
    .await;
    world.ticks(90..=119).await;
    world.fleet().on_put.push_back(Answer::Status(403));
    world.ticks(120..=125).await;
    world
        .assert_state(State::RolledBack, "scaled back 5 → 4")
        .await;
    let why = "stage 2 broke off: the actuator answered 403: not now";
    assert_eq!(reason_for(&world, State::RollingBack).await, why);
}

#[tokio::test]
async fn a_canary_is_held_against_the_rest() {
    let rollout = "{canary: {steps: [50%], wait: 30s, count: 1, compare: [{name: errors, margin: 1%,
      bad: {canary: 'bad unless up @ $before', rest: 'bad and up @ $before'},
      total: {canary: 'increase(all[$window]) unless up @ $before', rest: 'increase(all[$window]) and up @ $before'}}]}}";
    let setup = Setup { rollout, ..SETUP };
    let run = async |bad: f64, total: f64| {
        let world = about_to_act(setup).await;
        world.answer("bad and", Ok(vec![5.0]));
        world.answer("and up", Ok(vec![5_000.0]));
        world.answer("bad and", Ok(vec![5.0]));
        world.answer("unless", Ok(vec![total]));
        world.answer("bad unless", Ok(vec![bad]));
        world.ticks(90..=125).await;
        world
    };
    let good = run(1.0, 2_000.0).await;
    good.assert_state(State::Verifying, "").await;
    assert_eq!(puts(&good), [6, 7]);
    let asked = good.asked("increase");
    let before = Timestamp::from_seconds(1_800_000_090).as_seconds_f64();
    assert_eq!(
        asked[0],
        format!("increase(all[30s]) unless up @ {before:.3}")
    );

    let bad = run(200.0, 2_000.0).await;
    bad.assert_state(State::RolledBack, "scaled back 6 → 4")
        .await;
    let why = reason_for(&bad, State::RollingBack).await;
    assert!(why.contains("errors is worse than the rest"), "{why}");

    let few = run(0.0, 20.0).await;
    few.assert_state(State::RolledBack, "").await;
    let why = reason_for(&few, State::RollingBack).await;
    assert!(
        why.contains("20 new and 5000 old ones seen, not 100 each"),
        "{why}"
    );
}

const BLUE_GREEN: Setup<'static> = Setup {
    rollout: "{blue_green: {wait: 30s, count: 1, retain: 5m, verify: ['service:latency:p99 < 0.5']}}",
    observe: "active: /active, idle: /idle",
    body: r#"{"replicas": {{ replicas }}, "active": "{{ active }}", "idle": {{ idle }}}"#,
    ..SETUP
};

async fn two_fleets() -> World {
    let world = World::of(BLUE_GREEN).await;
    world.fleet().fleets = Some(("blue".to_owned(), 0));
    world.deliver(&firing(), 0).await;
    world.tick(0).await;
    world
}

fn fleets(world: &World) -> (u32, String, u32) {
    let fleet = world.fleet();
    let (active, idle) = fleet.fleets.clone().unwrap();
    (fleet.replicas, active, idle)
}

#[tokio::test]
async fn a_second_fleet_takes_over_and_the_first_stays_for_a_while() {
    let world = two_fleets().await;
    world
        .assert_state(State::Grace, "scale 4 blue → 7 green")
        .await;
    world.ticks(90..=119).await;
    assert_eq!(fleets(&world), (4, "blue".to_owned(), 7));
    world.ticks(120..=419).await;
    assert_eq!(fleets(&world), (7, "green".to_owned(), 4));
    world.ticks(420..=425).await;
    assert_eq!(fleets(&world), (7, "green".to_owned(), 0));
    world.assert_state(State::Succeeded, "").await;
    assert_eq!(world.n_puts(), 3);
}

#[tokio::test]
async fn a_switch_that_does_harm_is_taken_back() {
    let world = two_fleets().await;
    world.ticks(90..=130).await;
    world.witness(Ok(vec![]));
    world.ticks(131..=155).await;
    world.assert_state(State::RolledBack, "").await;
    assert_eq!(fleets(&world), (4, "blue".to_owned(), 0));
}

#[tokio::test]
async fn a_crash_between_stages_takes_up_the_stage() {
    let mut world = about_to_act(Setup {
        rollout: CANARY,
        ..SETUP
    })
    .await;
    world.ticks(90..=119).await;
    world.fleet().on_put.push_back(Answer::DoneButSilent);
    world.tick(120).await;
    assert_eq!(world.action().await.state, State::Applying);
    world.restart().await;
    world.ticks(121..=190).await;
    world.assert_state(State::Succeeded, "").await;
    assert_eq!(puts(&world), [5, 6, 7]);
}

#[tokio::test]
async fn readiness_is_waited_for_and_timed() {
    let setup = Setup {
        more: "  feedback: {ready: ready_replicas, utilisation: used, objective: delay, cost: price}",
        ..SETUP
    };
    let world = about_to_act(setup).await;
    world.answer("ready_replicas", Ok(vec![4.0]));
    world.answer("used", Ok(vec![0.9]));
    world.ticks(90..=134).await;
    world.assert_state(State::Verifying, "scaled 4 → 7").await;
    world.answer("ready_replicas", Ok(vec![7.0]));
    world.answer("used", Ok(vec![0.5]));
    world.ticks(135..=140).await;
    world
        .assert_state(State::Verifying, "all 7 instances are ready after")
        .await;
    world.ticks(141..=175).await;
    world.assert_state(State::Succeeded, "").await;
    let learned = &world.remediation.all_learned().await.unwrap()[0];
    let effect = learned.last.clone().unwrap();
    let took = effect.lead_time().unwrap().as_secs();
    assert!((45..=47).contains(&took), "{took}");
    let (before, now) = (effect.before.unwrap(), effect.after.unwrap());
    assert_eq!((before.replicas, now.replicas), (4, 7));
    assert_eq!(
        (before.utilisation, now.utilisation),
        (Some(0.9), Some(0.5))
    );
    assert_eq!(
        (now.demand, now.objective, now.cost),
        (Some(400.0), Some(0.3), Some(0.3))
    );
    assert_eq!(learned.n_lead_times, 0, "one action is not enough");
}

#[tokio::test]
async fn instances_that_never_get_ready_are_taken_back() {
    let setup = Setup {
        more: "  feedback: {ready: ready_replicas}",
        ..SETUP
    };
    let world = about_to_act(setup).await;
    world.answer("ready_replicas", Ok(vec![6.0]));
    world.ticks(90..=395).await;
    world
        .assert_state(State::RolledBack, "scaled back 7 → 4")
        .await;
    let why = reason_for(&world, State::RollingBack).await;
    assert!(why.ends_with("6 of 7 instances are ready"), "{why}");
}

#[tokio::test]
async fn demand_is_foreseen_no_further_than_the_effect_takes() {
    let world = about_to_act(Setup {
        rollout: CANARY,
        ..SETUP
    })
    .await;
    // Grace, two steps before the last, and the configured lead time.
    let within = world.oracle.within.lock().unwrap().as_secs();
    assert_eq!(within, 90 + 2 * 30 + 300);
}

/// Neither a yes nor a no to what an action asked when it was seen is one to what it asks now.
async fn refuse_as_seen_earlier(world: &World, (state, number): (State, u32)) {
    let id = world.action().await.id;
    let seen = Decider {
        state: Some(state),
        stage: Some(number),
        ..Decider::from("ada")
    };
    let late = [
        world.remediation.approve(id, seen, after(190)).await,
        world.remediation.reject(id, seen, "no", after(190)).await,
    ];
    for late in late {
        let words = late.unwrap_err().to_string();
        assert!(
            words.contains("is paused by now: look at it again"),
            "{words}"
        );
    }
    world.assert_state(State::Paused, "").await;
}
