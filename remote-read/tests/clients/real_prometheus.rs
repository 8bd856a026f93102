//! The real Prometheus: written to in both protocols, and read from in both kinds of answers.

use crate::series;
use remote_read::{
    Limits, Query, ReadRequest, ResponseKind,
    client::{HttpTransport, ReadClient, Writer, WriterOptions},
    write::{DropReason, Figures, Protocol},
};
use series::{MatchOp, Matcher, STALE_MARKER, Selector, Series, Timestamp};
use std::time::{Duration, SystemTime};
use testbed::Prometheus;

const PATIENCE: Duration = Duration::from_secs(20);

async fn prometheus(dir: &tempfile::TempDir) -> Prometheus {
    let receiving = ["--web.enable-remote-write-receiver"];
    Prometheus::start(dir.path(), "global: {}", &receiving)
        .await
        .unwrap()
}

#[expect(
    clippy::disallowed_methods,
    reason = "the server under test lives in the real time"
)]
pub(crate) fn clock() -> Timestamp {
    let since_epoch = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH);
    Timestamp::default() + since_epoch.expect("the clock is set")
}

async fn push(to: &Prometheus, protocol: Protocol, series: Vec<Series>) -> (Figures, Protocol) {
    let http = testbed::http_client(PATIENCE).unwrap();
    let url = to.url().join("api/v1/write").unwrap();
    let options = WriterOptions {
        protocol,
        ..WriterOptions::default()
    };
    let writer = Writer::start(HttpTransport::new(http, url, "foreshadow/test"), &options);
    assert_eq!(writer.push(series, PATIENCE).await, 0);
    let figures = writer.shutdown(PATIENCE).await;
    (figures, writer.protocol())
}

async fn read(from: &Prometheus, name: &str, response: ResponseKind) -> Vec<Series> {
    let http = testbed::http_client(PATIENCE).unwrap();
    let url = from.url().join("api/v1/read").unwrap();
    let client = ReadClient::new(http, url, "foreshadow/test", Limits::default());
    let selector = Selector::new([Matcher::new(MatchOp::Equal, "__name__", name).unwrap()]);
    let (start, end) = (
        clock() - Duration::from_hours(1),
        clock() + Duration::from_hours(1),
    );
    let query = Query::new(start, end, selector).unwrap();
    let queries = vec![query.clone(), query];
    let mut results = client
        .read(&ReadRequest { queries, response })
        .await
        .unwrap();
    assert_eq!(results.len(), 2);
    for result in &mut results {
        // 3.5 sends the series of an answer in samples in no order.
        result.sort_by(|one, other| one.labels.cmp(&other.labels));
    }
    assert_eq!(bits(&results[0]), bits(&results[1]));
    results.remove(0)
}

/// By their bits, since a staleness marker is not equal to itself.
fn bits(all: &[Series]) -> Vec<(String, Vec<(i64, u64)>)> {
    let of = |series: &Series| {
        let samples = series.samples.iter();
        let samples = samples.map(|sample| (sample.at.as_millis(), sample.value.to_bits()));
        (series.labels.to_string(), samples.collect())
    };
    all.iter().map(of).collect()
}

/// Half an hour of two series, one of which ends in a staleness marker.
fn half_an_hour(name: &str) -> Vec<Series> {
    let start = clock() - Duration::from_mins(31);
    let values = |ends: bool| {
        let value = move |idx: u32| {
            if ends && idx == 180 {
                STALE_MARKER
            } else {
                f64::from(idx).sqrt()
            }
        };
        (0..=180).map(move |idx| (start + Duration::from_secs(10) * idx, value(idx)))
    };
    vec![
        series(name, "a", values(false)),
        series(name, "b", values(true)),
    ]
}

/// Since 2.54 Prometheus receives 2.0.
async fn knows_2_0(prometheus: &Prometheus) -> bool {
    let url = prometheus.url().join("api/v1/status/buildinfo").unwrap();
    let text = reqwest::get(url).await.unwrap().text().await.unwrap();
    let answer: serde_json::Value = serde_json::from_str(&text).unwrap();
    let version = answer["data"]["version"].as_str().unwrap();
    let mut parts = version
        .split(['.', '+'])
        .map(|part| part.parse::<u32>().unwrap());
    (parts.next().unwrap(), parts.next().unwrap()) >= (2, 54)
}

#[tokio::test]
async fn what_is_written_in_either_protocol_is_read_in_either_kind() {
    let dir = tempfile::tempdir().unwrap();
    let prometheus = prometheus(&dir).await;
    for (name, protocol) in [("by_1_0", Protocol::V1), ("by_2_0", Protocol::V2)] {
        let written = half_an_hour(name);
        let (figures, spoken) = push(&prometheus, protocol, written.clone()).await;
        assert_eq!((figures.sent, figures.pending), (362, 0), "{figures:?}");
        let falls_back = protocol == Protocol::V2 && !knows_2_0(&prometheus).await;
        let expected = if falls_back { Protocol::V1 } else { protocol };
        assert_eq!(spoken, expected);
        assert_eq!(figures.retried > 0, falls_back, "{figures:?}");
        for kind in [ResponseKind::Samples, ResponseKind::StreamedXorChunks] {
            let read = read(&prometheus, name, kind).await;
            assert_eq!(bits(&read), bits(&written), "{kind:?}");
        }
    }
}

#[tokio::test]
async fn what_prometheus_refuses_is_dropped_and_not_tried_again() {
    let dir = tempfile::tempdir().unwrap();
    let prometheus = prometheus(&dir).await;
    let now = series("m", "a", [(clock(), 1.0)]);
    let (figures, _) = push(&prometheus, Protocol::V1, vec![now]).await;
    assert_eq!(figures.sent, 1);
    let old = series("m", "a", [(clock() - Duration::from_hours(48), 1.0)]);
    for protocol in [Protocol::V1, Protocol::V2] {
        let (figures, _) = push(&prometheus, protocol, vec![old.clone()]).await;
        assert_eq!(
            (figures.sent, figures.dropped(DropReason::Rejected)),
            (0, 1)
        );
    }
}
