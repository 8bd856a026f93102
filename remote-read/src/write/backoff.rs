//! How long to wait between attempts.

use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;
use std::time::Duration;

/// Waits that double from attempt to attempt within bounds, each spread at random over its upper half, so that
/// many senders do not come back all at once.
#[derive(Debug, Clone)]
pub struct Backoff {
    min: Duration,
    max: Duration,
    next: Duration,
    random: ChaCha8Rng,
}

impl Backoff {
    /// Waits from `min` to `max`, which is raised to `min` where it lies below.
    pub fn new(min: Duration, max: Duration, seed: u64) -> Self {
        Self {
            min,
            max: max.max(min),
            next: min,
            random: ChaCha8Rng::seed_from_u64(seed),
        }
    }

    /// The wait before the next attempt: as long as was asked for, or as the bounds have it where nothing was.
    /// Nobody can ask for more than `max_asked`.
    pub fn wait(&mut self, asked: Option<Duration>, max_asked: Duration) -> Duration {
        let half = self.next / 2;
        self.next = self.next.saturating_mul(2).min(self.max);
        let spread = half.mul_f64(self.random.random_range(0.0..=1.0));
        match asked {
            // Spread upwards: coming earlier than asked would be no use.
            Some(asked) => asked.min(max_asked).saturating_add(spread),
            None => half.saturating_add(spread),
        }
    }

    /// Begins anew, after a success.
    pub fn reset(&mut self) {
        self.next = self.min;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const SECOND: Duration = Duration::from_secs(1);

    #[test]
    fn waits_double_up_to_their_bound_and_begin_anew() {
        let mut backoff = Backoff::new(SECOND, 5 * SECOND, 1);
        for whole in [1, 2, 4, 5, 5].map(|n| n * SECOND) {
            let wait = backoff.wait(None, SECOND);
            assert!(whole / 2 <= wait && wait <= whole, "{wait:?} of {whole:?}");
        }
        backoff.reset();
        assert!(backoff.wait(None, SECOND) <= SECOND);
    }

    #[test]
    fn a_receiver_is_not_asked_earlier_than_it_wants_nor_kept_waiting_for_ever() {
        let mut backoff = Backoff::new(SECOND, SECOND, 1);
        let wait = backoff.wait(Some(7 * SECOND), 60 * SECOND);
        assert!(7 * SECOND <= wait && wait <= 8 * SECOND, "{wait:?}");
        let wait = backoff.wait(Some(Duration::MAX), 60 * SECOND);
        assert!(wait <= 61 * SECOND, "{wait:?}");
    }

    #[test]
    fn the_seed_decides() {
        let waits = |seed| {
            let mut backoff = Backoff::new(SECOND, 100 * SECOND, seed);
            [(); 5].map(|()| backoff.wait(None, SECOND))
        };
        assert_eq!(waits(1), waits(1));
        assert_ne!(waits(1), waits(2));
    }

    proptest! {
        #[test]
        fn no_bounds_make_it_panic(min: Duration, max: Duration, seed: u64, asked: Option<Duration>) {
            let mut backoff = Backoff::new(min, max, seed);
            for _ in 0..3 {
                prop_assert!(backoff.wait(None, SECOND) <= min.max(max));
                backoff.wait(asked, SECOND);
            }
        }
    }
}
