//! Label sets, sorted and checked as Prometheus wants them.

use crate::name::{Escaping, is_label_name, is_plain_label_name, is_plain_metric_name};
use serde::{
    Deserialize, Deserializer, Serialize, Serializer,
    de::{Error as _, MapAccess, Visitor},
};
use std::{
    borrow::Cow,
    cmp::Ordering,
    fmt::{self, Write as _},
    sync::Arc,
};

/// The labels of one series, metric name included, sorted by name. Cheap to clone.
///
/// They stand in one piece of memory, each text after its length: a hundred thousand series have half a million
/// labels, and a map of them would take several times the memory of their letters.
#[derive(Clone, PartialEq, Eq, Hash, Default)]
pub struct Labels(Arc<str>);

/// Why a label set was refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum LabelsError {
    /// Any other text names a label.
    #[error("a label has an empty name")]
    EmptyName,
    /// The same name with two values.
    #[error("label `{0}` is given twice")]
    Duplicate(String),
}

/// The label that holds the metric name.
const NAME: &str = "__name__";

impl Labels {
    /// Checks and sorts pairs. An empty value means that the label is absent, as in Prometheus.
    pub fn new<N, V>(pairs: impl IntoIterator<Item = (N, V)>) -> Result<Self, LabelsError>
    where
        N: AsRef<str>,
        V: AsRef<str>,
    {
        let mut pairs: Vec<(N, V)> = pairs.into_iter().collect();
        if !pairs.iter().all(|(name, _)| is_label_name(name.as_ref())) {
            return Err(LabelsError::EmptyName);
        }
        pairs.sort_by(|a, b| a.0.as_ref().cmp(b.0.as_ref()));
        match pairs
            .windows(2)
            .find(|w| w[0].0.as_ref() == w[1].0.as_ref())
        {
            Some(twins) => Err(LabelsError::Duplicate(twins[0].0.as_ref().to_owned())),
            None => Ok(Self::pack(
                pairs.iter().map(|(n, v)| (n.as_ref(), v.as_ref())),
            )),
        }
    }

    /// Takes checked pairs in order of names; those without a value are left out.
    fn pack<'a>(pairs: impl Iterator<Item = (&'a str, &'a str)> + Clone) -> Self {
        let present = pairs.filter(|(_, value)| !value.is_empty());
        let n_bytes = present
            .clone()
            .map(|(name, value)| name.len() + value.len() + 4)
            .sum();
        let mut text = String::with_capacity(n_bytes);
        for (name, value) in present {
            packed::put(&mut text, name);
            packed::put(&mut text, value);
        }
        Self(text.into())
    }

    /// The value of a label; empty when it is absent, which Prometheus holds to be the same.
    pub fn get(&self, name: &str) -> &str {
        let found = self.iter().find(|(known, _)| *known == name);
        found.map_or("", |(_, value)| value)
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
    pub fn with(&self, name: &str, value: impl AsRef<str>) -> Self {
        assert!(is_label_name(name), "`{name}` is not a label name");
        let before = self.iter().filter(|(known, _)| *known < name);
        let after = self.iter().filter(|(known, _)| *known > name);
        Self::pack(before.chain([(name, value.as_ref())]).chain(after))
    }

    /// These labels with several more, or with other values for them, at the cost of one more.
    ///
    /// # Panics
    /// When one of the names cannot name a label, or is given twice: callers pass names that they own.
    #[must_use]
    pub fn with_all(&self, added: &[(&str, &str)]) -> Self {
        let is_added = |known: &str| added.iter().any(|(name, _)| *name == known);
        let own = self.iter().filter(|(known, _)| !is_added(known));
        let mut pairs = Vec::with_capacity(self.len() + added.len());
        pairs.extend(own.chain(added.iter().copied()));
        pairs.sort_unstable_by_key(|(name, _)| *name);
        for (idx, (name, _)) in added.iter().enumerate() {
            assert!(is_label_name(name), "`{name}` is not a label name");
            let is_twin = added[..idx].iter().any(|(known, _)| known == name);
            assert!(!is_twin, "`{name}` is given twice");
        }
        Self::pack(pairs.iter().copied())
    }

    /// These labels under another metric name.
    #[must_use]
    pub fn named(&self, name: impl AsRef<str>) -> Self {
        self.with(NAME, name)
    }

    /// These labels without one.
    #[must_use]
    pub fn without(&self, name: &str) -> Self {
        self.with(name, "")
    }

    /// These labels with all names written for those who accept plain names only; `None` where two come to the same.
    pub fn escaped(&self, escaping: Escaping) -> Option<Self> {
        let pairs = self.iter().map(|(name, value)| {
            let value = if name == NAME {
                escaping.metric_name(value)
            } else {
                Cow::Borrowed(value)
            };
            (escaping.label_name(name), value)
        });
        Self::new(pairs).ok()
    }

    /// Names and values in order of names.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &str)> + Clone {
        let mut rest = &*self.0;
        std::iter::from_fn(move || Some((packed::take(&mut rest)?, packed::take(&mut rest)?)))
    }

    /// How many labels there are, the metric name included.
    pub fn len(&self) -> usize {
        self.iter().count()
    }

    /// Whether there is no label at all.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

