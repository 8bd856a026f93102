//! Samples pushed to one receiver: queues by series, each with its own task.

use super::complaints::Complaints;
use crate::write::{
    Backoff, Batch, DropReason, Figures, Meter, Negotiation, Next, Protocol, Queue, QueueLimits,
    Transport, Verdict, encode, judge, shard_of,
};
use series::Series;
use std::{
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};
use tokio::{
    sync::Notify,
    task::JoinSet,
    time::{Instant, timeout, timeout_at},
};
use tracing::{Instrument as _, Span};

/// How samples are sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct WriterOptions {
    /// What is tried first; from 2.0 the writer falls back to 1.0 by itself.
    pub protocol: Protocol,
    /// Queues, and so requests at a time; at least one.
    pub n_shards: usize,
    /// The bounds of each queue.
    pub queue: QueueLimits,
    /// The first wait after a failure; the waits double from there.
    pub min_backoff: Duration,
    /// The longest wait after a failure.
    pub max_backoff: Duration,
    /// For the random part of the waits.
    pub seed: u64,
}

impl Default for WriterOptions {
    /// 1.0, which everybody understands; four requests at a time, a tenth of what hurts a small receiver; waits
    /// from 30 ms to 5 s, as Prometheus has them.
    fn default() -> Self {
        Self {
            protocol: Protocol::V1,
            n_shards: 4,
            queue: QueueLimits::default(),
            min_backoff: Duration::from_millis(30),
            max_backoff: Duration::from_secs(5),
            seed: 0,
        }
    }
}

/// Sends samples in the background; whatever is pushed is sent in order, series by series. Dropping it without
/// [`Writer::shutdown`] loses what waits.
#[derive(Debug)]
pub struct Writer {
    shards: Vec<Arc<Shard>>,
    meter: Arc<Meter>,
    negotiation: Arc<Negotiation>,
    complaints: Arc<Complaints>,
    /// What the log says the samples are sent for.
    span: Span,
    tasks: Mutex<JoinSet<()>>,
}

impl Writer {
    /// Starts the tasks; call it within a tokio runtime. What they log is logged within the present span.
    pub fn start(transport: impl Transport, options: &WriterOptions) -> Self {
        let meter = Arc::new(Meter::default());
        let negotiation = Arc::new(Negotiation::new(options.protocol));
        let shard = |idx: usize| Arc::new(Shard::new(options, idx as u64, meter.clone()));
        let shards: Vec<_> = (0..options.n_shards.max(1)).map(shard).collect();
        let (complaints, span) = (Arc::new(Complaints::default()), Span::current());
        let sender = Arc::new(Sender {
            transport,
            negotiation: negotiation.clone(),
            meter: meter.clone(),
            complaints: complaints.clone(),
        });
        let mut tasks = JoinSet::new();
        for shard in &shards {
            let task = shard.clone().run(sender.clone());
            tasks.spawn(task.instrument(span.clone()));
        }
        Self {
            shards,
            meter,
            negotiation,
            complaints,
            span,
            tasks: Mutex::new(tasks),
        }
    }

    /// Queues samples, and where a queue is full waits for room, for no longer than `patience` in all. What has
    /// found no room by then is dropped, the newest of each series, and its number returned: what waits already
    /// must go first to keep the order, and memory has its bound.
    pub async fn push(&self, series: Vec<Series>, patience: Duration) -> usize {
        let deadline = Instant::now() + patience;
        let mut dropped = Vec::new();
        for mut series in series {
            let shard = &self.shards[shard_of(&series.labels, self.shards.len())];
            if let Err(reason) = shard.take(&mut series, deadline).await {
                self.meter.refuse(reason, series.samples.len() as u64);
                dropped.push((reason, series.samples.len()));
            }
        }
        for reason in [DropReason::QueueFull, DropReason::Shutdown] {
            let of_reason = dropped.iter().filter(|(why, _)| *why == reason);
            let n_samples: usize = of_reason.map(|(_, n_samples)| n_samples).sum();
            self.tell(reason, n_samples as u64);
        }
        dropped.iter().map(|(_, n_samples)| n_samples).sum()
    }

    /// Counts samples that were to be pushed, and were given up before.
    pub fn refuse(&self, reason: DropReason, n_samples: u64) {
        self.meter.refuse(reason, n_samples);
        self.tell(reason, n_samples);
    }

    fn tell(&self, reason: DropReason, n_samples: u64) {
        self.span
            .in_scope(|| self.complaints.refused(reason, n_samples));
    }

