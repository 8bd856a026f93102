//! What happens when something breaks: crashes, guards, actuators that refuse, effects that do harm.

use crate::world::{Answer, BEGUN, SETUP, Setup, World, after, alert, firing, resolved};
use remediation::config::Workload;
use std::{sync::Arc, time::Duration};
use store::{Mode, Outcome, State};

/// Ticks until something is true, and then drops the tick in the middle of its work, as `kill -9` does.
async fn crash_when(world: &World, seconds: u64, mut holds: impl AsyncFnMut() -> bool) {
    let remediation = Arc::clone(&world.remediation);
    let tick = tokio::spawn(async move { remediation.tick(after(seconds)).await });
    for _ in 0..500 {
        if holds().await {
            tick.abort();
            let _ = tick.await;
            return;
        }
        tokio::time::sleep(Duration::from_millis(2)).await;
    }
    panic!("the moment to crash did not come");
}

/// An action whose grace period ends with the next tick.
async fn about_to_act() -> World {
    let world = World::new("mode: auto").await;
    world.deliver(&firing(), 0).await;
    world.tick(0).await;
    world
}

#[tokio::test]
async fn a_crash_between_journal_and_effect_leaves_one_action_and_one_effect() {
    let mut world = about_to_act().await;
    // The first reading clears the way; the second begins the effect, which is in the journal by then.
    world.fleet().on_get.extend([Answer::Ok, Answer::Hang]);
    crash_when(&world, 90, async || world.fleet().n_gets == 3).await;
    assert_eq!(world.action().await.state, State::Applying);
    assert_eq!(world.n_puts(), 0);

    world.restart().await;
    let again = world.deliver(&firing(), 91).await;
    assert!(again.alerts[0].is_duplicate);
    world.ticks(91..=125).await;
    world.assert_state(State::Succeeded, "").await;
    assert_eq!(world.n_puts(), 1);
}

#[tokio::test]
async fn a_crash_between_effect_and_journal_does_not_repeat_the_effect() {
    let mut world = about_to_act().await;
    world.fleet().on_put.push_back(Answer::DoneButSilent);
    crash_when(&world, 90, async || world.n_puts() == 1).await;
    assert_eq!(world.action().await.state, State::Applying);

    world.restart().await;
    world.deliver(&firing(), 91).await;
    world.tick(91).await;
    world
        .assert_state(State::Verifying, "there are 7 replicas, as 7 were planned")
        .await;
    world.ticks(92..=125).await;
    world.assert_state(State::Succeeded, "").await;
    assert_eq!(world.n_puts(), 1);
}

#[tokio::test]
async fn a_crash_on_the_way_back_does_not_repeat_it_either() {
    let mut world = about_to_act().await;
    world.ticks(90..=119).await;
    world.witness(Ok(vec![]));
    world.fleet().on_put.push_back(Answer::DoneButSilent);
    crash_when(&world, 120, async || world.n_puts() == 2).await;
    assert_eq!(world.action().await.state, State::RollingBack);
    world.restart().await;
    world.tick(121).await;
    world
        .assert_state(State::RolledBack, "there are 4 replicas again")
        .await;
    assert_eq!(world.n_puts(), 2);
}

#[tokio::test]
async fn an_effect_found_in_the_world_long_after_a_crash_is_still_judged() {
    let mut world = about_to_act().await;
    world.fleet().on_put.push_back(Answer::DoneButSilent);
    crash_when(&world, 90, async || world.n_puts() == 1).await;
    world.restart().await;
    world.tick(90 + 3_600).await;
    world
        .assert_state(State::Verifying, "as 7 were planned")
        .await;
}

#[tokio::test]
async fn an_effect_that_was_never_made_is_not_begun_long_after_a_crash() {
    let mut world = about_to_act().await;
    world.fleet().on_get.extend([Answer::Ok, Answer::Hang]);
    crash_when(&world, 90, async || world.fleet().n_gets == 3).await;
    world.restart().await;
    world.tick(90 + 3_600).await;
    world
        .assert_state(State::Failed, "in time: there are 4 replicas, not 7")
        .await;
    assert_eq!(world.n_puts(), 0);
}

