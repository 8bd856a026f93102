//! What goes wrong on the way to a receiver, told once and not with every batch.

use crate::write::{Answer, DropReason, Meter, Unreachable, Verdict};
use std::{
    collections::HashMap,
    error::Error,
    sync::{Mutex, MutexGuard, PoisonError},
    time::Duration,
};
use tokio::time::Instant;

/// A receiver that refuses one batch mostly refuses the next, for the same cause and in the same words.
const SILENCE: Duration = Duration::from_hours(1);

/// A receiver that has asked for no batch again for as long is well; one that is only slow takes every other.
const PEACE: Duration = Duration::from_mins(1);

/// What was said of late, over all shards.
#[derive(Debug, Default)]
pub(super) struct Complaints(Mutex<Said>);

#[derive(Debug, Default)]
struct Said {
    /// When something was said last.
    last: HashMap<Topic, Instant>,
    /// When a batch had to be sent again last; none where that was not said, or its end was.
    repeated: Option<Instant>,
    /// Samples that are known to have expired.
    n_expired: u64,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
enum Topic {
    /// Samples are sent again.
    Waits,
    Dropped(DropReason),
}

impl Complaints {
    /// No answer came, and the batch is sent again.
    pub(super) fn unreachable(&self, error: &Unreachable) {
        let causes = std::iter::successors(error.source(), |&cause| cause.source());
        let text = causes.fold(error.to_string(), |text, cause| format!("{text}: {cause}"));
        self.repeat(&text, Instant::now());
    }

    /// No queue had room for samples, or there was no time left.
    pub(super) fn refused(&self, reason: DropReason, n_samples: u64) {
        if n_samples > 0 {
            self.drop(reason, n_samples, "they were not taken");
        }
    }

    /// A batch is too large to be written at all.
    pub(super) fn unwritable(&self, error: &dyn Error, n_samples: u64) {
        self.drop(DropReason::TooLarge, n_samples, &error.to_string());
    }

    /// Looks whether batches were given up since the last time.
    pub(super) fn look(&self, meter: &Meter) {
        let n_new = self.n_new(meter.figures().dropped(DropReason::Expired));
        if n_new > 0 {
            let text = "the receiver did not take them in all the time that they are worth";
            self.drop(DropReason::Expired, n_new, text);
        }
    }

    /// Logs what is not as it should be, with the receiver's own words.
    pub(super) fn tell(&self, verdict: Verdict, answer: &Answer, n_samples: u64) {
        let Answer { status, words, .. } = answer;
        let text = format!("the receiver answered {status}: {words}");
        match verdict {
            Verdict::Retry(_) => return self.repeat(&text, Instant::now()),
            Verdict::Delivered { unwritten: 0 } => {}
            Verdict::Delivered { unwritten } => self.drop(DropReason::NotWritten, unwritten, &text),
            Verdict::FallBack => {
                tracing::info!(
                    "the receiver answered {status} to remote write 2.0: 1.0 from now on"
                );
            }
            Verdict::Drop { reason, written } => self.drop(reason, n_samples - written, &text),
        }
        if self.is_over(Instant::now()) {
            tracing::info!("the receiver of remote write answers again");
        }
    }

    fn repeat(&self, text: &str, now: Instant) {
        if self.is_trouble_news(now) {
            tracing::warn!(
                "samples wait and are sent again, and this is said once an hour at most: {text}"
            );
        } else {
            tracing::debug!("samples are sent again: {text}");
        }
    }

    fn drop(&self, reason: DropReason, n_samples: u64, text: &str) {
        let is_news = self.is_news(Topic::Dropped(reason), Instant::now());
        let reason = reason.as_str();
        if is_news {
            tracing::warn!(
                "{n_samples} samples dropped ({reason}), and this is said once an hour at most: {text}"
            );
        } else {
            tracing::debug!("{n_samples} samples dropped ({reason}): {text}");
        }
    }

    /// How many samples have expired since the last time, whichever shard looked then.
    fn n_new(&self, n_expired: u64) -> u64 {
        let mut said = self.said();
        let before = said.n_expired;
        // Another shard may have seen more by now.
        said.n_expired = before.max(n_expired);
        n_expired.saturating_sub(before)
    }

    /// A batch has to be sent again: whether that is said.
    fn is_trouble_news(&self, now: Instant) -> bool {
        let is_news = self.is_news(Topic::Waits, now);
        let mut said = self.said();
        // The end of what was not said is not said either.
        if is_news || said.repeated.is_some() {
            said.repeated = Some(now);
        }
        is_news
    }

    /// A batch was answered for good: whether that is the end of trouble.
    fn is_over(&self, now: Instant) -> bool {
        let is_over = |last: &mut Instant| now.saturating_duration_since(*last) >= PEACE;
        self.said().repeated.take_if(is_over).is_some()
    }

    fn is_news(&self, topic: Topic, now: Instant) -> bool {
        let mut said = self.said();
        let last = said.last.get(&topic);
        let is_news = last.is_none_or(|last| now.saturating_duration_since(*last) >= SILENCE);
        if is_news {
            said.last.insert(topic, now);
        }
        is_news
    }

    fn said(&self) -> MutexGuard<'_, Said> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_reason_is_news_once_an_hour() {
        let (complaints, now) = (Complaints::default(), Instant::now());
        let is_news = |reason, seconds| {
            complaints.is_news(Topic::Dropped(reason), now + Duration::from_secs(seconds))
        };
        assert!(is_news(DropReason::Rejected, 0));
        assert!(!is_news(DropReason::Rejected, 3_599));
        assert!(is_news(DropReason::TooLarge, 3_599));
        assert!(is_news(DropReason::Rejected, 3_600));
        assert!(!is_news(DropReason::Rejected, 3_601));
    }

    #[test]
    fn a_receiver_that_takes_every_other_batch_is_told_of_once() {
        let (complaints, begun) = (Complaints::default(), Instant::now());
        let at = |seconds| begun + Duration::from_secs(seconds);
        let mut news = Vec::new();
        for second in 0..3_600 {
            if complaints.is_trouble_news(at(second)) {
                news.push(("waits", second));
            }
            if complaints.is_over(at(second)) {
                news.push(("answers", second));
            }
        }
        assert_eq!(news, [("waits", 0)]);
        assert!(!complaints.is_over(at(3_599 + 59)));
        assert!(complaints.is_over(at(3_599 + 60)));
        assert!(!complaints.is_over(at(3_599 + 61)), "its end comes once");
        assert!(complaints.is_trouble_news(at(3_700)));
    }

    #[test]
    fn the_end_of_what_was_not_said_is_not_said() {
        let (complaints, begun) = (Complaints::default(), Instant::now());
        let at = |minutes| begun + Duration::from_mins(minutes);
        assert!(complaints.is_trouble_news(at(0)) && complaints.is_over(at(2)));
        assert!(!complaints.is_trouble_news(at(10)) && !complaints.is_over(at(12)));
    }

    #[test]
    fn what_has_expired_is_told_by_one_shard() {
        let complaints = Complaints::default();
        let told = [0, 7, 7, 6, 10].map(|n_expired| complaints.n_new(n_expired));
        assert_eq!(told, [0, 7, 0, 0, 3]);
    }
}
