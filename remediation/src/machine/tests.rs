//! The ways through the state machine that people care about.

mod laws;

use super::*;
use crate::Stage;
use store::{ActionId, Cause, Mode};

const NOW: Timestamp = Timestamp::from_seconds(1_800_000_000);

const PACE: Pace = Pace {
    grace: Duration::from_secs(90),
    approval_timeout: Duration::from_mins(1),
    on_timeout: OnTimeout::Reject,
    wait: Duration::from_secs(30),
    on_inconclusive: OnInconclusive::Keep,
};

fn plan() -> Plan {
    Plan {
        target: Shape::of(7),
        observed: Shape::of(4),
        stages: [5, 7]
            .map(|replicas| Stage::judged(Shape::of(replicas)))
            .to_vec(),
        rehearsal: None,
        per_replica: None,
        course: None,
        demand: 812.0,
        demand_at: 0,
        horizon: "1h".to_owned(),
        quantile: 0.95,
        why: "812 foreseen in 1h needs 7".to_owned(),
    }
}

fn action(mode: Mode, state: State) -> Action {
    Action {
        id: ActionId::new(NOW),
        workload: "shop".to_owned(),
        state,
        mode,
        cause: Cause {
            fingerprint: "f".to_owned(),
            starts_at: NOW,
        },
        plan: None,
        pre_image: None,
        stage: 0,
        stage_at: None,
        plan_no: 0,
        effect: None,
        created_at: NOW,
        updated_at: NOW,
        applied_at: None,
        deadline: state.is_open().then_some(NOW + PLANNING_LIMIT),
        reason: String::new(),
        ending: None,
        attempt: 1,
        wanted_since: NOW,
        queued_at: None,
        begun: 1,
        moved: 1,
    }
}

fn apply(action: &mut Action, event: &Event, pace: &Pace, now: Timestamp) -> bool {
    let Some(step) = step(action, event, pace, now.into()) else {
        return false;
    };
    (action.state, action.deadline, action.reason) = (step.to, step.deadline, step.reason);
    action.stage = step.stage.unwrap_or(action.stage);
    action.ending = step.ending.or(action.ending);
    action.queued_at = step.queued_at.or(action.queued_at);
    if let Event::Planned(plan) | Event::Edited { plan, .. } = event {
        action.plan = Some(plan.to_json());
    }
    true
}

#[track_caller]
fn check(mode: Mode, events: &[Event], expect: &[(State, &str)]) {
    let mut action = action(mode, State::Proposed);
    for (event, (state, reason)) in events.iter().zip(expect) {
        // Each event comes when the state that it ends has run out, so that `Elapsed` counts.
        let now = expires_at(&action).unwrap_or(NOW);
        assert!(apply(&mut action, event, &PACE, now), "{event:?}");
        assert_eq!((action.state, action.reason.as_str()), (*state, *reason));
    }
    assert_eq!(events.len(), expect.len());
}

fn by(actor: &str) -> String {
    actor.to_owned()
}

const SCALE: &str = "scale 4 → 7: 812 foreseen in 1h needs 7";

#[test]
fn the_straight_way_of_an_automatic_action() {
    check(
        Mode::Auto,
        &[
            Event::Planned(plan()),
            Event::Cleared(Shape::of(4)),
            Event::Ensured(by("scaled")),
            Event::Verified(by("good")),
            Event::Ensured(by("scaled on")),
            Event::Verified(by("better")),
        ],
        &[
            (State::Grace, &format!("{SCALE}; it begins in 1m30s")),
            (State::Applying, "cleared, with 4 found"),
            (State::Verifying, "scaled"),
            (State::Applying, "good; on to stage 2 of 2"),
            (State::Verifying, "scaled on"),
            (State::Succeeded, "better"),
        ],
    );
}

#[test]
fn observing_ends_with_what_would_have_been() {
    let reason = format!(
        "observe mode: would have {}",
        SCALE.replacen("scale", "scaled", 1)
    );
    check(
        Mode::Observe,
        &[Event::Planned(plan())],
        &[(State::Rejected, &reason)],
    );
}

