//! History as raw samples by remote read, made into what PromQL would give, a bounded piece of time after the other.

use crate::{
    budget::Budget,
    config::{RemoteHistory, USER_AGENT, Upstream},
    metrics::{HistoryMetrics, Way},
    query::{Grid, LOOK_BACK, Plan},
    rotating::Rotating,
};
use prometheus_api::{Answer, QueryError};
use remote_read::{
    BodyError, Limits, Query, ReadRequest, RequestError, ResponseError, ResponseKind,
    client::{ReadClient, ReadError},
};
use series::{Labels, MatchOp, Matcher, PromDuration, Sample, Selector, Series, Step, Timestamp};
use std::{
    collections::{HashMap, HashSet},
    error::Error,
    time::Duration,
};

/// The first piece of time; those after it follow what came.
const FIRST_PIECE: Duration = Duration::from_hours(2);

/// Raw samples that a piece should have: some 16 MB while they are held.
const PIECE_SAMPLES: usize = 1_000_000;

/// The longest piece of time, and more than anybody keeps.
const LONGEST_PIECE: Duration = Duration::from_hours(24 * 366 * 10);

/// How much longer than the one before a piece may be.
const GROWTH: u32 = 4;

/// Times that are asked for one by one; a request costs more than a few samples.
const SOUNDINGS: usize = 100;

/// What an answer in one block may hold once unpacked; what is streamed is never held whole.
const MAX_BLOCK_BYTES: usize = 32 << 20;

/// What a sample takes there, about.
const BLOCK_SAMPLE_BYTES: usize = 16;

/// Series in one answer that is streamed. Its samples and labels are bounded by its bytes, and by how many are held
/// at once: Prometheus gives whole chunks, 120 samples for the one that was asked for.
const MAX_STREAM_SERIES: usize = 1_000_000;

/// Twenty for each series.
const MAX_STREAM_LABELS: usize = 20 * MAX_STREAM_SERIES;

/// Values that one history may come to. Whoever asks keeps its questions to a fifth of that.
const MAX_VALUES: usize = 10_000_000;

/// A server of remote read.
pub(super) struct RawHistory {
    client: Rotating<ReadClient>,
    address: String,
    timeout: PromDuration,
    external_labels: Labels,
    preferred: ResponseKind,
}

impl RawHistory {
    pub(super) fn new(remote: RemoteHistory, max_bytes: usize) -> anyhow::Result<Self> {
        let RemoteHistory {
            upstream,
            external_labels,
        } = remote;
        let limits = Limits {
            max_decoded_bytes: max_bytes.min(MAX_BLOCK_BYTES),
            ..Limits::default()
        };
        let of_streams = Limits {
            max_stream_bytes: max_bytes,
            max_samples: usize::MAX,
            max_series: MAX_STREAM_SERIES,
            max_labels: MAX_STREAM_LABELS,
            ..limits
        };
        let host = upstream.url.host_str().unwrap_or_default();
        let port = upstream.url.port_or_known_default().unwrap_or_default();
        Ok(Self {
            address: format!("{host}:{port}"),
            timeout: PromDuration::new(upstream.timeout),
            external_labels,
            preferred: ResponseKind::StreamedXorChunks,
            client: Rotating::new(upstream, move |upstream: &Upstream, http| {
                let client = ReadClient::new(http, upstream.url.clone(), USER_AGENT, limits);
                client.with_stream_limits(of_streams)
            })?,
        })
    }

    /// What a plan gives at `start`, `start + step` and so on up to `end`, sorted by labels.
    pub(super) async fn read(
        &self,
        plan: &Plan,
        (start, end, step): (Timestamp, Timestamp, Step),
        (budget, metrics): (&Budget, &HistoryMetrics),
    ) -> Result<Answer<Vec<Series>>, QueryError> {
        let mut values = Values::default();
        let (mut from, mut length, mut longest) = (start, FIRST_PIECE, LONGEST_PIECE);
        while from <= end {
            let grid = piece((from, end), step, length);
            let turn = budget.enter().await;
            let mut n_samples = 0;
            let read = self.piece(plan, grid, &mut values, &mut n_samples).await;
            drop(turn);
            // What was read is paid for, whatever comes of it.
            budget.spend(n_samples);
            metrics.note(Way::RemoteRead, read.is_ok().then_some(n_samples));
            match read {
                Ok(()) => {
                    length = next_length(length, n_samples).min(longest);
                    from = grid.end + step.get();
                }
                // What came of it is read again.
                Err(Refusal::TooLarge(_)) if grid.end > grid.start => {
                    values.forget_from(from);
                    // As much would be refused again.
                    longest = grid.end.since(grid.start) / 2;
                    length = longest;
                }
                Err(Refusal::TooLarge(error) | Refusal::Other(error)) => return Err(error),
            }
        }
        Ok(Answer::new(values.into_series(), Vec::new(), Vec::new()))
    }

    /// What went wrong, and where, unless it says so.
    pub(super) fn named(&self, error: QueryError) -> QueryError {
        if matches!(error, QueryError::Unreachable { .. }) {
            return error;
        }
        QueryError::Elsewhere {
            at: self.address.clone(),
            source: Box::new(error),
        }
    }

