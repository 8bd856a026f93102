//! The occurrence of an alert that a delivery belongs to: the alert may fire, end, and fire again.
//!
//! Alertmanager delivers at least once and in any order. It moves the beginning of an alert to the earlier of two
//! when a second Prometheus reports it, and keeps that beginning when the alert ends and fires again. So a beginning
//! alone does not name an occurrence.

use series::Timestamp;
use std::time::Duration;

/// Time after the end of an alert within which its beginning may be a late copy of a member of a pair, which sends the
/// end again as soon as it knows. A member waits 15 s for the one before it.
pub(crate) const DOUBT: Duration = Duration::from_secs(30);

/// A beginning whose end was not heard.
#[expect(
    clippy::struct_field_names,
    reason = "all of them are times, and are named so everywhere"
)]
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Beginning {
    /// As it was delivered.
    pub(crate) starts_at: Timestamp,
    /// From when on an end is one of this occurrence.
    pub(crate) begun_at: Timestamp,
    /// When it was first heard of.
    pub(crate) heard_at: Timestamp,
}

/// An end that was heard.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct End {
    /// When the alert stopped.
    pub(crate) stopped_at: Timestamp,
    /// When it was heard last.
    pub(crate) heard_at: Timestamp,
}

/// The meaning of a beginning, given the ends that were heard.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Reading {
    /// It begins later than every end, or long enough after the end was heard; an end of it is from `begun_at` on.
    New {
        /// See [`Beginning::begun_at`].
        begun_at: Timestamp,
    },
    /// It may be a late copy of a beginning that has ended.
    Doubtful,
}

impl Beginning {
    /// Tells whether a beginning delivered as `starts_at` is this one: it had begun when this one was heard to fire.
    pub(crate) fn includes(&self, starts_at: Timestamp) -> bool {
        starts_at == self.starts_at || starts_at <= self.heard_at
    }

    /// Tells whether an alert that stopped then has ended this occurrence.
    pub(crate) fn is_ended_by(&self, stopped_at: Timestamp) -> bool {
        self.begun_at <= stopped_at
    }
}

impl Reading {
    /// Reads a beginning that belongs to none that fires, heard at `now`.
    pub(crate) fn of(starts_at: Timestamp, ends: &[End], now: Timestamp) -> Self {
        let passed = ends.iter().filter(|end| starts_at <= end.stopped_at);
        let Some(last) = passed.clone().map(|end| end.stopped_at).max() else {
            return Self::New {
                begun_at: starts_at,
            };
        };
        if passed
            .map(|end| end.heard_at + DOUBT)
            .any(|until| now < until)
        {
            return Self::Doubtful;
        }
        // A copy of that end is none of this occurrence.
        Self::New {
            begun_at: last + Duration::from_millis(1),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const fn at(seconds: i64) -> Timestamp {
        Timestamp::from_seconds(1_000 + seconds)
    }

    #[track_caller]
    fn check(starts_at: i64, ends: &[(i64, i64)], now: i64, expect: Option<i64>) {
        let ends: Vec<_> = ends
            .iter()
            .map(|(stopped, heard)| End {
                stopped_at: at(*stopped),
                heard_at: at(*heard),
            })
            .collect();
        let reading = Reading::of(at(starts_at), &ends, at(now));
        let begun_at = match reading {
            Reading::New { begun_at } => Some(begun_at.as_millis() - at(0).as_millis()),
            Reading::Doubtful => None,
        };
        assert_eq!(begun_at, expect);
    }

    #[test]
    fn without_an_end_every_beginning_is_new() {
        check(5, &[], 6, Some(5_000));
    }

    #[test]
    fn a_beginning_later_than_the_end_is_new_at_once() {
        check(21, &[(20, 22)], 23, Some(21_000));
    }

    #[test]
    fn a_beginning_up_to_the_end_is_doubtful_for_a_while_and_then_new() {
        for starts_at in [-100, 5, 20] {
            check(starts_at, &[(20, 22)], 23, None);
            check(starts_at, &[(20, 22)], 51, None);
            check(starts_at, &[(20, 22)], 52, Some(20_001));
        }
    }

    #[test]
    fn an_end_that_is_heard_again_renews_the_doubt() {
        check(5, &[(20, 60)], 80, None);
        check(5, &[(20, 22), (50, 60)], 95, Some(50_001));
    }

    #[test]
    fn a_beginning_that_moved_is_the_same_while_it_fires() {
        let first = Beginning {
            starts_at: at(10),
            begun_at: at(10),
            heard_at: at(40),
        };
        assert!(first.includes(at(3)) && first.includes(at(12)) && first.includes(at(40)));
        assert!(!first.includes(at(41)), "it began after this one was heard");
        assert!(first.is_ended_by(at(10)) && !first.is_ended_by(at(9)));
    }
}
