//! An answer in samples as it is written: planned series into pieces of one snappy block.

use super::{MEMBER, shared::Written};
use crate::{
    BodyError,
    block::{PIECE, Packer},
    timeseries,
    wire::{bytes_len, put_header},
};
use bytes::Bytes;
use series::{Labels, Series};
use std::vec;

/// Why series are not those that were planned.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PlanError {
    /// It has other labels or times.
    #[error("series {labels} takes {found} bytes where {planned} were planned")]
    Length {
        /// The series.
        labels: Labels,
        /// Bytes that it takes.
        found: usize,
        /// Bytes that were declared.
        planned: usize,
    },
    /// Times that stand still or run backwards.
    #[error("samples of series {0} are not in ascending order of time")]
    Order(Labels),
    /// Fewer than planned.
    #[error("series are missing at the end")]
    Missing,
}

/// An answer in samples that is being written.
pub(super) struct SamplesBody<I> {
    /// Bytes of each result, and of each of its series.
    results: vec::IntoIter<(usize, Vec<usize>)>,
    /// Of the series left in the result that is being written.
    lengths: vec::IntoIter<usize>,
    series: I,
    /// The series that is being written.
    current: Written,
    /// Samples of it that are written.
    n_written: usize,
    /// Bytes that wait to be packed.
    staged: Vec<u8>,
    /// Bytes that are packed, before they were.
    n_packed: usize,
    /// The block's declared length, until it has gone out.
    head: Vec<u8>,
    packer: Packer,
}

/// Packed bytes at which a piece goes out; sending costs by the piece.
const OUT: usize = 128 << 10;
/// Samples that are staged at once, so that a long series is not staged whole.
const RUN: usize = 512;

impl<I: Iterator<Item = Series>> SamplesBody<I> {
    /// Begins a message of so many bytes: results with their lengths, and those of their series.
    pub(super) fn begin(
        length: usize,
        plan: Vec<(usize, Vec<usize>)>,
        series: I,
    ) -> Result<Self, BodyError> {
        let mut head = Vec::new();
        let packer = Packer::begin(length, &mut head)?;
        Ok(Self {
            results: plan.into_iter(),
            lengths: Vec::new().into_iter(),
            series,
            current: Written::default(),
            n_written: 0,
            staged: Vec::with_capacity(2 * PIECE),
            n_packed: 0,
            head,
            packer,
        })
    }

    /// The next piece; `None` at the end.
    pub(super) fn piece(&mut self) -> Result<Option<Bytes>, PlanError> {
        let mut piece = std::mem::take(&mut self.head);
        piece.reserve(OUT + OUT / 2);
        while piece.len() < OUT {
            if !self.stage(&mut piece)? {
                self.pack(&mut piece);
                break;
            }
            if self.staged.len() >= PIECE {
                self.pack(&mut piece);
            }
        }
        Ok((!piece.is_empty()).then(|| piece.into()))
    }

    /// Writes the next samples, or opens what comes next; `false` at the end.
    fn stage(&mut self, out: &mut Vec<u8>) -> Result<bool, PlanError> {
        let rest = &self.current.samples[self.n_written..];
        if !rest.is_empty() {
            let run = &rest[..rest.len().min(RUN)];
            timeseries::put_samples(&mut self.staged, run);
            self.n_written += run.len();
        } else if let Some(planned) = self.lengths.next() {
            let series = self.series.next().ok_or(PlanError::Missing)?;
            check_plan(&series, planned)?;
            self.open(series, planned, out);
        } else if let Some((length, lengths)) = self.results.next() {
            put_header(&mut self.staged, MEMBER, length);
            self.lengths = lengths.into_iter();
        } else {
            return Ok(false);
        }
        Ok(true)
    }

    /// Writes a series by what it shares with the one before, or stages its head.
    fn open(&mut self, series: Series, planned: usize, out: &mut Vec<u8>) {
        let mut next = Written {
            head: Vec::with_capacity(planned - timeseries::samples_len(&series.samples) + 8),
            at: self.n_packed + self.staged.len(),
            samples: series.samples,
        };
        put_header(&mut next.head, MEMBER, planned);
        timeseries::put_labels(&mut next.head, &series.labels);
        if let Some(distance) = next.distance(&self.current) {
            self.pack(out);
            next.pack(&self.current, distance, out);
            self.n_packed += bytes_len(planned);
            self.n_written = next.samples.len();
        } else {
            self.staged.extend_from_slice(&next.head);
            self.n_written = 0;
        }
        self.current = next;
    }

    /// Packs what waits.
    fn pack(&mut self, out: &mut Vec<u8>) {
        for piece in self.staged.chunks(PIECE) {
            self.packer.pack(piece, out);
        }
        self.n_packed += self.staged.len();
        self.staged.clear();
    }
}

fn check_plan(series: &Series, planned: usize) -> Result<(), PlanError> {
    if !timeseries::is_ascending(&series.samples) {
        return Err(PlanError::Order(series.labels.clone()));
    }
    let found = timeseries::len(series);
    if found != planned {
        let labels = series.labels.clone();
        return Err(PlanError::Length {
            labels,
            found,
            planned,
        });
    }
    Ok(())
}
