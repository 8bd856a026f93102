//! Label matchers with the semantics of Prometheus: anchored, and a missing label equals the empty text.

use crate::Labels;
use regex::{Regex, RegexBuilder};
use std::fmt;

/// How a matcher compares.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum MatchOp {
    /// `=`
    Equal,
    /// `!=`
    NotEqual,
    /// `=~`
    Regex,
    /// `!~`
    NotRegex,
}

impl MatchOp {
    /// The operator as PromQL writes it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Equal => "=",
            Self::NotEqual => "!=",
            Self::Regex => "=~",
            Self::NotRegex => "!~",
        }
    }
}

/// One condition on one label.
#[derive(Debug, Clone)]
pub struct Matcher {
    op: MatchOp,
    name: String,
    value: String,
    /// Compiled for the two regular-expression operators.
    regex: Option<Regex>,
}

/// Why a matcher was refused.
#[derive(Debug, thiserror::Error)]
#[error("matcher {name}{}\"{value}\" has no usable regular expression", op.as_str())]
pub struct MatcherError {
    name: String,
    op: MatchOp,
    value: String,
    source: Box<regex::Error>,
}

/// The memory that one compiled expression may take; a hostile one is refused, not grown into.
const MAX_REGEX_BYTES: usize = 1 << 20;

impl Matcher {
    /// Checks a matcher; expressions are anchored at both ends and linear in time.
    pub fn new(
        op: MatchOp,
        name: impl Into<String>,
        value: impl Into<String>,
    ) -> Result<Self, MatcherError> {
        let (name, value) = (name.into(), value.into());
        let regex = match op {
            MatchOp::Equal | MatchOp::NotEqual => None,
            MatchOp::Regex | MatchOp::NotRegex => match compile(&value) {
                Ok(regex) => Some(regex),
                Err(error) => {
                    return Err(MatcherError {
                        name,
                        op,
                        value,
                        source: Box::new(error),
                    });
                }
            },
        };
        Ok(Self {
            op,
            name,
            value,
            regex,
        })
    }

    /// The label that is looked at.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The value or expression that it is compared with.
    pub fn value(&self) -> &str {
        &self.value
    }

    /// How it is compared.
    pub fn op(&self) -> MatchOp {
        self.op
    }

    /// Whether labels satisfy the condition.
    pub fn matches(&self, labels: &Labels) -> bool {
        self.takes(labels.get(&self.name))
    }

    /// Whether a value of the label satisfies the condition; the empty value stands for a label that is absent.
    pub fn takes(&self, value: &str) -> bool {
        let by_regex = || {
            self.regex
                .as_ref()
                .is_some_and(|regex| regex.is_match(value))
        };
        match self.op {
            MatchOp::Equal => value == self.value,
            MatchOp::NotEqual => value != self.value,
            MatchOp::Regex => by_regex(),
            MatchOp::NotRegex => !by_regex(),
        }
    }
}

fn compile(value: &str) -> Result<Regex, regex::Error> {
    // Compiled on its own first, so that `a)|(b` cannot close the anchoring group.
    RegexBuilder::new(value)
        .size_limit(MAX_REGEX_BYTES)
        .build()?;
    RegexBuilder::new(&format!("^(?s:{value})$"))
        .size_limit(MAX_REGEX_BYTES)
        .build()
}

impl fmt::Display for Matcher {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}{}{:?}", self.name, self.op.as_str(), self.value)
    }
}

/// Matchers that a series must all satisfy; none at all picks every series.
#[derive(Debug, Clone, Default)]
pub struct Selector(Vec<Matcher>);

impl Selector {
    /// Takes matchers together.
    pub fn new(matchers: impl IntoIterator<Item = Matcher>) -> Self {
        Self(matchers.into_iter().collect())
    }

    /// The matchers, in the order given.
    pub fn matchers(&self) -> &[Matcher] {
        &self.0
    }

    /// Whether a series with these labels is picked.
    pub fn matches(&self, labels: &Labels) -> bool {
        self.0.iter().all(|matcher| matcher.matches(labels))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(op: MatchOp, name: &str, value: &str, expect: bool) {
        let labels = Labels::new([("job", "api\nserver"), ("code", "500")]).unwrap();
        let matcher = Matcher::new(op, name, value).unwrap();
        assert_eq!(matcher.matches(&labels), expect, "{matcher}");
    }

    #[test]
    fn expressions_are_anchored_and_dots_take_line_ends() {
        check(MatchOp::Regex, "code", "5..", true);
        check(MatchOp::Regex, "code", "5", false);
        check(MatchOp::Regex, "code", "4.*|5.*", true);
        check(MatchOp::Regex, "job", "api.server", true);
        check(MatchOp::NotRegex, "code", "5", true);
    }

    #[test]
    fn a_missing_label_equals_the_empty_text() {
        check(MatchOp::Equal, "absent", "", true);
        check(MatchOp::NotEqual, "absent", "", false);
        check(MatchOp::Regex, "absent", ".*", true);
        check(MatchOp::Regex, "absent", ".+", false);
    }

    #[test]
    fn hostile_expressions_are_refused() {
        for value in ["(", "a)|(b", "(a{1000}){1000}", r"(?=look)"] {
            assert!(Matcher::new(MatchOp::Regex, "a", value).is_err(), "{value}");
        }
    }
}
