//! One queue of samples on their way to one receiver: what to send, when, and how much may wait.

use super::{Backoff, DropReason, Meter, Verdict};
use series::{Labels, Series, Timestamp};
use std::{
    collections::{HashMap, VecDeque},
    hash::{DefaultHasher, Hash, Hasher},
    sync::Arc,
    time::{Duration, Instant},
};

/// The bounds of one queue.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct QueueLimits {
    /// Samples in one request; at least one.
    pub max_batch_samples: usize,
    /// How long a sample waits for others before it is sent alone.
    pub max_batch_age: Duration,
    /// Samples that may wait, those on their way not counted; at least a batch.
    pub capacity: usize,
    /// How long a batch is tried before it is given up.
    pub give_up_after: Duration,
    /// The longest wait that a receiver can ask for by `Retry-After`.
    pub max_retry_after: Duration,
}

impl Default for QueueLimits {
    /// 2,000 samples a batch, after 5 s at the latest, 10,000 waiting: as Prometheus has them. A forecast that is
    /// an hour late is no forecast; and after five minutes it does no harm to ask once more.
    fn default() -> Self {
        Self {
            max_batch_samples: 2_000,
            max_batch_age: Duration::from_secs(5),
            capacity: 10_000,
            give_up_after: Duration::from_hours(1),
            max_retry_after: Duration::from_mins(5),
        }
    }
}

/// Which of several queues a series goes through: always the same, so that its samples keep their order.
pub fn shard_of(labels: &Labels, n_shards: usize) -> usize {
    let mut hasher = DefaultHasher::new();
    labels.hash(&mut hasher);
    let n_shards = n_shards.max(1) as u64;
    usize::try_from(hasher.finish() % n_shards).expect("a shard's number is below that of shards")
}

/// Samples for one request.
#[derive(Debug, Clone, PartialEq)]
pub struct Batch {
    /// No labels twice; samples in ascending order of time.
    pub series: Vec<Series>,
    /// Over all series.
    pub n_samples: u64,
    newest: Timestamp,
    /// When the first of its samples was taken.
    since: Instant,
}

/// What to do now.
#[derive(Debug, Clone, PartialEq)]
pub enum Next {
    /// Send this, and [`Queue::settle`] what became of it before asking again.
    Send(Arc<Batch>),
    /// Nothing until then, unless more samples come.
    Wait(Instant),
    /// Nothing until samples come.
    Idle,
}

/// Keeps samples in the order in which they came, forms batches of them, and has one on its way at a time, so
/// that no sample overtakes another.
#[derive(Debug)]
pub struct Queue {
    limits: QueueLimits,
    backoff: Backoff,
    meter: Arc<Meter>,
    waiting: VecDeque<(Series, Instant)>,
    n_waiting: usize,
    on_its_way: Option<Arc<Batch>>,
    not_before: Option<Instant>,
    is_closing: bool,
}

impl Queue {
    /// An empty queue.
    pub fn new(limits: QueueLimits, backoff: Backoff, meter: Arc<Meter>) -> Self {
        let max_batch_samples = limits.max_batch_samples.max(1);
        Self {
            limits: QueueLimits {
                max_batch_samples,
                capacity: limits.capacity.max(max_batch_samples),
                ..limits
            },
            backoff,
            meter,
            waiting: VecDeque::new(),
            n_waiting: 0,
            on_its_way: None,
            not_before: None,
            is_closing: false,
        }
    }

    /// Takes as many samples off the front of a series as there is room for, and says whether that was all.
    pub fn offer(&mut self, series: &mut Series, now: Instant) -> bool {
        let room = self.limits.capacity - self.n_waiting;
        let rest = series.samples.split_off(room.min(series.samples.len()));
        let samples = std::mem::replace(&mut series.samples, rest);
        if let Some(newest) = samples.iter().map(|sample| sample.at).max() {
            self.n_waiting += samples.len();
            self.meter.on_taken(samples.len() as u64, newest);
            let labels = series.labels.clone();
            self.waiting.push_back((Series { labels, samples }, now));
        }
        series.samples.is_empty()
    }

    /// From now on nothing waits for company.
    pub fn close(&mut self) {
        self.is_closing = true;
    }

    /// Whether [`Queue::close`] was called.
    pub fn is_closing(&self) -> bool {
        self.is_closing
    }

