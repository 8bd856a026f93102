//! Predictions pushed by remote write: what each evaluation gave, and curves as they are issued.
//!
//! An evaluation never waits for a receiver. It leaves what it gave in a mailbox that has room for one evaluation of
//! each group; from there on everything has its own task, its own bounds, and its own counts.

mod curves;
mod gauges;
mod lane;
mod mailbox;

pub(crate) use lane::{LaneFigures, PushKind};

use crate::{
    config::{RemoteWrite, USER_AGENT},
    rotating::Rotating,
    sources::PromSource,
};
use anyhow::Context as _;
use lane::Lane;
use mailbox::Evaluation;
use remote_read::{
    client::HttpTransport,
    write::{Answer, DropReason, Figures, Protocol, Transport, Unreachable},
};
use rules::{Engine, Group, GroupReport};
use std::{
    collections::BTreeSet,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};
use tokio_util::task::TaskTracker;
use tracing::warn;

/// How long what waits is still sent when the program ends, or an entry is configured no more.
const FLUSH_DEADLINE: Duration = Duration::from_secs(10);

/// All receivers.
#[derive(Default)]
pub(crate) struct Push {
    receivers: Mutex<Vec<Receiver>>,
    retiring: TaskTracker,
}

/// One entry of the configuration at work.
struct Receiver {
    entry: RemoteWrite,
    lanes: Vec<Arc<Lane>>,
}

/// What an entry of the next configuration will be.
pub(crate) struct Planned {
    entry: RemoteWrite,
    /// None for an entry that is at work already.
    transports: Vec<(PushKind, RotatingTransport)>,
}

impl Push {
    /// Builds what the entries need; nothing is changed yet.
    pub(crate) fn plan(&self, entries: Vec<RemoteWrite>) -> anyhow::Result<Vec<Planned>> {
        let receivers = self.receivers();
        let plan = |entry: RemoteWrite| {
            let is_known = receivers.iter().any(|known| known.entry == entry);
            let kinds = if is_known { &[] } else { kinds(&entry) };
            let transports = kinds.iter().map(|kind| {
                let transport = RotatingTransport::new(&entry);
                Ok((
                    *kind,
                    transport.with_context(|| format!("remote_write {}", entry.name))?,
                ))
            });
            let transports = transports.collect::<anyhow::Result<_>>()?;
            Ok(Planned { entry, transports })
        };
        entries.into_iter().map(plan).collect()
    }

    /// Puts the planned receivers to work. Those that are as they were keep their queues; those that are configured no
    /// more are given time to empty theirs. Series of groups that are gone are marked as ended.
    pub(crate) fn adopt(&self, planned: Vec<Planned>, groups: &[Group]) {
        let mut receivers = self.receivers();
        let mut before = std::mem::take(&mut *receivers);
        for Planned { entry, transports } in planned {
            let known = before.iter().position(|known| known.entry == entry);
            let receiver = match known {
                Some(idx) => before.swap_remove(idx),
                None => Receiver::start(entry, transports),
            };
            receivers.push(receiver);
        }
        for gone in before.into_iter().flat_map(|receiver| receiver.lanes) {
            self.retiring
                .spawn(async move { gone.shut_down(FLUSH_DEADLINE).await });
        }
        let keys: BTreeSet<_> = groups.iter().map(|g| key(&g.file, &g.name)).collect();
        for lane in receivers.iter().flat_map(|receiver| &receiver.lanes) {
            lane.mailbox.keep_groups(keys.clone());
        }
    }

    /// Takes what an evaluation gave. Costs a moment, whatever the receivers do.
    pub(crate) fn note(&self, engine: &Arc<Engine<PromSource>>, idx: usize, report: &GroupReport) {
        if self.receivers().is_empty() {
            return;
        }
        // Sorting takes a while, and nobody should wait for the lock as long.
        let families = Arc::new(engine.group_families(idx, report.at));
        let none = Arc::new(Vec::new());
        let receivers = self.receivers();
        let lanes = receivers.iter().flat_map(|receiver| &receiver.lanes);
        for lane in lanes {
            let families = Arc::clone(match lane.kind {
                PushKind::Gauges => &families,
                PushKind::Curves => &none,
            });
            let evaluation = Evaluation::new(engine, (idx, families), report);
            let passed_over = lane
                .mailbox
                .put(key(&report.file, &report.group), evaluation);
            if lane.kind == PushKind::Gauges {
                lane.writer.refuse(DropReason::QueueFull, passed_over);
            }
        }
    }

    /// What has become of all samples, receiver by receiver.
    pub(crate) fn figures(&self) -> Vec<LaneFigures> {
        let receivers = self.receivers();
        let of_receiver = |receiver: &Receiver| {
            let lanes = receiver.lanes.iter();
            lanes
                .map(|lane| lane.figures(&receiver.entry))
                .collect::<Vec<_>>()
        };
        receivers.iter().flat_map(of_receiver).collect()
    }

    /// Sends what waits, for a bounded time, and tells what was left.
    pub(crate) async fn shut_down(&self) {
        let receivers = std::mem::take(&mut *self.receivers());
        for Receiver { entry, lanes } in receivers {
            for lane in lanes {
                let name = entry.name.clone();
                self.retiring.spawn(async move {
                    tell(&name, &lane.shut_down(FLUSH_DEADLINE).await);
                });
            }
        }
        self.retiring.close();
        self.retiring.wait().await;
    }

    fn receivers(&self) -> MutexGuard<'_, Vec<Receiver>> {
        self.receivers
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }
}

fn tell(name: &str, figures: &Figures) {
    let lost = figures.dropped(DropReason::Shutdown);
    if lost > 0 {
        warn!(
            name,
            samples = lost,
            "stopped before all samples were delivered"
        );
    }
}

impl Receiver {
    fn start(entry: RemoteWrite, transports: Vec<(PushKind, RotatingTransport)>) -> Self {
        let lanes = transports
            .into_iter()
            .map(|(kind, transport)| Lane::start(kind, transport, &entry));
        Self {
            lanes: lanes.collect(),
            entry,
        }
    }
}

/// A receiver that refuses samples ahead of now may refuse a whole batch for one of them, so curves go apart.
fn kinds(entry: &RemoteWrite) -> &'static [PushKind] {
    if entry.curves {
        &[PushKind::Gauges, PushKind::Curves]
    } else {
        &[PushKind::Gauges]
    }
}

/// Names are unique within a file only.
fn key(file: &str, group: &str) -> String {
    format!("{file};{group}")
}

/// Posts with credentials that may be rotated.
struct RotatingTransport(Rotating<HttpTransport>);

impl RotatingTransport {
    fn new(entry: &RemoteWrite) -> anyhow::Result<Self> {
        let build = |upstream: &crate::config::Upstream, http| {
            HttpTransport::new(http, upstream.url.clone(), USER_AGENT)
        };
        Rotating::new(entry.upstream.clone(), build).map(Self)
    }
}

impl Transport for RotatingTransport {
    async fn post(&self, protocol: Protocol, body: Vec<u8>) -> Result<Answer, Unreachable> {
        self.0.client().await.post(protocol, body).await
    }
}
