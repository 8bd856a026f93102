//! Label sets, sorted and checked as Prometheus wants them.

use serde::{Deserialize, Deserializer, Serialize, Serializer, de::Error as _};
use std::{collections::BTreeMap, fmt, sync::Arc};

/// The labels of one series, metric name included, sorted by name. Cheap to clone.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Labels(Arc<BTreeMap<String, String>>);

/// Why a label set was refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum LabelsError {
    /// Letters, digits and underscores, not led by a digit.
    #[error("`{0}` is not a label name")]
    Name(String),
    /// Letters, digits, underscores and colons, not led by a digit.
    #[error("`{0}` is not a metric name")]
    MetricName(String),
    /// The same name with two values.
    #[error("label `{0}` is given twice")]
    Duplicate(String),
}

/// The label that holds the metric name.
const NAME: &str = "__name__";

/// Whether a text may name a label.
pub fn is_label_name(text: &str) -> bool {
    !text.contains(':') && is_metric_name(text)
}

/// Whether a text may name a metric.
pub fn is_metric_name(text: &str) -> bool {
    let legal = |c: char| c.is_ascii_alphanumeric() || c == '_' || c == ':';
    text.chars().all(legal) && text.chars().next().is_some_and(|c| !c.is_ascii_digit())
}

impl Labels {
    /// Checks and sorts pairs. An empty value means that the label is absent, as in Prometheus.
    pub fn new<N, V>(pairs: impl IntoIterator<Item = (N, V)>) -> Result<Self, LabelsError>
    where
        N: Into<String>,
        V: Into<String>,
    {
        let mut labels = BTreeMap::new();
        for (name, value) in pairs {
            let (name, value) = (name.into(), value.into());
            if !is_label_name(&name) {
                return Err(LabelsError::Name(name));
            }
            if name == NAME && !value.is_empty() && !is_metric_name(&value) {
                return Err(LabelsError::MetricName(value));
            }
            if labels.insert(name.clone(), value).is_some() {
                return Err(LabelsError::Duplicate(name));
            }
        }
        labels.retain(|_, value| !value.is_empty());
        Ok(Self(Arc::new(labels)))
    }

    /// The value of a label; empty when it is absent, which Prometheus holds to be the same.
    pub fn get(&self, name: &str) -> &str {
        self.0.get(name).map_or("", String::as_str)
    }

    /// The metric name; empty when there is none.
    pub fn name(&self) -> &str {
        self.get(NAME)
    }

    /// These labels with one more, or with another value for it.
    ///
    /// # Panics
    /// When `name` cannot name a label: callers pass names that they own.
    #[must_use]
    pub fn with(&self, name: &str, value: impl Into<String>) -> Self {
        assert!(is_label_name(name), "`{name}` is not a label name");
        let (mut labels, value) = ((*self.0).clone(), value.into());
        if value.is_empty() {
            labels.remove(name)
        } else {
            labels.insert(name.to_owned(), value)
        };
        Self(Arc::new(labels))
    }

    /// These labels under another metric name.
    #[must_use]
    pub fn named(&self, name: impl Into<String>) -> Self {
        self.with(NAME, name)
    }

    /// These labels without one.
    #[must_use]
    pub fn without(&self, name: &str) -> Self {
        self.with(name, "")
    }

    /// Names and values in order of names.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &str)> {
        self.0
            .iter()
            .map(|(name, value)| (name.as_str(), value.as_str()))
    }

    /// How many labels there are, the metric name included.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether there is no label at all.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl fmt::Display for Labels {
    /// Writes `name{label="value"}` as the exposition format does, with `\\`, `\"` and `\n` escaped.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())?;
        let mut rest = self.iter().filter(|(name, _)| *name != NAME).peekable();
        if rest.peek().is_none() {
            return if self.is_empty() {
                f.write_str("{}")
            } else {
                Ok(())
            };
        }
        for (idx, (name, value)) in rest.enumerate() {
            let lead = if idx == 0 { '{' } else { ',' };
            let value = value
                .replace('\\', r"\\")
                .replace('"', "\\\"")
                .replace('\n', r"\n");
            write!(f, "{lead}{name}=\"{value}\"")?;
        }
        f.write_str("}")
    }
}

impl Serialize for Labels {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.0.serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for Labels {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Self::new(BTreeMap::<String, String>::deserialize(deserializer)?).map_err(D::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(pairs: &[(&str, &str)], expect: &str) {
        let got = Labels::new(pairs.iter().copied());
        assert_eq!(
            got.map_or_else(|e| e.to_string(), |l| l.to_string()),
            expect
        );
    }

    #[test]
    fn are_written_sorted_and_escaped() {
        check(&[], "{}");
        check(&[("__name__", "up")], "up");
        check(
            &[("b", "2"), ("a", "1"), ("__name__", "a:b")],
            r#"a:b{a="1",b="2"}"#,
        );
        check(&[("a", "x\"\\\n")], r#"{a="x\"\\\n"}"#);
    }

    #[test]
    fn an_empty_value_is_an_absent_label() {
        check(&[("a", ""), ("b", "1")], r#"{b="1"}"#);
    }

    #[test]
    fn bad_names_are_refused_with_a_sentence() {
        check(&[("a:b", "1")], "`a:b` is not a label name");
        check(&[("", "1")], "`` is not a label name");
        check(&[("__name__", "9a")], "`9a` is not a metric name");
        check(&[("a", "1"), ("a", "2")], "label `a` is given twice");
    }

    #[test]
    fn with_replaces_and_without_removes() {
        let labels = Labels::new([("a", "1")]).unwrap();
        assert_eq!(labels.with("a", "2").get("a"), "2");
        assert!(labels.without("a").is_empty());
        assert_eq!(labels.named("up").to_string(), r#"up{a="1"}"#);
    }
}
