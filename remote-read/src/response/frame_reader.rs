//! A stream of frames read as it comes in.

use super::{
    ResponseError,
    frames::{HISTOGRAMS, XOR},
};
use crate::{
    BodyError, Limits, frame,
    limits::{Tally, hold},
    timeseries::{self, is_ascending},
    wire::Message,
    xor::{self, XorError},
};
use series::{Labels, Sample, Series};
use std::collections::{HashSet, VecDeque};

/// Reads an answer to a request of `n_queries` queries: their results, series as they were sent.
pub fn decode_frames(
    body: &[u8],
    n_queries: usize,
    limits: &Limits,
) -> Result<Vec<Vec<Series>>, ResponseError> {
    let mut reader = FrameReader::new(n_queries, *limits)?;
    let mut results = vec![Vec::new(); n_queries];
    reader.count(body.len())?;
    let mut rest = body;
    while !rest.is_empty() {
        reader.read_frame(frame::take(&mut rest, limits.max_decoded_bytes)?)?;
        while let Some((query, series)) = reader.ready.pop_front() {
            results[query].push(series);
        }
    }
    for (query, series) in reader.finish()? {
        results[query].push(series);
    }
    Ok(results)
}

/// Reads frames from the pieces that a connection happens to deliver, and gives out each series once it is
/// complete. A series that goes on in the next frame, as Prometheus' own server has it when one grows too large,
/// is put together.
///
/// No more is held than the pieces not yet asked for, one frame, and the series in it. After an error the reader
/// is good for nothing.
#[derive(Debug)]
pub struct FrameReader {
    limits: Limits,
    n_queries: usize,
    /// What has come and was not read.
    buffer: Vec<u8>,
    n_bytes: usize,
    tally: Tally,
    /// The last series, which the next frame may go on with.
    open: Option<(usize, Series)>,
    ready: VecDeque<(usize, Series)>,
    seen: HashSet<(usize, Labels)>,
}

impl FrameReader {
    /// Starts an answer to a request of `n_queries` queries.
    pub fn new(n_queries: usize, limits: Limits) -> Result<Self, ResponseError> {
        hold("queries", n_queries, limits.max_queries)?;
        Ok(Self {
            tally: Tally::new(&limits),
            limits,
            n_queries,
            buffer: Vec::new(),
            n_bytes: 0,
            open: None,
            ready: VecDeque::new(),
            seen: HashSet::new(),
        })
    }

    /// Takes what has come. Ask for series until there are none before the next piece, or pieces pile up.
    pub fn push(&mut self, piece: &[u8]) -> Result<(), ResponseError> {
        self.count(piece.len())?;
        self.buffer.extend_from_slice(piece);
        Ok(())
    }

    /// The next complete series and the number of its query; `None` until more has come.
    pub fn next_series(&mut self) -> Result<Option<(usize, Series)>, ResponseError> {
        if self.ready.is_empty() {
            self.read_buffered()?;
        }
        Ok(self.give_out())
    }

    fn give_out(&mut self) -> Option<(usize, Series)> {
        let next = self.ready.pop_front()?;
        self.tally.give_out(next.1.samples.len());
        Some(next)
    }

    /// What is left once the stream has ended, the last series above all.
    ///
    /// # Errors
    /// When the stream has ended within a frame.
    pub fn finish(mut self) -> Result<impl Iterator<Item = (usize, Series)>, ResponseError> {
        self.read_buffered()?;
        if !self.buffer.is_empty() {
            return Err(frame::FrameError::Torn.into());
        }
        Ok(self.ready.into_iter().chain(self.open))
    }

    fn count(&mut self, n_bytes: usize) -> Result<(), BodyError> {
        self.n_bytes += n_bytes;
        let (bytes, limit) = (self.n_bytes, self.limits.max_stream_bytes);
        if bytes > limit {
            return Err(BodyError::TooLarge { bytes, limit });
        }
        Ok(())
    }

    /// Reads all whole frames that are there.
    fn read_buffered(&mut self) -> Result<(), ResponseError> {
        let buffer = std::mem::take(&mut self.buffer);
        let mut rest = &buffer[..];
        while let Some(data) = frame::take_whole(&mut rest, self.limits.max_decoded_bytes)? {
            self.read_frame(data)?;
        }
        let n_read = buffer.len() - rest.len();
        self.buffer = buffer;
        self.buffer.drain(..n_read);
        Ok(())
    }

