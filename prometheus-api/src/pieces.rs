//! Ranges cut so that each piece is one that Prometheus answers.

use series::{Step, Timestamp};
use std::time::Duration;

/// The most points a series that one range query may ask for; Prometheus refuses more.
pub const MAX_POINTS: usize = 11_000;

/// The points `start, start + step, …` up to `end`, in runs of at most `max_points`: first and last of each.
pub fn pieces(
    (start, end): (Timestamp, Timestamp),
    step: Step,
    max_points: usize,
) -> impl Iterator<Item = (Timestamp, Timestamp)> {
    let per_piece = u32::try_from(max_points.max(1)).unwrap_or(u32::MAX);
    let reach = step.get().saturating_mul(per_piece - 1);
    let last = last_point((start, end), step);
    std::iter::successors(Some(start), move |first| Some(*first + reach + step.get()))
        .take_while(move |first| *first <= last)
        .map(move |first| (first, last.min(first + reach)))
}

/// The last point on the grid that begins at `start`; before `start` when `end` is.
fn last_point((start, end): (Timestamp, Timestamp), step: Step) -> Timestamp {
    if end < start {
        return start - Duration::from_millis(1);
    }
    let beyond = end.since(start).as_millis() % step.get().as_millis();
    end - Duration::from_millis(u64::try_from(beyond).unwrap_or(u64::MAX))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(range: (i64, i64), step: u64, max_points: usize, expect: &[(i64, i64)]) {
        let step = Step::new(Duration::from_secs(step)).unwrap();
        let (start, end) = range;
        let range = (Timestamp::from_seconds(start), Timestamp::from_seconds(end));
        let got: Vec<_> = pieces(range, step, max_points)
            .map(|(a, b)| (a.as_millis() / 1000, b.as_millis() / 1000))
            .collect();
        assert_eq!(got, expect);
    }

    #[test]
    fn pieces_touch_but_never_share_a_point() {
        check((0, 50), 10, 2, &[(0, 10), (20, 30), (40, 50)]);
        check((0, 45), 10, 2, &[(0, 10), (20, 30), (40, 40)]);
        check((0, 45), 10, 100, &[(0, 40)]);
    }

    #[test]
    fn a_single_point_is_one_piece_and_an_inverted_range_none() {
        check((7, 7), 60, 11_000, &[(7, 7)]);
        check((7, 6), 60, 11_000, &[]);
    }
}
