//! One kind of samples on its way to one receiver: a mailbox, a task that reads it, and a writer.

use super::{RotatingTransport, curves::Curves, gauges::Gauges, mailbox::Mailbox};
use crate::{config::RemoteWrite, redact::redacted};
use remote_read::{client::Writer, write::Figures};
use series::Series;
use std::{
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};
use tokio::{task::JoinHandle, time::timeout};
use tracing::{Instrument as _, error_span};

/// What is pushed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum PushKind {
    /// What is served on `/predictions`.
    Gauges,
    /// Curves as they are issued.
    Curves,
}

impl PushKind {
    /// The value of a metric label.
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::Gauges => "gauges",
            Self::Curves => "curves",
        }
    }
}

/// See the module.
pub(super) struct Lane {
    pub(super) kind: PushKind,
    pub(super) mailbox: Arc<Mailbox>,
    pub(super) writer: Arc<Writer>,
    n_shards: usize,
    reader: Mutex<Option<JoinHandle<()>>>,
}

/// What has become of the samples of one lane.
pub(crate) struct LaneFigures {
    /// The name of the entry.
    pub(crate) name: String,
    /// Its address, without secrets.
    pub(crate) url: String,
    pub(crate) kind: PushKind,
    pub(crate) figures: Figures,
    pub(crate) n_shards: usize,
    /// Samples that each shard has room for.
    pub(crate) capacity: usize,
}

impl Lane {
    /// Starts the tasks; call it within a tokio runtime.
    pub(super) fn start(
        kind: PushKind,
        transport: RotatingTransport,
        entry: &RemoteWrite,
    ) -> Arc<Self> {
        // Whatever is logged on the way says where it goes; of the highest level, so that no filter leaves it out.
        let span = error_span!("remote_write", name = entry.name, kind = kind.as_str());
        let options = &entry.options;
        let mailbox = Arc::new(Mailbox::default());
        let writer = Arc::new(span.in_scope(|| Writer::start(transport, options)));
        let (inbox, outlet) = (mailbox.clone(), writer.clone());
        let reader = match kind {
            PushKind::Gauges => tokio::spawn(Gauges::default().run(inbox, outlet).instrument(span)),
            PushKind::Curves => tokio::spawn(Curves::new().run(inbox, outlet).instrument(span)),
        };
        Arc::new(Self {
            kind,
            mailbox,
            writer,
            n_shards: options.n_shards,
            reader: Mutex::new(Some(reader)),
        })
    }

    pub(super) fn figures(&self, entry: &RemoteWrite) -> LaneFigures {
        LaneFigures {
            name: entry.name.clone(),
            url: redacted(&entry.upstream.url).to_string(),
            kind: self.kind,
            figures: self.writer.figures(),
            n_shards: self.n_shards,
            capacity: entry.options.queue.capacity,
        }
    }

    /// Takes nothing more, and sends what there is for no longer than a limit.
    pub(super) async fn shut_down(&self, limit: Duration) -> Figures {
        self.mailbox.close();
        let reader = self
            .reader
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .take();
        let begun = tokio::time::Instant::now();
        if let Some(mut reader) = reader
            && timeout(limit / 2, &mut reader).await.is_err()
        {
            reader.abort();
        }
        self.writer
            .shutdown(limit.saturating_sub(begun.elapsed()))
            .await
    }
}

/// Hands series to a writer. One that has had no room for as long as that is worth waiting for gets the rest without
/// being waited for.
pub(super) struct Outbox<'w> {
    writer: &'w Writer,
    patience: Duration,
}

impl<'w> Outbox<'w> {
    pub(super) fn new(writer: &'w Writer, patience: Duration) -> Self {
        Self { writer, patience }
    }

    /// Whether more has a chance: not once the patience is spent.
    pub(super) async fn send(&mut self, series: Vec<Series>) -> bool {
        if self.writer.push(series, self.patience).await > 0 {
            self.patience = Duration::ZERO;
        }
        // A writer with room lets everything pass at once, and others may want the thread.
        tokio::task::yield_now().await;
        !self.patience.is_zero()
    }
}
