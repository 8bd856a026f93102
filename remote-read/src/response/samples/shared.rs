//! A series packed by what it shares with the one before it.
//!
//! Curves of one rule have the same times, and labels that differ in a few letters. Snappy can copy from up to 64 KiB
//! back, and here it is known from where: nothing is searched for, and a sample costs twelve bytes or five. Any
//! decoder of snappy reads it; the elements are those of its `format_description.txt`.

use crate::timeseries;
use series::Sample;

/// A series that has been written, as the next one may refer to it.
#[derive(Default)]
pub(super) struct Written {
    /// Header and labels.
    pub(super) head: Vec<u8>,
    /// Where the head begins, in bytes of the unpacked message.
    pub(super) at: usize,
    pub(super) samples: Vec<Sample>,
}

impl Written {
    /// How far back the samples of the one before lie, when they have the same times and
    /// are near enough for a copy of three bytes.
    pub(super) fn distance(&self, before: &Self) -> Option<u16> {
        let begins = |written: &Self| written.at + written.head.len();
        let distance = begins(self) - begins(before);
        let (samples, known) = (&self.samples, &before.samples);
        let shared = !samples.is_empty()
            && samples.len() == known.len()
            && samples
                .iter()
                .zip(known)
                .all(|(one, other)| one.at == other.at);
        u16::try_from(distance).ok().filter(|_| shared)
    }

    /// Writes the elements of this series, whose samples lie at a distance from those of the one before.
    pub(super) fn pack(&self, before: &Self, distance: u16, out: &mut Vec<u8>) {
        pack_head(self, before, out);
        pack_samples(&self.samples, distance, out);
    }
}

/// Copies what both heads begin and end with.
fn pack_head(this: &Written, before: &Written, out: &mut Vec<u8>) {
    let (head, known) = (&this.head[..], &before.head[..]);
    let pairs = head.iter().zip(known);
    let n_front = pairs.take_while(|(one, other)| one == other).count();
    let (head_rest, known_rest) = (&head[n_front..], &known[n_front..]);
    let pairs = head_rest.iter().rev().zip(known_rest.iter().rev());
    let n_back = pairs.take_while(|(one, other)| one == other).count();
    let (middle, back) = head_rest.split_at(head_rest.len() - n_back);
    let distance = this.at - before.at;
    put_copy(&head[..n_front], distance, out);
    put_literal(middle, out);
    put_copy(back, distance + head.len() - known.len(), out);
}

/// Each value as it is, or copied from the sample before; and all between it and the next value from the series
/// before: the time, and the keys around it.
fn pack_samples(samples: &[Sample], distance: u16, out: &mut Vec<u8>) {
    let [low, high] = distance.to_le_bytes();
    // Keys and lengths before the first value, as before every other.
    out.extend([copy_tag(timeseries::BEFORE_VALUE), low, high]);
    let mut before: Option<(u64, usize)> = None;
    for (idx, sample) in samples.iter().enumerate() {
        let bits = sample.value.to_bits();
        let length = timeseries::sample_len(sample.at);
        let is_last = idx + 1 == samples.len();
        let n_head = if is_last { 0 } else { timeseries::BEFORE_VALUE };
        let n_between = length - timeseries::BEFORE_VALUE - VALUE + n_head;
        let between = [copy_tag(n_between), low, high];
        if before == Some((bits, length)) {
            let [back, ..] = length.to_le_bytes();
            out.extend([SHORT_COPY_OF_VALUE, back]);
            out.extend(between);
        } else {
            let mut element = [0; 1 + VALUE + 3];
            element[0] = literal_tag(VALUE);
            element[1..=VALUE].copy_from_slice(&bits.to_le_bytes());
            element[1 + VALUE..].copy_from_slice(&between);
            out.extend_from_slice(&element);
        }
        before = Some((bits, length));
    }
}

/// Bytes of a value.
const VALUE: usize = 8;

/// A copy of 8 bytes from less than 256 bytes back, which follow in one byte: kind 1, with the length less 4.
const SHORT_COPY_OF_VALUE: u8 = 1 | (8 - 4) << 2;

/// The longest literal whose length is in its tag, in bytes.
const MAX_LITERAL: usize = 60;
/// The longest copy, in bytes.
const MAX_COPY: usize = 64;

/// Kind 0, with the length less one.
const fn literal_tag(n_bytes: usize) -> u8 {
    ((n_bytes - 1) << 2).to_le_bytes()[0]
}

/// Kind 2, with the length less one; the distance follows in two bytes.
const fn copy_tag(n_bytes: usize) -> u8 {
    ((n_bytes - 1) << 2 | 2).to_le_bytes()[0]
}

fn put_literal(bytes: &[u8], out: &mut Vec<u8>) {
    for piece in bytes.chunks(MAX_LITERAL) {
        out.push(literal_tag(piece.len()));
        out.extend_from_slice(piece);
    }
}

/// Copies bytes that stand at a distance, or writes them where that is too far or not worth it.
fn put_copy(bytes: &[u8], distance: usize, out: &mut Vec<u8>) {
    match u16::try_from(distance) {
        Ok(distance) if bytes.len() > 3 => {
            let [low, high] = distance.to_le_bytes();
            for piece in bytes.chunks(MAX_COPY) {
                out.extend([copy_tag(piece.len()), low, high]);
            }
        }
        _ => put_literal(bytes, out),
    }
}
