//! One line of the text format.

use rules::Meaning;
use series::{Escaping, Labels, Quoted, is_plain_label_name, is_plain_metric_name};
use std::fmt::Write as _;

/// Labels that Prometheus takes from its target where a series lacks them, even with `honor_labels`. Given without a
/// value, as the Pushgateway gives them, they stay away.
const OF_TARGETS: [&str; 2] = ["instance", "job"];

/// Labels that a series shares with others, and those that it has besides; both in order of names.
#[derive(Clone, Copy)]
pub(super) struct Labelled<'a> {
    pub(super) labels: &'a Labels,
    pub(super) added: &'a [(&'a str, &'a str)],
}

impl<'a> Labelled<'a> {
    /// All of them in order of names, with those of targets that are missing, and without the metric's name.
    fn iter(self) -> impl Iterator<Item = (&'a str, &'a str)> {
        let shared = self.labels.iter().filter(|(name, _)| *name != "__name__");
        let missing = OF_TARGETS.into_iter().map(|name| (name, ""));
        let missing = missing.filter(move |(name, _)| {
            let is_added = self.added.iter().any(|(known, _)| known == name);
            !is_added && self.labels.get(name).is_empty()
        });
        merge(merge(self.added.iter().copied(), missing), shared)
    }
}

fn merge<'a>(
    one: impl Iterator<Item = (&'a str, &'a str)>,
    other: impl Iterator<Item = (&'a str, &'a str)>,
) -> impl Iterator<Item = (&'a str, &'a str)> {
    let (mut one, mut other) = (one.peekable(), other.peekable());
    std::iter::from_fn(move || match (one.peek(), other.peek()) {
        (Some(left), Some(right)) if right.0 < left.0 => other.next(),
        (None, Some(_)) => other.next(),
        _ => one.next(),
    })
}

pub(super) fn put_head(to: &mut String, name: &str, meaning: Meaning) {
    let help = meaning.help();
    let quoted;
    let name = if is_plain_metric_name(name) {
        name
    } else {
        quoted = Quoted(name).to_string();
        &quoted
    };
    writeln!(to, "# HELP {name} {help}\n# TYPE {name} gauge").expect("a String takes every text");
}

/// Writes the name, which is escaped already, and the labels; false where two of them have one name once escaped.
pub(super) fn put_series(
    to: &mut String,
    name: &str,
    labelled: Labelled<'_>,
    escaping: Escaping,
) -> bool {
    if is_plain_metric_name(name) {
        to.push_str(name);
        to.push('{');
    } else {
        write!(to, "{{{},", Quoted(name)).expect("a String takes every text");
    }
    let is_escaped = escaping != Escaping::AllowUtf8
        && labelled.iter().any(|(name, _)| !is_plain_label_name(name));
    if is_escaped {
        // In the order of what is written, so that series of the same labels are written alike.
        let labels = labelled.iter();
        let mut labels: Vec<_> = labels
            .map(|(name, value)| (escaping.label_name(name), value))
            .collect();
        labels.sort();
        if labels.windows(2).any(|pair| pair[0].0 == pair[1].0) {
            return false;
        }
        for (name, value) in &labels {
            put_label(to, name, value);
        }
    } else {
        for (name, value) in labelled.iter() {
            put_label(to, name, value);
        }
    }
    // There are always the labels of targets, so there is a comma.
    to.pop();
    to.push('}');
    true
}

fn put_label(to: &mut String, name: &str, value: &str) {
    if is_plain_label_name(name) {
        to.push_str(name);
    } else {
        write!(to, "{}", Quoted(name)).expect("a String takes every text");
    }
    to.push_str("=\"");
    if value.contains(['\\', '"', '\n']) {
        to.pop();
        write!(to, "{}", Quoted(value)).expect("a String takes every text");
        to.push(',');
    } else {
        to.push_str(value);
        to.push_str("\",");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(labels: &[(&str, &str)], added: &[(&str, &str)], expect: &str) {
        written("a:b", labels, added, Escaping::Underscores, Some(expect));
    }

    #[track_caller]
    fn written(
        name: &str,
        labels: &[(&str, &str)],
        added: &[(&str, &str)],
        escaping: Escaping,
        expect: Option<&str>,
    ) {
        let labels = Labels::new(labels.iter().copied()).unwrap();
        let mut text = String::new();
        let labels = Labelled {
            labels: &labels,
            added,
        };
        let is_written = put_series(&mut text, name, labels, escaping);
        assert_eq!(is_written.then_some(text.as_str()), expect);
    }

    #[test]
    fn labels_are_merged_in_order_and_escaped() {
        check(&[], &[], r#"a:b{instance="",job=""}"#);
        check(
            &[("__name__", "a:b")],
            &[("horizon", "1h")],
            r#"a:b{horizon="1h",instance="",job=""}"#,
        );
        check(
            &[("__name__", "a:b"), ("instance", "x\"\\\n"), ("app", "é")],
            &[("horizon", "1h"), ("quantile", "0.5")],
            r#"a:b{app="é",horizon="1h",instance="x\"\\\n",job="",quantile="0.5"}"#,
        );
        check(
            &[("job", "api"), ("zone", "eu")],
            &[("band", "0.8")],
            r#"a:b{band="0.8",instance="",job="api",zone="eu"}"#,
        );
    }

    #[test]
    fn names_that_are_not_plain_are_written_as_they_were_asked_for() {
        let labels = [("http.route", "/x"), ("job", "a")];
        let check = |escaping, name: &str, expect| {
            written(name, &labels, &[("horizon", "1h")], escaping, Some(expect));
        };
        check(
            Escaping::AllowUtf8,
            "http.load:forecast",
            r#"{"http.load:forecast",horizon="1h","http.route"="/x",instance="",job="a"}"#,
        );
        check(
            Escaping::AllowUtf8,
            "a",
            r#"a{horizon="1h","http.route"="/x",instance="",job="a"}"#,
        );
        check(
            Escaping::Underscores,
            "a",
            r#"a{horizon="1h",http_route="/x",instance="",job="a"}"#,
        );
        check(
            Escaping::Values,
            "a",
            r#"a{U__http_2e_route="/x",horizon="1h",instance="",job="a"}"#,
        );
    }

    #[test]
    fn a_series_with_two_labels_of_one_name_is_not_written() {
        let labels = [("http.route", "/x"), ("http_route", "/y")];
        written("a", &labels, &[], Escaping::Underscores, None);
        written(
            "a",
            &[("in.stance", "1")],
            &[],
            Escaping::Underscores,
            Some(r#"a{in_stance="1",instance="",job=""}"#),
        );
        written(
            "a",
            &[("hori zon", "1"), ("hori.zon", "2")],
            &[],
            Escaping::Dots,
            Some(r#"a{hori__zon="1",hori_dot_zon="2",instance="",job=""}"#),
        );
    }
}
