//! What reading history may cost the user's Prometheus: so many queries at once, and so many samples a second.

use std::{
    num::NonZeroU32,
    sync::{Mutex, PoisonError},
    time::Duration,
};
use tokio::{
    sync::{Semaphore, SemaphorePermit},
    time::{Instant, sleep_until},
};

/// Two of the twenty queries that Prometheus works on at once by default.
const CONCURRENCY: NonZeroU32 = NonZeroU32::new(2).unwrap();

/// A fraction of what one core of Prometheus reads in a second.
const SAMPLES_PER_SECOND: NonZeroU32 = NonZeroU32::new(2_000_000).unwrap();

/// How much may be read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct HistoryLimits {
    /// Queries for history at once.
    pub(crate) concurrency: NonZeroU32,
    /// Samples a second, over all of them.
    pub(crate) samples_per_second: NonZeroU32,
}

impl Default for HistoryLimits {
    fn default() -> Self {
        Self {
            concurrency: CONCURRENCY,
            samples_per_second: SAMPLES_PER_SECOND,
        }
    }
}

/// Admits queries for history.
///
/// How much an answer holds is known when it is there, so it is paid for afterwards: the next query waits until the
/// samples of those before it are worth the time that has passed.
#[derive(Debug)]
pub(crate) struct Budget {
    limits: HistoryLimits,
    permits: Semaphore,
    samples_per_second: f64,
    /// When all that was read is paid for.
    paid_at: Mutex<Instant>,
}

impl Budget {
    /// Nothing owed yet.
    pub(crate) fn new(limits: HistoryLimits) -> Self {
        let permits = usize::try_from(limits.concurrency.get()).unwrap_or(usize::MAX);
        Self {
            limits,
            permits: Semaphore::new(permits.min(Semaphore::MAX_PERMITS)),
            samples_per_second: f64::from(limits.samples_per_second.get()),
            paid_at: Mutex::new(Instant::now()),
        }
    }

    /// What it was made for.
    pub(crate) fn limits(&self) -> HistoryLimits {
        self.limits
    }

    /// Waits for a turn. Hold the permit until the answer is there.
    pub(crate) async fn enter(&self) -> SemaphorePermit<'_> {
        let permit = self
            .permits
            .acquire()
            .await
            .expect("the semaphore is never closed");
        let paid_at = *self.lock();
        sleep_until(paid_at).await;
        permit
    }

    /// Puts an answer's samples on the bill.
    pub(crate) fn spend(&self, n_samples: usize) {
        let cost = Duration::from_secs_f64(n_samples as f64 / self.samples_per_second);
        let mut paid_at = self.lock();
        *paid_at = (*paid_at).max(Instant::now()) + cost;
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Instant> {
        self.paid_at.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn budget(concurrency: u32, samples_per_second: u32) -> Budget {
        Budget::new(HistoryLimits {
            concurrency: NonZeroU32::new(concurrency).unwrap(),
            samples_per_second: NonZeroU32::new(samples_per_second).unwrap(),
        })
    }

    #[tokio::test(start_paused = true)]
    async fn what_was_read_is_paid_for_before_the_next_query() {
        let budget = budget(2, 1_000);
        let begun = Instant::now();
        drop(budget.enter().await);
        assert_eq!(begun.elapsed().as_millis(), 0);
        budget.spend(3_000);
        budget.spend(500);
        drop(budget.enter().await);
        assert!((3_500..3_510).contains(&begun.elapsed().as_millis()));
        // Time that passed unused is not saved up.
        tokio::time::sleep(Duration::from_mins(1)).await;
        budget.spend(2_000);
        let begun = Instant::now();
        drop(budget.enter().await);
        assert!((2_000..2_010).contains(&begun.elapsed().as_millis()));
    }

    #[tokio::test(start_paused = true)]
    async fn no_more_queries_run_at_once_than_are_allowed() {
        let budget = budget(2, 1_000);
        let (_one, _other) = (budget.enter().await, budget.enter().await);
        let third = tokio::time::timeout(Duration::from_secs(9), budget.enter()).await;
        assert!(third.is_err());
    }
}
