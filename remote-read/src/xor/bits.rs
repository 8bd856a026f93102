//! Bits written and read most significant first.

use crate::uvarint;

/// Adds bits to the end of bytes; the last byte is filled up with zeros.
pub(super) struct BitWriter<'a> {
    bytes: &'a mut Vec<u8>,
    /// What does not fill eight bytes yet, aligned to the left.
    word: u64,
    /// Free bits at the right of the word, never zero.
    n_free: u32,
}

impl<'a> BitWriter<'a> {
    /// Starts after what is there.
    pub(super) fn new(bytes: &'a mut Vec<u8>) -> Self {
        Self {
            bytes,
            word: 0,
            n_free: u64::BITS,
        }
    }

    /// Writes the lowest `n_bits` bits of a value, 0 to 64 of them.
    pub(super) fn put(&mut self, value: u64, n_bits: u32) {
        let value = value & low_mask(n_bits);
        if n_bits < self.n_free {
            self.n_free -= n_bits;
            self.word |= value.unbounded_shl(self.n_free);
            return;
        }
        let n_left = n_bits - self.n_free;
        self.word |= value.unbounded_shr(n_left);
        self.bytes.extend_from_slice(&self.word.to_be_bytes());
        self.n_free = u64::BITS - n_left;
        self.word = value.unbounded_shl(self.n_free);
    }

    /// Writes an unsigned varint.
    pub(super) fn put_uvarint(&mut self, value: u64) {
        uvarint::write(value, |byte| self.put(byte.into(), 8));
    }

    /// Writes what is left, the last byte filled up.
    pub(super) fn finish(self) {
        let n_bytes = (u64::BITS - self.n_free).div_ceil(8) as usize;
        self.bytes
            .extend_from_slice(&self.word.to_be_bytes()[..n_bytes]);
    }
}

fn low_mask(n_bits: u32) -> u64 {
    u64::MAX.unbounded_shr(u64::BITS - n_bits)
}

/// Hands out bits from bytes.
pub(super) struct BitReader<'a> {
    rest: &'a [u8],
    /// What was loaded and not yet handed out, aligned to the left.
    word: u64,
    n_loaded: u32,
}

impl<'a> BitReader<'a> {
    /// Starts at the first bit.
    pub(super) fn new(bytes: &'a [u8]) -> Self {
        Self {
            rest: bytes,
            word: 0,
            n_loaded: 0,
        }
    }

    /// The next `n_bits` bits, 0 to 64 of them; `None` when there are fewer.
    pub(super) fn take(&mut self, n_bits: u32) -> Option<u64> {
        if n_bits <= self.n_loaded {
            return Some(self.shift_out(n_bits));
        }
        let n_more = n_bits - self.n_loaded;
        let high = self.shift_out(self.n_loaded);
        self.load();
        if n_more > self.n_loaded {
            return None;
        }
        Some(high.unbounded_shl(n_more) | self.shift_out(n_more))
    }

    /// An unsigned varint.
    pub(super) fn take_uvarint(&mut self) -> Option<u64> {
        uvarint::read(|| self.take(8).map(|byte| byte.to_le_bytes()[0]))
    }

    /// Whole bytes that nobody has taken a bit of.
    pub(super) fn n_bytes_left(&self) -> usize {
        self.rest.len() + (self.n_loaded / 8) as usize
    }

    fn shift_out(&mut self, n_bits: u32) -> u64 {
        let bits = self.word.unbounded_shr(u64::BITS - n_bits);
        self.word = self.word.unbounded_shl(n_bits);
        self.n_loaded -= n_bits;
        bits
    }

    fn load(&mut self) {
        let (bytes, rest) = self.rest.split_at(self.rest.len().min(8));
        let mut word = [0; 8];
        word[..bytes.len()].copy_from_slice(bytes);
        self.word = u64::from_be_bytes(word);
        self.n_loaded = 8 * u32::try_from(bytes.len()).expect("at most eight bytes were split off");
        self.rest = rest;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn bits_are_laid_out_most_significant_first() {
        let mut bytes = vec![9];
        let mut writer = BitWriter::new(&mut bytes);
        writer.put(0b1, 1);
        writer.put(0b0110, 4);
        writer.put(0xffff, 5);
        writer.finish();
        assert_eq!(bytes, [9, 0b1011_0111, 0b1100_0000]);
    }

    #[test]
    fn more_bits_than_there_are_is_none() {
        let mut reader = BitReader::new(&[0xff]);
        assert_eq!(reader.take(3), Some(7));
        assert_eq!(reader.n_bytes_left(), 0);
        assert_eq!(reader.take(6), None);
    }

    proptest! {
        #[test]
        fn what_is_put_is_taken(parts: Vec<(u64, prop::sample::Index)>) {
            let parts: Vec<_> = parts
                .iter()
                .map(|(value, n_bits)| (*value, u32::try_from(n_bits.index(65)).unwrap()))
                .collect();
            let mut bytes = Vec::new();
            let mut writer = BitWriter::new(&mut bytes);
            for (value, n_bits) in &parts {
                writer.put(*value, *n_bits);
            }
            writer.finish();
            let n_bits: u32 = parts.iter().map(|(_, n_bits)| n_bits).sum();
            prop_assert_eq!(bytes.len(), n_bits.div_ceil(8) as usize);
            let mut reader = BitReader::new(&bytes);
            for (value, n_bits) in parts {
                prop_assert_eq!(reader.take(n_bits), Some(value & low_mask(n_bits)));
            }
            prop_assert_eq!(reader.n_bytes_left(), 0);
        }
    }
}