#[tokio::test]
async fn a_time_out_is_resolved_by_reading_back() {
    let world = about_to_act().await;
    world.fleet().on_put.push_back(Answer::DoneButSilent);
    let report = world.tick(90).await;
    assert!(
        report.held[0]
            .reason
            .contains("unknown until it is read back"),
        "{report:?}"
    );
    world.tick(90).await;
    assert_eq!(
        world.action().await.state,
        State::Applying,
        "the pause is kept"
    );
    world.tick(91).await;
    world
        .assert_state(State::Verifying, "as 7 were planned")
        .await;
    assert_eq!(world.n_puts(), 1);
}

#[tokio::test]
async fn a_busy_actuator_is_tried_again_after_the_pause_it_names() {
    for status in [429, 500, 503] {
        let world = about_to_act().await;
        world.fleet().on_put.push_back(Answer::Status(status));
        world.ticks(90..=94).await;
        let reason = format!("attempt 1 of 8: the actuator answered {status}: not now");
        world.assert_state(State::Applying, &reason).await;
        assert_eq!(world.n_puts(), 1, "Retry-After is kept");
        world.ticks(95..=125).await;
        world.assert_state(State::Succeeded, "").await;
        assert_eq!(world.n_puts(), 2);
    }
}

#[tokio::test]
async fn an_actuator_that_stays_broken_is_given_up() {
    let world = about_to_act().await;
    world.fleet().on_put.extend([Answer::Status(500); 100]);
    world.ticks(90..=260).await;
    world.assert_state(State::Failed, "attempt 8 of 8").await;
    assert_eq!(world.n_puts(), 8);
    assert_eq!(world.fleet().replicas, 4);
}

#[tokio::test]
async fn what_an_actuator_refuses_is_not_tried_again() {
    let world = about_to_act().await;
    world.fleet().on_put.push_back(Answer::Status(403));
    world.ticks(90..=200).await;
    world.assert_state(State::Failed, "answered 403").await;
    assert_eq!(world.n_puts(), 1);
}

#[tokio::test]
async fn success_is_success_whatever_else_the_answer_says() {
    let world = about_to_act().await;
    world.fleet().on_put.push_back(Answer::DoneAndVerbose);
    world.tick(90).await;
    world.assert_state(State::Verifying, "scaled 4 → 7").await;
}

#[tokio::test]
async fn a_redirect_is_not_followed() {
    let world = about_to_act().await;
    world.fleet().on_put.push_back(Answer::Status(307));
    world.ticks(90..=95).await;
    world.assert_state(State::Failed, "answered 307").await;
}

#[tokio::test]
async fn a_fleet_that_cannot_be_read_is_not_acted_on() {
    let world = World::new("mode: auto").await;
    world.fleet().on_get.extend([Answer::Hang; 100]);
    world.deliver(&firing(), 0).await;
    for second in [0, 10, 50, 119, 120] {
        world.tick(second).await;
    }
    world
        .assert_state(
            State::Expired,
            "nothing could be worked out in time: no answer",
        )
        .await;
}

#[tokio::test]
async fn without_a_fresh_forecast_nothing_is_done() {
    let world = World::new("mode: auto").await;
    world.foresee(None);
    world.deliver(&firing(), 0).await;
    let report = world.tick(0).await;
    assert!(
        report.held[0].reason.contains("no fresh forecast"),
        "{report:?}"
    );
    world.foresee(Some(812.0));
    world.tick(1).await;
    world.assert_state(State::Grace, "").await;
    world.foresee(None);
    world.ticks(2..=391).await;
    let why = r#"the way was not clear in time: there is no fresh forecast service:requests:rate5m{service="checkout"}"#;
    world.assert_state(State::Expired, why).await;
    assert_eq!(world.n_puts(), 0);
}

