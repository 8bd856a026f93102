//! Whether what is new is no worse than the rest: one-sided tests of non-inferiority at the 5 % level.

/// Which way is the good one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Better {
    /// As with errors and delays.
    Lower,
    /// As with throughput.
    Higher,
}

/// Events of one side.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Events {
    /// How many went wrong; not above `total`.
    pub(crate) bad: f64,
    /// How many there were; above zero.
    pub(crate) total: f64,
}

/// How much worse the canary may be taken to be: from here to there with 90 % confidence, 5 % on either side.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Interval {
    pub(crate) lower: f64,
    pub(crate) upper: f64,
}

/// The 95 % quantile of the normal distribution.
const Z: f64 = 1.644_853_626_951_472_2;

/// The difference of two shares, canary less rest: Newcombe's hybrid score interval.
///
/// Source: R. G. Newcombe, "Interval estimation for the difference between independent proportions: comparison
/// of eleven methods", Statistics in Medicine 17 (1998), method 10. It stays sound where nothing went wrong.
pub(crate) fn difference_of_shares(canary: Events, rest: Events) -> Interval {
    newcombe(canary, rest, Z)
}

fn newcombe(one: Events, other: Events, z: f64) -> Interval {
    let share = one.bad / one.total;
    let base = other.bad / other.total;
    let (around, beside) = (wilson(one, z), wilson(other, z));
    Interval {
        lower: share - base - (share - around.lower).hypot(beside.upper - base),
        upper: share - base + (around.upper - share).hypot(base - beside.lower),
    }
}

/// Wilson's score interval of a share.
fn wilson(events: Events, z: f64) -> Interval {
    let Events { bad, total } = events;
    let (zz, share) = (z * z, bad / total);
    let centre = 2.0 * bad + zz;
    let half = z * (zz + 4.0 * bad * (1.0 - share)).max(0.0).sqrt();
    let scale = 2.0 * (total + zz);
    Interval {
        lower: (centre - half) / scale,
        upper: (centre + half) / scale,
    }
}

/// The difference of two means, canary less rest, whose spreads may differ: Welch's interval. Each side has at
/// least two values.
///
/// Source: B. L. Welch, "The generalization of Student's problem when several different population variances
/// are involved", Biometrika 34 (1947).
pub(crate) fn difference_of_means(canary: &[f64], rest: &[f64]) -> Interval {
    let ((m, v), (n, w)) = (moments(canary), moments(rest));
    let difference = m - n;
    let (v, w) = (v / canary.len() as f64, w / rest.len() as f64);
    if v + w <= 0.0 {
        return Interval {
            lower: difference,
            upper: difference,
        };
    }
    let freedom =
        (v + w).powi(2) / (v * v / (canary.len() as f64 - 1.0) + w * w / (rest.len() as f64 - 1.0));
    let half = student(freedom) * (v + w).sqrt();
    Interval {
        lower: difference - half,
        upper: difference + half,
    }
}

/// Mean and variance.
fn moments(values: &[f64]) -> (f64, f64) {
    let mean = mean(values);
    let squares: f64 = values.iter().map(|value| (value - mean).powi(2)).sum();
    (mean, squares / (values.len() as f64 - 1.0))
}

/// The mean of at least one value.
pub(crate) fn mean(values: &[f64]) -> f64 {
    values.iter().sum::<f64>() / values.len() as f64
}

/// The 95 % quantile of Student's distribution, within half a percent from two degrees of freedom up.
///
/// Source: M. Abramowitz and I. Stegun, "Handbook of Mathematical Functions", 26.7.5.
fn student(freedom: f64) -> f64 {
    let powers = |coefficients: &[(f64, i32)]| -> f64 {
        coefficients
            .iter()
            .map(|(c, power)| c * Z.powi(*power))
            .sum()
    };
    let terms = [
        powers(&[(1.0, 3), (1.0, 1)]) / 4.0,
        powers(&[(5.0, 5), (16.0, 3), (3.0, 1)]) / 96.0,
        powers(&[(3.0, 7), (19.0, 5), (17.0, 3), (-15.0, 1)]) / 384.0,
        powers(&[
            (79.0, 9),
            (776.0, 7),
            (1_482.0, 5),
            (-1_920.0, 3),
            (-945.0, 1),
        ]) / 92_160.0,
    ];
    let tail = terms
        .iter()
        .rev()
        .fold(0.0, |sum, term| (sum + term) / freedom);
    Z + tail
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[track_caller]
    fn near(got: f64, expect: f64, tolerance: f64) {
        assert!((got - expect).abs() <= tolerance, "{got}, not {expect}");
    }

    /// Newcombe (1998), table II, method 10, 95 % two-sided.
    #[test]
    fn shares_differ_as_in_the_published_table() {
        const TWO_SIDED: f64 = 1.959_963_984_540_054;
        let check = |one: (f64, f64), other: (f64, f64), lower: f64, upper: f64| {
            let events = |(bad, total)| Events { bad, total };
            let interval = newcombe(events(one), events(other), TWO_SIDED);
            near(interval.lower, lower, 5e-5);
            near(interval.upper, upper, 5e-5);
        };
        check((56.0, 70.0), (48.0, 80.0), 0.0524, 0.3339);
        check((9.0, 10.0), (3.0, 10.0), 0.1705, 0.8090);
        check((10.0, 10.0), (0.0, 20.0), 0.6791, 1.0);
        check((0.0, 10.0), (0.0, 20.0), -0.1611, 0.2775);
    }

    /// Any printed table of Student's distribution, one-sided 5 %.
    #[test]
    fn students_quantiles_are_those_of_the_tables() {
        for (freedom, expect) in [
            (2.0, 2.920),
            (3.0, 2.353),
            (5.0, 2.015),
            (10.0, 1.812),
            (120.0, 1.658),
        ] {
            near(student(freedom), expect, 0.005 * expect);
        }
    }

    #[test]
    fn means_without_spread_differ_by_exactly_that_much() {
        let interval = difference_of_means(&[3.0; 4], &[2.5; 3]);
        near(interval.lower, 0.5, 1e-12);
        near(interval.upper, 0.5, 1e-12);
    }

    #[test]
    fn means_differ_as_by_hand() {
        // Variances 1 and 4 over 3 values each: standard error √(5/3), 50/17 degrees of freedom.
        let interval = difference_of_means(&[9.0, 10.0, 11.0], &[6.0, 8.0, 10.0]);
        near(interval.lower + interval.upper, 4.0, 1e-9);
        near(interval.upper - 2.0, 2.373 * (5.0_f64 / 3.0).sqrt(), 0.02);
    }

    proptest! {
        #[test]
        fn intervals_hold_what_was_seen_and_shrink_with_more_of_it(
            bad in 0..50_u32, other in 0..50_u32, scale in 2..20_u32,
        ) {
            let side = |bad: u32, scale: u32| Events {
                bad: f64::from(bad * scale),
                total: f64::from(100 * scale),
            };
            let few = difference_of_shares(side(bad, 1), side(other, 1));
            let many = difference_of_shares(side(bad, scale), side(other, scale));
            let seen = (f64::from(bad) - f64::from(other)) / 100.0;
            prop_assert!(few.lower <= seen && seen <= few.upper);
            prop_assert!(many.upper - many.lower < few.upper - few.lower);
        }
    }
}
