//! Unsigned integers of variable length, seven bits a byte, as protobuf, snappy and Go's `encoding/binary` have them.

/// Bytes of the longest one.
pub(crate) const MAX_BYTES: usize = 10;

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

/// How many bytes one takes, 1 to 10.
pub(crate) const fn len(value: u64) -> usize {
    // 7 bits a byte, and zero takes one as well: (bits + 6) / 7 without a division.
    let n_bits = u64::BITS - (value | 1).leading_zeros();
    ((n_bits * 9 + 64) / 64) as usize
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

    #[test]
    fn the_length_is_right_at_every_number_of_bits() {
        for n_bits in 0..64 {
            for value in [(1_u64 << n_bits) - 1, 1 << n_bits, u64::MAX >> n_bits] {
                let mut n_bytes = 0;
                write(value, |_| n_bytes += 1);
                assert_eq!(len(value), n_bytes, "{value}");
            }
        }
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
