//! Frames of a file of saved models: each with a length and checksums of its own, so that damage to one is noticed and
//! leaves the others whole.
//!
//! A file begins with eight bytes that no other has and the version of its format. Frames follow: one head, one for
//! each series, one end. A frame is its kind (1 byte), the length of its content (8), the checksum of its
//! content (4), the checksum of the thirteen bytes before (4), and the content. Numbers are little-endian; checksums are CRC-32C.

use crate::bytes::Taker;
use std::io::{self, Read};

/// What every file begins with.
const MAGIC: [u8; 8] = *b"fsmodel\x1a";

/// Grows when the layout changes.
pub(crate) const VERSION: u16 = 2;

/// The oldest layout that is read: the first had no issued curves behind a series.
const OLDEST: u16 = 1;

/// Bytes before the content of a frame: kind, length, its checksum, and theirs.
const LEAD: usize = 1 + 8 + 4 + 4;

/// What a frame holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    Head = 1,
    Series = 2,
    End = 3,
}

/// What every file begins with, its version included.
pub(crate) fn preamble() -> Vec<u8> {
    let mut bytes = MAGIC.to_vec();
    bytes.extend(VERSION.to_le_bytes());
    bytes
}

/// Whether these are the first bytes of a file of saved models, of any version.
pub fn is_saved_state(beginning: &[u8]) -> bool {
    beginning.starts_with(&MAGIC)
}

/// Appends a frame.
pub(crate) fn put_frame(to: &mut Vec<u8>, kind: Kind, content: &[u8]) {
    let begin = to.len();
    to.push(kind as u8);
    to.extend((content.len() as u64).to_le_bytes());
    to.extend(crc32c::crc32c(content).to_le_bytes());
    let sum = crc32c::crc32c(&to[begin..]);
    to.extend(sum.to_le_bytes());
    to.extend(content);
}

/// Takes frames off a file.
pub(crate) struct Frames<R>(R);

/// Why there are no frames, or no more.
#[derive(Debug)]
pub(crate) enum FrameError {
    Unreadable(io::Error),
    /// The file is something else.
    Foreign,
    /// Written by another version.
    Version(u16),
    /// The file ends too early, or nobody can tell where the next frame begins.
    Lost,
    /// This frame is damaged; the next one may be whole.
    Content(Kind),
}

impl<R: Read> Frames<R> {
    /// Checks what a file begins with.
    pub(crate) fn open(mut from: R) -> Result<Self, FrameError> {
        let beginning = read(&mut from, preamble().len() as u64)?;
        if !is_saved_state(&beginning) {
            return Err(FrameError::Foreign);
        }
        match Taker(&beginning[MAGIC.len()..]).u16() {
            Some(OLDEST..=VERSION) => Ok(Self(from)),
            Some(other) => Err(FrameError::Version(other)),
            None => Err(FrameError::Lost),
        }
    }

    /// The next frame. Takes no more memory than the file has bytes, whatever length is promised.
    pub(crate) fn next(&mut self) -> Result<(Kind, Vec<u8>), FrameError> {
        let lead = read(&mut self.0, LEAD as u64)?;
        let (kind, n_bytes, sum) = parse_lead(&lead).ok_or(FrameError::Lost)?;
        let content = read(&mut self.0, n_bytes)?;
        if content.len() as u64 != n_bytes {
            return Err(FrameError::Lost);
        }
        if crc32c::crc32c(&content) != sum {
            return Err(FrameError::Content(kind));
        }
        Ok((kind, content))
    }

    /// Whether the file ends here.
    pub(crate) fn is_at_end(&mut self) -> Result<bool, FrameError> {
        read(&mut self.0, 1).map(|more| more.is_empty())
    }
}

/// At most so many bytes, fewer at the end of the file.
fn read(from: &mut impl Read, n_bytes: u64) -> Result<Vec<u8>, FrameError> {
    let mut bytes = Vec::new();
    let read = from.take(n_bytes).read_to_end(&mut bytes);
    read.map(|_| bytes).map_err(FrameError::Unreadable)
}

/// The kind, the length and the checksum of a frame's content.
fn parse_lead(lead: &[u8]) -> Option<(Kind, u64, u32)> {
    let (covered, sum) = lead.split_at_checked(LEAD - 4)?;
    if Taker(sum).u32()? != crc32c::crc32c(covered) {
        return None;
    }
    let mut from = Taker(covered);
    let kind = match from.u8()? {
        1 => Kind::Head,
        2 => Kind::Series,
        3 => Kind::End,
        _ => return None,
    };
    Some((kind, from.u64()?, from.u32()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn file() -> Vec<u8> {
        let mut bytes = preamble();
        put_frame(&mut bytes, Kind::Head, b"head");
        put_frame(&mut bytes, Kind::Series, &[7; 40]);
        put_frame(&mut bytes, Kind::End, b"");
        bytes
    }

    fn frames(bytes: &[u8]) -> Result<Vec<(Kind, Vec<u8>)>, FrameError> {
        let mut frames = Frames::open(bytes)?;
        let mut read = Vec::new();
        while read.last().is_none_or(|(kind, _)| *kind != Kind::End) {
            read.push(frames.next()?);
        }
        assert!(frames.is_at_end()?);
        Ok(read)
    }

    #[test]
    fn what_was_written_is_read() {
        let expect = [
            (Kind::Head, b"head".to_vec()),
            (Kind::Series, vec![7; 40]),
            (Kind::End, vec![]),
        ];
        assert_eq!(frames(&file()).unwrap(), expect);
    }

    #[test]
    fn any_flipped_bit_and_any_cut_is_noticed() {
        let whole = file();
        for idx in 0..whole.len() {
            assert!(frames(&whole[..idx]).is_err(), "cut at {idx}");
            for bit in 0..8 {
                let mut bytes = whole.clone();
                bytes[idx] ^= 1 << bit;
                assert!(frames(&bytes).is_err(), "bit {bit} of byte {idx}");
            }
        }
    }

    #[test]
    fn a_damaged_frame_leaves_the_next_one_whole() {
        let mut bytes = file();
        let in_series = preamble().len() + LEAD + 4 + LEAD + 9;
        bytes[in_series] ^= 1;
        let mut frames = Frames::open(&bytes[..]).unwrap();
        frames.next().unwrap();
        let damaged = frames.next();
        assert!(
            matches!(damaged, Err(FrameError::Content(Kind::Series))),
            "{damaged:?}"
        );
        assert_eq!(frames.next().unwrap().0, Kind::End);
    }

    #[test]
    fn a_length_that_nobody_could_hold_takes_no_memory() {
        let mut bytes = preamble();
        let begin = bytes.len();
        put_frame(&mut bytes, Kind::Series, b"");
        bytes[begin + 1..begin + 9].copy_from_slice(&u64::MAX.to_le_bytes());
        let sum = crc32c::crc32c(&bytes[begin..begin + 13]);
        bytes[begin + 13..].copy_from_slice(&sum.to_le_bytes());
        let refused = Frames::open(&bytes[..]).unwrap().next();
        assert!(matches!(refused, Err(FrameError::Lost)), "{refused:?}");
    }
}
