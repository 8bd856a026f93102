//! What an instance tells, as Prometheus text for the living and OpenMetrics for the past.

use std::fmt::{self, Write};

/// What kind of metric a family is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// Only grows; its samples end in `_total`.
    Counter,
    /// Goes up and down.
    Gauge,
    /// Cumulative buckets, their sum and their count.
    Histogram,
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Counter => "counter",
            Self::Gauge => "gauge",
            Self::Histogram => "histogram",
        })
    }
}

/// A metric family, named as OpenMetrics names it: a counter without `_total`.
#[derive(Debug, PartialEq, Eq)]
pub struct Family {
    /// The name.
    pub name: &'static str,
    /// The kind.
    pub kind: Kind,
    /// One sentence for people.
    pub help: &'static str,
}

/// One value of a family.
#[derive(Debug, Clone, Copy)]
pub struct Reading {
    /// What it belongs to.
    pub family: &'static Family,
    /// What follows the family's name: `_total`, `_bucket`, or nothing.
    pub suffix: &'static str,
    /// The label that tells it from its siblings.
    pub label: Option<(&'static str, &'static str)>,
    /// The value; finite.
    pub value: f64,
}

impl Reading {
    /// Puts a reading together.
    pub const fn new(
        family: &'static Family,
        suffix: &'static str,
        label: Option<(&'static str, &'static str)>,
        value: f64,
    ) -> Self {
        Self {
            family,
            suffix,
            label,
            value,
        }
    }

    /// The series that this reading is a sample of, with more labels, written as both formats write it.
    pub fn series(&self, labels: &[(&str, &str)]) -> String {
        let mut text = format!("{}{}", self.family.name, self.suffix);
        let own = self.label.iter().map(|(name, value)| (*name, *value));
        for (idx, (name, value)) in own.chain(labels.iter().copied()).enumerate() {
            let lead = if idx == 0 { '{' } else { ',' };
            let _ = write!(text, "{lead}{name}=\"{value}\"");
        }
        if self.label.is_some() || !labels.is_empty() {
            text.push('}');
        }
        text
    }
}

/// Writes readings with their labels in Prometheus' text format; readings of one family must be neighbours.
pub fn prometheus_text<'a>(
    readings: impl IntoIterator<Item = (Reading, &'a [(&'a str, &'a str)])>,
) -> String {
    let (mut text, mut family) = (String::new(), None);
    for (reading, labels) in readings {
        if family != Some(reading.family) {
            family = Some(reading.family);
            let Family { name, kind, help } = reading.family;
            let total = if *kind == Kind::Counter { "_total" } else { "" };
            let _ = write!(
                text,
                "# HELP {name}{total} {help}\n# TYPE {name}{total} {kind}\n"
            );
        }
        let _ = writeln!(text, "{} {}", reading.series(labels), reading.value);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    const REQUESTS: Family = Family {
        name: "requests",
        kind: Kind::Counter,
        help: "Requests.",
    };

    #[test]
    fn text_has_one_head_for_each_family() {
        let readings = [("200", 3.0), ("504", 0.5)]
            .map(|(code, value)| Reading::new(&REQUESTS, "_total", Some(("code", code)), value));
        let labels: &[_] = &[("service", "shop")];
        assert_eq!(
            prometheus_text(readings.map(|reading| (reading, labels))),
            "# HELP requests_total Requests.\n# TYPE requests_total counter\n\
             requests_total{code=\"200\",service=\"shop\"} 3\n\
             requests_total{code=\"504\",service=\"shop\"} 0.5\n"
        );
    }

    #[test]
    fn a_series_without_labels_has_no_braces() {
        assert_eq!(
            Reading::new(&REQUESTS, "_total", None, 1.0).series(&[]),
            "requests_total"
        );
    }
}
