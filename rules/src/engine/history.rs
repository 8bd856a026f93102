//! What a rule remembers of reading its history: how much Prometheus gives at once, and when to ask again.

use crate::{Failure, FailureReason, Shortened};
use prometheus_api::{QueryError, Reason, Refusal};
use series::{PromDuration, Timestamp};
use std::time::Duration;

/// Readings that may end in time-outs before the rule makes do with what it got: the server may be busy for a while.
const PATIENCE: u32 = 3;

/// Readings without a refusal after which larger pieces are tried.
const GROW_AFTER: u32 = 16;

/// The longest time between two attempts.
const MAX_WAIT: Duration = Duration::from_hours(1);

/// How the reading of one rule's history has gone.
#[derive(Debug, Clone, Default)]
pub(super) struct HistoryLog {
    /// The points that a piece may have; as many as an answer should have where nothing was refused.
    max_points: Option<usize>,
    /// Readings in a row that ended in time-outs.
    n_timeouts: u32,
    /// Nothing is asked for before.
    retry_at: Option<Timestamp>,
    shortened: Option<Shortened>,
    /// The evaluation that found it so.
    shortened_at: Option<Timestamp>,
    /// Readings in a row that met no refusal.
    n_whole: u32,
}

/// What was not read, and why.
pub(super) struct Unread {
    /// From the beginning that was meant to the one that was reached.
    pub(super) missing: Duration,
    pub(super) error: QueryError,
}

impl HistoryLog {
    /// How many points a piece is to have, where no more than so many are allowed.
    pub(super) fn max_points(&self, allowed: usize) -> usize {
        self.max_points.unwrap_or(allowed).min(allowed)
    }

    /// Remembers the size that the pieces of a reading came to by refusals.
    pub(super) fn note_refusals(&mut self, max_points: usize) {
        (self.max_points, self.n_whole) = (Some(max_points), 0);
    }

    /// Takes a reading that met no refusal. After some of them larger pieces are tried.
    pub(super) fn note_no_refusal(&mut self) {
        self.n_whole = self.n_whole.saturating_add(1);
        if self.n_whole >= GROW_AFTER
            && let Some(known) = &mut self.max_points
        {
            *known = known.saturating_mul(2);
            self.n_whole = 0;
        }
    }

    /// Takes it that a whole history is read anew, so that what was missing of the last one is of no account. Other parts
    /// of the same evaluation are.
    pub(super) fn begin_anew(&mut self, now: Timestamp) {
        if self.shortened_at != Some(now) {
            self.shortened = None;
        }
    }

    /// Takes an evaluation that had what it needed.
    pub(super) fn succeed(&mut self) {
        (self.n_timeouts, self.retry_at) = (0, None);
    }

    /// Takes a history whose beginning was refused. An error where another attempt is to be made later.
    pub(super) fn note_unread(
        &mut self,
        unread: Unread,
        now: Timestamp,
        interval: Duration,
    ) -> Result<(), Failure> {
        let is_passing = unread.error.refusal() == Some(Refusal::Time);
        if is_passing && self.n_timeouts + 1 < PATIENCE {
            let wait = interval.saturating_mul(1 << self.n_timeouts).min(MAX_WAIT);
            self.n_timeouts += 1;
            self.retry_at = Some(now + wait);
            return Err(unread.error.into());
        }
        (self.n_timeouts, self.retry_at) = (0, None);
        let shortened = Shortened {
            missing: unread.missing,
            why: Failure::from(unread.error).message,
        };
        let same = self.shortened_at.replace(now) == Some(now);
        let before = self.shortened.take().filter(|_| same);
        // Of several parts the one that lacks most.
        self.shortened = before
            .filter(|before| before.missing >= shortened.missing)
            .or(Some(shortened));
        Ok(())
    }

    /// The time until the next attempt. One that is further away than any that is set was set by a clock that was
    /// ahead.
    pub(super) fn wait(&self, now: Timestamp) -> Option<Duration> {
        let wait = self.retry_at?.since(now);
        (!wait.is_zero() && wait <= MAX_WAIT).then_some(wait)
    }

    /// What is missing of the history since it was read last.
    pub(super) fn shortened(&self) -> Option<&Shortened> {
        self.shortened.as_ref()
    }
}

/// The failure of an evaluation that needs history before it may be asked for again.
pub(super) fn too_early(wait: Duration) -> Failure {
    let wait = PromDuration::new(wait);
    Failure::new(
        FailureReason::Query(Reason::Timeout),
        format!(
            "Prometheus did not answer for the history in time; the next attempt, in smaller pieces, is due in {wait}"
        ),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    const MINUTE: Duration = Duration::from_mins(1);

    fn unread(error: QueryError) -> Unread {
        Unread {
            missing: Duration::from_hours(24),
            error,
        }
    }

    fn timeout() -> QueryError {
        QueryError::Timeout(PromDuration::new(MINUTE))
    }

    #[test]
    fn time_outs_are_met_with_patience_and_in_the_end_with_less_history() {
        let at = |minute: u64| Timestamp::from_seconds(0) + MINUTE * u32::try_from(minute).unwrap();
        let mut log = HistoryLog::default();
        assert!(log.note_unread(unread(timeout()), at(0), MINUTE).is_err());
        assert_eq!((log.wait(at(0)), log.wait(at(1))), (Some(MINUTE), None));
        assert!(log.note_unread(unread(timeout()), at(1), MINUTE).is_err());
        assert_eq!((log.wait(at(2)), log.wait(at(3))), (Some(MINUTE), None));
        assert!(log.note_unread(unread(timeout()), at(3), MINUTE).is_ok());
        assert_eq!(log.shortened().unwrap().missing.as_secs(), 86_400);
        log.begin_anew(at(3));
        assert!(log.shortened().is_some());
        log.begin_anew(at(4));
        assert_eq!(log.shortened(), None);
    }

    #[test]
    fn a_size_that_is_refused_today_is_refused_tomorrow() {
        let mut log = HistoryLog::default();
        let refused = unread(QueryError::TooLarge(9));
        assert!(
            log.note_unread(refused, Timestamp::from_seconds(0), MINUTE)
                .is_ok()
        );
        assert!(log.shortened().is_some());
    }

    #[test]
    fn an_attempt_that_was_put_off_by_a_clock_ahead_is_made_at_once() {
        let mut log = HistoryLog::default();
        let ahead = Timestamp::from_seconds(86_400);
        assert!(log.note_unread(unread(timeout()), ahead, MINUTE).is_err());
        assert!(log.wait(ahead).is_some());
        assert_eq!(log.wait(Timestamp::from_seconds(60)), None);
    }

    #[test]
    fn sizes_that_were_found_are_kept_and_tried_larger_by_and_by() {
        let mut log = HistoryLog::default();
        assert_eq!(log.max_points(11_000), 11_000);
        log.note_refusals(171);
        for _ in 1..GROW_AFTER {
            log.note_no_refusal();
        }
        assert_eq!(log.max_points(11_000), 171);
        log.note_no_refusal();
        assert_eq!((log.max_points(11_000), log.max_points(100)), (342, 100));
    }
}
