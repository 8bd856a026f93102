//! Durations as Prometheus writes them: `90s`, `1h30m`, `3w`.

use std::{fmt, str::FromStr, time::Duration};

/// A duration in whole milliseconds, read and written in Prometheus' notation.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct PromDuration(Duration);

/// Why a text is not a Prometheus duration.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum DurationError {
    /// No number, no unit, a unit twice or out of order.
    #[error(
        "`{0}` is not a duration: write numbers with units from y, w, d, h, m, s, ms, like 1h30m"
    )]
    Malformed(String),
    /// More than 64-bit milliseconds hold.
    #[error("duration `{0}` is too long")]
    TooLong(String),
}

/// Units in the order in which they may appear, with their milliseconds.
const UNITS: [(&str, u64); 7] = [
    ("y", 365 * 86_400_000),
    ("w", 7 * 86_400_000),
    ("d", 86_400_000),
    ("h", 3_600_000),
    ("m", 60_000),
    ("s", 1_000),
    ("ms", 1),
];

impl PromDuration {
    /// Wraps a duration; what is finer than a millisecond is cut off.
    pub fn new(duration: Duration) -> Self {
        let millis = u64::try_from(duration.as_millis()).unwrap_or(u64::MAX);
        Self(Duration::from_millis(millis))
    }

    /// The same length as the standard library has it.
    pub fn get(self) -> Duration {
        self.0
    }
}

impl FromStr for PromDuration {
    type Err = DurationError;

    fn from_str(text: &str) -> Result<Self, DurationError> {
        if text == "0" {
            return Ok(Self(Duration::ZERO));
        }
        let malformed = || DurationError::Malformed(text.to_owned());
        let too_long = || DurationError::TooLong(text.to_owned());
        let (mut rest, mut units, mut total) = (text, &UNITS[..], 0_u64);
        while !rest.is_empty() {
            let (number, tail) = split_where(rest, |c| !c.is_ascii_digit());
            let (unit, tail) = split_where(tail, |c| c.is_ascii_digit());
            let idx = units
                .iter()
                .position(|(name, _)| *name == unit)
                .ok_or_else(malformed)?;
            if number.is_empty() {
                return Err(malformed());
            }
            let number: u64 = number.parse().map_err(|_| too_long())?;
            let part = number.checked_mul(units[idx].1).ok_or_else(too_long)?;
            total = total.checked_add(part).ok_or_else(too_long)?;
            units = &units[idx + 1..];
            rest = tail;
        }
        let fits = i64::try_from(total).is_ok();
        match (text.is_empty(), fits) {
            (true, _) => Err(malformed()),
            (false, false) => Err(too_long()),
            (false, true) => Ok(Self(Duration::from_millis(total))),
        }
    }
}

fn split_where(text: &str, stop: impl Fn(char) -> bool) -> (&str, &str) {
    text.split_at(text.find(stop).unwrap_or(text.len()))
}

impl fmt::Display for PromDuration {
    /// Writes the shortest exact form; weeks and years only when nothing is left over, as Prometheus does.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut millis = u64::try_from(self.0.as_millis()).unwrap_or(u64::MAX);
        if millis == 0 {
            return f.write_str("0s");
        }
        for (unit, length) in UNITS {
            let must_be_exact = matches!(unit, "y" | "w");
            if must_be_exact && millis % length != 0 {
                continue;
            }
            if millis >= length {
                write!(f, "{}{unit}", millis / length)?;
                millis %= length;
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[track_caller]
    fn check(text: &str, expect: Result<u64, &str>) {
        let got = text.parse::<PromDuration>();
        let got = got.map(|d| d.get().as_millis()).map_err(|e| e.to_string());
        match expect {
            Ok(millis) => assert_eq!(got, Ok(u128::from(millis))),
            Err(words) => assert!(got.as_ref().is_err_and(|e| e.contains(words)), "{got:?}"),
        }
    }

    #[test]
    fn reads_what_prometheus_reads() {
        check("0", Ok(0));
        check("1h30m", Ok(5_400_000));
        check("90s", Ok(90_000));
        check("1w", Ok(604_800_000));
        check("1y2w3d4h5m6s7ms", Ok(33_019_506_007));
    }

    #[test]
    fn refuses_what_prometheus_refuses() {
        check("", Err("not a duration"));
        check("5", Err("not a duration"));
        check("m", Err("not a duration"));
        check("1.5h", Err("not a duration"));
        check("5m1h", Err("not a duration"));
        check("1m1m", Err("not a duration"));
        check("-1m", Err("not a duration"));
        check("99999999999999999999y", Err("too long"));
    }

    proptest! {
        #[test]
        fn what_is_written_is_read_back(millis in 0..10_u64.pow(13)) {
            let duration = PromDuration(Duration::from_millis(millis));
            prop_assert_eq!(duration.to_string().parse(), Ok(duration));
        }
    }
}
