//! What evaluations leave for a task that may be slower than they are: room for the last of each group.

use crate::sources::PromSource;
use rules::{Engine, Family, GroupReport};
use series::Timestamp;
use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};
use tokio::sync::Notify;

/// What an evaluation of one group gave.
pub(super) struct Evaluation {
    pub(super) engine: Arc<Engine<PromSource>>,
    pub(super) group_idx: usize,
    pub(super) at: Timestamp,
    pub(super) interval: Duration,
    /// What is served since; none where nobody asks for it.
    pub(super) families: Arc<Vec<Family>>,
    n_samples: u64,
}

impl Evaluation {
    pub(super) fn new(
        engine: &Arc<Engine<PromSource>>,
        (group_idx, families): (usize, Arc<Vec<Family>>),
        report: &GroupReport,
    ) -> Self {
        let outcomes = report
            .rules
            .iter()
            .filter_map(|rule| rule.outcome.as_ref().ok());
        let n_samples: usize = outcomes.map(|evaluated| evaluated.samples).sum();
        Self {
            engine: Arc::clone(engine),
            group_idx,
            at: report.at,
            interval: report.interval,
            families,
            n_samples: n_samples as u64,
        }
    }
}

/// One thing to do.
pub(super) enum Mail {
    /// A group was evaluated.
    Evaluated(String, Evaluation),
    /// There are no groups but these any more.
    Groups(BTreeSet<String>),
}

/// Where it is left.
#[derive(Default)]
pub(super) struct Mailbox {
    content: Mutex<Content>,
    bell: Notify,
}

#[derive(Default)]
struct Content {
    /// Those that are configured.
    groups: BTreeSet<String>,
    /// Whether that has changed and was not told yet.
    is_changed: bool,
    evaluated: BTreeMap<String, Evaluation>,
    is_closed: bool,
}

impl Mailbox {
    /// Leaves an evaluation in the place of an earlier one of the group, and says how many samples that had.
    pub(super) fn put(&self, group: String, evaluation: Evaluation) -> u64 {
        let mut content = self.content();
        // What ended while the configuration was replaced is the last of a group that is gone.
        if !content.groups.contains(&group) {
            return 0;
        }
        let before = content.evaluated.insert(group, evaluation);
        self.bell.notify_one();
        before.map_or(0, |before| before.n_samples)
    }

    /// Leaves word of a new configuration. What groups that are gone have left is passed over.
    pub(super) fn keep_groups(&self, groups: BTreeSet<String>) {
        let mut content = self.content();
        content.evaluated.retain(|group, _| groups.contains(group));
        content.groups = groups;
        content.is_changed = true;
        self.bell.notify_one();
    }

    /// Nothing comes any more.
    pub(super) fn close(&self) {
        self.content().is_closed = true;
        self.bell.notify_one();
    }

    /// The next thing to do; `None` when all is done and nothing comes any more.
    pub(super) async fn next(&self) -> Option<Mail> {
        loop {
            {
                let mut content = self.content();
                let next = content.take();
                if next.is_some() || content.is_closed {
                    return next;
                }
            }
            self.bell.notified().await;
        }
    }

    fn content(&self) -> MutexGuard<'_, Content> {
        self.content.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Content {
    fn take(&mut self) -> Option<Mail> {
        if std::mem::take(&mut self.is_changed) {
            return Some(Mail::Groups(self.groups.clone()));
        }
        let (group, evaluation) = self.evaluated.pop_first()?;
        Some(Mail::Evaluated(group, evaluation))
    }
}
