//! How unusual one sample was.

use super::bands::{MEDIAN, Offsets};

/// What a sample looked like to a model that had not seen it.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct Anomaly {
    /// Zero within the 80 % band of the forecast one step ahead, one at the edge of its 99 % band, and in
    /// proportion between and beyond; never NaN.
    pub score: f32,
    /// Whether this sample was the last that it took to see that the level has shifted. Until then a wild sample
    /// is taken for a transient spike.
    pub is_shift: bool,
}

/// The edges of the 80 % and of the 99 % band among the levels.
const INNER: [usize; 2] = [3, 9];
const OUTER: [usize; 2] = [0, 12];

/// The 99 % band is at least this many usual surprises away from the 80 % band.
const MIN_ROOM: f32 = 1.0;

/// The largest score; beyond it all samples are alike.
const MAX_SCORE: f32 = 1e6;

impl Anomaly {
    /// Judges an error by the offsets one step ahead; both, and the usual surprise, in one unit.
    #[inline]
    pub(crate) fn judge(error: f32, offsets: &Offsets, usual: f32) -> Self {
        let side = usize::from(error > offsets[MEDIAN]);
        let (inner, outer) = (offsets[INNER[side]], offsets[OUTER[side]]);
        let outside = if side == 0 {
            inner - error
        } else {
            error - inner
        };
        let room = (outer - inner).abs().max(MIN_ROOM * usual);
        Self {
            score: (outside / room).clamp(0.0, MAX_SCORE),
            is_shift: false,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const OFFSETS: Offsets = [
        -8.0, -6.0, -5.0, -4.0, -2.0, -1.0, 0.0, 1.0, 2.0, 4.0, 5.0, 6.0, 12.0,
    ];

    #[track_caller]
    fn check(error: f32, expect: f32) {
        let got = Anomaly::judge(error, &OFFSETS, 1.0).score;
        assert!((got - expect).abs() < 1e-6, "{error}: {got}, not {expect}");
    }

    #[test]
    fn the_score_is_zero_inside_and_one_at_the_edge() {
        check(0.0, 0.0);
        check(4.0, 0.0);
        check(-4.0, 0.0);
        check(8.0, 0.5);
        check(12.0, 1.0);
        check(-8.0, 1.0);
        check(-16.0, 3.0);
    }

    #[test]
    fn any_error_has_a_score() {
        check(f32::INFINITY, MAX_SCORE);
        check(f32::MAX, MAX_SCORE);
        let flat = Anomaly::judge(1.0, &[0.0; 13], 1e-7).score;
        assert!(flat.is_finite() && flat > 1.0, "{flat}");
    }
}
