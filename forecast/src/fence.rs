//! How far a forecast may stray from what was ever seen.

/// The range of the values seen. A forecast three ranges outside it is a runaway trend, not foresight.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Fence {
    min: f64,
    max: f64,
}

/// Ranges that a forecast may lie beyond the values seen.
const N_RANGES: f64 = 3.0;

impl Fence {
    /// The range of the finite values; there must be one.
    pub(crate) fn around(values: &[f64]) -> Self {
        let empty = Self {
            min: f64::INFINITY,
            max: f64::NEG_INFINITY,
        };
        values.iter().fold(empty, |fence, value| fence.with(*value))
    }

    /// The smallest and the largest value.
    pub(crate) fn limits(self) -> [f64; 2] {
        [self.min, self.max]
    }

    /// The range between two values in order.
    pub(crate) fn within([min, max]: [f64; 2]) -> Option<Self> {
        let is_range = min.is_finite() && max.is_finite() && min <= max;
        is_range.then_some(Self { min, max })
    }

    /// The range widened by one more value; NaN widens nothing.
    pub(crate) fn with(self, value: f64) -> Self {
        Self {
            min: self.min.min(value),
            max: self.max.max(value),
        }
    }

    /// The value, or the edge that it lies beyond.
    pub(crate) fn clamp(self, value: f64) -> f64 {
        let room = N_RANGES * (self.max - self.min);
        value.max(self.min - room).min(self.max + room)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_runaway_forecast_stops_three_ranges_out() {
        let fence = Fence::around(&[1.0, f64::NAN, 3.0]);
        assert!((fence.clamp(1e9) - 9.0).abs() < 1e-12);
        assert!((fence.clamp(-1e9) + 5.0).abs() < 1e-12);
        assert!((fence.with(5.0).clamp(1e9) - 17.0).abs() < 1e-12);
        assert!((fence.clamp(4.0) - 4.0).abs() < 1e-12);
    }
}
