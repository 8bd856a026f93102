//! Predicted series in Prometheus' text format.
//!
//! Samples carry no timestamp: what is missing from one scrape to the next is then marked stale by Prometheus
//! itself. The `prometheus` crate writes the program's own metrics, but has no place for series whose names
//! and labels are the user's.

use rules::{Family, Meaning};
use series::Labels;
use std::fmt::Write as _;

/// The content type of the text format.
pub(crate) const CONTENT_TYPE: &str = "text/plain; version=0.0.4; charset=utf-8";

/// Bytes that are written in one go. The whole text of a hundred thousand series would take hundreds of megabytes.
const PIECE: usize = 64 << 10;

/// Writes gauges piece by piece, grouped by name as the format wants it.
pub(crate) struct Exposition {
    families: std::vec::IntoIter<Family>,
    present: Option<Present>,
}

/// The family that is being written.
struct Present {
    family: Family,
    next_row: usize,
    /// A family without samples has no head either.
    has_head: bool,
}

impl Exposition {
    pub(crate) fn of(families: Vec<Family>) -> Self {
        let families = families.into_iter();
        let present = None;
        Self { families, present }
    }
}

impl Iterator for Exposition {
    type Item = String;

    fn next(&mut self) -> Option<String> {
        let mut text = String::with_capacity(PIECE + PIECE / 8);
        while text.len() < PIECE {
            if self
                .present
                .as_mut()
                .is_some_and(|present| present.write(&mut text))
            {
                continue;
            }
            self.present = self.families.next().map(|family| Present {
                family,
                next_row: 0,
                has_head: false,
            });
            if self.present.is_none() {
                break;
            }
        }
        (!text.is_empty()).then_some(text)
    }
}

impl Present {
    /// Writes one row; false where there is none left.
    fn write(&mut self, to: &mut String) -> bool {
        let family = &self.family;
        if self.next_row >= family.n_rows() {
            return false;
        }
        family.each(self.next_row, |labels, added, value| {
            if !self.has_head {
                put_head(to, family.name(), family.meaning());
                self.has_head = true;
            }
            put_line(to, family.name(), (labels, added), value);
        });
        self.next_row += 1;
        true
    }
}

fn put_head(to: &mut String, name: &str, meaning: Meaning) {
    let help = meaning.help();
    writeln!(to, "# HELP {name} {help}\n# TYPE {name} gauge").expect("a String takes every text");
}

/// Writes a sample with shared and added labels, which are both in order of names, in order of names.
fn put_line(to: &mut String, name: &str, (labels, added): (&Labels, &[(&str, &str)]), value: f64) {
    to.push_str(name);
    let mut lead = '{';
    let mut put = |to: &mut String, (name, value): (&str, &str)| {
        to.push(lead);
        lead = ',';
        put_label(to, name, value);
    };
    let mut added = added.iter().copied().peekable();
    for label in labels.iter().filter(|(name, _)| *name != "__name__") {
        while let Some(before) = added.next_if(|(name, _)| *name < label.0) {
            put(to, before);
        }
        put(to, label);
    }
    added.for_each(|label| put(to, label));
    if lead == ',' {
        to.push('}');
    }
    to.push(' ');
    put_number(to, value);
    to.push('\n');
}

fn put_label(to: &mut String, name: &str, value: &str) {
    to.push_str(name);
    to.push_str("=\"");
    if value.contains(['\\', '"', '\n']) {
        for c in value.chars() {
            match c {
                '\\' => to.push_str(r"\\"),
                '"' => to.push_str("\\\""),
                '\n' => to.push_str(r"\n"),
                _ => to.push(c),
            }
        }
    } else {
        to.push_str(value);
    }
    to.push('"');
}

/// A value as Prometheus spells it.
pub(crate) fn number(value: f64) -> String {
    let mut text = String::new();
    put_number(&mut text, value);
    text
}

fn put_number(to: &mut String, value: f64) {
    if value.is_infinite() {
        to.push_str(if value > 0.0 { "+Inf" } else { "-Inf" });
    } else {
        write!(to, "{value}").expect("a String takes every text");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(labels: &[(&str, &str)], added: &[(&str, &str)], value: f64, expect: &str) {
        let labels = Labels::new(labels.iter().copied()).unwrap();
        let mut text = String::new();
        put_line(&mut text, "a:b", (&labels, added), value);
        assert_eq!(text, format!("{expect}\n"));
    }

    #[test]
    fn labels_are_merged_in_order_and_escaped() {
        check(&[], &[], 1.5e-9, "a:b 0.0000000015");
        check(&[("__name__", "a:b")], &[], 0.1, "a:b 0.1");
        check(&[], &[("horizon", "1h")], 2.0, r#"a:b{horizon="1h"} 2"#);
        check(
            &[("__name__", "a:b"), ("instance", "x\"\\\n"), ("app", "é")],
            &[("horizon", "1h"), ("quantile", "0.5")],
            -3.0,
            r#"a:b{app="é",horizon="1h",instance="x\"\\\n",quantile="0.5"} -3"#,
        );
    }

    #[test]
    fn values_are_spelt_as_prometheus_reads_them() {
        let spelt = [f64::INFINITY, f64::NEG_INFINITY, f64::NAN].map(number);
        assert_eq!(spelt, ["+Inf", "-Inf", "NaN"]);
    }
}
