//! Samples into an XOR chunk.

use super::{LEADING_BITS, WIDTHS, WINDOW_BITS, bits::BitWriter};
use series::Sample;

/// Packs samples. Any bits of a value survive, staleness markers and other NaNs included, and any times, in
/// whatever order; Prometheus itself reads ascending ones only.
///
/// # Panics
/// With more than 65,535 samples, whose number a chunk cannot hold; Prometheus puts 120 into one.
pub fn encode(samples: &[Sample]) -> Vec<u8> {
    let count = u16::try_from(samples.len()).expect("a chunk holds at most 65535 samples");
    let mut bits = BitWriter::with_capacity(16 + 4 * samples.len());
    bits.put(count.into(), 16);
    let Some((first, rest)) = samples.split_first() else {
        return bits.finish();
    };
    bits.put_uvarint(zigzag(first.at.as_millis()));
    bits.put(first.value.to_bits(), u64::BITS);
    let mut encoder = Encoder {
        bits,
        at: first.at.as_millis(),
        distance: 0,
        value: first.value.to_bits(),
        window: None,
    };
    for (idx, sample) in rest.iter().enumerate() {
        encoder.put_time(sample.at.as_millis(), idx == 0);
        encoder.put_value(sample.value.to_bits());
    }
    encoder.bits.finish()
}

fn zigzag(number: i64) -> u64 {
    ((number << 1) ^ (number >> 63)).cast_unsigned()
}

/// What the next sample is written against.
struct Encoder {
    bits: BitWriter,
    at: i64,
    distance: i64,
    value: u64,
    window: Option<Window>,
}

/// The bits of a value between so many zeros on either side.
#[derive(Clone, Copy)]
struct Window {
    leading: u32,
    trailing: u32,
}

impl Window {
    /// The narrowest window for bits that are not all zero.
    fn around(bits: u64) -> Self {
        let max_leading = (1 << LEADING_BITS) - 1;
        Self {
            leading: bits.leading_zeros().min(max_leading),
            trailing: bits.trailing_zeros(),
        }
    }

    fn holds(self, inner: Self) -> bool {
        self.leading <= inner.leading && self.trailing <= inner.trailing
    }

    fn n_bits(self) -> u32 {
        u64::BITS - self.leading - self.trailing
    }
}

impl Encoder {
    /// Differences wrap around, here as in the decoder, so that any two times have one.
    fn put_time(&mut self, at: i64, is_second: bool) {
        let distance = at.wrapping_sub(self.at);
        if is_second {
            self.bits.put_uvarint(distance.cast_unsigned());
        } else {
            self.put_change(distance.wrapping_sub(self.distance));
        }
        (self.at, self.distance) = (at, distance);
    }

    fn put_change(&mut self, change: i64) {
        let idx = WIDTHS
            .iter()
            .position(|width| fits(change, *width))
            .expect("64 bits hold any change");
        let n_ones = u32::try_from(idx).expect("there are five widths");
        let ends_with_zero = u32::from(idx + 1 < WIDTHS.len());
        let ones = (1_u64 << n_ones) - 1;
        self.bits
            .put(ones << ends_with_zero, n_ones + ends_with_zero);
        self.bits.put(change.cast_unsigned(), WIDTHS[idx]);
    }

    fn put_value(&mut self, value: u64) {
        let changed = value ^ self.value;
        self.value = value;
        if changed == 0 {
            self.bits.put(0, 1);
            return;
        }
        let tight = Window::around(changed);
        let window = match self.window {
            Some(window) if window.holds(tight) => {
                self.bits.put(0b10, 2);
                window
            }
            _ => {
                self.bits.put(0b11, 2);
                self.bits.put(tight.leading.into(), LEADING_BITS);
                self.bits.put(tight.n_bits().into(), WINDOW_BITS);
                self.window = Some(tight);
                tight
            }
        };
        self.bits.put(changed >> window.trailing, window.n_bits());
    }
}

/// Whether a change can be told from others in so many bits: Prometheus counts the top value as positive, so
/// that 14 bits hold -8191 to 8192.
fn fits(change: i64, width: u32) -> bool {
    match width {
        0 => change == 0,
        u64::BITS => true,
        _ => {
            let edge = 1_i64 << (width - 1);
            (1 - edge..=edge).contains(&change)
        }
    }
}
