//! One kind of request, sent again and again while the server's process is watched.

use crate::{data, process, servers::Served};
use anyhow::{Context, ensure};
use remote_read::{
    Limits, Query, ReadRequest, ResponseKind, SAMPLES_CONTENT_ENCODING, SAMPLES_CONTENT_TYPE,
    decode_frames, decode_samples, encode_request,
};
use reqwest::header::{CONTENT_ENCODING, CONTENT_TYPE};
use series::{MatchOp, Matcher, Selector, Timestamp};
use std::time::{Duration, Instant};
use testbed::http_client;
use url::Url;

/// What a server did.
pub(crate) struct Outcome {
    /// Samples for each second of the process on the processor.
    pub(crate) samples_a_cpu_second: f64,
    /// The most resident memory while it answered, in bytes.
    pub(crate) peak: u64,
    /// The median time to the last byte.
    pub(crate) latency: Duration,
    /// Bytes of one answer.
    pub(crate) n_bytes: usize,
}

/// Requests of one kind.
pub(crate) struct Load<'a> {
    http: reqwest::Client,
    url: &'a Url,
    pid: u32,
    kind: ResponseKind,
    body: Vec<u8>,
}

impl<'a> Load<'a> {
    pub(crate) fn new(served: &'a Served, kind: ResponseKind) -> anyhow::Result<Self> {
        let name = Matcher::new(MatchOp::Equal, "__name__", &served.series)?;
        let (start, end) = (Timestamp::default(), Timestamp::from_millis(i64::MAX / 2));
        let query = Query::new(start, end, Selector::new([name]))?;
        let request = ReadRequest {
            queries: vec![query],
            response: kind,
        };
        Ok(Self {
            http: http_client(Duration::from_mins(1))?,
            url: &served.url,
            pid: served.pid,
            kind,
            body: encode_request(&request)?,
        })
    }

    /// Asks once to see that everything is there, and then so many times under watch.
    pub(crate) async fn run(&self, n_requests: u32) -> anyhow::Result<Outcome> {
        self.check(&self.ask().await?)?;
        process::forget_peak(self.pid)?;
        let before = process::cpu(self.pid)?;
        let (mut latencies, mut n_bytes) = (Vec::new(), 0);
        for _ in 0..n_requests.max(1) {
            let begun = Instant::now();
            n_bytes = self.ask().await?.len();
            latencies.push(begun.elapsed());
        }
        let cpu = process::cpu(self.pid)?.saturating_sub(before);
        latencies.sort();
        let n_samples = n_requests.max(1) * data::N_SERIES * data::N_SAMPLES;
        Ok(Outcome {
            samples_a_cpu_second: f64::from(n_samples) / cpu.as_secs_f64(),
            peak: process::peak(self.pid)?,
            latency: latencies[latencies.len() / 2],
            n_bytes,
        })
    }

    async fn ask(&self) -> anyhow::Result<Vec<u8>> {
        let request = self.http.post(self.url.clone()).body(self.body.clone());
        let request = request
            .header(CONTENT_TYPE, SAMPLES_CONTENT_TYPE)
            .header(CONTENT_ENCODING, SAMPLES_CONTENT_ENCODING);
        let answer = request.send().await?;
        let status = answer.status();
        let body = answer.bytes().await.context("the answer broke off")?;
        ensure!(
            status.is_success(),
            "{status}: {}",
            String::from_utf8_lossy(&body)
        );
        Ok(body.into())
    }

    fn check(&self, body: &[u8]) -> anyhow::Result<()> {
        let limits = Limits {
            max_decoded_bytes: 1 << 30,
            ..Limits::default()
        };
        let results = match self.kind {
            ResponseKind::Samples => decode_samples(body, 1, &limits)?,
            ResponseKind::StreamedXorChunks => decode_frames(body, 1, &limits)?,
        };
        let n_samples: usize = results[0].iter().map(|series| series.samples.len()).sum();
        let expected = (
            data::N_SERIES as usize,
            (data::N_SERIES * data::N_SAMPLES) as usize,
        );
        let got = (results[0].len(), n_samples);
        ensure!(
            got == expected,
            "got {got:?} series and samples where {expected:?} were made"
        );
        Ok(())
    }
}
