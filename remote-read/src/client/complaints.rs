//! What goes wrong on the way to a receiver, told once and not with every batch.

use crate::write::{Answer, DropReason, Unreachable, Verdict};
use std::{
    collections::HashMap,
    error::Error,
    sync::{
        Mutex, PoisonError,
        atomic::{AtomicBool, Ordering::Relaxed},
    },
    time::Duration,
};
use tokio::time::Instant;

/// A receiver that refuses one batch mostly refuses the next, for the same cause and in the same words.
const SILENCE: Duration = Duration::from_hours(1);

/// What was said of late.
#[derive(Debug, Default)]
pub(super) struct Complaints {
    /// When samples were last said to be dropped for a reason.
    dropped: Mutex<HashMap<DropReason, Instant>>,
    /// Whether the last attempt had to be repeated.
    is_waiting: AtomicBool,
}

impl Complaints {
    /// No answer came, and the batch is sent again.
    pub(super) fn unreachable(&self, error: &Unreachable) {
        let causes = std::iter::successors(error.source(), |&cause| cause.source());
        let text = causes.fold(error.to_string(), |text, cause| format!("{text}: {cause}"));
        self.repeat(&text);
    }

    /// Logs what is not as it should be, with the receiver's own words.
    pub(super) fn tell(&self, verdict: Verdict, answer: &Answer, n_samples: u64) {
        let Answer { status, words, .. } = answer;
        let text = format!("the receiver answered {status}: {words}");
        match verdict {
            Verdict::Retry(_) => return self.repeat(&text),
            Verdict::Delivered { unwritten: 0 } => {}
            Verdict::Delivered { unwritten } => self.drop(DropReason::NotWritten, unwritten, &text),
            Verdict::FallBack => {
                tracing::info!(
                    "the receiver answered {status} to remote write 2.0: 1.0 from now on"
                );
            }
            Verdict::Drop { reason, written } => self.drop(reason, n_samples - written, &text),
        }
        if self.is_waiting.swap(false, Relaxed) {
            tracing::info!("the receiver of remote write answers again");
        }
    }

    fn repeat(&self, text: &str) {
        if self.is_waiting.swap(true, Relaxed) {
            tracing::debug!("samples are sent again: {text}");
        } else {
            tracing::warn!("samples wait and are sent again: {text}");
        }
    }

    fn drop(&self, reason: DropReason, n_samples: u64, text: &str) {
        let is_news = self.is_news(reason, Instant::now());
        let reason = reason.as_str();
        if is_news {
            tracing::warn!(
                "{n_samples} samples dropped ({reason}), and this is said once an hour at most: {text}"
            );
        } else {
            tracing::debug!("{n_samples} samples dropped ({reason}): {text}");
        }
    }

    fn is_news(&self, reason: DropReason, now: Instant) -> bool {
        let mut dropped = self.dropped.lock().unwrap_or_else(PoisonError::into_inner);
        let last = dropped.get(&reason);
        let is_news = last.is_none_or(|last| now.saturating_duration_since(*last) >= SILENCE);
        if is_news {
            dropped.insert(reason, now);
        }
        is_news
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_reason_is_news_once_an_hour() {
        let (complaints, now) = (Complaints::default(), Instant::now());
        let is_news =
            |reason, seconds| complaints.is_news(reason, now + Duration::from_secs(seconds));
        assert!(is_news(DropReason::Rejected, 0));
        assert!(!is_news(DropReason::Rejected, 3_599));
        assert!(is_news(DropReason::TooLarge, 3_599));
        assert!(is_news(DropReason::Rejected, 3_600));
        assert!(!is_news(DropReason::Rejected, 3_601));
    }
}