    /// What is to be done.
    pub fn next(&mut self, now: Instant) -> Next {
        if let Some(batch) = &self.on_its_way {
            if let Some(time) = self.not_before.filter(|time| *time > now) {
                return Next::Wait(time);
            }
            if now.saturating_duration_since(batch.since) < self.limits.give_up_after {
                return Next::Send(batch.clone());
            }
            self.meter.on_dropped(DropReason::Expired, batch.n_samples);
            self.done();
        }
        match self.waiting.front() {
            None => Next::Idle,
            Some((_, since)) => match since.checked_add(self.limits.max_batch_age) {
                Some(due) if due > now && !self.is_due() => Next::Wait(due),
                _ => Next::Send(self.form_batch()),
            },
        }
    }

    /// What became of the batch that was to be sent; a connection that failed is a retry.
    pub fn settle(&mut self, verdict: Verdict, now: Instant) {
        let Some(batch) = self.on_its_way.clone() else {
            return;
        };
        let (n, newest) = (batch.n_samples, batch.newest);
        match verdict {
            Verdict::Delivered { unwritten } => {
                let unwritten = unwritten.min(n);
                self.meter.on_sent(n - unwritten, newest);
                self.meter.on_dropped(DropReason::NotWritten, unwritten);
                self.done();
            }
            Verdict::Drop { reason, written } => {
                let written = written.min(n);
                self.meter.on_sent(written, newest);
                self.meter.on_dropped(reason, n - written);
                self.done();
            }
            Verdict::FallBack => self.meter.on_retried(n),
            Verdict::Retry(asked) => {
                let wait = self.backoff.wait(asked, self.limits.max_retry_after);
                self.not_before = now.checked_add(wait);
                self.meter.on_retried(n);
            }
        }
    }

    /// Lets go of all that is left, at the end.
    pub fn abandon(&mut self) {
        let on_its_way = self.on_its_way.take().map_or(0, |batch| batch.n_samples);
        let n_samples = on_its_way + self.n_waiting as u64;
        self.meter.on_dropped(DropReason::Shutdown, n_samples);
        self.waiting.clear();
        self.n_waiting = 0;
    }

    fn done(&mut self) {
        self.on_its_way = None;
        self.not_before = None;
        self.backoff.reset();
    }

    fn is_due(&self) -> bool {
        self.is_closing || self.n_waiting >= self.limits.max_batch_samples
    }

    /// Takes samples off the front, joining those of one series.
    fn form_batch(&mut self) -> Arc<Batch> {
        let (mut all, mut places) = (Vec::<Series>::new(), HashMap::new());
        let (mut room, mut since) = (self.limits.max_batch_samples, None);
        while room > 0
            && let Some((mut series, came)) = self.waiting.pop_front()
        {
            since.get_or_insert(came);
            let rest = series.samples.split_off(room.min(series.samples.len()));
            let (labels, samples) = (series.labels, series.samples);
            room -= samples.len();
            if !rest.is_empty() {
                let (labels, samples) = (labels.clone(), rest);
                self.waiting.push_front((Series { labels, samples }, came));
            }
            let place = *places.entry(labels.clone()).or_insert(all.len());
            match all.get_mut(place) {
                Some(known) => known.samples.extend(samples),
                None => all.push(Series { labels, samples }),
            }
        }
        let n_taken = self.limits.max_batch_samples - room;
        self.n_waiting -= n_taken;
        let since = since.expect("a batch is formed where samples wait");
        let batch = Arc::new(self.sealed(all, n_taken, since));
        self.on_its_way = Some(batch.clone());
        batch
    }

    /// Puts each series in order. Of two samples of one time the later one is what was meant.
    fn sealed(&self, mut series: Vec<Series>, n_taken: usize, since: Instant) -> Batch {
        for series in &mut series {
            let samples = &mut series.samples;
            samples.reverse();
            samples.sort_by_key(|sample| sample.at);
            samples.dedup_by_key(|sample| sample.at);
        }
        let samples = || series.iter().flat_map(|series| &series.samples);
        let n_samples = samples().count();
        self.meter
            .on_dropped(DropReason::Replaced, (n_taken - n_samples) as u64);
        let newest = samples().map(|sample| sample.at).max();
        Batch {
            n_samples: n_samples as u64,
            newest: newest.expect("a batch has samples"),
            series,
            since,
        }
    }
}

#[cfg(test)]
mod tests;