    /// What has become of all samples so far.
    pub fn figures(&self) -> Figures {
        self.meter.figures()
    }

    /// The protocol that is spoken by now.
    pub fn protocol(&self) -> Protocol {
        self.negotiation.protocol()
    }

    /// Takes no more samples, sends what waits, and gives up on what has not arrived after `limit`.
    pub async fn shutdown(&self, limit: Duration) -> Figures {
        for shard in &self.shards {
            shard.close();
        }
        let mut tasks = std::mem::take(&mut *unpoisoned(&self.tasks));
        // Whoever is late is stopped when the set is dropped.
        let _ = timeout(limit, async { while tasks.join_next().await.is_some() {} }).await;
        tasks.shutdown().await;
        for shard in &self.shards {
            unpoisoned(&shard.queue).abandon();
        }
        self.meter.figures()
    }
}

/// A queue that a panic has left behind is whole: each of its steps is.
fn unpoisoned<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// One queue and its bells.
#[derive(Debug)]
struct Shard {
    queue: Mutex<Queue>,
    /// Rings when samples have come, or no more will.
    work: Notify,
    /// Rings when a batch has been formed or settled.
    room: Notify,
}

impl Shard {
    fn new(options: &WriterOptions, idx: u64, meter: Arc<Meter>) -> Self {
        let seed = options.seed.wrapping_add(idx);
        let backoff = Backoff::new(options.min_backoff, options.max_backoff, seed);
        Self {
            queue: Mutex::new(Queue::new(options.queue, backoff, meter)),
            work: Notify::new(),
            room: Notify::new(),
        }
    }

    /// Takes a series, or leaves behind what has found no room by the deadline.
    async fn take(&self, series: &mut Series, deadline: Instant) -> Result<(), DropReason> {
        loop {
            let room = self.room.notified();
            tokio::pin!(room);
            room.as_mut().enable();
            let is_open = {
                let mut queue = unpoisoned(&self.queue);
                if queue.is_closing() {
                    return Err(DropReason::Shutdown);
                }
                !queue.offer(series, Instant::now().into_std())
            };
            self.work.notify_one();
            if !is_open {
                return Ok(());
            }
            if timeout_at(deadline, room).await.is_err() {
                return Err(DropReason::QueueFull);
            }
        }
    }

    fn close(&self) {
        unpoisoned(&self.queue).close();
        self.work.notify_one();
        self.room.notify_waiters();
    }

    /// Sends until the queue is closed and empty.
    async fn run<T: Transport>(self: Arc<Self>, sender: Arc<Sender<T>>) {
        loop {
            let (next, is_closing) = {
                let mut queue = unpoisoned(&self.queue);
                (queue.next(Instant::now().into_std()), queue.is_closing())
            };
            sender.complaints.look(&sender.meter);
            self.room.notify_waiters();
            match next {
                Next::Send(batch) => {
                    let verdict = sender.deliver(&batch).await;
                    unpoisoned(&self.queue).settle(verdict, Instant::now().into_std());
                }
                Next::Wait(time) => {
                    // Whether it was the time or a bell does not matter: the queue says what is next.
                    let _ = timeout_at(time.into(), self.work.notified()).await;
                }
                Next::Idle if is_closing => return,
                Next::Idle => self.work.notified().await,
            }
        }
    }
}

/// What all shards send by.
struct Sender<T> {
    transport: T,
    negotiation: Arc<Negotiation>,
    meter: Arc<Meter>,
    complaints: Arc<Complaints>,
}

impl<T: Transport> Sender<T> {
    async fn deliver(&self, batch: &Batch) -> Verdict {
        let protocol = self.negotiation.protocol();
        let body = match encode(protocol, &batch.series) {
            Ok(body) => body,
            Err(error) => {
                self.complaints.unwritable(&error, batch.n_samples);
                return Verdict::Drop {
                    reason: DropReason::TooLarge,
                    written: 0,
                };
            }
        };
        let n_bytes = body.len();
        let answer = match self.transport.post(protocol, body).await {
            Ok(answer) => answer,
            Err(error) => {
                self.complaints.unreachable(&error);
                return Verdict::Retry(None);
            }
        };
        let verdict = judge(&answer, protocol, batch.n_samples);
        if matches!(verdict, Verdict::Delivered { .. }) {
            self.meter.on_request(n_bytes);
        }
        self.complaints.tell(verdict, &answer, batch.n_samples);
        if verdict == Verdict::FallBack {
            self.negotiation.fall_back();
        }
        verdict
    }
}
