//! Curves as they are issued, each once, with all its times ahead of now.

use super::{
    lane::Outbox,
    mailbox::{Evaluation, Mail, Mailbox},
};
use crate::clock;
use remote_read::{client::Writer, write::DropReason};
use rules::Bookmark;
use series::Timestamp;
use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
    time::Duration,
};

/// How long there may be no room before the rest of the curves is given up; those of the next issue come in hours.
const PATIENCE: Duration = Duration::from_mins(1);

/// Samples that are drawn at once: some hundred kilobytes.
const PIECE: usize = 10_000;

/// The first evaluation may be for a time a moment before the start.
const SLOT: Duration = Duration::from_secs(1);

/// Up to when the curves of each group were pushed.
pub(super) struct Curves {
    begun: Timestamp,
    upto: BTreeMap<String, Timestamp>,
}

impl Curves {
    /// What was issued before now was pushed before, or never meant to be.
    pub(super) fn new() -> Self {
        Self {
            begun: clock::now(),
            upto: BTreeMap::new(),
        }
    }

    /// Works until the mailbox is closed and empty.
    pub(super) async fn run(mut self, mailbox: Arc<Mailbox>, writer: Arc<Writer>) {
        while let Some(mail) = mailbox.next().await {
            match mail {
                Mail::Evaluated(group, evaluation) => self.push(group, evaluation, &writer).await,
                Mail::Groups(groups) => keep(&mut self.upto, groups),
            }
        }
    }

    /// The one evaluation may stand for several, of which the earlier ones were passed over.
    async fn push(&mut self, group: String, evaluation: Evaluation, writer: &Writer) {
        let Evaluation {
            engine,
            group_idx,
            at,
            ..
        } = evaluation;
        let since = self.upto.insert(group, at).unwrap_or(self.begun - SLOT);
        let (mut outbox, mut bookmark) = (Outbox::new(writer, PATIENCE), Bookmark::default());
        loop {
            let curves = engine.issued(group_idx, (since, at), &mut bookmark, PIECE);
            if curves.is_empty() {
                return;
            }
            if !outbox.send(curves).await {
                // They are not drawn for nobody.
                let n_samples = engine.n_issued(group_idx, (since, at), &bookmark);
                writer.refuse(DropReason::QueueFull, n_samples as u64);
                return;
            }
        }
    }
}

/// Forgets groups that are gone. A new one may be one of those under another name, and what that has issued was pushed.
fn keep(upto: &mut BTreeMap<String, Timestamp>, groups: BTreeSet<String>) {
    let latest = upto.values().max().copied();
    upto.retain(|group, _| groups.contains(group));
    if let Some(latest) = latest {
        for group in groups {
            upto.entry(group).or_insert(latest);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const AT: fn(i64) -> Timestamp = Timestamp::from_seconds;

    fn kept(before: &[(&str, i64)], groups: &[&str]) -> Vec<(String, Timestamp)> {
        let before = before
            .iter()
            .map(|(group, at)| ((*group).to_owned(), AT(*at)));
        let mut upto = before.collect();
        keep(
            &mut upto,
            groups.iter().map(|&group| group.to_owned()).collect(),
        );
        upto.into_iter().collect()
    }

    #[test]
    fn a_renamed_group_begins_where_the_others_are() {
        let upto = kept(&[("a", 60), ("b", 90), ("c", 30)], &["a", "c", "d"]);
        let expect = [("a", 60), ("c", 30), ("d", 90)];
        assert_eq!(upto, expect.map(|(group, at)| (group.to_owned(), AT(at))));
        assert_eq!(kept(&[], &["a"]), [], "at the start nothing was pushed yet");
    }
}
