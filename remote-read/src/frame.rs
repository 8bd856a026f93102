//! Frames of a streamed answer: length, checksum, data.
//!
//! The length is an unsigned varint of the data alone, the checksum a big-endian CRC-32C (Castagnoli) of it,
//! as `storage/remote/chunked.go` of Prometheus documents them.

use crate::uvarint;

/// Bytes of a checksum.
const CHECKSUM_BYTES: usize = 4;

/// What is wrong with a frame.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum FrameError {
    /// The stream ends inside a frame, or a length passes 64 bits.
    #[error("frame is cut off, or its length is no number")]
    Torn,
    /// The declared length passes the limit.
    #[error("frame declares {declared} bytes where {limit} are allowed")]
    TooLarge {
        /// Bytes promised.
        declared: u64,
        /// Bytes allowed.
        limit: usize,
    },
    /// The data is not what was sent.
    #[error("frame has checksum {found:08x} where {expected:08x} is declared")]
    Checksum {
        /// Of the data as it came.
        found: u32,
        /// As the frame declares it.
        expected: u32,
    },
}

/// Puts data of a known length into a frame at the end of `out`.
pub(crate) fn write(length: usize, out: &mut Vec<u8>, put: impl FnOnce(&mut Vec<u8>)) {
    out.reserve(uvarint::MAX_BYTES + CHECKSUM_BYTES + length);
    uvarint::write(length as u64, |byte| out.push(byte));
    let checksum_at = out.len();
    out.extend_from_slice(&[0; CHECKSUM_BYTES]);
    let data_at = out.len();
    put(out);
    debug_assert_eq!(
        out.len() - data_at,
        length,
        "the length was told beforehand"
    );
    let checksum = crc32c::crc32c(&out[data_at..]).to_be_bytes();
    out[checksum_at..data_at].copy_from_slice(&checksum);
}

/// Takes the data of one frame of at most `limit` bytes off the front of a whole stream.
pub(crate) fn take<'a>(rest: &mut &'a [u8], limit: usize) -> Result<&'a [u8], FrameError> {
    take_whole(rest, limit)?.ok_or(FrameError::Torn)
}

/// Takes the data of one frame off the front of what has come of a stream; `None`, and nothing taken, when more
/// has to come first.
pub(crate) fn take_whole<'a>(
    rest: &mut &'a [u8],
    limit: usize,
) -> Result<Option<&'a [u8]>, FrameError> {
    let mut ahead = *rest;
    let Some(declared) = uvarint::take(&mut ahead) else {
        return if rest.len() < uvarint::MAX_BYTES {
            Ok(None)
        } else {
            Err(FrameError::Torn)
        };
    };
    let length = usize::try_from(declared)
        .ok()
        .filter(|length| *length <= limit)
        .ok_or(FrameError::TooLarge { declared, limit })?;
    let Some((checksum, mut ahead)) = ahead.split_first_chunk::<CHECKSUM_BYTES>() else {
        return Ok(None);
    };
    let Some(data) = ahead.split_off(..length) else {
        return Ok(None);
    };
    let (found, expected) = (crc32c::crc32c(data), u32::from_be_bytes(*checksum));
    if found != expected {
        return Err(FrameError::Checksum { found, expected });
    }
    *rest = ahead;
    Ok(Some(data))
}

/// Puts data into a frame of its own.
#[cfg(test)]
pub(crate) fn of(data: &[u8]) -> Vec<u8> {
    let mut frame = Vec::new();
    write(data.len(), &mut frame, |out| out.extend_from_slice(data));
    frame
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(frame: &[u8], expect: Result<&[u8], &str>) {
        let got = take(&mut &*frame, 64).map_err(|e| e.to_string());
        assert_eq!(got, expect.map_err(str::to_owned));
    }

    /// The checksum of the nine digits is the check value that catalogues of CRCs give for CRC-32C.
    const DIGITS: &[u8] = b"\x09\xe3\x06\x92\x83123456789";

    #[test]
    fn the_published_check_value_stands_in_the_frame() {
        assert_eq!(of(b"123456789"), DIGITS);
        check(DIGITS, Ok(b"123456789"));
    }

    #[test]
    fn thirty_two_zeros_have_the_checksum_of_rfc_3720() {
        // Appendix B.4 lists the bytes aa 36 91 8a in the order of iSCSI, least significant first.
        let frame = of(&[0; 32]);
        assert_eq!(frame[..5], [32, 0x8a, 0x91, 0x36, 0xaa]);
    }

    #[test]
    fn a_frame_cut_anywhere_is_torn() {
        for end in 0..DIGITS.len() {
            check(
                &DIGITS[..end],
                Err("frame is cut off, or its length is no number"),
            );
        }
    }

    #[test]
    fn what_has_come_of_a_frame_is_left_until_the_rest_has_come() {
        for end in 0..DIGITS.len() {
            let mut rest = &DIGITS[..end];
            assert_eq!(take_whole(&mut rest, 64), Ok(None));
            assert_eq!(rest.len(), end);
        }
        assert_eq!(take_whole(&mut &[0x80; 10][..], 64), Err(FrameError::Torn));
    }

    #[test]
    fn a_length_beyond_the_limit_is_refused_before_its_data_is_looked_for() {
        check(
            &[0xff, 0xff, 0xff, 0xff, 0x0f],
            Err("frame declares 4294967295 bytes where 64 are allowed"),
        );
        check(
            &[0xff; 11],
            Err("frame is cut off, or its length is no number"),
        );
    }

    #[test]
    fn a_changed_bit_is_noticed() {
        let mut frame = DIGITS.to_vec();
        frame[13] ^= 1;
        let error = take(&mut frame.as_slice(), 64).unwrap_err();
        assert!(matches!(
            error,
            FrameError::Checksum {
                expected: 0xe306_9283,
                ..
            }
        ));
    }
}
