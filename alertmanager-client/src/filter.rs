//! Which alerts and silences are asked for.

use serde::{Deserialize, Serialize};
use std::fmt;

/// How a matcher compares; expressions are anchored at both ends.
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

/// One condition on one label, as silences hold it.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Matcher {
    /// The label.
    pub name: String,
    /// The value, or the RE2 expression.
    pub value: String,
    /// Whether `value` is an expression.
    pub is_regex: bool,
    /// Whether the label must match rather than must not. Absent in old versions, which had no negation.
    #[serde(default = "yes")]
    pub is_equal: bool,
}

fn yes() -> bool {
    true
}

impl Matcher {
    /// One condition; Alertmanager itself checks the expression.
    pub fn new(name: impl Into<String>, op: MatchOp, value: impl Into<String>) -> Self {
        Self {
            name: name.into(),
            value: value.into(),
            is_regex: matches!(op, MatchOp::Regex | MatchOp::NotRegex),
            is_equal: matches!(op, MatchOp::Equal | MatchOp::Regex),
        }
    }

    /// How it compares.
    pub fn op(&self) -> MatchOp {
        match (self.is_equal, self.is_regex) {
            (true, false) => MatchOp::Equal,
            (false, false) => MatchOp::NotEqual,
            (true, true) => MatchOp::Regex,
            (false, true) => MatchOp::NotRegex,
        }
    }

    pub(crate) fn query_pair(&self) -> (&'static str, String) {
        ("filter", self.to_string())
    }
}

impl fmt::Display for Matcher {
    /// Writes `name=~"value"` with `\\`, `\"` and `\n` escaped, which is how the API takes it; a name that is not one
    /// of the classic ones, which only later versions take, is written like a value.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let op = match self.op() {
            MatchOp::Equal => "=",
            MatchOp::NotEqual => "!=",
            MatchOp::Regex => "=~",
            MatchOp::NotRegex => "!~",
        };
        let (name, value) = (&self.name, escaped(&self.value));
        if is_classic(name) {
            return write!(f, "{name}{op}\"{value}\"");
        }
        write!(f, "\"{}\"{op}\"{value}\"", escaped(name))
    }
}

fn escaped(text: &str) -> String {
    let text = text.replace('\\', r"\\").replace('"', "\\\"");
    text.replace('\n', r"\n")
}

/// Tells whether a label could be named like this before Prometheus 3.
fn is_classic(name: &str) -> bool {
    let is_inner = |c: char| c.is_ascii_alphanumeric() || c == '_' || c == ':';
    !name.is_empty()
        && !name.starts_with(|c: char| c.is_ascii_digit())
        && name.chars().all(is_inner)
}

/// Which alerts are listed. The default is the server's own: all of them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AlertFilter {
    /// List alerts that notify.
    pub active: bool,
    /// List alerts that a silence holds back.
    pub silenced: bool,
    /// List alerts that an inhibition holds back.
    pub inhibited: bool,
    /// Conditions on labels, all of which must hold.
    pub matchers: Vec<Matcher>,
    /// An anchored expression over receiver names.
    pub receiver: Option<String>,
}

impl Default for AlertFilter {
    fn default() -> Self {
        Self {
            active: true,
            silenced: true,
            inhibited: true,
            matchers: Vec::new(),
            receiver: None,
        }
    }
}

impl AlertFilter {
    pub(crate) fn query(&self) -> Vec<(&'static str, String)> {
        let mut query = vec![
            ("active", self.active.to_string()),
            ("silenced", self.silenced.to_string()),
            ("inhibited", self.inhibited.to_string()),
        ];
        query.extend(self.matchers.iter().map(Matcher::query_pair));
        query.extend(self.receiver.iter().map(|name| ("receiver", name.clone())));
        query
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(op: MatchOp, value: &str, expect: &str) {
        let matcher = Matcher::new("job", op, value);
        assert_eq!((matcher.op(), matcher.to_string().as_str()), (op, expect));
    }

    #[test]
    fn matchers_are_written_as_the_api_reads_them() {
        check(MatchOp::Equal, "api", r#"job="api""#);
        check(MatchOp::NotEqual, "a\"b", r#"job!="a\"b""#);
        check(MatchOp::Regex, r"a\.b", r#"job=~"a\\.b""#);
        check(MatchOp::NotRegex, "a\nb", r#"job!~"a\nb""#);
    }

    #[test]
    fn names_that_are_not_classic_are_quoted() {
        let text = |name: &str| Matcher::new(name, MatchOp::Equal, "x").to_string();
        assert_eq!(text("_a:b1"), r#"_a:b1="x""#);
        assert_eq!(text("service.name"), r#""service.name"="x""#);
        assert_eq!(text("1a\"b"), r#""1a\"b"="x""#);
    }

    #[test]
    fn a_matcher_without_is_equal_means_equality() {
        let text = r#"{"name": "a", "value": "b", "isRegex": false}"#;
        let matcher: Matcher = serde_json::from_str(text).unwrap();
        assert_eq!(matcher.op(), MatchOp::Equal);
    }
}
