//! An XOR chunk back into samples.

use super::{LEADING_BITS, WIDTHS, WINDOW_BITS, bits::BitReader};
use series::{Sample, Timestamp};

/// Why bytes are not an XOR chunk.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum XorError {
    /// No room for the number of samples.
    #[error("chunk is too short to tell how many samples it holds")]
    NoCount,
    /// The bits end, or make no number, before all samples are read.
    #[error("chunk declares {declared} samples and breaks off after {read}")]
    Torn {
        /// Samples promised.
        declared: usize,
        /// Samples read.
        read: usize,
    },
    /// A window that does not fit into a value.
    #[error("chunk has {leading} leading zeros and {n_bits} bits in a value of 64")]
    Window {
        /// Zeros before the window.
        leading: u32,
        /// Bits in the window.
        n_bits: u32,
    },
    /// More bytes after the last sample than Prometheus leaves there.
    #[error("chunk has {0} bytes after its last sample")]
    Trailing(usize),
}

/// Unpacks samples in the order in which they were packed. Memory is taken for what the bytes can hold, not for
/// what they declare.
pub fn decode(chunk: &[u8]) -> Result<Vec<Sample>, XorError> {
    let declared = declared_samples(chunk)?;
    let (_, body) = chunk.split_at(COUNT_BYTES);
    let mut decoder = Decoder {
        bits: BitReader::new(body),
        declared,
        read: 0,
        at: 0,
        distance: 0,
        value: 0,
        window: Window::default(),
    };
    // A sample takes two bits at least.
    let mut samples = Vec::with_capacity(declared.min(4 * body.len()));
    while decoder.read < declared {
        samples.push(decoder.next_sample()?);
    }
    let n_spare = decoder.bits.n_bytes_left();
    if n_spare > MAX_SPARE_BYTES {
        return Err(XorError::Trailing(n_spare));
    }
    Ok(samples)
}

/// Prometheus begins a new byte as soon as one is full, and sends it along empty.
const MAX_SPARE_BYTES: usize = 1;

/// Bytes that hold the number of samples.
const COUNT_BYTES: usize = 2;

/// How many samples a chunk says it holds.
pub(crate) fn declared_samples(chunk: &[u8]) -> Result<usize, XorError> {
    let count = chunk.first_chunk::<COUNT_BYTES>();
    let count = count.ok_or(XorError::NoCount)?;
    Ok(u16::from_be_bytes(*count).into())
}

/// What the next sample is read against.
struct Decoder<'a> {
    bits: BitReader<'a>,
    declared: usize,
    read: usize,
    at: i64,
    distance: i64,
    value: u64,
    window: Window,
}

/// How many zeros precede and follow the bits that are written. Prometheus starts with none on either side.
#[derive(Clone, Copy, Default)]
struct Window {
    leading: u32,
    trailing: u32,
}

impl Decoder<'_> {
    fn next_sample(&mut self) -> Result<Sample, XorError> {
        match self.read {
            0 => {
                self.at = unzigzag(self.take_uvarint()?);
                self.value = self.take(u64::BITS)?;
            }
            1 => {
                self.distance = self.take_uvarint()?.cast_signed();
                self.pass_distance();
                self.value ^= self.next_difference()?;
            }
            _ => {
                self.distance = self.distance.wrapping_add(self.next_change()?);
                self.pass_distance();
                self.value ^= self.next_difference()?;
            }
        }
        self.read += 1;
        Ok(Sample {
            at: Timestamp::from_millis(self.at),
            value: f64::from_bits(self.value),
        })
    }

    fn pass_distance(&mut self) {
        self.at = self.at.wrapping_add(self.distance);
    }

    /// By how much the distance changes.
    fn next_change(&mut self) -> Result<i64, XorError> {
        let mut idx = 0;
        while idx + 1 < WIDTHS.len() && self.take_bit()? {
            idx += 1;
        }
        let width = WIDTHS[idx];
        let change = self.take(width)?.cast_signed();
        let is_narrow = width > 0 && width < u64::BITS;
        if is_narrow && change > 1 << (width - 1) {
            return Ok(change - (1 << width));
        }
        Ok(change)
    }

    /// The bits in which a value differs from the one before.
    fn next_difference(&mut self) -> Result<u64, XorError> {
        if !self.take_bit()? {
            return Ok(0);
        }
        if self.take_bit()? {
            self.window = self.next_window()?;
        }
        let Window { leading, trailing } = self.window;
        Ok(self.take(u64::BITS - leading - trailing)? << trailing)
    }

    fn next_window(&mut self) -> Result<Window, XorError> {
        let leading = self.take_small(LEADING_BITS)?;
        let n_bits = match self.take_small(WINDOW_BITS)? {
            0 => u64::BITS,
            n_bits => n_bits,
        };
        let trailing = u64::BITS.checked_sub(leading + n_bits);
        let trailing = trailing.ok_or(XorError::Window { leading, n_bits })?;
        Ok(Window { leading, trailing })
    }

    fn take(&mut self, n_bits: u32) -> Result<u64, XorError> {
        let bits = self.bits.take(n_bits);
        bits.ok_or_else(|| self.torn())
    }

    fn take_small(&mut self, n_bits: u32) -> Result<u32, XorError> {
        let bits = self.take(n_bits)?;
        Ok(u32::try_from(bits).expect("callers take six bits at most"))
    }

    fn take_bit(&mut self) -> Result<bool, XorError> {
        Ok(self.take(1)? == 1)
    }

    fn take_uvarint(&mut self) -> Result<u64, XorError> {
        let number = self.bits.take_uvarint();
        number.ok_or_else(|| self.torn())
    }

    fn torn(&self) -> XorError {
        XorError::Torn {
            declared: self.declared,
            read: self.read,
        }
    }
}

fn unzigzag(number: u64) -> i64 {
    (number >> 1).cast_signed() ^ -(number & 1).cast_signed()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(chunk: &[u8], expect: &str) {
        assert_eq!(decode(chunk).unwrap_err().to_string(), expect);
    }

    #[test]
    fn a_count_that_the_bytes_cannot_keep_is_refused() {
        check(&[7], "chunk is too short to tell how many samples it holds");
        check(
            &[0xff, 0xff, 0],
            "chunk declares 65535 samples and breaks off after 0",
        );
    }

    #[test]
    fn an_overlong_time_is_refused() {
        let chunk = [&[0, 1][..], &[0xff; 11], &[0; 8]].concat();
        check(&chunk, "chunk declares 1 samples and breaks off after 0");
    }

    #[test]
    fn a_window_wider_than_a_value_is_refused() {
        // The second value: 11, 31 leading zeros, 63 bits.
        let chunk = [0, 2, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 0xff, 0xff, 0xff];
        check(
            &chunk,
            "chunk has 31 leading zeros and 63 bits in a value of 64",
        );
    }

    #[test]
    fn one_byte_after_the_last_sample_is_spare_and_two_are_refused() {
        assert_eq!(decode(&[0, 0, 0]), Ok(vec![]));
        check(&[0, 0, 0, 0], "chunk has 2 bytes after its last sample");
    }
}
