//! How long ago something was written down, by a clock that nobody puts forward or back.

use series::Timestamp;
use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};
use store::{Action, ActionId};

/// A clock that is neither put forward nor back, since some fixed time; the argument is the present by the machine's
/// clock, for those who have no other.
pub type SteadyClock = Arc<dyn Fn(Timestamp) -> Duration + Send + Sync>;

/// Takes the machine's clock to be steady, as in a simulation.
pub(crate) fn wall_clock() -> SteadyClock {
    Arc::new(|now| Duration::from_millis(now.as_millis().unsigned_abs()))
}

/// Stamps beyond which those are forgotten that were not asked for in the last day.
const MANY: usize = 1_000;

/// How long a stamp is remembered that nobody asks for.
const MEMORY: Duration = Duration::from_hours(24);

/// When stamps of the journal were made, by the steady clock.
pub(crate) struct Ages {
    clock: SteadyClock,
    known: Mutex<HashMap<(ActionId, Timestamp), Known>>,
}

#[derive(Debug, Clone, Copy)]
struct Known {
    /// What the steady clock showed at the stamp; less than nought where that was before its beginning.
    made_ms: i128,
    asked_at: Duration,
}

impl Ages {
    pub(crate) fn new(clock: SteadyClock) -> Self {
        Self {
            clock,
            known: Mutex::default(),
        }
    }

    /// What the steady clock shows.
    pub(crate) fn steady(&self, now: Timestamp) -> Duration {
        (self.clock)(now)
    }

    /// Notes that a stamp was made just now.
    pub(crate) fn note(&self, id: ActionId, stamp: Timestamp, now: Timestamp) {
        let steady = self.steady(now);
        let made_ms = millis(steady);
        self.lock(steady).insert(
            (id, stamp),
            Known {
                made_ms,
                asked_at: steady,
            },
        );
    }

    /// How long ago a stamp was made. One of an earlier start is judged by the machine's clock when it is first asked
    /// for; where it lies in the future by that, it counts as made just then.
    pub(crate) fn age(&self, id: ActionId, stamp: Timestamp, now: Timestamp) -> Duration {
        let steady = self.steady(now);
        let mut known = self.lock(steady);
        let known = known.entry((id, stamp)).or_insert_with(|| Known {
            made_ms: millis(steady)
                - i128::from(now.as_millis().saturating_sub(stamp.as_millis()).max(0)),
            asked_at: steady,
        });
        known.asked_at = steady;
        let age = (millis(steady) - known.made_ms).max(0);
        Duration::from_millis(u64::try_from(age).unwrap_or(u64::MAX))
    }

    /// The present by the clock that showed the time of an action's last transition.
    pub(crate) fn own(&self, action: &Action, now: Timestamp) -> Timestamp {
        action.updated_at + self.age(action.id, action.updated_at, now)
    }

    fn lock(&self, steady: Duration) -> MutexGuard<'_, HashMap<(ActionId, Timestamp), Known>> {
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        if known.len() > MANY {
            known.retain(|_, known| steady.saturating_sub(known.asked_at) < MEMORY);
        }
        known
    }
}

fn millis(duration: Duration) -> i128 {
    i128::try_from(duration.as_millis()).unwrap_or(i128::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

    const NOW: Timestamp = Timestamp::from_seconds(1_800_000_000);
    const HOUR: Duration = Duration::from_hours(1);

    fn watch() -> (Arc<AtomicU64>, Ages) {
        let seconds = Arc::new(AtomicU64::new(7));
        let read = Arc::clone(&seconds);
        let clock = Arc::new(move |_| Duration::from_secs(read.load(Relaxed)));
        (seconds, Ages::new(clock))
    }

    #[test]
    fn a_clock_that_is_put_back_or_forward_changes_no_age() {
        let (seconds, ages) = watch();
        let id = ActionId::new(NOW);
        ages.note(id, NOW, NOW);
        seconds.store(97, Relaxed);
        for now in [NOW - HOUR, NOW, NOW + HOUR] {
            assert_eq!(ages.age(id, NOW, now), Duration::from_secs(90));
        }
    }

    #[test]
    fn a_stamp_of_an_earlier_start_is_judged_by_the_machines_clock_once() {
        let (seconds, ages) = watch();
        let id = ActionId::new(NOW);
        assert_eq!(ages.age(id, NOW, NOW + HOUR), HOUR);
        seconds.store(17, Relaxed);
        assert_eq!(
            ages.age(id, NOW, NOW - HOUR),
            HOUR + Duration::from_secs(10)
        );
    }

    #[test]
    fn a_stamp_in_the_future_counts_as_made_just_now() {
        let (seconds, ages) = watch();
        let (id, ahead) = (ActionId::new(NOW), NOW + HOUR);
        assert_eq!(ages.age(id, ahead, NOW), Duration::ZERO);
        seconds.store(67, Relaxed);
        assert_eq!(ages.age(id, ahead, NOW), Duration::from_mins(1));
    }

    #[test]
    fn stamps_that_nobody_asks_for_are_forgotten() {
        let (seconds, ages) = watch();
        for _ in 0..MANY {
            ages.note(ActionId::new(NOW), NOW, NOW);
        }
        seconds.store(2 * 86_400, Relaxed);
        for _ in 0..3 {
            ages.note(ActionId::new(NOW), NOW, NOW);
        }
        assert!(ages.lock(Duration::ZERO).len() <= 3);
    }
}