    /// Reads one piece, and counts its raw samples, as far as they were read.
    async fn piece(
        &self,
        plan: &Plan,
        grid: Grid,
        values: &mut Values,
        n_samples: &mut usize,
    ) -> Result<(), Refusal> {
        let (from, to) = plan.times(grid);
        let query = Query::new(from, to, self.selector(plan)).map_err(malformed)?;
        let request = ReadRequest {
            queries: vec![query],
            response: self.preferred,
        };
        let failed = |error| self.refusal(error);
        let stream = self.client.client().await.stream(&request).await;
        let mut stream = stream.map_err(failed).inspect_err(|refusal| {
            // A block that is refused is not unpacked, but somebody has read all that.
            if let Refusal::TooLarge(QueryError::TooLarge(n_bytes)) = refusal {
                *n_samples += n_bytes / BLOCK_SAMPLE_BYTES;
            }
        })?;
        let mut seen = HashSet::new();
        while let Some((_, series)) = stream.next().await.map_err(failed)? {
            *n_samples += series.samples.len();
            let own = self.own(series.labels);
            // Nothing is taken that was not asked for.
            if !plan.selector().matches(&own) {
                continue;
            }
            let labels = plan.labels(own);
            if !seen.insert(labels.clone()) {
                let twice = format!("two series of the answer come to {labels}");
                return Err(Refusal::Other(QueryError::Malformed(twice)));
            }
            values.add(labels, plan.values(grid, &series.samples))?;
        }
        Ok(())
    }

    /// What is asked for there: the plan's own series, with the labels that they were given on their way.
    fn selector(&self, plan: &Plan) -> Selector {
        let own = plan.selector().matchers();
        let is_named = |name: &str| own.iter().any(|matcher| matcher.name() == name);
        let external = self
            .external_labels
            .iter()
            .filter(|(name, _)| !is_named(name));
        let external = external.map(|(name, value)| {
            Matcher::new(MatchOp::Equal, name, value)
                .expect("equality needs no expression to compile")
        });
        Selector::new(own.iter().cloned().chain(external))
    }

    /// The labels as they are in the Prometheus that wrote the series.
    fn own(&self, labels: Labels) -> Labels {
        let external = self.external_labels.iter();
        external.fold(labels, |labels, (name, value)| {
            if labels.get(name) == value {
                labels.without(name)
            } else {
                labels
            }
        })
    }

    fn refusal(&self, error: ReadError) -> Refusal {
        if error.is_too_large() {
            return Refusal::TooLarge(too_large(error));
        }
        Refusal::Other(match error {
            ReadError::Connection(source) if source.is_timeout() => {
                QueryError::Timeout(self.timeout)
            }
            ReadError::Connection(source) => QueryError::Unreachable {
                at: self.address.clone(),
                source: source.without_url(),
            },
            ReadError::Status { status, words } if status >= 500 => QueryError::ServerError {
                status,
                message: words,
            },
            ReadError::Status { status, words } => QueryError::Rejected {
                status,
                message: words,
            },
            other => QueryError::Malformed(in_full(other)),
        })
    }
}

/// Why a piece was not read.
enum Refusal {
    /// Less time at once may do.
    TooLarge(QueryError),
    Other(QueryError),
}

/// What is told when less is not to be had: whether it was bytes, series or samples that were too many.
fn too_large(error: ReadError) -> QueryError {
    match error {
        ReadError::Answer(ResponseError::Body(BodyError::TooLarge { limit, .. })) => {
            QueryError::TooLarge(limit)
        }
        ReadError::Answer(ResponseError::Body(BodyError::TooMany {
            what: "series",
            limit,
            ..
        })) => QueryError::TooManySeries(limit),
        other => QueryError::Malformed(in_full(other)),
    }
}

fn malformed(error: RequestError) -> Refusal {
    Refusal::Other(QueryError::Malformed(in_full(error)))
}

/// An error with its causes.
fn in_full(error: impl Error + Send + Sync + 'static) -> String {
    format!("{:#}", anyhow::Error::new(error))
}

/// The times of one piece: at least one, and no more than one where there are few, and so far apart that little of
/// what is between them is looked at.
fn piece((from, end): (Timestamp, Timestamp), step: Step, length: Duration) -> Grid {
    let is_sounding = step.get() > 2 * LOOK_BACK && step.count(end.since(from)) <= SOUNDINGS;
    let n_steps = if is_sounding {
        0
    } else {
        let n_steps = length.as_millis() / step.get().as_millis().max(1);
        u32::try_from(n_steps).unwrap_or(u32::MAX)
    };
    Grid {
        start: from,
        end: (from + step.get().saturating_mul(n_steps)).min(end),
        step: step.get(),
    }
}

/// Longer where little came and shorter where much did.
fn next_length(length: Duration, n_samples: usize) -> Duration {
    let factor = PIECE_SAMPLES as f64 / n_samples.max(1) as f64;
    length
        .mul_f64(factor.clamp(0.1, f64::from(GROWTH)))
        .clamp(Duration::from_secs(1), LONGEST_PIECE)
}

/// Values by series, as the pieces bring them.
#[derive(Default)]
struct Values {
    series: HashMap<Labels, Vec<Sample>>,
    n_values: usize,
}

impl Values {
    fn add(&mut self, labels: Labels, values: Vec<Sample>) -> Result<(), Refusal> {
        self.n_values += values.len();
        if self.n_values > MAX_VALUES {
            let n_bytes = MAX_VALUES * size_of::<Sample>();
            return Err(Refusal::Other(QueryError::TooLarge(n_bytes)));
        }
        if !values.is_empty() {
            self.series.entry(labels).or_default().extend(values);
        }
        Ok(())
    }

    /// Takes back what a piece brought that broke off.
    fn forget_from(&mut self, from: Timestamp) {
        self.series.retain(|_, values| {
            values.truncate(values.partition_point(|sample| sample.at < from));
            !values.is_empty()
        });
        self.n_values = self.series.values().map(Vec::len).sum();
    }

    fn into_series(self) -> Vec<Series> {
        let series = self.series.into_iter();
        let mut series: Vec<_> = series
            .map(|(labels, samples)| Series { labels, samples })
            .collect();
        series.sort_by(|a, b| a.labels.cmp(&b.labels));
        series
    }
}

#[cfg(test)]
mod tests;
