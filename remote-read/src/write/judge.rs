//! What to do after one attempt at delivery: decided here, carried out elsewhere.

use super::{DropReason, Protocol};
use std::time::Duration;

/// What a receiver said.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Answer {
    /// The HTTP status.
    pub status: u16,
    /// From `Retry-After`, as [`super::parse_retry_after`] reads it.
    pub retry_after: Option<Duration>,
    /// How many samples were written, where a header of 2.0 says so: a receiver that sends one of
    /// [`super::WRITTEN_HEADERS`] and not the one of samples says zero.
    pub written: Option<u64>,
    /// The beginning of the body, for people.
    pub words: String,
}

/// What becomes of the batch.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// It has arrived; so many of its samples were not written all the same, as the receiver itself says.
    Delivered {
        /// Samples that the receiver did not write.
        unwritten: u64,
    },
    /// It is to be sent again, in no less than the receiver asked for.
    Retry(Option<Duration>),
    /// It is to be sent again at once, as remote write 1.0.
    FallBack,
    /// It will never be taken. A receiver of 2.0 may have written a part of it.
    Drop {
        /// Why.
        reason: DropReason,
        /// Samples that were written all the same.
        written: u64,
    },
}

/// Judges the answer to a batch of so many samples. A protocol is proven once the receiver has answered to it as
/// one that knows it.
///
/// 4xx are final but for 429, as both specifications say. Receivers of 1.0 answer to 2.0 with 415, or with
/// 400, or take it for an empty request of 1.0 and say 2xx without a header of 2.0: all three mean to fall
/// back, unless the receiver has shown that it knows 2.0.
pub fn judge(answer: &Answer, protocol: Protocol, n_samples: u64) -> Verdict {
    let is_unknown = protocol == Protocol::V2 && answer.written.is_none();
    match answer.status {
        200..=299 | 400 | 415 if is_unknown => Verdict::FallBack,
        200..=299 => Verdict::Delivered {
            unwritten: answer
                .written
                .map_or(0, |written| n_samples.saturating_sub(written)),
        },
        429 | 500..=599 => Verdict::Retry(answer.retry_after),
        status => Verdict::Drop {
            reason: reason(status),
            written: answer.written.unwrap_or(0).min(n_samples),
        },
    }
}

fn reason(status: u16) -> DropReason {
    match status {
        401 | 403 => DropReason::Unauthorized,
        404 | 405 => DropReason::NotFound,
        413 => DropReason::TooLarge,
        300..=399 => DropReason::Redirected,
        _ => DropReason::Rejected,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(protocol: Protocol, status: u16, written: Option<u64>, expect: Verdict) {
        let answer = Answer {
            status,
            written,
            ..Answer::default()
        };
        assert_eq!(judge(&answer, protocol, 10), expect, "{status}");
    }

    const fn dropped(reason: DropReason, written: u64) -> Verdict {
        Verdict::Drop { reason, written }
    }

    #[test]
    fn success_of_1_0_needs_no_header() {
        let delivered = Verdict::Delivered { unwritten: 0 };
        for status in [200, 202, 204] {
            check(Protocol::V1, status, None, delivered);
        }
    }

    #[test]
    fn success_of_2_0_is_believed_with_its_header_alone() {
        check(Protocol::V2, 204, None, Verdict::FallBack);
        let unwritten = |unwritten| Verdict::Delivered { unwritten };
        check(Protocol::V2, 204, Some(10), unwritten(0));
        check(Protocol::V2, 204, Some(7), unwritten(3));
        check(Protocol::V2, 204, Some(99), unwritten(0));
    }

    #[test]
    fn trouble_of_the_receiver_is_waited_out() {
        for status in [429, 500, 503, 599] {
            for protocol in [Protocol::V1, Protocol::V2] {
                check(protocol, status, None, Verdict::Retry(None));
            }
        }
        let busy = Answer {
            status: 503,
            retry_after: Some(Duration::from_secs(7)),
            ..Answer::default()
        };
        let verdict = judge(&busy, Protocol::V1, 1);
        assert_eq!(verdict, Verdict::Retry(busy.retry_after));
    }

    #[test]
    fn who_does_not_know_2_0_gets_1_0() {
        for status in [400, 415] {
            check(Protocol::V2, status, None, Verdict::FallBack);
        }
        check(Protocol::V2, 400, Some(4), dropped(DropReason::Rejected, 4));
    }

    #[test]
    fn what_will_never_be_taken_is_dropped_with_its_reason() {
        check(Protocol::V1, 400, None, dropped(DropReason::Rejected, 0));
        check(Protocol::V1, 415, None, dropped(DropReason::Rejected, 0));
        check(Protocol::V1, 408, None, dropped(DropReason::Rejected, 0));
        check(
            Protocol::V1,
            401,
            None,
            dropped(DropReason::Unauthorized, 0),
        );
        check(
            Protocol::V2,
            403,
            None,
            dropped(DropReason::Unauthorized, 0),
        );
        check(Protocol::V1, 404, None, dropped(DropReason::NotFound, 0));
        check(Protocol::V1, 413, None, dropped(DropReason::TooLarge, 0));
        check(Protocol::V1, 301, None, dropped(DropReason::Redirected, 0));
        check(Protocol::V1, 0, None, dropped(DropReason::Rejected, 0));
    }
}
