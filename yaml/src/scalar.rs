//! Numbers, booleans and nothing, as Prometheus' own reader of YAML takes them from a text.

use crate::tree::Scalar;

impl Scalar {
    /// Whether nothing is written here.
    pub(crate) fn is_null(&self) -> bool {
        self.is_plain && matches!(self.text.as_str(), "" | "~" | "null" | "Null" | "NULL")
    }

    /// A boolean, those of YAML 1.1 included.
    pub(crate) fn bool(&self) -> Option<bool> {
        match self.text.as_str() {
            _ if !self.is_plain => None,
            "true" | "True" | "TRUE" | "yes" | "Yes" | "YES" | "on" | "On" | "ON" | "y" | "Y" => {
                Some(true)
            }
            "false" | "False" | "FALSE" | "no" | "No" | "NO" | "off" | "Off" | "OFF" | "n"
            | "N" => Some(false),
            _ => None,
        }
    }

    /// A whole number from zero up, in any of the bases, or a decimal one that is whole.
    pub(crate) fn integer(&self) -> Option<u64> {
        let whole = whole(&self.digits()?).map(u64::try_from);
        whole.map_or_else(|| self.whole_decimal(), Result::ok)
    }

    fn whole_decimal(&self) -> Option<u64> {
        /// Beyond this, not every whole number is one of these.
        const EXACT: f64 = 9_007_199_254_740_992.0;
        let number = self.number()?;
        let is_whole = number.fract() == 0.0 && (0.0..=EXACT).contains(&number);
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "it is whole and within bounds"
        )]
        let integer = is_whole.then_some(number as u64);
        integer
    }

    /// A number; NaN and the infinities are numbers, too.
    pub(crate) fn number(&self) -> Option<f64> {
        let digits = self.digits()?;
        match digits.as_str() {
            ".inf" | ".Inf" | ".INF" | "+.inf" | "+.Inf" | "+.INF" => Some(f64::INFINITY),
            "-.inf" | "-.Inf" | "-.INF" => Some(f64::NEG_INFINITY),
            ".nan" | ".NaN" | ".NAN" => Some(f64::NAN),
            _ => whole(&digits)
                .map(|number| number as f64)
                .or_else(|| decimal(&digits)),
        }
    }

    /// The text without the signs that keep thousands apart.
    fn digits(&self) -> Option<String> {
        self.is_plain.then(|| self.text.replace('_', ""))
    }
}

/// A whole number: binary, octal and hexadecimal with a prefix, and octal after a zero.
fn whole(digits: &str) -> Option<i128> {
    let (sign, digits) = match digits.strip_prefix('-') {
        Some(digits) => (-1, digits),
        None => (1, digits.strip_prefix('+').unwrap_or(digits)),
    };
    let known = [
        ("0x", 16),
        ("0X", 16),
        ("0o", 8),
        ("0O", 8),
        ("0b", 2),
        ("0B", 2),
    ];
    let based = known
        .into_iter()
        .find_map(|(prefix, radix)| Some((digits.strip_prefix(prefix)?, radix)));
    let (digits, radix) = based.unwrap_or_else(|| match digits.strip_prefix('0') {
        Some(octal) if !octal.is_empty() => (octal, 8),
        _ => (digits, 10),
    });
    let is_unsigned = digits.starts_with(|c: char| c.is_ascii_alphanumeric());
    let number = i128::from_str_radix(digits, radix).ok()?;
    is_unsigned.then_some(sign * number)
}

fn decimal(digits: &str) -> Option<f64> {
    // Words that the standard library takes for numbers are none here.
    let is_decimal = digits
        .chars()
        .all(|c| c.is_ascii_digit() || matches!(c, '.' | 'e' | 'E' | '+' | '-'));
    let number = digits.parse().ok().filter(|_| is_decimal)?;
    // More than the type holds is no infinity that anybody wrote.
    f64::is_finite(number).then_some(number)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn plain(text: &str) -> Scalar {
        let text = text.to_owned();
        Scalar {
            text,
            is_plain: true,
        }
    }

    #[track_caller]
    fn check(text: &str, number: Option<f64>, integer: Option<u64>) {
        let scalar = plain(text);
        assert_eq!(
            (scalar.number(), scalar.integer()),
            (number, integer),
            "{text}"
        );
    }

    #[test]
    fn numbers_are_those_of_prometheus() {
        check("0", Some(0.0), Some(0));
        check("12", Some(12.0), Some(12));
        check("+12", Some(12.0), Some(12));
        check("-1", Some(-1.0), None);
        check("1_000", Some(1_000.0), Some(1_000));
        check("0x1F90", Some(8_080.0), Some(8_080));
        check("0o17", Some(15.0), Some(15));
        check("017", Some(15.0), Some(15));
        check("0b101", Some(5.0), Some(5));
        check("1e3", Some(1_000.0), Some(1_000));
        check("1.5", Some(1.5), None);
        check(".5", Some(0.5), None);
        check("5.", Some(5.0), Some(5));
        check(".inf", Some(f64::INFINITY), None);
        check("1e999", None, None);
        check("0129", Some(129.0), Some(129));
        check("1.2.3", None, None);
        check("inf", None, None);
        check("0x-1", None, None);
        check("--1", None, None);
        check("", None, None);
        assert!(plain(".nan").number().is_some_and(f64::is_nan));
        let huge = "12345678901234567890123";
        assert_eq!(plain(huge).integer(), None);
    }

    #[test]
    fn booleans_of_the_older_yaml_are_known() {
        for (text, expect) in [
            ("true", Some(true)),
            ("Yes", Some(true)),
            ("on", Some(true)),
            ("y", Some(true)),
            ("OFF", Some(false)),
            ("no", Some(false)),
            ("tRUE", None),
            ("1", None),
        ] {
            assert_eq!(plain(text).bool(), expect, "{text}");
        }
        let quoted = Scalar {
            text: "true".to_owned(),
            is_plain: false,
        };
        assert_eq!(quoted.bool(), None);
    }
}
