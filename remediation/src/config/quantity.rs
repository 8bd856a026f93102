//! Amounts of CPU and memory as Kubernetes writes them: `250m`, `1.5`, `64Mi`.

use std::{fmt, str::FromStr};

/// An amount. Two that are written differently are equal when they are the same amount: `1` and `1000m`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Quantity {
    nano: i128,
}

/// Why a text is no amount.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is no quantity: write it like 250m, 1.5 or 64Mi")]
pub struct QuantityError(String);

/// The suffixes that make an amount larger, and those that make it smaller, in billionths.
const SUFFIXES: [(&str, i128); 15] = [
    ("n", 1),
    ("u", 1_000),
    ("m", 1_000_000),
    ("", 1_000_000_000),
    ("k", 1_000_000_000_000),
    ("M", 1_000_000_000_000_000),
    ("G", 1_000_000_000_000_000_000),
    ("T", 1_000_000_000_000_000_000_000),
    ("P", 1_000_000_000_000_000_000_000_000),
    ("E", 1_000_000_000_000_000_000_000_000_000),
    ("Ki", 1_000_000_000 << 10),
    ("Mi", 1_000_000_000 << 20),
    ("Gi", 1_000_000_000 << 30),
    ("Ti", 1_000_000_000 << 40),
    ("Pi", 1_000_000_000 << 50),
];

/// More digits than any machine's memory needs.
const MAX_DIGITS: usize = 18;

impl FromStr for Quantity {
    type Err = QuantityError;

    fn from_str(text: &str) -> Result<Self, QuantityError> {
        let refused = || QuantityError(text.chars().take(40).collect());
        let end = text.find(|c: char| !c.is_ascii_digit() && c != '.');
        let (number, suffix) = text.split_at(end.unwrap_or(text.len()));
        let (_, unit) = SUFFIXES
            .iter()
            .find(|(known, _)| *known == suffix)
            .ok_or_else(refused)?;
        let (whole, part) = number.split_once('.').unwrap_or((number, ""));
        let is_short = whole.len() + part.len() <= MAX_DIGITS;
        if whole.is_empty() || !is_short || part.contains('.') {
            return Err(refused());
        }
        let digits: i128 = format!("{whole}{part}").parse().map_err(|_| refused())?;
        let scale = 10_i128.pow(u32::try_from(part.len()).map_err(|_| refused())?);
        // Kubernetes rounds up what is finer than it keeps.
        let nano = digits.checked_mul(*unit).ok_or_else(refused)?;
        Ok(Self {
            nano: (nano + scale - 1) / scale,
        })
    }
}

impl fmt::Display for Quantity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let thousandths = self.nano / 1_000_000;
        if thousandths % 1_000 == 0 {
            write!(f, "{}", thousandths / 1_000)
        } else {
            write!(f, "{thousandths}m")
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_amount_has_many_spellings() {
        let amount = |text: &str| text.parse::<Quantity>().unwrap();
        assert_eq!(amount("1000m"), amount("1"));
        assert_eq!(amount("1.5"), amount("1500m"));
        assert_eq!(amount("1Ki"), amount("1024"));
        assert_eq!(amount("0.5Gi"), amount("512Mi"));
        assert!(amount("1M") < amount("1Mi"));
        assert_eq!(amount("250m").to_string(), "250m");
        assert_eq!(amount("2000m").to_string(), "2");
    }

    #[test]
    fn what_is_no_amount_is_refused() {
        for text in [
            "",
            "-1",
            "m",
            "1.2.3",
            "1 m",
            "1e3",
            "1mi",
            ".5",
            "9999999999999999999999",
        ] {
            assert!(text.parse::<Quantity>().is_err(), "{text}");
        }
    }
}
