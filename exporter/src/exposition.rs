//! Predicted series in Prometheus' text format.
//!
//! Samples carry no timestamp: what is missing from one scrape to the next is then marked stale by Prometheus
//! itself. The `prometheus` crate writes the program's own metrics, but has no place for series whose names
//! and labels are the user's.

mod line;
mod negotiation;

use crate::metrics::Collisions;
use rules::Family;
use series::{Escaping, is_plain_label_name, is_plain_metric_name};
use std::{
    collections::{BTreeMap, HashSet},
    fmt::Write as _,
    hash::{BuildHasher, RandomState},
    sync::Arc,
};

pub(crate) use negotiation::Format;

/// The content type of the text format.
pub(crate) const CONTENT_TYPE: &str = "text/plain; version=0.0.4; charset=utf-8";

/// Bytes that are written in one go. The whole text of a hundred thousand series would take hundreds of megabytes.
const PIECE: usize = 64 << 10;

/// Writes gauges piece by piece, grouped by name as the format wants it.
pub(crate) struct Exposition {
    escaping: Escaping,
    groups: std::vec::IntoIter<Group>,
    present: Option<Group>,
    collisions: Arc<Collisions>,
    n_left_out: u64,
}

/// The families that have one name once it is escaped.
struct Group {
    name: String,
    families: Vec<Family>,
    /// The family and the row that come next.
    next: (usize, usize),
    /// A family without samples has no head either.
    has_head: bool,
    care: Option<Care>,
}

/// What is needed where series may come to the same labels once their names are escaped. Those that need no escaping are
/// written first, so that they are never the ones that are left out.
struct Care {
    is_escaped_turn: bool,
    hasher: RandomState,
    /// Hashes of 64 bits of what was written.
    written: HashSet<u64>,
}

impl Exposition {
    /// With names escaped as asked for. Series that another one has the labels of once they are escaped are left out.
    pub(crate) fn of(
        families: Vec<Family>,
        escaping: Escaping,
        collisions: Arc<Collisions>,
    ) -> Self {
        let mut groups = BTreeMap::<String, Vec<Family>>::new();
        for family in families {
            let name = escaping.metric_name(family.name()).into_owned();
            groups.entry(name).or_default().push(family);
        }
        let groups = groups.into_iter();
        let groups = groups.map(|(name, families)| Group::new(name, families, escaping));
        Self {
            escaping,
            groups: groups.collect::<Vec<_>>().into_iter(),
            present: None,
            collisions,
            n_left_out: 0,
        }
    }
}

impl Iterator for Exposition {
    type Item = String;

    fn next(&mut self) -> Option<String> {
        let mut text = String::with_capacity(PIECE + PIECE / 8);
        while text.len() < PIECE {
            let present = self.present.as_mut();
            if let Some(n_left_out) =
                present.and_then(|present| present.write(&mut text, self.escaping))
            {
                self.n_left_out += n_left_out;
                continue;
            }
            self.present = self.groups.next();
            if self.present.is_none() {
                break;
            }
        }
        if text.is_empty() {
            self.collisions.note(self.escaping, self.n_left_out);
            return None;
        }
        Some(text)
    }
}

impl Group {
    fn new(name: String, families: Vec<Family>, escaping: Escaping) -> Self {
        let needs_care = escaping != Escaping::AllowUtf8
            && (families.len() > 1 || families.iter().any(|family| !is_plain(family)));
        let care = needs_care.then(|| Care {
            is_escaped_turn: false,
            hasher: RandomState::new(),
            written: HashSet::new(),
        });
        Self {
            name,
            families,
            next: (0, 0),
            has_head: false,
            care,
        }
    }

    /// Writes one row, and counts the series that were left out; `None` where there is no row left.
    fn write(&mut self, to: &mut String, escaping: Escaping) -> Option<u64> {
        let (family_idx, row_idx) = self.next;
        let Some(family) = self.families.get(family_idx) else {
            let care = self.care.as_mut().filter(|care| !care.is_escaped_turn)?;
            care.is_escaped_turn = true;
            self.next = (0, 0);
            return Some(0);
        };
        if row_idx >= family.n_rows() {
            self.next = (family_idx + 1, 0);
            return Some(0);
        }
        self.next.1 += 1;
        if let Some(care) = &self.care {
            let is_escaped = !is_plain_metric_name(family.name()) || !is_plain_row(family, row_idx);
            if is_escaped != care.is_escaped_turn {
                return Some(0);
            }
        }
        let mut n_left_out = 0;
        family.each(row_idx, |labels, added, value| {
            let start = to.len();
            if !self.has_head {
                line::put_head(to, &self.name, family.meaning());
            }
            let key_start = to.len();
            let labels = line::Labelled { labels, added };
            let is_new = line::put_series(to, &self.name, labels, escaping)
                && self
                    .care
                    .as_mut()
                    .is_none_or(|care| care.is_new(&to[key_start..]));
            if is_new {
                to.push(' ');
                put_number(to, value);
                to.push('\n');
                self.has_head = true;
            } else {
                to.truncate(start);
                n_left_out += 1;
            }
        });
        Some(n_left_out)
    }
}

impl Care {
    fn is_new(&mut self, series: &str) -> bool {
        self.written.insert(self.hasher.hash_one(series))
    }
}

/// Whether nothing of a family has to be escaped.
fn is_plain(family: &Family) -> bool {
    is_plain_metric_name(family.name())
        && (0..family.n_rows()).all(|row_idx| is_plain_row(family, row_idx))
}

fn is_plain_row(family: &Family, row_idx: usize) -> bool {
    let mut names = family.labels(row_idx).iter().map(|(name, _)| name);
    names.all(is_plain_label_name)
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

    #[test]
    fn values_are_spelt_as_prometheus_reads_them() {
        let spelt = [f64::INFINITY, f64::NEG_INFINITY, f64::NAN].map(number);
        assert_eq!(spelt, ["+Inf", "-Inf", "NaN"]);
    }
}
