//! Raw samples against what PromQL gives, and answers that are too large, too far apart, or not what was asked for.

use super::*;
use crate::{budget::HistoryLimits, config::Config, metrics::Metrics};
use axum::{
    Router,
    body::{Body, Bytes},
    http::header,
    response::IntoResponse as _,
    routing::{MethodRouter, post},
};
use remote_read::{
    CHUNKS_CONTENT_TYPE, SAMPLES_CONTENT_TYPE, decode_request, encode_frames, encode_samples,
};
use std::{
    convert::Infallible,
    fmt::Write as _,
    num::NonZeroU32,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering::SeqCst},
    },
};
use testbed::{Prometheus, Version, create_blocks, http_client, prometheus_versions};
use tokio::net::TcpListener;

const AT: fn(i64) -> Timestamp = Timestamp::from_seconds;

fn step(seconds: u64) -> Step {
    Step::new(Duration::from_secs(seconds)).unwrap()
}

fn history(url: &str, max_bytes: usize) -> RawHistory {
    // Sets up TLS, without which no HTTP client is made.
    http_client(Duration::from_secs(1)).unwrap();
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("foreshadow.yml");
    let remote = format!("{{url: '{url}', external_labels: {{cluster: eu}}}}");
    let text = format!("prometheus: {{url: 'http://a/', history: {{remote_read: {remote}}}}}\n");
    std::fs::write(&file, text).unwrap();
    let config = Config::load(&file).unwrap_or_else(|problems| panic!("{problems}"));
    RawHistory::new(config.prometheus.history.remote_read.unwrap(), max_bytes).unwrap()
}

async fn read(
    history: &RawHistory,
    expr: &str,
    range: (Timestamp, Timestamp, Step),
) -> Result<Vec<Series>, QueryError> {
    let budget = Budget::new(HistoryLimits::default());
    read_for(&budget, history, expr, range).await
}

async fn read_for(
    budget: &Budget,
    history: &RawHistory,
    expr: &str,
    range: (Timestamp, Timestamp, Step),
) -> Result<Vec<Series>, QueryError> {
    let plan = Plan::read(expr).unwrap();
    let metrics = Metrics::new().unwrap();
    let answer = history.read(&plan, range, (budget, &metrics.history)).await;
    answer.map(|answer| answer.value)
}

const END: i64 = 1_790_000_000;

/// Away from whole seconds: whether a sample of exactly five minutes ago counts depends on the version.
const ODD: Duration = Duration::from_millis(1);

/// Ten hours of two series up to a time, one of which has a gap of twenty minutes.
async fn prometheus(version: &Version, dir: &std::path::Path, end: i64) -> Prometheus {
    let mut text = String::from("# TYPE load gauge\n");
    for app in ["bank", "shop"] {
        for idx in 0..2_400 {
            let at = end - 36_000 + 15 * idx;
            let is_gap = app == "bank" && (1_000..1_080).contains(&idx);
            if !is_gap {
                writeln!(text, "load{{app=\"{app}\"}} {} {at}", idx * 7 % 1_000).unwrap();
            }
        }
    }
    text.push_str("# EOF\n");
    let file = dir.join("past.om");
    std::fs::write(&file, text).unwrap();
    create_blocks(&file, &Prometheus::data_dir(dir))
        .await
        .unwrap();
    let config = "global: {external_labels: {cluster: eu}}\n";
    Prometheus::start_as(&version.program, dir, config, &[])
        .await
        .unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn both_kinds_of_answers_come_to_what_promql_gives_in_every_version() {
    // Of late: Prometheus deletes what is older than two months.
    let end = crate::clock::now().as_millis() / 3_600_000 * 3_600;
    let (versions, missing) = prometheus_versions().await.unwrap();
    for sentence in missing {
        eprintln!("{sentence}");
    }
    for version in versions {
        let dir = tempfile::tempdir().unwrap();
        let prometheus = prometheus(&version, dir.path(), end).await;
        check(&prometheus, end, &version.number).await;
    }
}

async fn check(prometheus: &Prometheus, end: i64, version: &str) {
    let url = prometheus.url().join("api/v1/read").unwrap();
    let mut history = history(url.as_str(), 1 << 20);
    let api = prometheus.api().unwrap();
    let ranges = [
        (AT(end - 35_990), AT(end), step(60)),
        (AT(end - 36_100) + ODD, AT(end + 400), step(7)),
        (AT(end - 36_000), AT(end), step(3_600)),
    ];
    let exprs = [
        "load",
        r#"100 - load{app=~"b.+"} offset 7m / 2"#,
        r#"load{app="none"}"#,
    ];
    for kind in [ResponseKind::Samples, ResponseKind::StreamedXorChunks] {
        history.preferred = kind;
        for (expr, range) in exprs.iter().flat_map(|expr| ranges.map(|r| (expr, r))) {
            let (start, end, step) = range;
            let expect = api.range(expr, start, end, step).await.unwrap().value;
            let got = read(&history, expr, range).await.unwrap();
            assert_eq!(got, expect, "{expr} in {kind:?} from {version}");
            assert_eq!(got.is_empty(), expr.contains("none"));
        }
    }
}

/// A server that answers any question with a sample a second of one series, and counts the questions.
async fn one_a_second(labels: [(&'static str, &'static str); 2]) -> (String, Arc<AtomicUsize>) {
    let n_asked = Arc::new(AtomicUsize::new(0));
    let count = n_asked.clone();
    let answer = move |body: Bytes| {
        count.fetch_add(1, SeqCst);
        async move {
            let request = decode_request(&body, &Limits::default()).unwrap();
            let (from, to) = request.queries[0].range();
            let samples = (from.as_millis() / 1_000..=to.as_millis() / 1_000).map(|at| Sample {
                at: AT(at),
                value: (at % 1_000) as f64,
            });
            let series = Series {
                labels: Labels::new(labels).unwrap(),
                samples: samples.collect(),
            };
            let body = encode_samples(vec![vec![series]]).unwrap();
            ([(header::CONTENT_TYPE, SAMPLES_CONTENT_TYPE)], body).into_response()
        }
    };
    (serve(post(answer)).await, n_asked)
}

async fn serve(answer: MethodRouter) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/", listener.local_addr().unwrap());
    let router = Router::new().route("/", answer);
    tokio::spawn(async move { axum::serve(listener, router).await });
    url
}

