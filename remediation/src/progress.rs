//! What is known of running work between ticks. Losing it in a crash costs a pause, never an action.

use series::Timestamp;
use std::{
    collections::{HashMap, HashSet},
    sync::{Mutex, MutexGuard, PoisonError},
    time::Duration,
};
use store::{Action, ActionId};

/// The efforts that open actions have cost in their present state.
#[derive(Debug, Default)]
pub(crate) struct Progress(Mutex<HashMap<ActionId, Effort>>);

#[derive(Debug, Default)]
struct Effort {
    is_claimed: bool,
    n_attempts: u32,
    /// Attempts that got as far as a write.
    n_writes: u32,
    /// Whether something else than its turn is missing; not known before the first look.
    is_elsewhere: Option<bool>,
    not_before: Option<Timestamp>,
    awaited: Option<String>,
}

/// What keeps an action from its effect.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Missing {
    /// Its turn.
    Turn,
    /// Something else, so that it would not take its turn if it came.
    More,
}

/// The right to work on an action; at most one exists at a time, and dropping it gives it back.
#[derive(Debug)]
pub(crate) struct Claim<'a> {
    progress: &'a Progress,
    id: ActionId,
}

/// The first pause after a failed attempt; it doubles each time.
const FIRST_PAUSE: Duration = Duration::from_secs(1);

/// The longest pause, also where a server asks for more: the deadline of the action would pass in it.
const LONGEST_PAUSE: Duration = Duration::from_secs(30);

impl Progress {
    /// Claims an action, unless another tick works on it.
    pub(crate) fn claim(&self, id: ActionId) -> Option<Claim<'_>> {
        let mut efforts = self.lock();
        let effort = efforts.entry(id).or_default();
        if effort.is_claimed {
            return None;
        }
        effort.is_claimed = true;
        Some(Claim { progress: self, id })
    }

    /// What an action waits for, if it cannot go on.
    pub(crate) fn held_up(&self, id: ActionId) -> Option<String> {
        self.lock().get(&id)?.awaited.clone()
    }

    /// Whether an action that waits for its turn would take it, as far as is known.
    pub(crate) fn would_take_its_turn(&self, id: ActionId) -> bool {
        let efforts = self.lock();
        let is_elsewhere = efforts.get(&id).and_then(|effort| effort.is_elsewhere);
        is_elsewhere != Some(true)
    }

    /// Forgets actions that have ended.
    pub(crate) fn keep(&self, open: &[Action]) {
        let open: HashSet<_> = open.iter().map(|action| action.id).collect();
        self.lock()
            .retain(|id, effort| effort.is_claimed || open.contains(id));
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<ActionId, Effort>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Claim<'_> {
    /// Whether the pause after a failed attempt still lasts.
    pub(crate) fn is_pausing(&self, now: Timestamp) -> bool {
        // A pause that seems longer than any can be is one that a clock was put back in.
        let is_ahead = |until: Timestamp| now < until && until <= now + LONGEST_PAUSE;
        self.with(|effort| effort.not_before.is_some_and(is_ahead))
    }

    /// What the action waits for, as noted last.
    pub(crate) fn awaited(&self) -> Option<String> {
        self.with(|effort| effort.awaited.clone())
    }

    /// Notes what the action waits for; whether that is another thing than before, and not just another number.
    pub(crate) fn awaits(&self, what: &str) -> bool {
        let gist = |text: &str| text.replace(|c: char| c.is_ascii_digit(), "");
        let before = self.with(|effort| effort.awaited.replace(what.to_owned()));
        before.is_none_or(|before| gist(&before) != gist(what))
    }

    /// Notes that nothing is waited for but time.
    pub(crate) fn goes_on(&self) {
        self.with(|effort| effort.awaited = None);
    }

    /// Notes a failed attempt, begins a pause and returns the number of attempts so far.
    pub(crate) fn failed(&self, asked: Option<Duration>, now: Timestamp) -> u32 {
        self.with(|effort| {
            let doubled = FIRST_PAUSE * 2_u32.pow(effort.n_attempts.min(5));
            let pause = doubled.max(asked.unwrap_or_default()).min(LONGEST_PAUSE);
            effort.n_attempts += 1;
            effort.not_before = Some(now + pause);
            effort.n_attempts
        })
    }

    /// Counts a failed write, and begins the pause after it.
    pub(crate) fn failed_to_write(&self, asked: Option<Duration>, now: Timestamp) -> u32 {
        self.failed(asked, now);
        self.with(|effort| {
            effort.n_writes += 1;
            effort.n_writes
        })
    }

    /// How many writes have failed.
    pub(crate) fn n_writes(&self) -> u32 {
        self.with(|effort| effort.n_writes)
    }

    /// Notes that its turn is all that is missing, or that something else is.
    pub(crate) fn misses(&self, missing: Missing) {
        self.with(|effort| effort.is_elsewhere = Some(missing == Missing::More));
    }

    /// Begins a pause without an attempt.
    pub(crate) fn rest(&self, pause: Duration, now: Timestamp) {
        self.with(|effort| effort.not_before = Some(now + pause.min(LONGEST_PAUSE)));
    }

    /// Begins anew, in another state.
    pub(crate) fn renew(&self) {
        self.with(|effort| {
            *effort = Effort {
                is_claimed: true,
                ..Effort::default()
            };
        });
    }

    fn with<T>(&self, act: impl FnOnce(&mut Effort) -> T) -> T {
        act(self.progress.lock().entry(self.id).or_default())
    }
}

