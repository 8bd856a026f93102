//! Fields of messages written into a buffer; every number of a field is below 16, so that its key is one byte.

use crate::uvarint;

/// Bytes of a field that holds so many bytes, key and length included.
pub(crate) const fn bytes_len(length: usize) -> usize {
    1 + uvarint::len(length as u64) + length
}

/// Opens a field that holds so many bytes, which are to follow.
pub(crate) fn put_header(out: &mut Vec<u8>, field: u8, length: usize) {
    out.push(field << 3 | 2);
    put_uvarint(out, length as u64);
}

/// Writes a field of bytes.
pub(crate) fn put_bytes(out: &mut Vec<u8>, field: u8, bytes: &[u8]) {
    put_header(out, field, bytes.len());
    out.extend_from_slice(bytes);
}

/// Writes an integer, and nothing for a zero: absent and zero are the same.
pub(crate) fn put_int(out: &mut Vec<u8>, field: u8, number: i64) {
    if number != 0 {
        out.push(field << 3);
        put_uvarint(out, number.cast_unsigned());
    }
}

/// Writes a bare number.
pub(crate) fn put_uvarint(out: &mut Vec<u8>, number: u64) {
    uvarint::write(number, |byte| out.push(byte));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_field_is_as_long_as_it_was_said_to_be() {
        for length in [0, 1, 127, 128, 16_383, 16_384] {
            let mut out = Vec::new();
            put_bytes(&mut out, 2, &vec![7; length]);
            assert_eq!(out.len(), bytes_len(length));
            assert_eq!(out[0], 0x12);
        }
    }

    #[test]
    fn zeros_are_left_out_and_negative_numbers_take_ten_bytes() {
        let mut out = Vec::new();
        put_int(&mut out, 1, 0);
        assert!(out.is_empty());
        put_int(&mut out, 1, -1);
        assert_eq!(out.len(), 11);
    }
}
