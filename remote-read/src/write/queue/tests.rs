//! What a queue promises about order, bounds and counts.

use super::*;
use crate::write::Figures;
use proptest::prelude::*;
use series::Sample;

const SECOND: Duration = Duration::from_secs(1);

const LIMITS: QueueLimits = QueueLimits {
    max_batch_samples: 4,
    max_batch_age: Duration::from_secs(5),
    capacity: 10,
    give_up_after: Duration::from_mins(1),
    max_retry_after: Duration::from_secs(30),
};

fn queue() -> (Queue, Arc<Meter>) {
    let meter = Arc::new(Meter::default());
    let backoff = Backoff::new(SECOND, 8 * SECOND, 1);
    (Queue::new(LIMITS, backoff, meter.clone()), meter)
}

fn series(instance: &str, times: impl IntoIterator<Item = i64>) -> Series {
    let sample = |seconds: i64| Sample {
        at: Timestamp::from_seconds(seconds),
        value: seconds as f64,
    };
    Series {
        labels: Labels::new([("instance", instance)]).unwrap(),
        samples: times.into_iter().map(sample).collect(),
    }
}

#[track_caller]
fn sent(next: Next) -> Vec<Series> {
    match next {
        Next::Send(batch) => batch.series.clone(),
        other => panic!("a batch was to be sent, got {other:?}"),
    }
}

const DELIVERED: Verdict = Verdict::Delivered { unwritten: 0 };

#[test]
fn a_full_batch_goes_at_once_and_a_part_of_one_when_it_is_old() {
    let ((mut queue, meter), now) = (queue(), Instant::now());
    assert_eq!(queue.next(now), Next::Idle);
    assert!(queue.offer(&mut series("a", 0..6), now));
    assert_eq!(sent(queue.next(now)), [series("a", 0..4)]);
    queue.settle(DELIVERED, now);
    assert_eq!(queue.next(now), Next::Wait(now + 5 * SECOND));
    assert_eq!(sent(queue.next(now + 5 * SECOND)), [series("a", 4..6)]);
    queue.settle(DELIVERED, now);
    assert_eq!(queue.next(now), Next::Idle);
    let figures = meter.figures();
    assert_eq!((figures.sent, figures.pending), (6, 0));
    assert_eq!(figures.highest_sent, Some(Timestamp::from_seconds(5)));
}

#[test]
fn what_finds_no_room_is_left_with_the_caller() {
    let ((mut queue, meter), now) = (queue(), Instant::now());
    let mut long = series("a", 0..25);
    assert!(!queue.offer(&mut long, now));
    assert_eq!(long, series("a", 10..25));
    assert!(!queue.offer(&mut long, now), "there is still no room");
    assert_eq!(long.samples.len(), 15);
    assert_eq!(meter.figures().pending, 10);
    sent(queue.next(now));
    queue.offer(&mut long, now);
    assert_eq!(long, series("a", 14..25), "a batch has left");
}

#[test]
fn samples_of_one_series_are_joined_and_put_in_order() {
    let ((mut queue, meter), now) = (queue(), Instant::now());
    for mut part in [series("a", [3]), series("b", [1]), series("a", [2])] {
        queue.offer(&mut part, now);
    }
    let mut revised = series("a", [3]);
    revised.samples[0].value = 99.0;
    queue.offer(&mut revised, now);
    let mut joined = series("a", [2, 3]);
    joined.samples[1].value = 99.0;
    assert_eq!(sent(queue.next(now)), [joined, series("b", [1])]);
    queue.settle(DELIVERED, now);
    let figures = meter.figures();
    assert_eq!(
        (figures.sent, figures.dropped(DropReason::Replaced)),
        (3, 1)
    );
    assert_eq!(figures.pending, 0);
}

#[test]
fn a_batch_is_retried_as_it_is_before_anything_else_goes() {
    let ((mut queue, meter), now) = (queue(), Instant::now());
    queue.offer(&mut series("a", 0..8), now);
    let first = sent(queue.next(now));
    queue.settle(Verdict::Retry(None), now);
    let Next::Wait(time) = queue.next(now) else {
        panic!("there is a wait before an attempt");
    };
    assert!(now + SECOND / 2 <= time && time <= now + SECOND);
    assert_eq!(sent(queue.next(time)), first);
    queue.settle(Verdict::Retry(Some(20 * SECOND)), time);
    assert!(matches!(queue.next(time + 19 * SECOND), Next::Wait(_)));
    let later = time + 30 * SECOND;
    assert_eq!(sent(queue.next(later)), first);
    queue.settle(Verdict::FallBack, later);
    assert_eq!(
        sent(queue.next(later)),
        first,
        "at once, in the other protocol"
    );
    queue.settle(DELIVERED, later);
    assert_eq!(sent(queue.next(later)), [series("a", 4..8)]);
    assert_eq!(meter.figures().retried, 12);
}

