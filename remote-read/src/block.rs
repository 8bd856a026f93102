//! Snappy blocks, whose declared length is doubted before it is believed.

use crate::{BodyError, uvarint};
use snap::raw::{Decoder, Encoder, decompress_len, max_compress_len};

/// The most that a byte can unpack to: the densest element is a copy of 64 bytes written in three.
const MAX_RATIO: usize = 22;

/// Unpacks one block of at most `limit` bytes.
pub(crate) fn unpack(body: &[u8], limit: usize) -> Result<Vec<u8>, BodyError> {
    let declared = decompress_len(body).map_err(BodyError::NotSnappy)?;
    if declared > limit {
        return Err(BodyError::TooLarge {
            bytes: declared,
            limit,
        });
    }
    if declared > body.len().saturating_mul(MAX_RATIO) {
        return Err(BodyError::Exaggerated {
            packed: body.len(),
            declared,
        });
    }
    Decoder::new()
        .decompress_vec(body)
        .map_err(BodyError::NotSnappy)
}

/// Packs one block. Fails past 4 GiB, which a block cannot declare.
pub(crate) fn pack(message: &[u8]) -> Result<Vec<u8>, BodyError> {
    Encoder::new()
        .compress_vec(message)
        .map_err(|_| BodyError::TooLarge {
            bytes: message.len(),
            limit: u32::MAX as usize,
        })
}

/// What a packer compresses at once: snappy itself looks no farther back.
pub(crate) const PIECE: usize = 64 << 10;

/// Packs one block piece by piece, so that it is never whole in memory.
///
/// A block is its length and then a row of elements, each of which looks back a distance and at no place: the
/// elements of pieces packed apart make one block when they follow each other.
pub(crate) struct Packer {
    encoder: Encoder,
    packed: Vec<u8>,
}

impl Packer {
    /// Begins a block of so many bytes; they are written first. Fails past 4 GiB.
    pub(crate) fn begin(length: usize, out: &mut Vec<u8>) -> Result<Self, BodyError> {
        let limit = u32::MAX as usize;
        if length > limit {
            return Err(BodyError::TooLarge {
                bytes: length,
                limit,
            });
        }
        uvarint::write(length as u64, |byte| out.push(byte));
        Ok(Self {
            encoder: Encoder::new(),
            packed: vec![0; max_compress_len(PIECE)],
        })
    }

    /// Packs the next piece, of at most [`PIECE`] bytes.
    pub(crate) fn pack(&mut self, piece: &[u8], out: &mut Vec<u8>) {
        let packed = self.encoder.compress(piece, &mut self.packed);
        let n_bytes = packed.expect("there is room for what a piece packs to at worst");
        let mut elements = &self.packed[..n_bytes];
        uvarint::take(&mut elements).expect("a block opens with its length");
        out.extend_from_slice(elements);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[track_caller]
    fn check(body: &[u8], expect: &str) {
        let error = unpack(body, 1 << 20).unwrap_err();
        assert_eq!(error.to_string(), expect);
    }

    #[test]
    fn a_promise_of_four_gigabytes_is_refused() {
        check(
            &[0xff, 0xff, 0xff, 0xff, 0x0f, 0x00],
            "body holds 4294967295 bytes where 1048576 are allowed",
        );
    }

    #[test]
    fn a_promise_that_so_few_bytes_cannot_keep_is_refused() {
        check(
            &[0x80, 0x80, 0x40, 0x00],
            "body of 4 bytes cannot unpack to the 1048576 that it declares",
        );
    }

    #[test]
    fn garbage_and_nothing_are_not_snappy() {
        check(b"", "body is not a snappy block");
        check(&[0xff; 12], "body is not a snappy block");
        check(&[0x05, 0x10, b'a'], "body is not a snappy block");
    }

    #[test]
    fn the_densest_block_stays_within_the_ratio() {
        let zeros = vec![0; 1 << 20];
        let packed = pack(&zeros).unwrap();
        assert_eq!(unpack(&packed, zeros.len()).unwrap(), zeros);
    }

    #[test]
    fn a_block_past_four_gigabytes_is_refused_before_it_is_begun() {
        let begun = Packer::begin(1 << 32, &mut Vec::new());
        let error = begun.err().map(|error| error.to_string());
        let sentence = "body holds 4294967296 bytes where 4294967295 are allowed";
        assert_eq!(error.as_deref(), Some(sentence));
    }

    proptest! {
        #[test]
        fn pieces_packed_apart_make_one_block(
            runs in prop::collection::vec((any::<u8>(), 0_usize..9_000), 0..40),
        ) {
            let message: Vec<u8> = runs.iter().flat_map(|(byte, n)| std::iter::repeat_n(*byte, *n)).collect();
            let mut block = Vec::new();
            let mut packer = Packer::begin(message.len(), &mut block).unwrap();
            for piece in message.chunks(PIECE) {
                packer.pack(piece, &mut block);
            }
            prop_assert_eq!(unpack(&block, message.len()).unwrap(), message);
        }
    }
}
