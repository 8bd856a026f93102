//! Names of metrics and labels: any text since Prometheus 3, and how they are escaped for those who know less.
//!
//! The rules are those of `EscapeName` and `UnescapeName` in Prometheus' common library.

use std::{borrow::Cow, fmt::Write as _};

/// Whether a text may name a label.
pub fn is_label_name(text: &str) -> bool {
    !text.is_empty()
}

/// Whether a text may name a metric.
pub fn is_metric_name(text: &str) -> bool {
    !text.is_empty()
}

/// Whether a label name needs no quotes: letters, digits and underscores, not led by a digit.
pub fn is_plain_label_name(text: &str) -> bool {
    !text.contains(':') && is_plain_metric_name(text)
}

/// Whether a metric name needs no quotes: letters, digits, underscores and colons, not led by a digit.
pub fn is_plain_metric_name(text: &str) -> bool {
    !text.is_empty() && text.chars().enumerate().all(|(idx, c)| is_plain(c, idx))
}

fn is_plain(c: char, idx: usize) -> bool {
    c.is_ascii_alphabetic() || c == '_' || c == ':' || (idx > 0 && c.is_ascii_digit())
}

/// How a name that is not plain is written for those who accept plain names only.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Escaping {
    /// `allow-utf-8`: not at all; names stand in quotes.
    AllowUtf8,
    /// `underscores`: an underscore for each character that is not plain.
    Underscores,
    /// `dots`: `_dot_` for dots, two underscores for all others and for each underscore.
    Dots,
    /// `values`: `U__` and the number of each such character.
    Values,
}

/// Begins a name whose characters are written as numbers.
const VALUES: &str = "U__";

impl Escaping {
    /// Reads the value of the parameter `escaping` of a content type.
    pub fn read(text: &str) -> Option<Self> {
        let all = [Self::AllowUtf8, Self::Underscores, Self::Dots, Self::Values];
        all.into_iter().find(|escaping| escaping.as_str() == text)
    }

    /// The value of the parameter `escaping` of a content type.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::AllowUtf8 => "allow-utf-8",
            Self::Underscores => "underscores",
            Self::Dots => "dots",
            Self::Values => "values",
        }
    }

    /// A metric name for those who ask for it in this way.
    pub fn metric_name(self, name: &str) -> Cow<'_, str> {
        if is_plain_metric_name(name) {
            return Cow::Borrowed(name);
        }
        self.escape(name, is_plain)
    }

    /// A label name for those who ask for it in this way. Unlike in Prometheus, a colon is escaped as well: readers
    /// of plain names refuse it, and all that comes with it.
    pub fn label_name(self, name: &str) -> Cow<'_, str> {
        if is_plain_label_name(name) {
            return Cow::Borrowed(name);
        }
        self.escape(name, |c, idx| c != ':' && is_plain(c, idx))
    }

    fn escape(self, name: &str, is_plain: impl Fn(char, usize) -> bool) -> Cow<'_, str> {
        if self == Self::AllowUtf8 {
            return Cow::Borrowed(name);
        }
        let mut escaped = String::with_capacity(name.len() + 8);
        if self == Self::Values {
            escaped.push_str(VALUES);
        }
        for (idx, c) in name.chars().enumerate() {
            match (self, c) {
                (Self::Dots | Self::Values, '_') => escaped.push_str("__"),
                (Self::Dots, '.') => escaped.push_str("_dot_"),
                _ if is_plain(c, idx) => escaped.push(c),
                (Self::Dots, _) => escaped.push_str("__"),
                (Self::Values, _) => {
                    write!(escaped, "_{:x}_", u32::from(c)).expect("a String takes every text");
                }
                _ => escaped.push('_'),
            }
        }
        Cow::Owned(escaped)
    }
}

/// The name that `U__…` stands for; the text itself where it stands for none.
pub fn unescape_values(text: &str) -> Cow<'_, str> {
    let unescaped = text.strip_prefix(VALUES).and_then(unescape);
    unescaped.map_or(Cow::Borrowed(text), Cow::Owned)
}

/// Digits of the number of a character.
const MAX_DIGITS: usize = 6;

fn unescape(mut rest: &str) -> Option<String> {
    let mut name = String::with_capacity(rest.len());
    while let Some(at) = rest.find('_') {
        name.push_str(&rest[..at]);
        rest = &rest[at + 1..];
        if let Some(after) = rest.strip_prefix('_') {
            name.push('_');
            rest = after;
            continue;
        }
        let (digits, after) = rest.split_once('_')?;
        let is_number = (1..=MAX_DIGITS).contains(&digits.len())
            && digits.bytes().all(|byte| byte.is_ascii_hexdigit());
        let number = u32::from_str_radix(digits, 16).ok().filter(|_| is_number)?;
        name.push(char::from_u32(number)?);
        rest = after;
    }
    name.push_str(rest);
    Some(name)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[track_caller]
    fn check(name: &str, underscores: &str, dots: &str, values: &str) {
        let all = [Escaping::Underscores, Escaping::Dots, Escaping::Values];
        let escaped = all.map(|escaping| escaping.metric_name(name));
        assert_eq!(escaped, [underscores, dots, values]);
        assert_eq!(Escaping::AllowUtf8.metric_name(name), name);
        assert_eq!(unescape_values(values), name);
    }

    #[test]
    fn names_are_escaped_as_prometheus_escapes_them() {
        check(
            "no:escaping_1",
            "no:escaping_1",
            "no:escaping_1",
            "no:escaping_1",
        );
        check(
            "mysystem.prod.west_lbl",
            "mysystem_prod_west_lbl",
            "mysystem_dot_prod_dot_west__lbl",
            "U__mysystem_2e_prod_2e_west__lbl",
        );
        check(
            "http.status:sum",
            "http_status:sum",
            "http_dot_status:sum",
            "U__http_2e_status:sum",
        );
        check("a 花", "a__", "a____", "U__a_20__82b1_");
        check("0a", "_a", "__a", "U___30_a");
        check("a-😀", "a__", "a____", "U__a_2d__1f600_");
    }

    #[test]
    fn a_colon_is_escaped_in_a_label_and_kept_in_a_metric() {
        assert_eq!(Escaping::Underscores.label_name("a:b"), "a_b");
        assert_eq!(Escaping::Values.label_name("a:b"), "U__a_3a_b");
        assert_eq!(Escaping::Dots.label_name("http.route"), "http_dot_route");
    }

    #[test]
    fn what_stands_for_no_name_stays_as_it_is() {
        for text in [
            "U__a_zz_",
            "U__a_2e",
            "U__a_1234567_",
            "U__a_d800_",
            "a_2e_",
        ] {
            assert_eq!(unescape_values(text), text);
        }
    }

    proptest! {
        #[test]
        fn escaped_names_are_plain_and_values_come_back(name in "\\PC{1,12}") {
            for escaping in [Escaping::Underscores, Escaping::Dots, Escaping::Values] {
                prop_assert!(is_plain_metric_name(&escaping.metric_name(&name)));
                prop_assert!(is_plain_label_name(&escaping.label_name(&name)));
            }
            if !is_plain_label_name(&name) {
                let escaped = Escaping::Values.label_name(&name);
                prop_assert_eq!(unescape_values(&escaped), name.as_str());
            }
        }
    }
}
