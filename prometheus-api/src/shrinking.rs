//! A range in pieces that Prometheus answers, found by asking: from the newest on, and smaller ones after a refusal.

use crate::Refusal;
use series::{Step, Timestamp};

/// How much smaller the next piece is after a refusal: each costs the server as much as an answer.
const SHRINK: usize = 4;

/// Refusals for time that one reading meets with: each takes as long as a time-out.
const MAX_TIMEOUTS: usize = 2;

/// Requests that one reading may take beyond those it was planned with.
const MAX_MORE_REQUESTS: usize = 1_000;

/// How far a reading of `start, start + step, …` has come. It goes backwards, so that what is left out in the end is the
/// oldest.
///
/// ```
/// use prometheus_api::{Refusal, Shrinking};
/// use series::{Step, Timestamp};
///
/// let at = Timestamp::from_seconds;
/// let mut reading = Shrinking::new((at(0), at(70)), Step::new(std::time::Duration::from_secs(10))?, 8);
/// assert_eq!(reading.piece(), Some((at(0), at(70))));
/// assert!(reading.refused(Refusal::Size));
/// assert_eq!(reading.piece(), Some((at(60), at(70))));
/// reading.answered();
/// assert_eq!(reading.piece(), Some((at(40), at(50))));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone)]
pub struct Shrinking {
    start: Timestamp,
    step: Step,
    /// Points that are yet to be read, counted from the oldest.
    n_left: usize,
    max_points: usize,
    n_requests: usize,
    max_requests: usize,
    n_timeouts: usize,
}

impl Shrinking {
    /// For a range whose ends are included, in pieces of at most `max_points` to begin with.
    pub fn new((start, end): (Timestamp, Timestamp), step: Step, max_points: usize) -> Self {
        let max_points = max_points.max(1);
        let n_left = if end < start {
            0
        } else {
            // The last point does not lie beyond the end.
            let n_steps = end.since(start).as_millis() / step.get().as_millis();
            usize::try_from(n_steps)
                .unwrap_or(usize::MAX)
                .saturating_add(1)
        };
        Self {
            start,
            step,
            n_left,
            max_points,
            n_requests: 0,
            max_requests: n_left
                .div_ceil(max_points)
                .saturating_add(MAX_MORE_REQUESTS),
            n_timeouts: 0,
        }
    }

    /// The first and the last point to ask for next; `None` when there are no more, or no more requests for them.
    pub fn piece(&self) -> Option<(Timestamp, Timestamp)> {
        let is_over = self.n_left == 0 || self.n_requests >= self.max_requests;
        (!is_over).then(|| {
            let first = self.n_left - self.n_points();
            (self.point(first), self.point(self.n_left - 1))
        })
    }

    /// Takes it that the piece was answered.
    pub fn answered(&mut self) {
        self.n_left -= self.n_points();
        self.n_requests += 1;
    }

    /// Takes it that the piece was refused. `false` where asking for less is of no use any more.
    pub fn refused(&mut self, refusal: Refusal) -> bool {
        let n_points = self.n_points();
        self.n_requests += 1;
        self.n_timeouts += usize::from(refusal == Refusal::Time);
        self.max_points = (n_points / SHRINK).max(1);
        n_points > 1 && self.n_timeouts < MAX_TIMEOUTS
    }

    /// The points that a piece has at present.
    pub fn max_points(&self) -> usize {
        self.max_points
    }

    /// The first point that was read, or would have been; `None` where none was.
    pub fn read_from(&self, end: Timestamp) -> Option<Timestamp> {
        let from = self.point(self.n_left);
        (from <= end).then_some(from)
    }

    /// Set once all points were read.
    pub fn is_complete(&self) -> bool {
        self.n_left == 0
    }

    fn n_points(&self) -> usize {
        self.max_points.min(self.n_left)
    }

    fn point(&self, idx: usize) -> Timestamp {
        let idx = u32::try_from(idx).unwrap_or(u32::MAX);
        self.start + self.step.get().saturating_mul(idx)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::time::Duration;

    fn reading(end: i64, max_points: usize) -> Shrinking {
        let step = Step::new(Duration::from_secs(10)).unwrap();
        let at = Timestamp::from_seconds;
        Shrinking::new((at(0), at(end)), step, max_points)
    }

    /// The pieces as seconds, where those of more than `most` points are refused.
    fn pieces(mut reading: Shrinking, most: i64, refusal: Refusal) -> (Vec<(i64, i64)>, bool) {
        let mut pieces = Vec::new();
        while let Some((first, last)) = reading.piece() {
            let [first, last] = [first, last].map(|at| at.as_millis() / 1_000);
            if (last - first) / 10 < most {
                pieces.push((first, last));
                reading.answered();
            } else if !reading.refused(refusal) {
                break;
            }
        }
        (pieces, reading.is_complete())
    }

    #[test]
    fn pieces_touch_and_go_back_from_the_newest() {
        let of = |max_points| pieces(reading(45, max_points), 99, Refusal::Size).0;
        assert_eq!(of(2), [(30, 40), (10, 20), (0, 0)]);
        assert_eq!(of(100), [(0, 40)]);
        assert_eq!(pieces(reading(-1, 5), 99, Refusal::Size), (vec![], true));
    }

    #[test]
    fn a_piece_of_one_point_that_is_refused_ends_the_reading() {
        let (pieces, is_complete) = pieces(reading(10_000, 800), 0, Refusal::Size);
        assert_eq!((pieces, is_complete), (vec![], false));
    }

    #[test]
    fn time_outs_end_a_reading_soon() {
        let mut reading = reading(10_000, 800);
        assert!(reading.refused(Refusal::Time));
        assert!(!reading.refused(Refusal::Time));
        assert_eq!(reading.max_points(), 50);
    }

    #[test]
    fn a_reading_does_not_take_requests_without_end() {
        let (pieces, is_complete) = pieces(reading(1_000_000, 11_000), 1, Refusal::Size);
        assert!(!is_complete && pieces.len() < 1_100, "{}", pieces.len());
        assert_eq!(pieces[0], (1_000_000, 1_000_000));
    }

    proptest! {
        #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]
        #[test]
        fn every_point_is_read_once_however_small_the_pieces(
            end in 0_i64..5_000, max_points in 1_usize..300, most in 1_i64..300,
        ) {
            let (mut pieces, is_complete) = pieces(reading(end, max_points), most, Refusal::Size);
            prop_assert!(is_complete);
            pieces.reverse();
            let mut next = 0;
            for (first, last) in pieces {
                prop_assert_eq!(first, next);
                next = last + 10;
            }
            prop_assert_eq!(next, end / 10 * 10 + 10);
        }
    }
}
