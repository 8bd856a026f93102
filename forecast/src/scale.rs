//! The scale that models work on: values of the order of one, as they are or as logarithms.

use crate::{
    bytes::{Reader, StateError, Writer, check},
    statistics::quantile_of,
};

/// A reversible map from values to numbers of the order of one, where 32-bit arithmetic is good enough.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Scale {
    shape: Shape,
    centre: f64,
    spread: f64,
}

#[derive(Debug, Clone, Copy, PartialEq)]
enum Shape {
    /// A quarter of the value, so that the difference of any two stays finite.
    Raw,
    /// ln(1 + value / unit), for series whose seasons and noise grow with their level.
    Log { unit: f64 },
}

/// How many spreads away from the centre a value is still told from one further away. In 32 bits the finest
/// difference there is still a thousandth of the spread.
const LIMIT: f64 = 1e4;

/// The unit of the logarithm, relative to the median of the positive values: values well below it are as good
/// as zero, and are treated alike.
const LOG_UNIT: f64 = 0.05;

impl Scale {
    /// The scales that suit these values: raw always, logarithmic where nothing is negative and something positive.
    pub(crate) fn candidates(values: &[f64]) -> Vec<Self> {
        let finite = || values.iter().copied().filter(|v| !v.is_nan());
        let mut positive: Vec<f64> = finite().filter(|v| *v > 0.0).collect();
        let mut scales = vec![Self::fit(Shape::Raw, values)];
        if !positive.is_empty() && finite().all(|v| v >= 0.0) {
            let unit = (LOG_UNIT * quantile_of(&mut positive, 0.5)).max(f64::MIN_POSITIVE);
            scales.push(Self::fit(Shape::Log { unit }, values));
        }
        scales
    }

    /// The scale that leaves the shape of the values alone.
    pub(crate) fn raw(values: &[f64]) -> Self {
        Self::fit(Shape::Raw, values)
    }

    fn fit(shape: Shape, values: &[f64]) -> Self {
        let finite = values.iter().filter(|v| !v.is_nan());
        let mut bent: Vec<f64> = finite.map(|v| shape.bend(*v)).collect();
        let mut quantile = |share| quantile_of(&mut bent, share);
        let centre = quantile(0.5);
        let middle = quantile(0.95) - quantile(0.05);
        // A series that hardly ever moves has its spread in the few moves.
        let spread = [middle, quantile(1.0) - quantile(0.0)]
            .into_iter()
            .find(|spread| *spread > 0.0)
            .unwrap_or(1.0);
        Self {
            shape,
            centre,
            spread,
        }
    }

    /// The scaled value, within ±10,000; NaN stays NaN.
    pub(crate) fn forward(&self, value: f64) -> f64 {
        ((self.shape.bend(value) - self.centre) / self.spread).clamp(-LIMIT, LIMIT)
    }

    /// The scaled value in 32 bits.
    #[expect(
        clippy::cast_possible_truncation,
        reason = "scaled values are of the order of one"
    )]
    pub(crate) fn narrow(&self, value: f64) -> f32 {
        self.forward(value) as f32
    }

    /// The scale as numbers: the unit of the logarithm or zero, centre and spread.
    pub(crate) fn write(&self, to: &mut Writer) {
        to.f64(match self.shape {
            Shape::Raw => 0.0,
            Shape::Log { unit } => unit,
        });
        to.f64(self.centre);
        to.f64(self.spread);
    }

    /// The scale that was written.
    pub(crate) fn read(from: &mut Reader<'_>) -> Result<Self, StateError> {
        let [unit, centre, spread] = [from.f64()?, from.f64()?, from.f64()?];
        let is_scale =
            unit >= 0.0 && spread > 0.0 && [unit, centre, spread].iter().all(|n| n.is_finite());
        check(is_scale, "a scale")?;
        let shape = if unit > 0.0 {
            Shape::Log { unit }
        } else {
            Shape::Raw
        };
        Ok(Self {
            shape,
            centre,
            spread,
        })
    }

    /// A scale of the same shape whose unit is `factor` times as large.
    pub(crate) fn wider(&self, factor: f64) -> Self {
        Self {
            spread: self.spread * factor,
            ..*self
        }
    }

    /// The value of a scaled one; infinite beyond the range of numbers, never NaN for a finite input.
    pub(crate) fn inverse(&self, scaled: f64) -> f64 {
        self.shape.unbend(self.centre + self.spread * scaled)
    }
}

impl Shape {
    fn bend(self, value: f64) -> f64 {
        match self {
            Self::Raw => value / 4.0,
            Self::Log { unit } => (value / unit).clamp(0.0, f64::MAX).ln_1p(),
        }
    }

    fn unbend(self, bent: f64) -> f64 {
        match self {
            Self::Raw => bent * 4.0,
            Self::Log { unit } => (unit * bent.exp_m1()).max(0.0),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn nasty() -> impl Strategy<Value = f64> {
        prop_oneof![
            -1e3..1e3,
            Just(1e300),
            Just(1e-300),
            Just(5e-324),
            Just(f64::MAX),
            Just(f64::MIN),
            (1e12 - 1e3)..(1e12 + 1e3),
            Just(f64::NAN),
            Just(0.0),
        ]
    }

    proptest! {
        #[test]
        fn scaled_values_are_of_bounded_size_and_come_back_as_numbers(values in prop::collection::vec(nasty(), 0..40)) {
            for scale in Scale::candidates(&values) {
                for value in values.iter().filter(|v| !v.is_nan()) {
                    let scaled = scale.forward(*value);
                    prop_assert!(scaled.abs() <= LIMIT);
                    prop_assert!(!scale.inverse(scaled).is_nan());
                }
            }
        }

        #[test]
        fn ordinary_values_come_back_as_they_were(values in prop::collection::vec(0.5..1e6, 2..40)) {
            for scale in Scale::candidates(&values) {
                for value in &values {
                    let back = scale.inverse(scale.forward(*value));
                    prop_assert!((back - value).abs() <= 1e-6 * value, "{back} for {value}");
                }
            }
        }
    }

    #[test]
    fn a_small_ripple_on_a_large_level_fills_the_scale() {
        let values: Vec<f64> = (0..100).map(|i| 1e12 + f64::from(i % 10) * 100.0).collect();
        let scale = Scale::raw(&values);
        assert!((scale.forward(1e12 + 900.0) - scale.forward(1e12)).abs() > 0.9);
    }

    #[test]
    fn logarithms_are_not_offered_where_values_are_negative() {
        assert_eq!(Scale::candidates(&[-1.0, 2.0]).len(), 1);
        assert_eq!(Scale::candidates(&[0.0, 2.0]).len(), 2);
        assert_eq!(Scale::candidates(&[0.0, 0.0]).len(), 1);
    }
}
