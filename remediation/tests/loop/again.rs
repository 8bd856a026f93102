//! Alerts that go on firing: obstacles that pass lead to another attempt, and a no does not.

use crate::world::{Answer, BEGUN, SETUP, Setup, World, after, alert, firing, resolved};
use remediation::Reason;
use std::time::Duration;
use store::{Ending, Mode, Outcome, State};

/// Why nothing is done about alerts, as of the last tick.
fn reasons(world: &World) -> Vec<Reason> {
    let unattended = world.remediation.unattended();
    unattended.iter().map(|one| one.reason).collect()
}

/// When each action was proposed, in seconds from the beginning, the first one first.
async fn proposals(world: &World) -> Vec<u64> {
    let actions = world.actions().await;
    let at = actions
        .iter()
        .map(|action| action.created_at.since(after(0)).as_secs());
    let mut at: Vec<_> = at.collect();
    at.sort_unstable();
    at
}

#[tokio::test]
async fn a_forecast_that_was_away_for_too_long_leads_to_another_attempt() {
    let world = World::new("mode: auto").await;
    world.foresee(None);
    world.deliver(&firing(), 0).await;
    world.ticks(0..=125).await;
    world
        .assert_state(State::Expired, "no fresh forecast")
        .await;
    assert_eq!(reasons(&world), [Reason::RetryBackoff]);
    let unattended = world.remediation.unattended().remove(0);
    assert_eq!(
        (unattended.n_alerts, unattended.again_at),
        (1, Some(after(150)))
    );
    let alerts = world.remediation.unattended_alerts("checkout", 9).await;
    assert_eq!(alerts.unwrap().len(), 1);

    world.foresee(Some(812.0));
    world.ticks(126..=290).await;
    let newest = &world.actions().await[0];
    assert_eq!((newest.state, newest.attempt), (State::Succeeded, 2));
    assert_eq!((world.n_puts(), world.fleet().replicas), (1, 7));
    let record = world.remediation.record(newest.id).await.unwrap();
    let why = &record.transitions[0].reason;
    let expect = "attempt 2; the one before expired: nothing could be worked out in time";
    assert!(why.starts_with(expect), "{why}");
    assert_eq!(reasons(&world), []);
}

#[tokio::test]
async fn pauses_between_attempts_double_to_a_quarter_of_an_hour_whatever_restarts() {
    let mut world = World::new("mode: auto").await;
    world.fleet().on_get.extend([Answer::Status(403); 100]);
    world.deliver(&firing(), 0).await;
    for second in 0..4_000 {
        if second % 100 == 99 {
            world.restart().await;
        }
        world.tick(second).await;
    }
    let expect = [0, 30, 90, 210, 450, 930, 1_830, 2_730, 3_630];
    assert_eq!(proposals(&world).await, expect);
    // The end of the alert ends it, and its next beginning begins anew.
    world.deliver(&resolved(), 4_000).await;
    world.ticks(4_001..=4_100).await;
    assert_eq!(proposals(&world).await.len(), expect.len());
    let anew = vec![alert("firing", "f1", "2027-01-15T09:10:00Z", "checkout")];
    world.deliver(&anew, 4_200).await;
    world.tick(4_200).await;
    assert_eq!(world.actions().await[0].attempt, 1);
}

#[tokio::test]
async fn an_alert_that_comes_in_the_pause_waits_for_the_next_attempt() {
    let world = World::new("mode: auto").await;
    world.fleet().on_get.push_back(Answer::Status(403));
    world.deliver(&firing(), 0).await;
    world.ticks(0..=10).await;
    let second = vec![alert("firing", "f2", BEGUN, "checkout")];
    let receipt = world.deliver(&second, 11).await;
    assert_eq!(receipt.alerts[0].outcome, Outcome::Deferred);
    world.ticks(12..=31).await;
    let newest = &world.actions().await[0];
    assert_eq!((newest.state, newest.attempt), (State::Grace, 2));
    let record = world.remediation.record(newest.id).await.unwrap();
    assert_eq!(record.deliveries.len(), 2, "both call for it");
}

