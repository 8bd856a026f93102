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

    /// From when on the curves of a group are pushed, up to an evaluation. Times ahead of that are not believed: a clock was
    /// ahead and has been put right, or the rule took longer than the others of its group.
    fn since(&mut self, group: String, at: Timestamp) -> Timestamp {
        let before = self.upto.insert(group, at);
        before.unwrap_or(self.begun - SLOT).min(at - SLOT)
    }

    /// The one evaluation may stand for several, of which the earlier ones were passed over.
    async fn push(&mut self, group: String, evaluation: Evaluation, writer: &Writer) {
        let Evaluation {
            engine,
            group_idx,
            at,
            ..
        } = evaluation;
        let since = self.since(group, at);
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
    fn curves_are_pushed_on_after_a_clock_that_was_ahead() {
        let mut curves = Curves {
            begun: AT(60),
            upto: BTreeMap::new(),
        };
        let mut since = |at: i64| curves.since("g".to_owned(), AT(at));
        assert_eq!(since(70), AT(59));
        assert_eq!(since(130), AT(70));
        assert_eq!(since(86_400), AT(130));
        assert_eq!(since(190), AT(189));
        assert_eq!(since(250), AT(190));
    }

    #[test]
    fn a_renamed_group_begins_where_the_others_are() {
        let upto = kept(&[("a", 60), ("b", 90), ("c", 30)], &["a", "c", "d"]);
        let expect = [("a", 60), ("c", 30), ("d", 90)];
        assert_eq!(upto, expect.map(|(group, at)| (group.to_owned(), AT(at))));
        assert_eq!(kept(&[], &["a"]), [], "at the start nothing was pushed yet");
    }
}
