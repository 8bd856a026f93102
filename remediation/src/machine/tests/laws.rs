//! Laws that every history of an action keeps.

use super::*;
use proptest::prelude::*;

fn events() -> impl Strategy<Value = Event> {
    let text = || Just("because".to_owned());
    prop_oneof![
        Just(Event::Planned(plan())),
        Just(Event::Suffices(plan())),
        text().prop_map(Event::Unneeded),
        text().prop_map(Event::Refused),
        text().prop_map(|actor| Event::Approved { actor }),
        text().prop_map(|actor| Event::Rejected {
            reason: actor.clone(),
            actor
        }),
        Just(Event::Cleared(Shape::of(4))),
        text().prop_map(Event::Ensured),
        text().prop_map(Event::Unensurable),
        text().prop_map(Event::Verified),
        text().prop_map(Event::Unverified),
        text().prop_map(Event::Doubted),
        text().prop_map(Event::Unjudged),
        text().prop_map(Event::Queued),
        text().prop_map(|actor| Event::Edited {
            actor,
            plan: plan()
        }),
        text().prop_map(|actor| Event::RollbackAsked { actor }),
        text().prop_map(Event::Restored),
        text().prop_map(Event::Unrestorable),
        Just(Event::Abandoned),
        Just(Event::Elapsed(None)),
    ]
}

fn histories() -> impl Strategy<Value = (Mode, OnTimeout, Vec<(u64, Event)>)> {
    let modes = prop_oneof![Just(Mode::Observe), Just(Mode::Approve), Just(Mode::Auto)];
    let timeouts = prop_oneof![Just(OnTimeout::Reject), Just(OnTimeout::Approve)];
    let events = proptest::collection::vec((0..200_u64, events()), 0..40);
    (modes, timeouts, events)
}

/// The order in which stages and states come; a transition always goes up.
fn rank(action: &Action) -> (u32, usize) {
    let state = State::ALL.iter().position(|s| *s == action.state);
    (action.stage, state.unwrap())
}

proptest! {
    #[test]
    fn every_action_ends_by_time_alone((mode, on_timeout, history) in histories()) {
        let pace = Pace { on_timeout, ..PACE };
        let (mut action, mut now) = (action(mode, State::Proposed), NOW);
        for (seconds, event) in history {
            now = now + Duration::from_secs(seconds);
            apply(&mut action, &event, &pace, now);
        }
        // Once for each state, and again for those of the second stage.
        for _ in 0..2 * State::ALL.len() {
            now = now + Duration::from_hours(1);
            apply(&mut action, &Event::Elapsed(None), &pace, now);
        }
        prop_assert!(!action.state.is_open(), "{}", action.state);
    }

    #[test]
    fn no_state_is_entered_twice_at_a_stage_and_ends_are_final((mode, _, history) in histories()) {
        let (mut action, mut now) = (action(mode, State::Proposed), NOW);
        for (seconds, event) in history {
            now = now + Duration::from_secs(seconds);
            let (before, rank_before) = (action.state, rank(&action));
            if !apply(&mut action, &event, &PACE, now) {
                continue;
            }
            let is_grace_anew = matches!(event, Event::Edited { .. } | Event::Queued(_))
                && before == State::Grace;
            let is_asked_for = matches!(event, Event::RollbackAsked { .. });
            let may_reopen = matches!(before, State::Succeeded | State::Failed) && is_asked_for;
            let goes_up = rank(&action) > rank_before || may_reopen;
            prop_assert!(goes_up || is_grace_anew, "{before} → {}", action.state);
            prop_assert!(before.is_open() || may_reopen, "{before} → {}", action.state);
        }
    }

    #[test]
    fn effects_are_called_for_only_once_they_are_in_the_journal((mode, _, history) in histories()) {
        let (mut action, mut now) = (action(mode, State::Proposed), NOW);
        let mut is_cleared = false;
        for (seconds, event) in history {
            now = now + Duration::from_secs(seconds);
            let work = work(&action, now);
            prop_assert_eq!(work == Work::Ensure, action.state == State::Applying);
            prop_assert_eq!(work == Work::Restore, action.state == State::RollingBack);
            prop_assert!(!action.state.has_effect() || is_cleared, "an effect without a look at the guards");
            let clears = action.state == State::Grace && matches!(event, Event::Cleared(_));
            is_cleared |= apply(&mut action, &event, &PACE, now) && clears;
        }
    }

    #[test]
    fn observing_never_has_an_effect((_, on_timeout, history) in histories()) {
        let pace = Pace { on_timeout, ..PACE };
        let (mut action, mut now) = (action(Mode::Observe, State::Proposed), NOW);
        for (seconds, event) in history {
            now = now + Duration::from_secs(seconds);
            apply(&mut action, &event, &pace, now);
            prop_assert!(!action.state.has_effect());
        }
    }
}
