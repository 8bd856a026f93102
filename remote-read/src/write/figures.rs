//! What has become of every sample, counted for whoever exports it.

use series::Timestamp;
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};

/// Why samples were not delivered; a fixed list, fit for a label.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum DropReason {
    /// The receiver found fault with the request: 4xx.
    Rejected,
    /// 401 or 403.
    Unauthorized,
    /// 404 or 405: there is no receiver at this address.
    NotFound,
    /// 413.
    TooLarge,
    /// 3xx: a request of remote write is not sent on to where somebody else points.
    Redirected,
    /// The receiver of 2.0 said 2xx, and that it has not written them.
    NotWritten,
    /// A later sample of the same series and time was in the same batch.
    Replaced,
    /// The receiver could not be had for too long.
    Expired,
    /// The queue was full for as long as the caller would wait.
    QueueFull,
    /// Time ran out while the queues were emptied at the end.
    Shutdown,
}

impl DropReason {
    /// Every reason, in the order of their declaration.
    pub const ALL: [Self; 10] = [
        Self::Rejected,
        Self::Unauthorized,
        Self::NotFound,
        Self::TooLarge,
        Self::Redirected,
        Self::NotWritten,
        Self::Replaced,
        Self::Expired,
        Self::QueueFull,
        Self::Shutdown,
    ];

    /// The reason as a label value.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Rejected => "rejected",
            Self::Unauthorized => "unauthorized",
            Self::NotFound => "not_found",
            Self::TooLarge => "too_large",
            Self::Redirected => "redirected",
            Self::NotWritten => "not_written",
            Self::Replaced => "replaced",
            Self::Expired => "expired",
            Self::QueueFull => "queue_full",
            Self::Shutdown => "shutdown",
        }
    }
}

/// The counts at one moment. Every sample that was taken is sent, dropped or pending.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Figures {
    /// Samples that arrived.
    pub sent: u64,
    /// Samples sent again, once for each time.
    pub retried: u64,
    /// Bytes of the requests that arrived, packed as they were.
    pub sent_bytes: u64,
    /// Samples that wait or are on their way.
    pub pending: u64,
    /// Samples that will not arrive, in the order of [`DropReason::ALL`].
    pub dropped: [u64; DropReason::ALL.len()],
    /// The latest time of a sample that was taken; `None` before the first.
    pub highest_taken: Option<Timestamp>,
    /// The latest time of a sample that arrived; `None` before the first.
    pub highest_sent: Option<Timestamp>,
}

impl Figures {
    /// Samples dropped for a reason.
    pub fn dropped(&self, reason: DropReason) -> u64 {
        self.dropped[reason as usize]
    }
}

/// Counts, shared by all queues.
#[derive(Debug)]
pub struct Meter {
    sent: AtomicU64,
    retried: AtomicU64,
    sent_bytes: AtomicU64,
    pending: AtomicU64,
    dropped: [AtomicU64; DropReason::ALL.len()],
    /// Milliseconds; the lowest number before the first.
    highest_taken: AtomicI64,
    highest_sent: AtomicI64,
}

impl Default for Meter {
    fn default() -> Self {
        Self {
            sent: AtomicU64::new(0),
            retried: AtomicU64::new(0),
            sent_bytes: AtomicU64::new(0),
            pending: AtomicU64::new(0),
            dropped: DropReason::ALL.map(|_| AtomicU64::new(0)),
            highest_taken: AtomicI64::new(i64::MIN),
            highest_sent: AtomicI64::new(i64::MIN),
        }
    }
}

impl Meter {
    /// The counts as they stand; taken while others count, they may be a batch apart.
    pub fn figures(&self) -> Figures {
        let count = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        let time = |highest: &AtomicI64| {
            let millis = Some(highest.load(Ordering::Relaxed));
            millis
                .filter(|millis| *millis > i64::MIN)
                .map(Timestamp::from_millis)
        };
        Figures {
            sent: count(&self.sent),
            retried: count(&self.retried),
            sent_bytes: count(&self.sent_bytes),
            pending: count(&self.pending),
            dropped: std::array::from_fn(|idx| count(&self.dropped[idx])),
            highest_taken: time(&self.highest_taken),
            highest_sent: time(&self.highest_sent),
        }
    }

    /// Samples that no queue took, and so were never pending.
    pub fn refuse(&self, reason: DropReason, n_samples: u64) {
        self.dropped[reason as usize].fetch_add(n_samples, Ordering::Relaxed);
    }

    /// A request that arrived.
    pub fn on_request(&self, n_bytes: usize) {
        self.sent_bytes.fetch_add(n_bytes as u64, Ordering::Relaxed);
    }

    pub(super) fn on_taken(&self, n_samples: u64, newest: Timestamp) {
        self.pending.fetch_add(n_samples, Ordering::Relaxed);
        self.highest_taken
            .fetch_max(newest.as_millis(), Ordering::Relaxed);
    }

    pub(super) fn on_sent(&self, n_samples: u64, newest: Timestamp) {
        if n_samples > 0 {
            self.pending.fetch_sub(n_samples, Ordering::Relaxed);
            self.sent.fetch_add(n_samples, Ordering::Relaxed);
            self.highest_sent
                .fetch_max(newest.as_millis(), Ordering::Relaxed);
        }
    }

    pub(super) fn on_retried(&self, n_samples: u64) {
        self.retried.fetch_add(n_samples, Ordering::Relaxed);
    }

    pub(super) fn on_dropped(&self, reason: DropReason, n_samples: u64) {
        self.pending.fetch_sub(n_samples, Ordering::Relaxed);
        self.dropped[reason as usize].fetch_add(n_samples, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::HashSet;

    #[test]
    fn reasons_are_listed_in_order_and_named_apart() {
        let names: HashSet<_> = DropReason::ALL.map(DropReason::as_str).into();
        assert_eq!(names.len(), DropReason::ALL.len());
        for (idx, reason) in DropReason::ALL.iter().enumerate() {
            assert_eq!(*reason as usize, idx);
        }
    }

    #[test]
    fn what_is_taken_is_sent_dropped_or_pending() {
        let (meter, time) = (Meter::default(), Timestamp::from_seconds);
        assert_eq!(meter.figures(), Figures::default());
        meter.on_taken(10, time(5));
        meter.on_sent(4, time(3));
        meter.on_dropped(DropReason::Expired, 1);
        meter.refuse(DropReason::QueueFull, 7);
        let figures = meter.figures();
        assert_eq!((figures.sent, figures.pending), (4, 5));
        assert_eq!(figures.dropped(DropReason::Expired), 1);
        assert_eq!(figures.dropped(DropReason::QueueFull), 7);
        assert_eq!(figures.highest_taken, Some(time(5)));
        assert_eq!(figures.highest_sent, Some(time(3)));
    }
}
