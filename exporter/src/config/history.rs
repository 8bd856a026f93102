//! `prometheus.history`: what reading history may cost, and where it is read from.

use super::{Upstream, read_remote};
use crate::budget::HistoryLimits;
use series::Labels;
use std::{
    num::{NonZeroU32, NonZeroUsize},
    path::Path,
    time::Duration,
};
use yaml::Node;

/// Whoever keeps years reads from disk, and takes longer than Prometheus itself.
const DEFAULT_READ_TIMEOUT: Duration = Duration::from_mins(1);

/// As much JSON as five million samples, which a history is not read more of at a time.
const DEFAULT_ANSWER_BYTES: usize = 256 << 20;

/// The least that an answer may have: one series' labels and samples.
const MIN_ANSWER_BYTES: usize = 64 << 10;

/// How history is read.
#[derive(Debug)]
pub(crate) struct History {
    /// What reading it may cost.
    pub(crate) limits: HistoryLimits,
    /// The most that one answer may hold before any of it is believed.
    pub(crate) max_answer_bytes: usize,
    /// Where raw samples are read for rules that need no more; from the query API where it is left out.
    pub(crate) remote_read: Option<RemoteHistory>,
}

/// A server of remote read.
#[derive(Debug)]
pub(crate) struct RemoteHistory {
    pub(crate) upstream: Upstream,
    /// What the Prometheus that wrote there adds to its series.
    pub(crate) external_labels: Labels,
}

impl Default for History {
    fn default() -> Self {
        Self {
            limits: HistoryLimits::default(),
            max_answer_bytes: DEFAULT_ANSWER_BYTES,
            remote_read: None,
        }
    }
}

pub(super) fn read(node: &Node, base: &Path) -> Option<History> {
    node.map(|f| {
        let defaults = HistoryLimits::default();
        let concurrency = f.optional("concurrency", positive);
        let samples = f.optional("samples_per_second", positive);
        let bytes = f.optional("max_answer_bytes", |n| {
            let bytes = usize::try_from(n.integer()?)
                .ok()
                .and_then(NonZeroUsize::new);
            let bytes = bytes.filter(|bytes| bytes.get() >= MIN_ANSWER_BYTES);
            n.accept(bytes.ok_or(format!("must be at least {MIN_ANSWER_BYTES}")))
        });
        Some(History {
            limits: HistoryLimits {
                concurrency: concurrency.unwrap_or(defaults.concurrency),
                samples_per_second: samples.unwrap_or(defaults.samples_per_second),
            },
            max_answer_bytes: bytes.map_or(DEFAULT_ANSWER_BYTES, NonZeroUsize::get),
            remote_read: f.optional("remote_read", |n| read_source(n, base)),
        })
    })
}

fn positive(node: &Node) -> Option<NonZeroU32> {
    let count = node.integer()?;
    let count = u32::try_from(count).ok().and_then(NonZeroU32::new);
    node.accept(count.ok_or("must be a whole number from 1 to 4294967295"))
}

fn read_source(node: &Node, base: &Path) -> Option<RemoteHistory> {
    node.map(|f| {
        let external_labels = f.optional("external_labels", super::labels);
        let upstream = read_remote(f, base, DEFAULT_READ_TIMEOUT)?;
        Some(RemoteHistory {
            upstream,
            external_labels: external_labels.unwrap_or_default(),
        })
    })
}