#[tokio::test]
async fn what_the_kill_switch_stopped_goes_on_when_it_is_released() {
    let world = World::new("mode: auto").await;
    world.deliver(&firing(), 0).await;
    world.tick(0).await;
    std::fs::write(&world.kill_switch, "").unwrap();
    world.ticks(1..=1_000).await;
    world.assert_state(State::Rejected, "the kill switch").await;
    assert_eq!(reasons(&world), [Reason::KillSwitch]);
    std::fs::remove_file(&world.kill_switch).unwrap();
    world.ticks(1_001..=1_130).await;
    let newest = &world.actions().await[0];
    assert_eq!((newest.state, world.n_puts()), (State::Succeeded, 1));
}

#[tokio::test]
async fn a_no_of_a_person_holds_until_the_alert_begins_anew() {
    let world = World::new("mode: auto").await;
    world.deliver(&firing(), 0).await;
    world.tick(0).await;
    let id = world.action().await.id;
    world
        .remediation
        .reject(id, "ada", "a drill", after(1))
        .await
        .unwrap();
    world.ticks(2..=4_000).await;
    world.assert_state(State::Rejected, "a drill").await;
    assert_eq!(reasons(&world), [], "somebody said no");
    world.deliver(&resolved(), 4_001).await;
    let anew = vec![alert("firing", "f1", "2027-01-15T09:10:00Z", "checkout")];
    world.deliver(&anew, 4_200).await;
    assert_eq!(world.actions().await.len(), 2);
}

#[tokio::test]
async fn who_did_not_answer_is_asked_again_after_a_while() {
    let world = World::new("mode: approve").await;
    world.deliver(&firing(), 0).await;
    world.ticks(0..=1_100).await;
    // A minute to answer, then five minutes of peace; another minute, then ten.
    assert_eq!(proposals(&world).await, [0, 360, 1_020]);
    let actions = world.actions().await;
    assert_eq!(actions[1].ending, Some(Ending::Unanswered));
    assert_eq!(reasons(&world), [Reason::Unanswered]);
}

#[tokio::test]
async fn an_alert_that_was_only_observed_is_acted_on_when_the_mode_changes() {
    let mut world = World::new("mode: observe").await;
    world.deliver(&firing(), 0).await;
    world.ticks(0..=600).await;
    world.assert_state(State::Rejected, "observe mode").await;
    assert_eq!(reasons(&world), [Reason::Observe]);
    world.reload(|settings| settings.workloads[0].mode = Mode::Auto);
    world.ticks(601..=730).await;
    let newest = &world.actions().await[0];
    assert_eq!((newest.state, newest.mode), (State::Succeeded, Mode::Auto));
}

#[tokio::test]
async fn a_workload_that_a_reload_left_out_for_a_moment_loses_nothing() {
    let mut world = World::new("mode: auto").await;
    world.deliver(&firing(), 0).await;
    world.tick(0).await;
    let mut left_out = None;
    world.reload(|settings| left_out = Some(settings.workloads.remove(0)));
    world.ticks(1..=2).await;
    world
        .assert_state(State::Rejected, "no longer configured")
        .await;
    let workload = left_out.unwrap();
    let back = workload.clone();
    world.reload(|settings| settings.workloads.insert(0, back));
    world.ticks(3..=125).await;
    assert_eq!(world.actions().await[0].state, State::Verifying);
    // With an effect in the world it is waited for.
    world.reload(|settings| drop(settings.workloads.remove(0)));
    world.ticks(126..=128).await;
    assert_eq!(world.actions().await[0].state, State::Verifying);
    world.reload(|settings| settings.workloads.insert(0, workload));
    world.ticks(129..=170).await;
    assert_eq!(world.actions().await[0].state, State::Succeeded);
    assert_eq!(world.n_puts(), 1);
}