#[test]
fn what_suffices_ends_with_what_it_suffices_for() {
    check(
        Mode::Auto,
        &[Event::Suffices(plan())],
        &[(
            State::Superseded,
            "nothing to do: 812 foreseen in 1h needs 7",
        )],
    );
}

#[test]
fn silence_means_no() {
    check(
        Mode::Approve,
        &[Event::Planned(plan()), Event::Elapsed(None)],
        &[
            (State::AwaitingApproval, SCALE),
            (State::Expired, "nobody approved in time"),
        ],
    );
}

#[test]
fn silence_means_yes_where_that_is_configured() {
    let mut action = action(Mode::Approve, State::AwaitingApproval);
    let pace = Pace {
        on_timeout: OnTimeout::Approve,
        ..PACE
    };
    let end = expires_at(&action).unwrap();
    let elapsed = Event::Elapsed(None);
    assert!(!apply(
        &mut action,
        &elapsed,
        &pace,
        end - Duration::from_millis(1)
    ));
    assert!(apply(&mut action, &elapsed, &pace, end));
    assert_eq!(action.state, State::Grace);
}

#[test]
fn an_effect_that_nobody_can_judge_is_undone() {
    let mut action = action(Mode::Auto, State::Verifying);
    let end = expires_at(&action).unwrap();
    let away = Event::Elapsed(Some(by("Prometheus is away")));
    assert!(apply(&mut action, &away, &PACE, end));
    assert_eq!(action.state, State::RollingBack);
    assert_eq!(
        action.reason,
        "the effect could not be judged in time: Prometheus is away"
    );
}

#[test]
fn a_person_decides_where_looks_do_not() {
    let mut action = action(Mode::Approve, State::Verifying);
    action.plan = Some(plan().to_json());
    let doubt = Event::Doubted(by("too few requests"));
    assert!(apply(&mut action, &doubt, &PACE, NOW));
    assert_eq!(action.state, State::Paused);
    assert_eq!(action.deadline, Some(NOW + PACE.approval_timeout));
    let paused = action.clone();
    let yes = Event::Approved { actor: by("ada") };
    assert!(apply(&mut action, &yes, &PACE, NOW));
    assert_eq!((action.state, action.stage), (State::Applying, 1));
    let mut other = paused;
    let no = Event::Rejected {
        actor: by("ada"),
        reason: by("it is slow"),
    };
    assert!(apply(&mut other, &no, &PACE, NOW));
    assert_eq!(
        (other.state, other.reason.as_str()),
        (State::RollingBack, "it is slow")
    );
}

#[test]
fn what_nobody_decides_goes_the_configured_way() {
    let check = |mode, on_inconclusive, expect| {
        let mut action = action(mode, State::Verifying);
        let pace = Pace {
            on_inconclusive,
            ..PACE
        };
        assert!(apply(&mut action, &Event::Doubted(by("so so")), &pace, NOW));
        let end = NOW + PACE.approval_timeout;
        apply(&mut action, &Event::Elapsed(None), &pace, end);
        assert_eq!(action.state, expect, "{mode}");
    };
    for mode in [Mode::Auto, Mode::Approve] {
        check(mode, OnInconclusive::Keep, State::Succeeded);
        check(mode, OnInconclusive::Rollback, State::RollingBack);
    }
}

#[test]
fn what_breaks_off_half_way_goes_back_and_what_never_began_does_not() {
    let check = |stage, expect| {
        for event in [Event::Unensurable(by("403")), Event::Elapsed(None)] {
            let mut action = action(Mode::Auto, State::Applying);
            action.stage = stage;
            let end = expires_at(&action).unwrap();
            assert!(apply(&mut action, &event, &PACE, end));
            assert_eq!(action.state, expect);
        }
    };
    check(0, State::Failed);
    check(1, State::RollingBack);
}

