//! The real Prometheus reads what we answer.

use crate::{real_prometheus::clock, series};
use axum::{
    Router,
    body::{Body, Bytes},
    response::{IntoResponse, Response},
    routing::post,
};
use remote_read::{
    CHUNKS_CONTENT_TYPE, Limits, ResponseKind, SAMPLES_CONTENT_ENCODING, SAMPLES_CONTENT_TYPE,
    decode_request, encode_frames, stream_samples,
};
use series::{Series, Step, Timestamp};
use std::time::Duration;
use testbed::Prometheus;

/// Ten minutes ahead of a time: curves that share their times, one that has others, and one that is flat.
fn curves(now: Timestamp) -> Vec<Series> {
    let minutes = |every: usize| (0..=10_u32).step_by(every);
    let at = move |minute: u32| now + Duration::from_mins(1) * minute;
    let curve = |name: &str, every: usize, value: fn(u32) -> f64| {
        series("curve", name, minutes(every).map(|m| (at(m), value(m))))
    };
    vec![
        curve("a", 1, |minute| f64::from(minute).sqrt()),
        curve("b", 1, |minute| f64::from(minute) / 3.0),
        curve("c-with-a-long-name", 1, |_| 7.5),
        curve("d", 2, |minute| f64::from(minute).exp()),
    ]
}

async fn serve(now: Timestamp) -> std::net::SocketAddr {
    let answer = move |body: Bytes| async move {
        let request = decode_request(&body, &Limits::default()).unwrap();
        let picked = |query: &remote_read::Query| {
            let all = curves(now).into_iter();
            all.filter(|series| query.selector().matches(&series.labels))
                .collect()
        };
        respond(
            request.response,
            request.queries.iter().map(picked).collect(),
        )
    };
    let router = Router::new().route("/read", post(answer));
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move { axum::serve(listener, router).await });
    address
}

fn respond(kind: ResponseKind, results: Vec<Vec<Series>>) -> Response {
    let body: Vec<_> = match kind {
        ResponseKind::Samples => stream_samples(results).unwrap().collect(),
        ResponseKind::StreamedXorChunks => encode_frames(results).collect(),
    };
    let pieces = body.into_iter().map(Ok::<_, std::io::Error>);
    let body = Body::from_stream(futures::stream::iter(pieces));
    match kind {
        ResponseKind::Samples => {
            let encoding = ("content-encoding", SAMPLES_CONTENT_ENCODING);
            ([("content-type", SAMPLES_CONTENT_TYPE), encoding], body).into_response()
        }
        ResponseKind::StreamedXorChunks => {
            ([("content-type", CHUNKS_CONTENT_TYPE)], body).into_response()
        }
    }
}

#[tokio::test]
async fn prometheus_sees_what_was_answered() {
    let now = clock().align_down(Duration::from_mins(1));
    let address = serve(now).await;
    let dir = tempfile::tempdir().unwrap();
    let config = format!(
        "remote_read: [{{url: 'http://{address}/read', read_recent: true, required_matchers: {{__name__: curve}}}}]"
    );
    let prometheus = Prometheus::start(dir.path(), &config, &[]).await.unwrap();
    let api = prometheus.api().unwrap();
    let step = Step::new(Duration::from_mins(2)).unwrap();
    let end = now + Duration::from_mins(10);
    let answer = api.range("curve", now, end, step).await.unwrap();
    assert!(answer.warnings.is_empty(), "{:?}", answer.warnings);
    let mut expected = curves(now);
    for series in &mut expected {
        series
            .samples
            .retain(|sample| sample.at.since(now).as_secs() % 120 == 0);
    }
    assert_eq!(answer.value, expected);
}