#[tokio::test]
async fn an_alert_follows_its_workload_to_another_name() {
    let mut world = World::new("mode: auto").await;
    world.deliver(&firing(), 0).await;
    world.tick(0).await;
    world.reload(|settings| settings.workloads[0].name = "till".to_owned());
    world.ticks(1..=130).await;
    let newest = &world.actions().await[0];
    assert_eq!(
        (&*newest.workload, newest.state),
        ("till", State::Succeeded)
    );
}

#[tokio::test]
async fn an_alert_that_no_workload_was_about_is_acted_on_when_one_is() {
    let mut world = World::new("mode: auto").await;
    let mut labels = None;
    world.reload(|settings| {
        let other = settings.workloads[1].labels.clone();
        labels = Some(std::mem::replace(&mut settings.workloads[0].labels, other));
    });
    let receipt = world.deliver(&firing(), 0).await;
    assert_eq!(receipt.alerts[0].outcome, Outcome::Unmatched);
    world.ticks(0..=5).await;
    assert_eq!(world.actions().await, []);
    world.reload(|settings| settings.workloads[0].labels = labels.unwrap());
    world.ticks(6..=130).await;
    assert_eq!(world.actions().await[0].state, State::Succeeded);
}

#[tokio::test]
async fn an_alert_whose_workload_is_not_about_it_any_more_is_left_alone() {
    let mut world = World::new("mode: auto").await;
    world.foresee(None);
    world.deliver(&firing(), 0).await;
    world.ticks(0..=121).await;
    world.reload(|settings| {
        settings.workloads[0].labels = settings.workloads[1].labels.clone();
    });
    world.foresee(Some(812.0));
    world.ticks(122..=400).await;
    world.assert_state(State::Expired, "").await;
    assert_eq!(reasons(&world), []);
}

#[tokio::test]
async fn a_turn_that_comes_late_is_taken_and_the_line_keeps_its_order() {
    let rollout = "{direct: {wait: 8m, count: 1, verify: ['service:latency:p99 < 0.5']}}";
    let mut world = World::of(Setup { rollout, ..SETUP }).await;
    let both = ["checkout", "search"].map(|service| alert("firing", service, BEGUN, service));
    world.deliver(&both[..1], 0).await;
    world.tick(0).await;
    world.deliver(&both[1..], 1).await;
    world.ticks(1..=90).await;
    // Both workloads are one fleet here: what the first one got is not to serve the second.
    world.fleet().replicas = 4;
    world.ticks(91..=300).await;
    let waiting = world.actions().await.remove(0);
    assert_eq!(
        (waiting.state, &*waiting.workload),
        (State::Grace, "search")
    );
    assert!(waiting.queued_at.is_some());
    assert_eq!(reasons(&world), [Reason::Queued]);
    // The place in the line outlives a restart, and other patience.
    world.restart().await;
    world.ticks(301..=600).await;
    let actions = world.actions().await;
    assert_eq!(actions.len(), 2, "{actions:?}");
    assert_eq!(actions[0].state, State::Verifying, "{}", actions[0].reason);
    assert_eq!(world.n_puts(), 2);
}

#[tokio::test]
async fn an_api_that_is_away_for_longer_than_eight_attempts_does_not_end_a_rollback() {
    let world = succeeded().await;
    let id = world.action().await.id;
    world
        .remediation
        .rollback(id, "ada", after(130))
        .await
        .unwrap();
    world.fleet().on_get.extend([Answer::Status(503); 1_000]);
    world.ticks(130..=260).await;
    world.assert_state(State::RollingBack, "answered 503").await;
    // Beyond its time, too: nobody knows what is there.
    world.ticks(261..=500).await;
    world
        .assert_state(State::RollingBack, "it is unknown whether there are 4")
        .await;
    let told = world
        .herald
        .warnings
        .lock()
        .unwrap()
        .last()
        .cloned()
        .unwrap();
    assert_eq!(told.state, "rolling_back");
    world.fleet().on_get.clear();
    world.ticks(501..=540).await;
    world
        .assert_state(State::RolledBack, "scaled back 7 → 4")
        .await;
}