#[test]
fn an_edited_plan_begins_its_grace_anew() {
    let edited = Event::Edited {
        actor: by("ada"),
        plan: plan(),
    };
    for state in [State::AwaitingApproval, State::Grace] {
        let mut action = action(Mode::Approve, state);
        assert!(apply(&mut action, &edited, &PACE, NOW));
        assert_eq!(action.state, State::Grace);
        assert_eq!(
            action.reason,
            "overridden by ada: scale 4 → 7; it begins in 1m30s"
        );
    }
    let mut late = action(Mode::Approve, State::Applying);
    assert!(!apply(&mut late, &edited, &PACE, NOW));
}

#[test]
fn a_rollback_that_failed_can_be_asked_for_again() {
    let asked = Event::RollbackAsked { actor: by("ada") };
    let mut failed = action(Mode::Auto, State::Failed);
    assert!(!apply(&mut failed, &asked, &PACE, NOW), "it had no effect");
    failed.pre_image = Some(Shape::of(4).to_json());
    assert!(apply(&mut failed, &asked, &PACE, NOW));
    assert_eq!(failed.state, State::RollingBack);
    assert_eq!(failed.ending, Some(Ending::Refused));
}

#[test]
fn a_turn_is_waited_for_longer_than_other_obstacles() {
    let mut action = action(Mode::Auto, State::Grace);
    let deadline = action.deadline.unwrap();
    assert_eq!(expires_at(&action), Some(deadline + CLEARING_PATIENCE));
    let late = deadline + Duration::from_secs(10);
    let reading = Reading {
        wall: late - Duration::from_hours(1),
        own: late,
    };
    let step = step(&action, &Event::Queued(by("two run")), &PACE, reading).unwrap();
    assert_eq!(step.queued_at, Some(reading.wall));
    // The deadline moves with the clock that was put back.
    assert_eq!(step.deadline, Some(deadline - Duration::from_hours(1)));
    apply(&mut action, &Event::Queued(by("two run")), &PACE, late);
    assert_eq!(expires_at(&action), Some(late + QUEUE_PATIENCE));
}

#[track_caller]
fn ends_as(mode: Mode, state: State, event: &Event, expect: Ending) {
    let mut action = action(mode, state);
    let whole = Plan {
        stages: Vec::new(),
        ..plan()
    };
    action.plan = Some(whole.to_json());
    let end = gives_up_at(&action).unwrap();
    assert!(apply(&mut action, event, &PACE, end), "{event:?}");
    assert_eq!(action.ending, Some(expect), "{state}: {event:?}");
}

fn rejected() -> Event {
    Event::Rejected {
        actor: by("ada"),
        reason: by("no"),
    }
}

#[test]
fn an_end_before_the_effect_says_what_it_means_to_an_alert_that_fires_on() {
    use Event::{Abandoned, Elapsed, Planned, Refused, Suffices};
    use Mode::{Approve, Auto, Observe};
    use State::{AwaitingApproval, Grace, Proposed};
    ends_as(Observe, Proposed, &Planned(plan()), Ending::Observed);
    ends_as(Auto, Proposed, &Suffices(plan()), Ending::Met);
    ends_as(Auto, Proposed, &Elapsed(None), Ending::Hindered);
    ends_as(Auto, Grace, &Refused(by("kill switch")), Ending::Hindered);
    ends_as(Auto, Grace, &rejected(), Ending::Refused);
    ends_as(Auto, Grace, &Abandoned, Ending::Hindered);
    ends_as(
        Approve,
        AwaitingApproval,
        &Elapsed(None),
        Ending::Unanswered,
    );
}

#[test]
fn an_end_after_the_effect_says_what_it_means_to_an_alert_that_fires_on() {
    use Event::{Elapsed, Unensurable, Unjudged, Unverified, Verified};
    use Mode::{Approve, Auto};
    use State::{Applying, Paused, Verifying};
    ends_as(Auto, Applying, &Unensurable(by("500")), Ending::Hindered);
    ends_as(Auto, Verifying, &Verified(by("good")), Ending::Met);
    ends_as(Auto, Verifying, &Unverified(by("bad")), Ending::Undone);
    ends_as(Auto, Verifying, &Unjudged(by("away")), Ending::Hindered);
    ends_as(Auto, Verifying, &Elapsed(None), Ending::Hindered);
    ends_as(Approve, Paused, &rejected(), Ending::Refused);
}
