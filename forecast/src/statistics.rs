//! Order statistics and the one conversion from a real rank to an index.

/// The index below a non-negative real rank; NaN and what lies below zero give 0.
#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "the cast saturates, which is what an index wants"
)]
pub(crate) fn index_below(rank: f64) -> usize {
    rank as usize
}

/// The value below which a share of the values lies, 0 to 1; 0 when there are none. Puts them in another order.
pub(crate) fn quantile_of(values: &mut [f64], share: f64) -> f64 {
    let Some(last) = values.len().checked_sub(1) else {
        return 0.0;
    };
    let idx = index_below((last as f64 * share).round()).min(last);
    *values.select_nth_unstable_by(idx, f64::total_cmp).1
}

/// The mean; 0 when there are no values.
pub(crate) fn mean(values: impl IntoIterator<Item = f64>) -> f64 {
    let (n, sum) = values
        .into_iter()
        .fold((0_usize, 0.0), |(n, sum), value| (n + 1, sum + value));
    sum / n.max(1) as f64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quantiles_of_few_values_are_values() {
        assert!(quantile_of(&mut [], 0.5).abs() < 1e-12);
        assert!((quantile_of(&mut [3.0, 1.0, 2.0], 0.5) - 2.0).abs() < 1e-12);
        assert!((quantile_of(&mut [3.0, 1.0, 2.0], 1.0) - 3.0).abs() < 1e-12);
    }

    #[test]
    fn the_mean_of_nothing_is_zero() {
        assert!(mean([]).abs() < 1e-12);
        assert!((mean([1.0, 3.0]) - 2.0).abs() < 1e-12);
    }
}