#[tokio::test]
async fn a_forecast_that_is_away_for_a_moment_is_waited_for() {
    let mut world = about_to_act().await;
    world.foresee(None);
    world.restart().await;
    let report = world.tick(90).await;
    assert!(
        report.held[0].reason.contains("no fresh forecast"),
        "{report:?}"
    );
    world.foresee(Some(812.0));
    world.ticks(91..=125).await;
    world.assert_state(State::Succeeded, "").await;
    assert_eq!(world.n_puts(), 1);
}

#[tokio::test]
async fn a_reload_that_forbids_the_effect_is_obeyed_by_actions_that_wait() {
    let forbid = async |change: fn(&mut Workload), why: &str| {
        let mut world = about_to_act().await;
        world.reload(|settings| change(&mut settings.workloads[0]));
        world.ticks(1..=95).await;
        world.assert_state(State::Rejected, why).await;
        assert_eq!(world.n_puts(), 0);
    };
    forbid(|w| w.mode = Mode::Observe, "the mode is observe by now").await;
    forbid(|w| w.mode = Mode::Approve, "and nobody was asked").await;
    forbid(|w| w.sizing.max = 6, "max is 6 by now, and 7 were planned").await;
}

#[tokio::test]
async fn an_effect_that_does_harm_is_rolled_back() {
    let world = about_to_act().await;
    world.tick(90).await;
    world.witness(Ok(vec![]));
    world.ticks(91..=125).await;
    world
        .assert_state(State::RolledBack, "scaled back 7 → 4")
        .await;
    let history = world.history().await;
    let why = &history
        .iter()
        .find(|l| l.to == State::RollingBack)
        .unwrap()
        .reason;
    let expect = "1 of 1 looks failed: service:latency:p99 < 0.5 does not hold";
    assert_eq!(why, expect);
    assert_eq!((world.n_puts(), world.fleet().replicas), (2, 4));
}

#[tokio::test]
async fn what_somebody_else_took_away_while_it_was_verified_is_no_success() {
    let canary = Setup {
        rollout: "{canary: {steps: [50%], wait: 30s, count: 1}}",
        ..SETUP
    };
    for setup in [SETUP, canary] {
        let world = World::of(setup).await;
        world.deliver(&firing(), 0).await;
        world.tick(0).await;
        world.ticks(90..=119).await;
        let set = world.fleet().replicas;
        world.fleet().replicas = 4;
        world.ticks(120..=125).await;
        let why = format!("there are 4, not the {set} that were set: somebody else");
        world.assert_state(State::Failed, &why).await;
        assert_eq!(world.n_puts(), 1, "and it is left alone");
    }
}

#[tokio::test]
async fn what_cannot_be_read_back_is_no_success_either() {
    let world = about_to_act().await;
    world.ticks(90..=119).await;
    for _ in 0..3 {
        world.fleet().on_get.push_back(Answer::Status(500));
    }
    world.tick(120).await;
    let action = world.action().await;
    assert_eq!(action.state, State::Verifying);
    let held_up = world.remediation.held_up(&action).unwrap();
    let expect = "cannot read the effect back: the actuator answered 500";
    assert!(held_up.starts_with(expect), "{held_up}");
    world.ticks(121..=140).await;
    world.assert_state(State::Succeeded, "").await;
}

#[tokio::test]
async fn what_somebody_else_wrote_is_not_rolled_back() {
    let world = about_to_act().await;
    world.ticks(90..=119).await;
    world.witness(Ok(vec![]));
    world.fleet().replicas = 9;
    world.ticks(120..=125).await;
    world
        .assert_state(
            State::Failed,
            "left alone: there are 9 replicas, not the 7 we wrote",
        )
        .await;
    assert_eq!(world.n_puts(), 1);
}

