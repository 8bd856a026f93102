//! A value that a series keeps coming back to exactly, such as zero errors or a full queue.

/// A value that makes up much of a series, and the room around it in which nothing was ever seen.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Atom {
    pub(crate) value: f64,
    /// The distance of the nearest other value; infinite when there is none.
    pub(crate) room: f64,
}

/// A value with less than this share of the samples is no atom.
const MIN_SHARE: f64 = 0.25;

impl Atom {
    /// The smallest value, or the middle one, when it makes up a good share of the values.
    pub(crate) fn find(values: &[f64]) -> Option<Self> {
        let mut known: Vec<f64> = values.iter().copied().filter(|v| !v.is_nan()).collect();
        let n = known.len();
        let count = |value: f64| {
            let same = values.iter().filter(|v| v.total_cmp(&value).is_eq());
            (same.count(), value)
        };
        let smallest = known.iter().copied().min_by(f64::total_cmp)?;
        let middle = *known.select_nth_unstable_by(n / 2, f64::total_cmp).1;
        let (same, value) = [middle, smallest]
            .map(count)
            .into_iter()
            .max_by_key(|(same, _)| *same)?;
        if (same as f64) < MIN_SHARE * n as f64 {
            return None;
        }
        let start = Self {
            value,
            room: f64::INFINITY,
        };
        Some(values.iter().fold(start, |atom, value| atom.with(*value)))
    }

    /// The atom after another value; NaN changes nothing.
    #[inline]
    pub(crate) fn with(self, value: f64) -> Self {
        let distance = (value - self.value).abs();
        let room = if distance > 0.0 {
            self.room.min(distance)
        } else {
            self.room
        };
        Self { room, ..self }
    }

    /// The atom itself for what is nearer to it than to any value ever seen beside it.
    #[inline]
    pub(crate) fn attract(self, value: f64) -> f64 {
        if (value - self.value).abs() < self.room / 2.0 {
            self.value
        } else {
            value
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(values: &[f64], near: f64, expect: f64) {
        let got = Atom::find(values).map_or(near, |atom| atom.attract(near));
        assert!((got - expect).abs() < 1e-12, "{got}, not {expect}");
    }

    #[test]
    fn what_is_nearly_the_atom_is_the_atom() {
        check(&[0.0, 0.0, 3.0, 2.0], 0.9, 0.0);
        check(&[0.0, 0.0, 3.0, 2.0], 1.1, 1.1);
        check(&[5.0, 7.0, 7.0, 7.0, 9.0, f64::NAN], 6.5, 7.0);
        check(&[4.0, 4.0, 4.0], 4.5, 4.0);
    }

    #[test]
    fn values_that_never_repeat_have_no_atom() {
        let values: Vec<f64> = (0..10).map(f64::from).collect();
        assert_eq!(Atom::find(&values), None);
        assert_eq!(Atom::find(&[]), None);
        check(&values, 0.1, 0.1);
    }
}
