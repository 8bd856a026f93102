//! Gauges with the time of their evaluation, and a staleness marker for each series that has ended.

use super::{
    lane::Outbox,
    mailbox::{Evaluation, Mail, Mailbox},
};
use crate::clock;
use remote_read::client::Writer;
use rules::Family;
use series::{Labels, STALE_MARKER, Sample, Series, Timestamp};
use std::{
    collections::{BTreeMap, BTreeSet, HashSet},
    hash::{DefaultHasher, Hash, Hasher},
    sync::Arc,
    time::Duration,
};

/// The longest wait for room. A group that is evaluated once an hour must not hold up the others for as long.
const MAX_PATIENCE: Duration = Duration::from_mins(1);

/// Rows that are made into series at once: a millisecond's work, with a dozen samples each.
const ROWS: usize = 64;

/// What was pushed last of each group.
#[derive(Default)]
pub(super) struct Gauges {
    known: BTreeMap<String, Known>,
}

struct Known {
    families: Arc<Vec<Family>>,
    /// All its series, by hashes of 64 bits: of ten million, two are alike once in four hundred thousand times.
    keys: HashSet<u64>,
}

impl Gauges {
    /// Works until the mailbox is closed and empty.
    pub(super) async fn run(mut self, mailbox: Arc<Mailbox>, writer: Arc<Writer>) {
        while let Some(mail) = mailbox.next().await {
            match mail {
                Mail::Evaluated(group, evaluation) => {
                    self.push(group, evaluation, &writer).await;
                }
                Mail::Groups(groups) => self.keep(&groups, &writer).await,
            }
        }
    }

    async fn push(&mut self, group: String, evaluation: Evaluation, writer: &Writer) {
        let Evaluation {
            at,
            interval,
            families,
            ..
        } = evaluation;
        let mut outbox = Outbox::new(writer, interval.min(MAX_PATIENCE));
        let mut keys = HashSet::new();
        for family in families.iter() {
            for rows in pieces(family) {
                let mut series = Vec::new();
                for row_idx in rows {
                    // What an earlier evaluation gave was pushed then; it has not ended yet.
                    let is_new = family.at(row_idx) == at;
                    family.each(row_idx, |labels, added, value| {
                        keys.insert(key(family.name(), labels, added));
                        if is_new {
                            series.push(one(whole(family.name(), labels, added), at, value));
                        }
                    });
                }
                // Without room, too: what has come and what has ended is to be known.
                let _ = outbox.send(series).await;
            }
        }
        if let Some(before) = self.known.remove(&group) {
            self.end(&before, &keys, at, &mut outbox).await;
        }
        self.known.insert(group, Known { families, keys });
    }

    /// Marks the series of groups that are gone as ended.
    async fn keep(&mut self, groups: &BTreeSet<String>, writer: &Writer) {
        let gone: Vec<_> = self
            .known
            .keys()
            .filter(|group| !groups.contains(*group))
            .cloned()
            .collect();
        let mut outbox = Outbox::new(writer, MAX_PATIENCE);
        for group in gone {
            if let Some(before) = self.known.remove(&group) {
                self.end(&before, &HashSet::new(), clock::now(), &mut outbox)
                    .await;
            }
        }
    }

    /// Pushes a marker for each series that is neither among these nor another group's.
    async fn end(
        &self,
        before: &Known,
        keys: &HashSet<u64>,
        at: Timestamp,
        outbox: &mut Outbox<'_>,
    ) {
        if before.keys.is_subset(keys) {
            return;
        }
        let goes_on = |key: &u64| {
            keys.contains(key) || self.known.values().any(|known| known.keys.contains(key))
        };
        for family in before.families.iter() {
            for rows in pieces(family) {
                let mut ended = Vec::new();
                for row_idx in rows {
                    family.each(row_idx, |labels, added, _| {
                        if !goes_on(&key(family.name(), labels, added)) {
                            let labels = whole(family.name(), labels, added);
                            ended.push(one(labels, at, STALE_MARKER));
                        }
                    });
                }
                let _ = outbox.send(ended).await;
            }
        }
    }
}

fn pieces(family: &Family) -> impl Iterator<Item = std::ops::Range<usize>> {
    let n_rows = family.n_rows();
    (0..n_rows)
        .step_by(ROWS)
        .map(move |first| first..(first + ROWS).min(n_rows))
}

fn key(name: &str, labels: &Labels, added: &[(&str, &str)]) -> u64 {
    let mut hasher = DefaultHasher::new();
    (name, labels, added).hash(&mut hasher);
    hasher.finish()
}

fn whole(name: &str, labels: &Labels, added: &[(&str, &str)]) -> Labels {
    labels.named(name).with_all(added)
}

fn one(labels: Labels, at: Timestamp, value: f64) -> Series {
    Series {
        labels,
        samples: vec![Sample { at, value }],
    }
}
