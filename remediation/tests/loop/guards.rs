//! What stands against an action, and what people may change about it.

use crate::world::{SETUP, Setup, World, after, alert, firing};
use remediation::{ControlError, Decider, Plan, Standing};
use store::{Outcome, State, StoreError};

async fn proposed(setup: Setup<'_>) -> World {
    let world = World::of(setup).await;
    world.deliver(&firing(), 0).await;
    world.tick(0).await;
    world
}

async fn plan(world: &World) -> Plan {
    Plan::from_json(world.action().await.plan.as_ref()).unwrap()
}

#[tokio::test]
async fn nothing_is_begun_in_maintenance_time() {
    // The world begins on Friday, 2027-01-15, at 8.
    let guards =
        ", maintenance: [{weekdays: [friday], times: [{start_time: '08:01', end_time: '08:10'}]}]";
    let world = proposed(Setup { guards, ..SETUP }).await;
    world.ticks(1..=95).await;
    world
        .assert_state(State::Rejected, "it is maintenance time")
        .await;
    let next = vec![alert("firing", "f2", crate::world::BEGUN, "checkout")];
    let receipt = world.deliver(&next, 120).await;
    assert_eq!(receipt.alerts[0].outcome, Outcome::Deferred);
    world.ticks(590..=700).await;
    let newest = &world.actions().await[0];
    assert_eq!(newest.state, State::Verifying, "{}", newest.reason);
    assert_eq!(world.n_puts(), 1);
}

#[tokio::test]
async fn no_more_workloads_are_in_motion_than_the_blast_radius() {
    let guards = ", blast_radius: 50%";
    let mut world = World::of(Setup { guards, ..SETUP }).await;
    world.reload(|settings| settings.guards.max_concurrent = 9);
    let both = ["checkout", "search"]
        .map(|service| alert("firing", service, crate::world::BEGUN, service));
    world.deliver(&both, 0).await;
    world.ticks(0..=90).await;
    world.fleet().replicas = 4;
    let report = world.tick(91).await;
    let why = "blast_radius is 50%, and 1 of 2 workloads are in motion";
    assert_eq!(report.held[0].reason, why);
}

#[tokio::test]
async fn an_alert_that_somebody_silenced_is_not_acted_on() {
    let world = proposed(SETUP).await;
    let silence = "s1 by ada: known, leave it".to_owned();
    *world.herald.silenced.lock().unwrap() = Some(Ok(silence));
    world.ticks(1..=95).await;
    world
        .assert_state(State::Rejected, "the alert is silenced: s1 by ada")
        .await;
    assert_eq!(world.n_puts(), 0);
}

#[tokio::test]
async fn whether_an_alert_is_silenced_must_be_known() {
    let world = proposed(SETUP).await;
    *world.herald.silenced.lock().unwrap() = Some(Err("no answer".to_owned()));
    world.ticks(1..=120).await;
    world.assert_state(State::Grace, "").await;
    *world.herald.silenced.lock().unwrap() = None;
    world.ticks(121..=160).await;
    assert_eq!(world.n_puts(), 1);
}

#[tokio::test]
async fn what_an_effect_stirs_is_silenced_for_a_while() {
    let setup = Setup {
        more: "  silence: {selector: '{alertname=\"ReplicasChanged\", service=~\"check.*\"}', for: 10m}",
        ..SETUP
    };
    let world = proposed(setup).await;
    world.ticks(1..=95).await;
    let silences = world.herald.silences.lock().unwrap().clone();
    assert_eq!(silences.len(), 1);
    let id = world.action().await.id;
    assert_eq!(silences[0].key, format!("{id}/0"));
    assert_eq!(silences[0].ends_at, after(90 + 600));
    let matchers: Vec<_> = silences[0]
        .matchers
        .iter()
        .map(ToString::to_string)
        .collect();
    assert_eq!(
        matchers,
        [r#"alertname="ReplicasChanged""#, r#"service=~"check.*""#]
    );
}

#[tokio::test]
async fn people_are_warned_before_the_effect_even_if_nobody_hears_it() {
    let world = proposed(SETUP).await;
    world.ticks(1..=125).await;
    world.assert_state(State::Succeeded, "").await;
    let warnings = world.herald.warnings.lock().unwrap();
    let said = warnings
        .iter()
        .map(|warning| (warning.state, warning.starts_at, warning.ends_at));
    let said: Vec<_> = said.collect();
    assert_eq!(
        said,
        [("grace", after(0), after(90)); 2],
        "when it is entered and when it is left"
    );
    assert!(
        warnings[0].summary.starts_with("scale 4 → 7"),
        "{warnings:?}"
    );
}

#[tokio::test]
async fn a_forecast_that_turned_out_badly_is_not_acted_on() {
    let world = World::of(SETUP).await;
    world.standing(Standing {
        mase: 3.0,
        coverage: 0.8,
        band: 0.8,
    });
    world.deliver(&firing(), 0).await;
    world.ticks(0..=25).await;
    let why = "cannot be trusted: its scaled error of late is 3.00, above 2";
    world.assert_state(State::Rejected, why).await;
}

const ASKING: Setup<'static> = Setup {
    mode: "mode: approve",
    ..SETUP
};

