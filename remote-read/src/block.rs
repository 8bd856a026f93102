//! Snappy blocks, whose declared length is doubted before it is believed.

use crate::BodyError;
use snap::raw::{Decoder, Encoder, decompress_len};

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

#[cfg(test)]
mod tests {
    use super::*;

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
}