impl Drop for Claim<'_> {
    fn drop(&mut self) {
        self.with(|effort| effort.is_claimed = false);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Timestamp = Timestamp::from_seconds(1_000);

    #[test]
    fn an_action_is_worked_on_once_at_a_time() {
        let (progress, id) = (Progress::default(), ActionId::new(NOW));
        let claim = progress.claim(id).unwrap();
        assert!(progress.claim(id).is_none());
        assert!(progress.claim(ActionId::new(NOW)).is_some());
        drop(claim);
        assert!(progress.claim(id).is_some());
    }

    #[test]
    fn pauses_double_up_to_a_limit_and_listen_to_the_server() {
        let progress = Progress::default();
        let claim = progress.claim(ActionId::new(NOW)).unwrap();
        let pause = |asked: Option<u64>| {
            claim.failed(asked.map(Duration::from_secs), NOW);
            let ends = |s: &u64| !claim.is_pausing(NOW + Duration::from_secs(*s));
            (0..100).find(ends).unwrap()
        };
        let pauses: Vec<_> = [None, None, None, Some(7), Some(900), None]
            .map(pause)
            .to_vec();
        assert_eq!(pauses, [1, 2, 4, 8, 30, 30]);
        claim.renew();
        assert!(!claim.is_pausing(NOW));
    }

    #[test]
    fn another_number_is_not_another_thing_to_wait_for() {
        let (progress, id) = (Progress::default(), ActionId::new(NOW));
        let claim = progress.claim(id).unwrap();
        assert!(claim.awaits("7 of 8 instances are ready"));
        assert!(!claim.awaits("8 of 8 instances are ready"));
        assert!(claim.awaits("no answer"));
        assert_eq!(progress.held_up(id).as_deref(), Some("no answer"));
        claim.goes_on();
        assert_eq!(progress.held_up(id), None);
    }

    #[test]
    fn a_clock_that_is_put_back_does_not_stretch_a_pause() {
        let progress = Progress::default();
        let claim = progress.claim(ActionId::new(NOW)).unwrap();
        claim.failed(Some(LONGEST_PAUSE), NOW);
        assert!(claim.is_pausing(NOW));
        assert!(!claim.is_pausing(NOW - Duration::from_secs(1)));
    }
}