#[tokio::test]
async fn a_yes_is_for_the_plan_that_was_seen() {
    let world = proposed(ASKING).await;
    let id = world.action().await.id;
    let seen = plan(&world).await.hash();
    let edit = world.remediation.override_plan(id, "bob", 6, after(5));
    edit.await.unwrap();
    world
        .assert_state(State::Grace, "overridden by bob: scale 4 → 6")
        .await;
    let ada = Decider {
        state: Some(State::AwaitingApproval),
        plan: Some(&seen),
        ..Decider::from("ada")
    };
    let late = [
        world.remediation.approve(id, ada, after(6)).await,
        world.remediation.override_plan(id, ada, 7, after(6)).await,
    ];
    for late in late {
        let is_refused = matches!(
            late,
            Err(ControlError::Journal(StoreError::PlanChanged { .. }))
        );
        assert!(is_refused, "{late:?}");
    }
    world.ticks(7..=130).await;
    world.assert_state(State::Succeeded, "").await;
    assert_eq!(world.fleet().replicas, 6);
    let why = plan(&world).await.why;
    assert!(
        why.starts_with("6 wanted by bob; before: 812 foreseen"),
        "{why}"
    );
}

#[tokio::test]
async fn a_yes_to_the_right_plan_is_a_yes() {
    let world = proposed(ASKING).await;
    let id = world.action().await.id;
    let hash = plan(&world).await.hash();
    let ada = Decider {
        plan: Some(&hash),
        ..Decider::from("ada")
    };
    let yes = world.remediation.approve(id, ada, after(5));
    yes.await.unwrap();
    world.assert_state(State::Grace, "approved by ada").await;
}

#[tokio::test]
async fn a_person_may_scale_down_within_the_limits() {
    let world = proposed(ASKING).await;
    let id = world.action().await.id;
    let refused = world
        .remediation
        .override_plan(id, "bob", 2, after(5))
        .await;
    let words = refused.unwrap_err().to_string();
    assert_eq!(words, "this cannot be: 2 is below min, which is 3");
    let refused = world
        .remediation
        .override_plan(id, "bob", 9, after(5))
        .await;
    let words = refused.unwrap_err().to_string();
    assert_eq!(
        words,
        "this cannot be: step_up allows no more than 8 from 4"
    );
    let down = world.remediation.override_plan(id, "bob", 3, after(6));
    down.await.unwrap();
    world.ticks(6..=130).await;
    world.assert_state(State::Succeeded, "").await;
    assert_eq!(world.fleet().replicas, 3);
    world
        .remediation
        .rollback(id, "ada", after(140))
        .await
        .unwrap();
    world.tick(141).await;
    assert_eq!(world.fleet().replicas, 4);
}

#[tokio::test]
async fn scaling_down_waits_for_longer() {
    let world = proposed(SETUP).await;
    world.ticks(1..=125).await;
    world.assert_state(State::Succeeded, "").await;
    world.foresee(Some(1_500.0));
    // Long after the pause before more, well within the pause before less.
    let next = vec![alert("firing", "f2", crate::world::BEGUN, "checkout")];
    world.deliver(&next, 400).await;
    world.tick(400).await;
    let newest = world.actions().await[0].clone();
    assert_eq!(newest.state, State::Grace, "{}", newest.reason);
    let down = world
        .remediation
        .override_plan(newest.id, "bob", 6, after(401));
    down.await.unwrap();
    world.ticks(401..=500).await;
    let newest = &world.actions().await[0];
    assert_eq!(newest.state, State::Rejected);
    assert!(newest.reason.contains("cooling down"), "{}", newest.reason);
    assert_eq!(world.fleet().replicas, 7);
}

#[tokio::test]
async fn what_an_alert_says_is_kept_and_a_dry_run_is_shown() {
    let world = proposed(ASKING).await;
    let deliveries = world.remediation.deliveries(10).await.unwrap();
    let said = deliveries[0].alert.as_ref().unwrap();
    assert_eq!(said["labels"]["service"], "checkout");
    let rehearsal = plan(&world).await.rehearsal.unwrap();
    assert!(
        rehearsal.starts_with("would send PUT http://127.0.0.1:"),
        "{rehearsal}"
    );
    assert!(
        rehearsal.ends_with("/replicas with 31 bytes"),
        "{rehearsal}"
    );
}
