//! `STREAMED_XOR_CHUNKS`: each series in a frame of its own, its samples in XOR chunks.

use super::put_in_order;
use crate::{
    frame, timeseries,
    wire::{bytes_len, put_bytes, put_header, put_int},
    xor,
};
use bytes::Bytes;
use series::{Sample, Series};

/// The `Content-Type` of an answer in chunks; it has no `Content-Encoding`.
pub const CHUNKS_CONTENT_TYPE: &str =
    "application/x-streamed-protobuf; proto=prometheus.ChunkedReadResponse";

/// Prometheus cuts its own chunks at so many samples.
const SAMPLES_PER_CHUNK: usize = 120;

/// Bytes at which a piece goes out: frames of a kilobyte, sent one by one, would cost more than their making.
const PIECE: usize = 128 << 10;

/// Writes results: the series of each sorted, one query after the other, as [`stream_frames`] does.
pub fn encode_frames(results: Vec<Vec<Series>>) -> impl Iterator<Item = Bytes> + Send {
    let results = results.into_iter().enumerate();
    stream_frames(results.flat_map(|(query, mut result)| {
        put_in_order(&mut result);
        result.into_iter().map(move |series| (query, series))
    }))
}

/// Writes exactly one frame for each series, with the number of its query and all its chunks. A series without
/// samples is a frame without chunks, a query without series has no frame.
///
/// Pieces of whole frames are made as they are taken, and each series is let go once it is written. Readers
/// expect the series of one query after the other, sorted by labels, and samples in ascending order of time:
/// here that is left to trust.
///
/// Whoever sends the pieces must break the connection off on an error: a stream that ends after a whole frame
/// looks complete.
pub fn stream_frames(
    series: impl Iterator<Item = (usize, Series)> + Send,
) -> impl Iterator<Item = Bytes> + Send {
    let mut series = series;
    let mut writer = FrameWriter::default();
    std::iter::from_fn(move || {
        let mut piece = Vec::with_capacity(PIECE + PIECE / 8);
        while piece.len() < PIECE {
            let Some((query, series)) = series.next() else {
                break;
            };
            writer.write(query, &series, &mut piece);
        }
        (!piece.is_empty()).then(|| piece.into())
    })
}

/// Writes frames, and keeps what it needs for that from one to the next.
#[derive(Default)]
pub(super) struct FrameWriter {
    /// The bits of one chunk.
    data: Vec<u8>,
    /// The message of one chunk.
    chunk: Vec<u8>,
    /// `ChunkedSeries` of types.proto: labels in field 1, chunks in field 2.
    series: Vec<u8>,
}

impl FrameWriter {
    pub(super) fn write(&mut self, query: usize, series: &Series, out: &mut Vec<u8>) {
        self.series.clear();
        timeseries::put_labels(&mut self.series, &series.labels);
        for samples in series.samples.chunks(SAMPLES_PER_CHUNK) {
            self.put_chunk(samples);
        }
        let query = i64::try_from(query).expect("there are fewer queries than bytes in memory");
        let mut index = Vec::new();
        put_int(&mut index, 2, query);
        frame::write(bytes_len(self.series.len()) + index.len(), out, |out| {
            put_bytes(out, 1, &self.series);
            out.extend_from_slice(&index);
        });
    }

    /// `Chunk` of types.proto: first and last time, encoding, data.
    fn put_chunk(&mut self, samples: &[Sample]) {
        let (Some(first), Some(last)) = (samples.first(), samples.last()) else {
            return;
        };
        self.data.clear();
        xor::encode_onto(&mut self.data, samples);
        self.chunk.clear();
        put_int(&mut self.chunk, 1, first.at.as_millis());
        put_int(&mut self.chunk, 2, last.at.as_millis());
        put_int(&mut self.chunk, 3, XOR);
        let length = self.chunk.len() + bytes_len(self.data.len());
        put_header(&mut self.series, 2, length);
        self.series.extend_from_slice(&self.chunk);
        put_bytes(&mut self.series, 4, &self.data);
    }
}

/// `Chunk.Encoding` of types.proto; the kinds for histograms are neither written nor read.
pub(super) const XOR: i64 = 1;

/// The kinds for histograms, of whole numbers and of floats, which are passed over.
pub(super) const HISTOGRAMS: [i64; 2] = [2, 3];

#[cfg(test)]
mod tests;