/// An action that has scaled from 4 to 7 after 125 s.
async fn succeeded() -> World {
    let world = World::new("mode: auto").await;
    world.deliver(&firing(), 0).await;
    world.ticks(0..=125).await;
    world.assert_state(State::Succeeded, "").await;
    world
}

#[tokio::test]
async fn a_rollback_that_was_refused_can_be_asked_for_again() {
    let world = succeeded().await;
    let id = world.action().await.id;
    world
        .remediation
        .rollback(id, "ada", after(130))
        .await
        .unwrap();
    world.fleet().on_put.extend([Answer::Status(403); 1_000]);
    world.ticks(130..=440).await;
    world.assert_state(State::Failed, "answered 403").await;
    world.fleet().on_put.clear();
    world
        .remediation
        .rollback(id, "ada", after(450))
        .await
        .unwrap();
    world.ticks(450..=455).await;
    world
        .assert_state(State::RolledBack, "scaled back 7 → 4")
        .await;
    world.ticks(456..=1_500).await;
    world
        .assert_state(State::RolledBack, "scaled back 7 → 4")
        .await;
}

#[tokio::test]
async fn the_older_of_two_actions_may_be_rolled_back_first() {
    let world = succeeded().await;
    world.foresee(Some(1_500.0));
    world.ticks(126..=440).await;
    let actions = world.actions().await;
    let states: Vec<_> = actions.iter().map(|action| action.state).collect();
    assert_eq!(
        (states, world.fleet().replicas),
        (vec![State::Succeeded; 2], 13)
    );
    let (newer, older) = (actions[0].id, actions[1].id);
    world
        .remediation
        .rollback(older, "ada", after(441))
        .await
        .unwrap();
    world.ticks(441..=445).await;
    assert_eq!(
        world.fleet().replicas,
        4,
        "what was there before the older one"
    );
    world
        .remediation
        .rollback(newer, "ada", after(446))
        .await
        .unwrap();
    world.ticks(446..=1_500).await;
    let actions = world.actions().await;
    let states: Vec<_> = actions.iter().map(|action| action.state).collect();
    assert_eq!(states, [State::RolledBack; 2], "{actions:?}");
    assert_eq!(world.fleet().replicas, 4);
}

#[tokio::test]
async fn an_effect_is_unknown_while_the_world_cannot_be_read_and_known_when_it_can() {
    let world = World::new("mode: auto").await;
    world.deliver(&firing(), 0).await;
    world.ticks(0..=89).await;
    world.fleet().on_put.push_back(Answer::DoneButSilent);
    world.tick(90).await;
    world.fleet().on_get.extend([Answer::Status(503); 1_000]);
    world.ticks(91..=600).await;
    world
        .assert_state(State::Applying, "it is unknown whether there are 7")
        .await;
    assert_eq!(reasons(&world), [Reason::Unknown]);
    let told = world
        .herald
        .warnings
        .lock()
        .unwrap()
        .last()
        .cloned()
        .unwrap();
    assert_eq!((told.state, &*told.workload), ("applying", "checkout"));
    world.fleet().on_get.clear();
    world.ticks(601..=700).await;
    world.assert_state(State::Succeeded, "").await;
    assert_eq!(world.n_puts(), 1);
    let over = world
        .herald
        .warnings
        .lock()
        .unwrap()
        .last()
        .cloned()
        .unwrap();
    assert!(over.ends_at <= after(700), "{over:?}");
}

#[tokio::test]
async fn what_did_not_come_about_while_nobody_could_look_is_tried_anew() {
    let world = World::new("mode: auto").await;
    world.deliver(&firing(), 0).await;
    world.ticks(0..=89).await;
    world.fleet().on_put.push_back(Answer::Hang);
    world.tick(90).await;
    world.fleet().on_get.extend([Answer::Status(503); 1_000]);
    world.ticks(91..=600).await;
    world.fleet().on_get.clear();
    world.ticks(601..=640).await;
    let states = world.actions().await;
    let states: Vec<_> = states
        .iter()
        .map(|action| (action.state, action.attempt))
        .collect();
    assert_eq!(
        states,
        [(State::Failed, 1)],
        "not there, and its time is over"
    );
    // The cool-down after an ordered effect comes first.
    world.ticks(641..=950).await;
    let newest = &world.actions().await[0];
    assert_eq!((newest.state, newest.attempt), (State::Succeeded, 2));
}