/// Texts one after the other, each after its length in bytes. A length is written as characters, so that the whole
/// stays a text and nothing has to be checked again when it is read.
mod packed {
    /// Lengths below this are one character; of longer ones each character but the last is this much larger.
    /// Twice this many characters from the first on are all legal.
    const BASE: usize = 0x4000;

    pub(super) fn put(to: &mut String, text: &str) {
        let mut n_bytes = text.len();
        while n_bytes >= BASE {
            to.push(character(BASE + n_bytes % BASE));
            n_bytes /= BASE;
        }
        to.push(character(n_bytes));
        to.push_str(text);
    }

    fn character(digit: usize) -> char {
        let digit = u32::try_from(digit).unwrap_or(u32::MAX);
        char::from_u32(digit).expect("digits are smaller than what is no character")
    }

    /// The next text; `None` where there is no more.
    pub(super) fn take<'a>(rest: &mut &'a str) -> Option<&'a str> {
        let (mut n_bytes, mut weight) = (0, 1);
        loop {
            let mut characters = rest.chars();
            let digit = characters.next()? as usize;
            *rest = characters.as_str();
            n_bytes += digit % BASE * weight;
            weight *= BASE;
            if digit < BASE {
                break;
            }
        }
        let (text, after) = rest.split_at_checked(n_bytes)?;
        *rest = after;
        Some(text)
    }
}

impl PartialOrd for Labels {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Labels {
    /// By the first label that differs, its name before its value.
    fn cmp(&self, other: &Self) -> Ordering {
        self.iter().cmp(other.iter())
    }
}

impl fmt::Debug for Labels {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_map().entries(self.iter()).finish()
    }
}

impl fmt::Display for Labels {
    /// Writes `name{label="value"}` as the exposition format does; a name that is not plain stands in quotes among the
    /// labels.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = self.name();
        let is_plain = name.is_empty() || is_plain_metric_name(name);
        let mut lead = '{';
        if is_plain {
            f.write_str(name)?;
        } else {
            write!(f, "{{{}", Quoted(name))?;
            lead = ',';
        }
        for (name, value) in self.iter().filter(|(name, _)| *name != NAME) {
            f.write_char(lead)?;
            lead = ',';
            if is_plain_label_name(name) {
                f.write_str(name)?;
            } else {
                Quoted(name).fmt(f)?;
            }
            write!(f, "={}", Quoted(value))?;
        }
        match (lead, self.is_empty()) {
            (',', _) => f.write_char('}'),
            (_, true) => f.write_str("{}"),
            (_, false) => Ok(()),
        }
    }
}

/// A text in quotes, with `\\`, `\"` and `\n` escaped as the exposition format does.
#[derive(Debug, Clone, Copy)]
pub struct Quoted<'a>(pub &'a str);

impl fmt::Display for Quoted<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_char('"')?;
        let mut rest = self.0;
        while let Some(at) = rest.find(['\\', '"', '\n']) {
            f.write_str(&rest[..at])?;
            f.write_str(match rest.as_bytes()[at] {
                b'\\' => r"\\",
                b'"' => "\\\"",
                _ => r"\n",
            })?;
            rest = &rest[at + 1..];
        }
        f.write_str(rest)?;
        f.write_char('"')
    }
}

impl Serialize for Labels {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_map(self.iter())
    }
}

impl<'de> Deserialize<'de> for Labels {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(LabelsVisitor)
    }
}

struct LabelsVisitor;

impl<'de> Visitor<'de> for LabelsVisitor {
    type Value = Labels;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("names of labels with their values")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Labels, A::Error> {
        let mut pairs = Vec::with_capacity(8);
        while let Some((Text(name), Text(value))) = map.next_entry()? {
            pairs.push((name, value));
        }
        Labels::new(pairs).map_err(A::Error::custom)
    }
}

/// A text that is not copied where it can be read in its place.
struct Text<'a>(Cow<'a, str>);

impl<'de> Deserialize<'de> for Text<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_str(TextVisitor)
    }
}

struct TextVisitor;