#[tokio::test]
async fn evidence_that_stays_away_means_the_way_back() {
    let world = about_to_act().await;
    world.tick(90).await;
    world.witness(Err("connection refused".to_owned()));
    world.ticks(91..=159).await;
    world.assert_state(State::Verifying, "look 4").await;
    world.ticks(160..=165).await;
    world.assert_state(State::RolledBack, "").await;
    let history = world.history().await;
    let why = &history
        .iter()
        .find(|l| l.to == State::RollingBack)
        .unwrap()
        .reason;
    assert!(
        why.contains("could not be judged: 5 of 5 looks error: cannot evaluate"),
        "{why}"
    );
}

#[tokio::test]
async fn the_kill_switch_stops_what_has_not_begun_and_defers_what_is_new() {
    let world = about_to_act().await;
    std::fs::write(&world.kill_switch, "").unwrap();
    world.ticks(90..=95).await;
    world.assert_state(State::Rejected, "the kill switch").await;
    let later = vec![alert("firing", "f1", "2027-01-15T09:00:00Z", "checkout")];
    let receipt = world.deliver(&later, 4_000).await;
    assert_eq!(receipt.alerts[0].outcome, Outcome::Deferred);
    assert!(
        receipt.alerts[0].reason.contains("kill switch"),
        "{receipt:?}"
    );
    world.tick(4_001).await;
    assert_eq!(world.actions().await.len(), 1);

    std::fs::remove_file(&world.kill_switch).unwrap();
    world.tick(4_002).await;
    assert_eq!(
        world.actions().await.len(),
        2,
        "the alert still fires, so it is taken up"
    );
}

#[tokio::test]
async fn the_kill_switch_is_looked_at_again_right_before_each_call() {
    let world = about_to_act().await;
    world.fleet().on_put.push_back(Answer::Status(500));
    world.tick(90).await;
    std::fs::write(&world.kill_switch, "").unwrap();
    world.ticks(91..=100).await;
    world.assert_state(State::Failed, "the kill switch").await;
    assert_eq!(world.n_puts(), 1);
}

#[tokio::test]
async fn a_workload_cools_down_before_it_is_acted_on_again() {
    let world = about_to_act().await;
    world.ticks(90..=125).await;
    world.foresee(Some(1_500.0));
    let next = vec![alert("firing", "f2", BEGUN, "checkout")];
    let receipt = world.deliver(&next, 180).await;
    assert_eq!(receipt.alerts[0].outcome, Outcome::Deferred);
    assert!(
        receipt.alerts[0]
            .reason
            .contains("cooling down for another 2m"),
        "{receipt:?}"
    );
    world.ticks(181..=295).await;
    assert_eq!(world.actions().await.len(), 1);
    world.ticks(296..=430).await;
    let newest = &world.actions().await[0];
    assert_eq!(
        (newest.state, world.fleet().replicas),
        (State::Succeeded, 13)
    );
    assert_eq!(world.n_puts(), 2);
}

#[tokio::test]
async fn an_alert_that_outlasts_its_action_is_taken_up_again_when_the_effect_was_taken_away() {
    let world = about_to_act().await;
    world.ticks(90..=125).await;
    world.assert_state(State::Succeeded, "").await;
    world.ticks(126..=330).await;
    assert_eq!(world.actions().await.len(), 1, "it suffices");
    world.fleet().replicas = 4;
    world.ticks(331..=500).await;
    let newest = &world.actions().await[0];
    assert_eq!(newest.state, State::Succeeded, "{}", newest.reason);
    assert_eq!(world.fleet().replicas, 7);
    assert_eq!(world.n_puts(), 2);
    let first = &world
        .remediation
        .record(newest.id)
        .await
        .unwrap()
        .transitions[0];
    let expect = "there are 4 by now, and action ";
    assert!(first.reason.starts_with(expect), "{}", first.reason);
}