#[tokio::test]
async fn as_much_as_the_maximum_allows_is_given_and_the_rest_is_told() {
    let mut world = World::new("mode: auto").await;
    world.reload(|settings| settings.workloads[0].sizing.max = 6);
    world.deliver(&firing(), 0).await;
    world.tick(0).await;
    world
        .assert_state(
            State::Grace,
            "needs 7 at 120 per replica, held to 6 by max, 1 missing",
        )
        .await;
    let told = world.herald.warnings.lock().unwrap()[0].clone();
    assert!(
        told.summary.contains("1 missing at the maximum of 6"),
        "{told:?}"
    );
    world.ticks(1..=400).await;
    assert_eq!((world.n_puts(), world.fleet().replicas), (1, 6));
    let unattended = world.remediation.unattended().remove(0);
    assert_eq!(
        (unattended.reason, unattended.missing),
        (Reason::AtMaximum, 1)
    );
    let told = world
        .herald
        .warnings
        .lock()
        .unwrap()
        .last()
        .cloned()
        .unwrap();
    assert_eq!(told.state, "at_maximum");

    world.reload(|settings| settings.workloads[0].sizing.max = 40);
    world.ticks(401..=530).await;
    assert_eq!((world.n_puts(), world.fleet().replicas), (2, 7));
    assert_eq!(reasons(&world), []);
}

#[tokio::test]
async fn a_clock_that_is_put_back_stretches_no_grace() {
    let world = World::new("mode: auto").await;
    world.deliver(&firing(), 0).await;
    world.ticks(0..=10).await;
    let hour = Duration::from_hours(1);
    world.put_clock_back(hour);
    for second in 11..=125 {
        world.tick_at(after(second) - hour).await;
    }
    world.assert_state(State::Succeeded, "").await;
    assert_eq!(world.n_puts(), 1);
}

#[tokio::test]
async fn a_cool_down_does_not_last_until_the_time_that_a_clock_showed_once() {
    let mut world = World::new("mode: auto").await;
    let day = Duration::from_hours(24);
    let webhook = crate::world::notification(&firing());
    world
        .remediation
        .receive(&webhook, after(0) + day)
        .await
        .unwrap();
    for second in 0..=125 {
        world.tick_at(after(second) + day).await;
    }
    world.assert_state(State::Succeeded, "").await;
    // The clock is put right, and the program started again, so that nothing but the journal tells.
    world.restart().await;
    world.foresee(Some(1_500.0));
    world.ticks(126..=500).await;
    let latest = world
        .actions()
        .await
        .iter()
        .map(|action| action.begun)
        .max();
    let newest = world
        .actions()
        .await
        .into_iter()
        .find(|a| Some(a.begun) == latest);
    assert_eq!(newest.unwrap().state, State::Succeeded);
    assert_eq!(world.fleet().replicas, 13);
}

#[tokio::test]
async fn alerts_that_nobody_repeats_for_a_day_are_not_acted_on_and_are_told_of() {
    let world = World::new("mode: auto").await;
    std::fs::write(&world.kill_switch, "").unwrap();
    world.deliver(&firing(), 0).await;
    world.tick(0).await;
    assert_eq!(reasons(&world), [Reason::KillSwitch]);
    let hour = 3_600;
    world.deliver(&firing(), 23 * hour).await;
    world.tick(25 * hour).await;
    assert_eq!(reasons(&world), [Reason::KillSwitch], "it was repeated");
    world.tick(48 * hour).await;
    assert_eq!(reasons(&world), [Reason::NotRepeated]);
    std::fs::remove_file(&world.kill_switch).unwrap();
    world.tick(48 * hour + 1).await;
    assert_eq!(world.actions().await, []);
}
