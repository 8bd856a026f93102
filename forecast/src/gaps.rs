//! Filling gaps for models that cannot take any.

/// A gap this short is bridged by a line: its ends know more about it than last week does.
const MAX_BRIDGED: usize = 3;

/// How many seasons before and after are asked for a missing value.
const MAX_SEASONS_AWAY: usize = 7;

/// The values with every gap (NaN) filled: short ones by a line between their ends; longer ones by the mean of
/// the values one season before and after, or of the nearest seasons that have any, else by a line too. Gaps at
/// either end continue the nearest value. All zero when nothing is known.
pub(crate) fn fill(values: &[f64], seasons: &[usize]) -> Vec<f64> {
    let mut filled = values.to_vec();
    let mut start = 0;
    while let Some(offset) = values[start..].iter().position(|v| v.is_nan()) {
        let from = start + offset;
        let length = values[from..].iter().take_while(|v| v.is_nan()).count();
        for (idx, cell) in filled.iter_mut().enumerate().skip(from).take(length) {
            let inside = from > 0 && from + length < values.len();
            let by_season = (length > MAX_BRIDGED || !inside)
                .then(|| seasonal(values, idx, seasons))
                .flatten();
            *cell = by_season.unwrap_or_else(|| bridge(values, from, length, idx));
        }
        start = from + length;
    }
    filled
}

/// The mean of what is known at the same phase, one season away or the next that has something.
fn seasonal(values: &[f64], idx: usize, seasons: &[usize]) -> Option<f64> {
    let known = |idx: Option<usize>| idx.and_then(|i| values.get(i)).filter(|v| !v.is_nan());
    // The longest season knows the most about a moment; a week ago, rather than yesterday.
    for season in seasons.iter().rev() {
        for away in (1..=MAX_SEASONS_AWAY).map(|n| n.saturating_mul(*season)) {
            let (before, after) = (known(idx.checked_sub(away)), known(idx.checked_add(away)));
            match (before, after) {
                (Some(before), Some(after)) => return Some(before / 2.0 + after / 2.0),
                (Some(one), None) | (None, Some(one)) => return Some(*one),
                (None, None) => {}
            }
        }
    }
    None
}

/// A point on the line between the ends of a gap; at the border of the history, the one end there is.
fn bridge(values: &[f64], from: usize, length: usize, idx: usize) -> f64 {
    let before = from.checked_sub(1).map(|i| values[i]);
    let after = values.get(from + length).copied();
    match (before, after) {
        (Some(before), Some(after)) => {
            let weight = (idx + 1 - from) as f64 / (length + 1) as f64;
            before * (1.0 - weight) + after * weight
        }
        (Some(one), None) | (None, Some(one)) => one,
        (None, None) => 0.0,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const GAP: f64 = f64::NAN;

    #[track_caller]
    fn check(values: &[f64], seasons: &[usize], expect: &[f64]) {
        assert_eq!(fill(values, seasons), expect);
    }

    #[test]
    fn short_gaps_are_bridged() {
        check(&[1., GAP, GAP, 4.], &[2], &[1., 2., 3., 4.]);
    }

    #[test]
    fn long_gaps_are_filled_from_a_season_before_and_after() {
        let values = [
            1., 2., 3., 4., 5., GAP, GAP, GAP, GAP, GAP, 3., 4., 5., 6., 7.,
        ];
        let expect = [1., 2., 3., 4., 5., 2., 3., 4., 5., 6., 3., 4., 5., 6., 7.];
        check(&values, &[5], &expect);
    }

    #[test]
    fn long_gaps_without_a_season_are_bridged() {
        check(
            &[0., GAP, GAP, GAP, GAP, 5.],
            &[],
            &[0., 1., 2., 3., 4., 5.],
        );
    }

    #[test]
    fn gaps_at_the_ends_continue_the_nearest_value() {
        check(&[GAP, GAP, 2., 3., GAP], &[], &[2., 2., 2., 3., 3.]);
        check(&[GAP, GAP], &[2], &[0., 0.]);
        check(&[], &[2], &[]);
    }
}