#[tokio::test]
async fn an_alert_that_outlasts_its_action_is_taken_up_again_when_more_is_foreseen() {
    let world = about_to_act().await;
    // Seven are planned; while that waits, so much is foreseen that thirteen are needed.
    world.foresee(Some(1_500.0));
    world.ticks(1..=300).await;
    assert_eq!((world.n_puts(), world.fleet().replicas), (1, 7));
    world.ticks(301..=425).await;
    let actions = world.actions().await;
    assert_eq!((actions.len(), world.fleet().replicas), (2, 13));
    let record = world.remediation.record(actions[0].id).await.unwrap();
    let history = record.transitions;
    let why = format!(
        "more is foreseen than action {} was planned for",
        actions[1].id
    );
    assert_eq!(history[0].reason, why);

    world.ticks(426..=900).await;
    assert_eq!(world.actions().await.len(), 2, "what is foreseen is there");
    world.deliver(&resolved(), 901).await;
    world.foresee(Some(2_400.0));
    world.ticks(902..=1_300).await;
    assert_eq!(world.n_puts(), 2, "the alert has resolved");
}

#[tokio::test]
async fn what_sufficed_at_first_is_looked_at_again_while_the_alert_fires() {
    let world = World::new("mode: auto").await;
    world.fleet().replicas = 9;
    world.deliver(&firing(), 0).await;
    world.ticks(0..=60).await;
    world.assert_state(State::Superseded, "there are 9").await;
    world.foresee(Some(1_200.0));
    world.ticks(61..=185).await;
    assert_eq!((world.n_puts(), world.fleet().replicas), (1, 10));
    assert_eq!(world.actions().await.len(), 2);
}

#[tokio::test]
async fn no_more_is_done_about_an_alert_that_somebody_said_no_to() {
    let world = World::new("mode: approve").await;
    world.deliver(&firing(), 0).await;
    world.tick(0).await;
    let id = world.action().await.id;
    let rejected = world.remediation.reject(id, "ada", "a drill", after(1));
    rejected.await.unwrap();
    world.foresee(Some(5_000.0));
    world.ticks(2..=600).await;
    world.assert_state(State::Rejected, "a drill").await;
}

#[tokio::test]
async fn no_more_actions_than_the_hourly_limit() {
    let world = World::new("mode: auto").await;
    for round in 0..4 {
        // Each time somebody scales down behind our back and the alert comes anew.
        world.fleet().replicas = 4;
        let begun = format!("2027-01-15T08:{:02}:00Z", round * 10);
        let start = round * 600;
        let firing = vec![alert("firing", "f1", &begun, "checkout")];
        world.deliver(&firing, start).await;
        world.ticks(start..=start + 130).await;
    }
    assert_eq!(world.n_puts(), 3);
    let newest = &world.actions().await[0];
    assert_eq!(newest.state, State::Grace, "it waits for its turn");
    assert!(
        newest.reason.contains("max_actions_per_hour is 3"),
        "{}",
        newest.reason
    );
    // An hour after the first of them, it comes.
    world.fleet().replicas = 4;
    world.ticks(3_600..=3_730).await;
    assert_eq!(world.n_puts(), 4);
}

#[tokio::test]
async fn no_more_unsettled_effects_at_once_than_the_limit() {
    let world = World::new("mode: auto").await;
    let both = ["checkout", "search"].map(|service| alert("firing", service, BEGUN, service));
    world.deliver(&both, 0).await;
    world.ticks(0..=90).await;
    let states = async || {
        let actions = world.actions().await;
        let mut states: Vec<_> = actions.iter().map(|action| action.state.as_str()).collect();
        states.sort_unstable();
        states
    };
    assert_eq!(states().await, ["grace", "verifying"]);
    // The fleet shrinks again, so that the second action is still needed when its turn comes, and the first is no
    // success.
    world.fleet().replicas = 4;
    let report = world.tick(91).await;
    let why = "max_concurrent is 1, and as many other actions are under way";
    assert_eq!(report.held[0].reason, why);
    world.ticks(92..=151).await;
    assert_eq!(states().await, ["failed", "succeeded"]);
    assert_eq!(world.n_puts(), 2);
}