    /// `ChunkedReadResponse` of remote.proto: series in field 1, the number of the query in field 2.
    fn read_frame(&mut self, data: &[u8]) -> Result<(), ResponseError> {
        let (mut all, mut index) = (Vec::new(), 0);
        let mut message = Message::new("ChunkedReadResponse", data);
        while let Some(field) = message.next()? {
            match field.number {
                1 => {
                    self.tally.series()?;
                    let series = field.message("ChunkedSeries")?;
                    all.push(read_series(series, &mut self.tally)?);
                }
                2 => index = field.int()?,
                _ => {}
            }
        }
        if all.is_empty() {
            return Err(ResponseError::NoSeries);
        }
        let query = self.check_index(index)?;
        let mut all = all.into_iter();
        all.try_for_each(|series| self.append(query, series))
    }

    fn check_index(&self, index: i64) -> Result<usize, ResponseError> {
        let n_queries = self.n_queries;
        usize::try_from(index)
            .ok()
            .filter(|query| *query < n_queries)
            .ok_or(ResponseError::QueryIndex { index, n_queries })
    }

    /// Goes on with the open series when it has the same labels, or completes it and opens the next.
    fn append(&mut self, query: usize, mut series: Series) -> Result<(), ResponseError> {
        if let Some((of, open)) = &mut self.open
            && (*of, &open.labels) == (query, &series.labels)
        {
            open.samples.append(&mut series.samples);
            return if is_ascending(&open.samples) {
                Ok(())
            } else {
                Err(ResponseError::Order(series.labels))
            };
        }
        if !self.seen.insert((query, series.labels.clone())) {
            return Err(ResponseError::Twins(series.labels));
        }
        self.ready.extend(self.open.replace((query, series)));
        Ok(())
    }
}

/// `ChunkedSeries` of types.proto. Labels may stand after chunks, though nobody writes them so.
fn read_series(mut series: Message, tally: &mut Tally) -> Result<Series, ResponseError> {
    let (mut labels, mut chunks) = (Vec::new(), Vec::new());
    while let Some(field) = series.next()? {
        match field.number {
            1 => {
                tally.label()?;
                labels.push(timeseries::read_label(field.message("Label")?)?);
            }
            2 => {
                let (encoding, data) = read_chunk(field.message("Chunk")?)?;
                // No chunk is free: one without samples counts as one.
                tally.samples(xor::declared_samples(data).unwrap_or(0).max(1))?;
                chunks.push((encoding, data));
            }
            _ => {}
        }
    }
    let labels = Labels::new(labels)?;
    let mut samples = Vec::new();
    for (encoding, data) in chunks {
        unpack_chunk(&labels, encoding, data, &mut samples)?;
    }
    Ok(timeseries::check_order(labels, samples)?)
}

/// `Chunk` of types.proto: its times are told by its samples, its encoding and data are what is wanted.
fn read_chunk(mut chunk: Message<'_>) -> Result<(i64, &[u8]), BodyError> {
    let (mut encoding, mut data) = (0, &[][..]);
    while let Some(field) = chunk.next()? {
        match field.number {
            3 => encoding = field.int()?,
            4 => data = field.bytes()?,
            _ => {}
        }
    }
    Ok((encoding, data))
}

/// Takes the samples of a chunk. Histograms are passed over, as they are in the other form of an answer.
fn unpack_chunk(
    labels: &Labels,
    encoding: i64,
    data: &[u8],
    samples: &mut Vec<Sample>,
) -> Result<(), ResponseError> {
    if HISTOGRAMS.contains(&encoding) {
        return Ok(());
    }
    if encoding != XOR {
        return Err(ResponseError::Encoding {
            labels: labels.clone(),
            encoding,
        });
    }
    let bad_chunk = |source: XorError| ResponseError::Chunk {
        labels: labels.clone(),
        source,
    };
    samples.append(&mut xor::decode(data).map_err(bad_chunk)?);
    Ok(())
}
