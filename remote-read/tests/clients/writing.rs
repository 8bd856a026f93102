//! What the writer makes of answers, and of none.

use crate::{
    counting,
    receiver::{Receiver, Told, told},
};
use remote_read::{
    client::{HttpTransport, Writer, WriterOptions},
    write::{Answer, DropReason, Figures, Protocol, QueueLimits, Transport, Unreachable},
};
use std::{sync::Arc, time::Duration};
use tokio::sync::Semaphore;

const PATIENCE: Duration = Duration::from_secs(10);

fn options(protocol: Protocol) -> WriterOptions {
    WriterOptions {
        protocol,
        min_backoff: Duration::from_millis(10),
        max_backoff: Duration::from_millis(50),
        queue: QueueLimits {
            max_batch_age: Duration::from_millis(20),
            ..QueueLimits::default()
        },
        ..WriterOptions::default()
    }
}

fn transport(receiver: &Receiver) -> HttpTransport {
    let http = testbed::http_client(PATIENCE).unwrap();
    HttpTransport::new(http, receiver.url.clone(), "foreshadow/test")
}

/// Sends ten samples to a receiver that answers as told, and waits for what becomes of them.
async fn sent(protocol: Protocol, script: &[Told]) -> (Figures, Receiver) {
    let receiver = Receiver::start(script.iter().copied()).await;
    let writer = Writer::start(transport(&receiver), &options(protocol));
    let n_dropped = writer.push(vec![counting("a", 0..10)], PATIENCE).await;
    assert_eq!(n_dropped, 0);
    let figures = writer.shutdown(PATIENCE).await;
    assert_eq!(figures.pending, 0, "{figures:?}");
    (figures, receiver)
}

const WRITTEN: &str = "x-prometheus-remote-write-samples-written";

#[tokio::test]
async fn requests_of_1_0_carry_the_headers_of_the_specification() {
    let (figures, receiver) = sent(Protocol::V1, &[]).await;
    assert_eq!(figures.sent, 10);
    let got = receiver.got();
    let [request] = &got[..] else {
        panic!("one request was expected, got {got:?}");
    };
    let header = |name| request.headers[name].to_str().unwrap();
    assert_eq!(header("content-type"), "application/x-protobuf");
    assert_eq!(header("content-encoding"), "snappy");
    assert_eq!(header("x-prometheus-remote-write-version"), "0.1.0");
    assert_eq!(header("user-agent"), "foreshadow/test");
    assert_eq!(request.series, [counting("a", 0..10)]);
}

#[tokio::test]
async fn requests_of_2_0_name_their_message() {
    let told = Told {
        headers: &[(WRITTEN, "10")],
        ..told(204)
    };
    let (figures, receiver) = sent(Protocol::V2, &[told]).await;
    assert_eq!((figures.sent, figures.retried), (10, 0));
    let request = &receiver.got()[0];
    let content_type = "application/x-protobuf;proto=io.prometheus.write.v2.Request";
    assert_eq!(request.headers["content-type"], content_type);
    assert_eq!(
        request.headers["x-prometheus-remote-write-version"],
        "2.0.0"
    );
    assert_eq!(request.series, [counting("a", 0..10)]);
}

#[tokio::test]
async fn a_receiver_that_knows_no_2_0_gets_1_0_from_then_on() {
    // One that says so, one that calls it bad, and one that swallows it.
    for status in [415, 400, 204] {
        let (figures, receiver) = sent(Protocol::V2, &[told(status)]).await;
        assert_eq!((figures.sent, figures.retried), (10, 10), "{status}");
        let got = receiver.got();
        let versions: Vec<_> = got
            .iter()
            .map(|request| &request.headers["x-prometheus-remote-write-version"])
            .collect();
        assert_eq!(versions, ["2.0.0", "0.1.0"]);
        assert_eq!(got[1].series, [counting("a", 0..10)]);
    }
}

#[tokio::test]
async fn samples_that_a_receiver_admits_to_have_left_out_are_counted() {
    let told = Told {
        headers: &[(WRITTEN, "7")],
        ..told(200)
    };
    let (figures, _) = sent(Protocol::V2, &[told]).await;
    assert_eq!(
        (figures.sent, figures.dropped(DropReason::NotWritten)),
        (7, 3)
    );
}

#[tokio::test]
async fn a_refused_batch_is_dropped_and_counted_by_its_reason() {
    let partial = Told {
        headers: &[(WRITTEN, "4")],
        words: "out of bounds",
        ..told(400)
    };
    for (told, protocol, reason, n_dropped) in [
        (told(400), Protocol::V1, DropReason::Rejected, 10),
        (partial, Protocol::V2, DropReason::Rejected, 6),
        (told(401), Protocol::V1, DropReason::Unauthorized, 10),
        (told(404), Protocol::V1, DropReason::NotFound, 10),
        (told(413), Protocol::V1, DropReason::TooLarge, 10),
    ] {
        let (figures, receiver) = sent(protocol, &[told]).await;
        assert_eq!(figures.dropped(reason), n_dropped, "{told:?}");
        assert_eq!(figures.sent, 10 - n_dropped);
        assert_eq!(receiver.got().len(), 1, "it is not tried again");
    }
}