impl<'de> Visitor<'de> for TextVisitor {
    type Value = Text<'de>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a text")
    }

    fn visit_borrowed_str<E>(self, text: &'de str) -> Result<Self::Value, E> {
        Ok(Text(Cow::Borrowed(text)))
    }

    fn visit_str<E>(self, text: &str) -> Result<Self::Value, E> {
        Ok(Text(Cow::Owned(text.to_owned())))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::collections::BTreeMap;

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
    fn names_that_are_not_plain_stand_in_quotes() {
        let pairs = [
            ("__name__", "http.load"),
            ("http.route", "/x"),
            ("a:b", "1"),
        ];
        check(&pairs, r#"{"http.load","a:b"="1","http.route"="/x"}"#);
        check(&[("__name__", "9\"a")], r#"{"9\"a"}"#);
        check(&[("__name__", "up"), ("größe", "1")], r#"up{"größe"="1"}"#);
    }

    #[test]
    fn names_are_escaped_unless_two_come_to_the_same() {
        let labels = Labels::new([("__name__", "a.b"), ("c.d", "1.2")]).unwrap();
        let escaped = labels.escaped(Escaping::Underscores).unwrap();
        assert_eq!(escaped.to_string(), r#"a_b{c_d="1.2"}"#);
        assert_eq!(labels.escaped(Escaping::AllowUtf8), Some(labels.clone()));
        assert_eq!(labels.with("c_d", "3").escaped(Escaping::Underscores), None);
    }

    #[test]
    fn an_empty_value_is_an_absent_label() {
        check(&[("a", ""), ("b", "1")], r#"{b="1"}"#);
    }

    #[test]
    fn bad_names_are_refused_with_a_sentence() {
        check(&[("", "1")], "a label has an empty name");
        check(&[("a", "1"), ("a", "2")], "label `a` is given twice");
    }

    #[test]
    fn with_replaces_and_without_removes() {
        let labels = Labels::new([("a", "1")]).unwrap();
        assert_eq!(labels.with("a", "2").get("a"), "2");
        assert!(labels.without("a").is_empty());
        assert_eq!(labels.named("up").to_string(), r#"up{a="1"}"#);
    }

    #[test]
    fn several_are_added_as_one_after_the_other_would_be() {
        let labels = Labels::new([("b", "1"), ("d", "2"), ("e", "3")]).unwrap();
        let added = [("d", "4"), ("__name__", "up"), ("e", ""), ("a", "5")];
        let singly = added.iter().fold(labels.clone(), |labels, (name, value)| {
            labels.with(name, value)
        });
        assert_eq!(labels.with_all(&added), singly);
        assert_eq!(singly.to_string(), r#"up{a="5",b="1",d="4"}"#);
        assert_eq!(labels.with_all(&[]), labels);
    }

    #[test]
    #[should_panic(expected = "`a` is given twice")]
    fn one_name_is_not_added_twice() {
        let _ = Labels::default().with_all(&[("a", "1"), ("a", "2")]);
    }

    #[test]
    fn long_and_foreign_texts_come_back_whole() {
        let long = "ä".repeat(20_000);
        let huge = "x".repeat(0x4000);
        let pairs = [
            ("a", long.as_str()),
            ("b", "\0"),
            ("c", &huge),
            ("d", "日本"),
        ];
        let labels = Labels::new(pairs).unwrap();
        assert_eq!(labels.iter().collect::<Vec<_>>(), pairs);
        assert_eq!(
            (labels.len(), labels.get("d"), labels.get("e")),
            (4, "日本", "")
        );
    }

    proptest! {
        #[test]
        fn are_ordered_and_read_as_a_map_would_be(
            a: BTreeMap<Name, String>, b: BTreeMap<Name, String>
        ) {
            let labels = |map: &BTreeMap<Name, String>| {
                let map: BTreeMap<_, _> = map
                    .iter()
                    .filter(|(_, value)| !value.is_empty())
                    .map(|(name, value)| (name.0.clone(), value.clone()))
                    .collect();
                (Labels::new(&map).unwrap(), map)
            };
            let ((a, map_a), (b, map_b)) = (labels(&a), labels(&b));
            prop_assert_eq!(a.cmp(&b), map_a.cmp(&map_b));
            prop_assert_eq!(a == b, map_a == map_b);
            let json = serde_json::to_string(&a).unwrap();
            prop_assert_eq!(&json, &serde_json::to_string(&map_a).unwrap());
            prop_assert_eq!(serde_json::from_str::<Labels>(&json).unwrap(), a);
        }
    }

    /// Few names, so that two label sets often share some.
    #[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
    struct Name(String);

    impl Arbitrary for Name {
        type Parameters = ();
        type Strategy = BoxedStrategy<Self>;

        fn arbitrary_with((): ()) -> Self::Strategy {
            "[a-c]{1,2}".prop_map(Self).boxed()
        }
    }
}