#[test]
fn a_batch_that_was_tried_for_too_long_makes_room_for_the_next() {
    let ((mut queue, meter), now) = (queue(), Instant::now());
    queue.offer(&mut series("a", 0..4), now);
    sent(queue.next(now));
    queue.settle(Verdict::Retry(None), now);
    let later = now + LIMITS.give_up_after;
    queue.offer(&mut series("a", 4..8), later);
    assert_eq!(sent(queue.next(later)), [series("a", 4..8)]);
    assert_eq!(meter.figures().dropped(DropReason::Expired), 4);
}

#[test]
fn what_is_refused_in_part_is_counted_in_part() {
    let ((mut queue, meter), now) = (queue(), Instant::now());
    let verdicts = [
        Verdict::Delivered { unwritten: 1 },
        Verdict::Drop {
            reason: DropReason::Rejected,
            written: 3,
        },
    ];
    for verdict in verdicts {
        queue.offer(&mut series("a", 0..4), now);
        sent(queue.next(now));
        queue.settle(verdict, now);
    }
    let figures = meter.figures();
    assert_eq!((figures.sent, figures.pending), (6, 0));
    assert_eq!(figures.dropped(DropReason::NotWritten), 1);
    assert_eq!(figures.dropped(DropReason::Rejected), 1);
}

#[test]
fn a_closing_queue_waits_for_nobody_and_what_is_left_is_counted() {
    let ((mut queue, meter), now) = (queue(), Instant::now());
    queue.offer(&mut series("a", 0..6), now);
    queue.close();
    assert_eq!(sent(queue.next(now)).len(), 1);
    queue.abandon();
    assert_eq!(queue.next(now), Next::Idle);
    let figures = meter.figures();
    assert_eq!(
        (figures.pending, figures.dropped(DropReason::Shutdown)),
        (0, 6)
    );
}

#[test]
fn a_series_stays_with_its_shard_and_shards_share_the_work() {
    let mut seen = [0; 8];
    for idx in 0..800 {
        let labels = Labels::new([("instance", idx.to_string())]).unwrap();
        let shard = shard_of(&labels, 8);
        assert_eq!(shard, shard_of(&labels.clone(), 8));
        seen[shard] += 1;
    }
    assert!(seen.iter().all(|n| (60..140).contains(n)), "{seen:?}");
    assert_eq!(shard_of(&Labels::default(), 0), 0);
}

/// What may happen to a queue.
#[derive(Debug, Clone)]
enum Event {
    Offer(u8, u8),
    Pass(u8),
    Settle(u8),
}

fn any_event() -> impl Strategy<Value = Event> {
    prop_oneof![
        (0_u8..3, 0_u8..9).prop_map(|(series, n)| Event::Offer(series, n)),
        any::<u8>().prop_map(Event::Pass),
        any::<u8>().prop_map(Event::Settle),
    ]
}

fn verdict(number: u8) -> Verdict {
    match number % 5 {
        0 => Verdict::Retry(None),
        1 => Verdict::FallBack,
        2 => Verdict::Drop {
            reason: DropReason::Rejected,
            written: number.into(),
        },
        _ => Verdict::Delivered {
            unwritten: u64::from(number / 200),
        },
    }
}

fn total(figures: &Figures) -> u64 {
    figures.sent + figures.pending + figures.dropped.iter().sum::<u64>()
}

proptest! {
    #[test]
    fn no_sample_overtakes_another_and_each_is_accounted_for(
        events in prop::collection::vec(any_event(), 0..60),
    ) {
        let ((mut queue, meter), mut now) = (queue(), Instant::now());
        let (mut n_offered, mut taken, mut last) = (0_i64, 0, [-1_i64; 3]);
        for event in events {
            match event {
                Event::Offer(of, n) => {
                    let mut offered = series(&of.to_string(), n_offered..n_offered + i64::from(n));
                    n_offered += i64::from(n);
                    queue.offer(&mut offered, now);
                    taken += u64::from(n) - offered.samples.len() as u64;
                }
                Event::Pass(seconds) => now += SECOND * u32::from(seconds),
                Event::Settle(number) => {
                    let Next::Send(batch) = queue.next(now) else { continue };
                    prop_assert!(batch.n_samples <= 4);
                    let verdict = verdict(number);
                    for series in &batch.series {
                        let of: usize = series.labels.get("instance").parse().unwrap();
                        for sample in &series.samples {
                            let at = sample.at.as_millis() / 1_000;
                            prop_assert!(at > last[of], "{at} after {}", last[of]);
                            if !matches!(verdict, Verdict::Retry(_) | Verdict::FallBack) {
                                last[of] = at;
                            }
                        }
                    }
                    queue.settle(verdict, now);
                }
            }
            prop_assert_eq!(total(&meter.figures()), taken);
            prop_assert!(meter.figures().pending <= 14, "capacity and one batch");
        }
        queue.abandon();
        prop_assert_eq!(meter.figures().pending, 0);
        prop_assert_eq!(total(&meter.figures()), taken);
    }
}
