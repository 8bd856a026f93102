//! `STREAMED_XOR_CHUNKS`: each series in a frame of its own, its samples in XOR chunks.

use super::{ResponseError, check_order, is_ascending, put_in_order, read_labels, write_labels};
use crate::{
    BodyError, Limits, frame,
    limits::hold,
    messages::{Chunk, ChunkEncoding, ChunkedReadResponse, ChunkedSeries},
    wire, xor,
};
use bytes::Bytes;
use prost::Message;
use series::{Labels, Sample, Series};

/// The `Content-Type` of an answer in chunks; it has no `Content-Encoding`.
pub const CHUNKS_CONTENT_TYPE: &str =
    "application/x-streamed-protobuf; proto=prometheus.ChunkedReadResponse";

/// Prometheus cuts its own chunks at so many samples.
const SAMPLES_PER_CHUNK: usize = 120;

/// Writes exactly one frame for each series, with the index of its query and all its chunks; those of one query
/// follow each other, sorted. A series without samples is a frame without chunks, a query without series has no
/// frame. Frames are made as they are taken, and each series is let go once it is written.
///
/// Whoever sends them must break the connection off on an error: a stream that ends after a whole frame looks
/// complete.
pub fn encode_frames(results: Vec<Vec<Series>>) -> impl Iterator<Item = Bytes> + Send {
    let indexed = (0_i64..).zip(results);
    indexed.flat_map(|(query_index, mut result)| {
        put_in_order(&mut result);
        let series = result.into_iter();
        series.map(move |series| write_frame(query_index, &series))
    })
}

fn write_frame(query_index: i64, series: &Series) -> Bytes {
    let chunks = series.samples.chunks(SAMPLES_PER_CHUNK);
    let series = ChunkedSeries {
        labels: write_labels(&series.labels),
        chunks: chunks.filter_map(write_chunk).collect(),
    };
    let message = ChunkedReadResponse {
        chunked_series: vec![series],
        query_index,
    };
    frame::write(&message.encode_to_vec())
}

/// `None` without samples, since such a chunk has no times.
fn write_chunk(samples: &[Sample]) -> Option<Chunk> {
    let (first, last) = (samples.first()?, samples.last()?);
    Some(Chunk {
        min_time_ms: first.at.as_millis(),
        max_time_ms: last.at.as_millis(),
        r#type: ChunkEncoding::Xor.into(),
        data: xor::encode(samples),
    })
}

/// Reads an answer to a request of `n_queries` queries: their results, series as they were sent. A series that
/// goes on in the next frame, as Prometheus' own server has it when one grows too large, is put together.
pub fn decode_frames(
    body: &[u8],
    n_queries: usize,
    limits: &Limits,
) -> Result<Vec<Vec<Series>>, ResponseError> {
    hold("queries", n_queries, limits.max_queries)?;
    let mut reader = Reader {
        results: vec![Vec::new(); n_queries],
        totals: Totals::default(),
        limits,
    };
    let mut rest = body;
    while !rest.is_empty() {
        reader.read_frame(frame::take(&mut rest, limits.max_decoded_bytes)?)?;
    }
    Ok(reader.results)
}

/// What was read so far.
struct Reader<'a> {
    results: Vec<Vec<Series>>,
    totals: Totals,
    limits: &'a Limits,
}

/// Over all frames.
#[derive(Default)]
struct Totals {
    series: usize,
    labels: usize,
    chunks: usize,
    samples: usize,
}

impl Reader<'_> {
    fn read_frame(&mut self, data: &[u8]) -> Result<(), ResponseError> {
        self.hold_parts(data)?;
        let message: ChunkedReadResponse = wire::decode(data)?;
        if message.chunked_series.is_empty() {
            return Err(ResponseError::NoSeries);
        }
        let (index, n_queries) = (message.query_index, self.results.len());
        let query = usize::try_from(index)
            .ok()
            .filter(|query| *query < n_queries)
            .ok_or(ResponseError::QueryIndex { index, n_queries })?;
        for series in message.chunked_series {
            let series = self.read_series(series)?;
            append(&mut self.results[query], series)?;
        }
        Ok(())
    }

    fn hold_parts(&mut self, data: &[u8]) -> Result<(), BodyError> {
        let (totals, limits) = (&mut self.totals, self.limits);
        let count = wire::count::<ChunkedReadResponse>;
        totals.series += count(data, &[1])?;
        totals.labels += count(data, &[1, 1])?;
        totals.chunks += count(data, &[1, 2])?;
        hold("series", totals.series, limits.max_series)?;
        hold("labels", totals.labels, limits.max_labels)?;
        hold("chunks", totals.chunks, limits.max_samples)
    }

    fn read_series(&mut self, series: ChunkedSeries) -> Result<Series, ResponseError> {
        let labels = read_labels(series.labels)?;
        let mut samples = Vec::new();
        for chunk in series.chunks {
            samples.append(&mut self.read_chunk(&labels, &chunk)?);
        }
        check_order(labels, samples)
    }

    fn read_chunk(&mut self, labels: &Labels, chunk: &Chunk) -> Result<Vec<Sample>, ResponseError> {
        if chunk.r#type != i32::from(ChunkEncoding::Xor) {
            return Err(ResponseError::Encoding {
                labels: labels.clone(),
                encoding: chunk.r#type,
            });
        }
        let bad_chunk = |source| ResponseError::Chunk {
            labels: labels.clone(),
            source,
        };
        self.totals.samples += xor::declared_samples(&chunk.data).map_err(bad_chunk)?;
        hold("samples", self.totals.samples, self.limits.max_samples)?;
        xor::decode(&chunk.data).map_err(bad_chunk)
    }
}

/// Adds a series to a result, or to the last one there when that has the same labels.
fn append(result: &mut Vec<Series>, mut series: Series) -> Result<(), ResponseError> {
    match result.last_mut() {
        Some(last) if last.labels == series.labels => {
            last.samples.append(&mut series.samples);
            if is_ascending(&last.samples) {
                Ok(())
            } else {
                Err(ResponseError::Order(series.labels))
            }
        }
        _ => {
            result.push(series);
            Ok(())
        }
    }
}

#[cfg(test)]
mod tests;