/// A server that answers in chunks, a frame a series: so many series with a sample each.
async fn in_chunks(n_series: usize) -> String {
    let series = |idx: usize| Series {
        labels: Labels::new(LOAD).unwrap().with("pod", idx.to_string()),
        samples: vec![Sample {
            at: AT(END),
            value: 1.0,
        }],
    };
    let answer = async move || {
        let frames = encode_frames(vec![(0..n_series).map(series).collect()]);
        let body = Body::from_stream(futures::stream::iter(frames.map(Ok::<_, Infallible>)));
        ([(header::CONTENT_TYPE, CHUNKS_CONTENT_TYPE)], body).into_response()
    };
    serve(post(answer)).await
}

const LOAD: [(&str, &str); 2] = [("__name__", "load"), ("cluster", "eu")];

#[tokio::test]
async fn an_answer_that_is_too_large_is_asked_for_in_smaller_pieces() {
    let (url, n_asked) = one_a_second(LOAD).await;
    let range = (AT(END - 86_400), AT(END), step(60));
    // A day has 86,400 samples of a dozen bytes or more each.
    let got = read(&history(&url, 64 << 10), "load", range).await.unwrap();
    assert_eq!((got.len(), got[0].samples.len()), (1, 1_441));
    let expect = |sample: &Sample| (sample.at.as_millis() / 1_000 % 1_000) as f64;
    assert!(
        got[0]
            .samples
            .iter()
            .all(|sample| sample.value.total_cmp(&expect(sample)).is_eq())
    );
    // Two hours and one are refused; 47 pieces of half an hour are not, and nothing longer is tried again.
    assert!((47..52).contains(&n_asked.load(SeqCst)), "{n_asked:?}");
    // One point alone looks at 300 samples.
    let refused = read(&history(&url, 1 << 10), "load", range)
        .await
        .unwrap_err();
    assert!(matches!(refused, QueryError::TooLarge(1_024)), "{refused}");
}

#[tokio::test]
async fn chunks_of_more_series_than_are_ever_held_at_once_are_read() {
    let url = in_chunks(100_001).await;
    let range = (AT(END), AT(END), step(60));
    let got = read(&history(&url, 64 << 20), "load", range).await.unwrap();
    assert_eq!(got.len(), 100_001);
}

#[tokio::test]
async fn what_was_read_of_a_refused_answer_is_paid_for() {
    let url = in_chunks(10_000).await;
    let samples_per_second = NonZeroU32::new(1).unwrap();
    let budget = Budget::new(HistoryLimits {
        samples_per_second,
        ..HistoryLimits::default()
    });
    let (range, history) = ((AT(END), AT(END), step(60)), history(&url, 256 << 10));
    let refused = read_for(&budget, &history, "load", range).await;
    assert!(matches!(refused, Err(QueryError::TooLarge(262_144))));
    let turn = tokio::time::timeout(Duration::from_millis(500), budget.enter());
    assert!(turn.await.is_err(), "nothing was paid for");
}

#[test]
fn a_refusal_says_what_was_too_many() {
    let told = |what| {
        let (count, limit) = (3, 2);
        let error = BodyError::TooMany { what, count, limit };
        too_large(ReadError::Answer(error.into())).to_string()
    };
    let series = told("series");
    assert_eq!(series, "the answer has more than the 2 series allowed");
    let samples = told("samples at once");
    assert!(
        samples.ends_with("holds 3 samples at once where 2 are allowed"),
        "{samples}"
    );
}

#[tokio::test]
async fn far_apart_points_are_asked_for_one_by_one() {
    let (url, n_asked) = one_a_second(LOAD).await;
    let range = (AT(END - 90 * 3_600), AT(END), step(3_600));
    let got = read(&history(&url, 64 << 10), "load", range).await.unwrap();
    assert_eq!(got[0].samples.len(), 91);
    assert_eq!(n_asked.load(SeqCst), 91);
}

#[tokio::test]
async fn what_was_not_asked_for_is_not_taken() {
    let (url, _) = one_a_second([("__name__", "other"), ("cluster", "eu")]).await;
    let range = (AT(END - 600), AT(END), step(60));
    let got = read(&history(&url, 1 << 20), "load", range).await.unwrap();
    assert_eq!(got, []);
}

#[test]
fn pieces_follow_what_came() {
    let hours = Duration::from_hours;
    assert_eq!(next_length(hours(2), 0), hours(8));
    assert_eq!(next_length(hours(2), 2_000_000), hours(1));
    assert_eq!(next_length(hours(2), usize::MAX), Duration::from_mins(12));
    assert_eq!(
        next_length(Duration::ZERO, usize::MAX),
        Duration::from_secs(1)
    );
}
