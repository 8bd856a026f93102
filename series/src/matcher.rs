//! Label matchers with the semantics of Prometheus: anchored, and a missing label equals the empty text.

use crate::{Labels, PatternError, labels::Quoted, name::is_plain_label_name, re2::Pattern};
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
    pattern: Option<Pattern>,
}

/// Why a matcher was refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("cannot use the matcher of label `{name}`: {reason}")]
pub struct MatcherError {
    name: String,
    reason: PatternError,
}

impl Matcher {
    /// Checks a matcher; expressions are those of RE2, anchored at both ends and linear in time.
    pub fn new(
        op: MatchOp,
        name: impl Into<String>,
        value: impl Into<String>,
    ) -> Result<Self, MatcherError> {
        let (name, value) = (name.into(), value.into());
        let pattern = match op {
            MatchOp::Equal | MatchOp::NotEqual => Ok(None),
            MatchOp::Regex | MatchOp::NotRegex => Pattern::new(&value).map(Some),
        };
        match pattern {
            Ok(pattern) => Ok(Self {
                op,
                name,
                value,
                pattern,
            }),
            Err(reason) => Err(MatcherError { name, reason }),
        }
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
            let pattern = self.pattern.as_ref();
            pattern.is_some_and(|pattern| pattern.is_match(value))
        };
        match self.op {
            MatchOp::Equal => value == self.value,
            MatchOp::NotEqual => value != self.value,
            MatchOp::Regex => by_regex(),
            MatchOp::NotRegex => !by_regex(),
        }
    }
}

impl fmt::Display for Matcher {
    /// As PromQL writes it.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if is_plain_label_name(&self.name) {
            f.write_str(&self.name)?;
        } else {
            Quoted(&self.name).fmt(f)?;
        }
        write!(f, "{}{}", self.op.as_str(), Quoted(&self.value))
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