#[tokio::test]
async fn trouble_is_retried_and_a_named_pause_kept() {
    let busy = Told {
        headers: &[("retry-after", "1")],
        ..told(429)
    };
    let begun = tokio::time::Instant::now();
    let (figures, receiver) = sent(Protocol::V1, &[told(500), told(503), busy]).await;
    assert!(begun.elapsed() >= Duration::from_secs(1));
    assert_eq!((figures.sent, figures.retried), (10, 30));
    let got = receiver.got();
    assert_eq!(got.len(), 4);
    assert!(
        got.iter()
            .all(|request| request.series == [counting("a", 0..10)])
    );
}

/// A receiver behind a gate: nothing is answered before it opens.
#[derive(Debug, Clone)]
struct Gate {
    open: Arc<Semaphore>,
    sizes: Arc<std::sync::Mutex<Vec<usize>>>,
}

impl Gate {
    fn new(permits: usize) -> Self {
        Self {
            open: Arc::new(Semaphore::new(permits)),
            sizes: Arc::default(),
        }
    }
}

impl Transport for Gate {
    async fn post(&self, protocol: Protocol, body: Vec<u8>) -> Result<Answer, Unreachable> {
        self.open.acquire().await.unwrap().forget();
        let series = remote_read::write::decode(protocol, &body, &remote_read::Limits::default());
        let n_samples = series
            .unwrap()
            .iter()
            .map(|series| series.samples.len())
            .sum();
        self.sizes.lock().unwrap().push(n_samples);
        Ok(Answer {
            status: 204,
            ..Answer::default()
        })
    }
}

fn narrow() -> WriterOptions {
    WriterOptions {
        n_shards: 1,
        queue: QueueLimits {
            max_batch_samples: 10,
            capacity: 20,
            ..QueueLimits::default()
        },
        ..options(Protocol::V1)
    }
}

#[tokio::test(start_paused = true)]
async fn a_full_queue_makes_the_caller_wait_and_then_drops_what_is_newest() {
    let gate = Gate::new(0);
    let writer = Writer::start(gate.clone(), &narrow());
    let begun = tokio::time::Instant::now();
    let n_dropped = writer
        .push(vec![counting("a", 0..35)], Duration::from_secs(7))
        .await;
    // A batch of ten is on its way, and twenty wait.
    assert_eq!(n_dropped, 5);
    assert_eq!(begun.elapsed(), Duration::from_secs(7));
    let figures = writer.figures();
    assert_eq!(
        (figures.pending, figures.dropped(DropReason::QueueFull)),
        (30, 5)
    );
    gate.open.add_permits(3);
    let figures = writer.shutdown(PATIENCE).await;
    assert_eq!((figures.sent, figures.pending), (30, 0));
    assert_eq!(*gate.sizes.lock().unwrap(), [10, 10, 10]);
}

#[tokio::test(start_paused = true)]
async fn a_waiting_caller_goes_on_as_soon_as_there_is_room() {
    let gate = Gate::new(100);
    let writer = Writer::start(gate, &narrow());
    let pushed = writer.push(vec![counting("a", 0..500)], PATIENCE).await;
    assert_eq!(pushed, 0);
    assert_eq!(writer.shutdown(PATIENCE).await.sent, 500);
}

#[tokio::test(start_paused = true)]
async fn the_end_is_not_waited_for_beyond_its_limit() {
    let writer = Writer::start(Gate::new(1), &narrow());
    writer.push(vec![counting("a", 0..25)], PATIENCE).await;
    let begun = tokio::time::Instant::now();
    let figures = writer.shutdown(Duration::from_secs(3)).await;
    assert_eq!(begun.elapsed(), Duration::from_secs(3));
    assert_eq!((figures.sent, figures.pending), (10, 0));
    assert_eq!(figures.dropped(DropReason::Shutdown), 15);
    let late = writer.push(vec![counting("a", 25..30)], PATIENCE).await;
    assert_eq!(late, 5, "nothing is taken after the end");
}

/// Nobody is there.
struct Nowhere;

impl Transport for Nowhere {
    async fn post(&self, _: Protocol, _: Vec<u8>) -> Result<Answer, Unreachable> {
        Err(Unreachable("connection refused".into()))
    }
}

#[tokio::test(start_paused = true)]
async fn what_nobody_takes_is_given_up_in_the_end() {
    let writer = Writer::start(Nowhere, &WriterOptions::default());
    writer.push(vec![counting("a", 0..10)], PATIENCE).await;
    tokio::time::sleep(Duration::from_hours(2)).await;
    let figures = writer.figures();
    assert_eq!(
        (figures.pending, figures.dropped(DropReason::Expired)),
        (0, 10)
    );
    // Waits double to 5 s: some hundred attempts, neither a handful nor thousands.
    assert!(
        (500..2_000).contains(&(figures.retried / 10)),
        "{figures:?}"
    );
}
