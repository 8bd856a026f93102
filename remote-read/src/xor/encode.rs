//! Samples into an XOR chunk.

use super::{LEADING_BITS, WIDTHS, WINDOW_BITS, bits::BitWriter};
use series::Sample;

/// Packs samples. Any bits of a value survive, staleness markers and other NaNs included, and any times, in
/// whatever order; Prometheus itself reads ascending ones only.
///
/// # Panics
/// With more than 65,535 samples, whose number a chunk cannot hold; Prometheus puts 120 into one.
pub fn encode(samples: &[Sample]) -> Vec<u8> {
    let mut chunk = Vec::with_capacity(16 + 4 * samples.len());
    encode_onto(&mut chunk, samples);
    chunk
}

/// Packs samples at the end of what is there.
pub(crate) fn encode_onto(out: &mut Vec<u8>, samples: &[Sample]) {
    let count = u16::try_from(samples.len()).expect("a chunk holds at most 65535 samples");
    let mut bits = BitWriter::new(out);
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
    if let Some((second, rest)) = rest.split_first() {
        encoder.put_second(second);
        for sample in rest {
            encoder.put(sample);
        }
    }
    encoder.bits.finish();
}

fn zigzag(number: i64) -> u64 {
    ((number << 1) ^ (number >> 63)).cast_unsigned()
}

/// What the next sample is written against.
struct Encoder<'a> {
    bits: BitWriter<'a>,
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

impl Encoder<'_> {
    fn put_second(&mut self, sample: &Sample) {
        let distance = self.advance(sample);
        self.bits.put_uvarint(distance.cast_unsigned());
        self.distance = distance;
        self.put_value(sample.value.to_bits(), 0);
    }

    fn put(&mut self, sample: &Sample) {
        let distance = self.advance(sample);
        let change = distance.wrapping_sub(self.distance);
        self.distance = distance;
        // On a grid, a zero bit says that nothing has changed; it goes along with the value.
        let n_zeros = u32::from(change == 0);
        if change != 0 {
            self.put_change(change);
        }
        self.put_value(sample.value.to_bits(), n_zeros);
    }

    /// Differences wrap around, here as in the decoder, so that any two times have one.
    fn advance(&mut self, sample: &Sample) -> i64 {
        let at = sample.at.as_millis();
        let distance = at.wrapping_sub(self.at);
        self.at = at;
        distance
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

    /// Writes a value after some zero bits.
    fn put_value(&mut self, value: u64, n_zeros: u32) {
        let changed = value ^ self.value;
        self.value = value;
        if changed == 0 {
            self.bits.put(0, n_zeros + 1);
            return;
        }
        let tight = Window::around(changed);
        if let Some(window) = self.window.filter(|window| window.holds(tight)) {
            self.put_bits(changed, window, (0b10, n_zeros + 2));
            return;
        }
        self.window = Some(tight);
        let (leading, n_bits) = (u64::from(tight.leading), u64::from(tight.n_bits()));
        let n_bits = n_bits & ((1 << WINDOW_BITS) - 1);
        let head = (0b11 << LEADING_BITS | leading) << WINDOW_BITS | n_bits;
        let n_head = n_zeros + 2 + LEADING_BITS + WINDOW_BITS;
        self.put_bits(changed, tight, (head, n_head));
    }

    /// Writes a head and the bits in a window, at once where both fit into a word.
    fn put_bits(&mut self, changed: u64, window: Window, (head, n_head): (u64, u32)) {
        let (bits, n_bits) = (changed >> window.trailing, window.n_bits());
        if n_head + n_bits <= u64::BITS {
            self.bits.put(head << n_bits | bits, n_head + n_bits);
        } else {
            self.bits.put(head, n_head);
            self.bits.put(bits, n_bits);
        }
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
