//! Unsigned integers of variable length, seven bits a byte, as protobuf, snappy and Go's `encoding/binary` have them.

/// Reads one from a source of bytes; `None` when that ends early or the number passes 64 bits.
pub(crate) fn read(mut next: impl FnMut() -> Option<u8>) -> Option<u64> {
    let mut value = 0;
    for shift in (0..64).step_by(7) {
        let byte = next()?;
        let part = u64::from(byte & 0x7f);
        if shift == 63 && part > 1 {
            return None;
        }
        value |= part << shift;
        if byte < 0x80 {
            return Some(value);
        }
    }
    None
}

/// Takes one off the front of a slice; after `None` the slice is good for nothing.
pub(crate) fn take(rest: &mut &[u8]) -> Option<u64> {
    read(|| rest.split_off_first().copied())
}

/// Writes one, byte by byte.
pub(crate) fn write(mut value: u64, mut put: impl FnMut(u8)) {
    while value >= 0x80 {
        put(value.to_le_bytes()[0] | 0x80);
        value >>= 7;
    }
    put(value.to_le_bytes()[0]);
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[track_caller]
    fn check(mut bytes: &[u8], expect: Option<u64>) {
        assert_eq!(take(&mut bytes), expect);
    }

    #[test]
    fn known_numbers_are_read() {
        check(&[0x00], Some(0));
        check(&[0xac, 0x02], Some(300));
        check(
            &[0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x01],
            Some(u64::MAX),
        );
    }

    #[test]
    fn cut_and_overlong_numbers_are_refused() {
        check(&[], None);
        check(&[0x80], None);
        check(
            &[0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x02],
            None,
        );
        check(&[0x80; 11], None);
    }

    proptest! {
        #[test]
        fn what_is_written_is_read_back(value: u64) {
            let mut bytes = Vec::new();
            write(value, |byte| bytes.push(byte));
            prop_assert_eq!(take(&mut bytes.as_slice()), Some(value));
        }
    }
}
