//! XOR chunks: samples packed bit by bit, as Facebook's Gorilla devised it and Prometheus stores it.
//!
//! A chunk opens with its number of samples in 16 bits. The first sample is a zigzag varint of milliseconds and
//! the 64 bits of its value; the second has the distance in time as a varint. From the third on, the *change*
//! of that distance is written in one of five widths. Each value is compared by XOR with the one before
//! it, and only the bits that differ are written, in the window of the value before where they fit into it.
//!
//! Sources: Pelkonen et al., "Gorilla: A Fast, Scalable, In-Memory Time Series Database", VLDB 2015, section
//! 4.1, and the format page `tsdb/docs/format/chunks.md` of Prometheus, which widens the time classes.

mod bits;
mod decode;
mod encode;

pub(crate) use decode::declared_samples;
pub use decode::{XorError, decode};
pub use encode::encode;
pub(crate) use encode::encode_onto;

/// Widths in bits for a change of distance. As many one-bits as the index announce the width, and a zero-bit
/// ends them, except after the last.
const WIDTHS: [u32; 5] = [0, 14, 17, 20, 64];

/// Bits that hold the number of leading zeros of a window.
const LEADING_BITS: u32 = 5;
/// Bits that hold the width of a window; zero stands for all 64.
const WINDOW_BITS: u32 = 6;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::strategy::{any_samples, bits_of};
    use proptest::prelude::*;
    use series::{STALE_MARKER, Sample, Timestamp};

    fn sample(millis: i64, value: f64) -> Sample {
        let at = Timestamp::from_millis(millis);
        Sample { at, value }
    }

    /// Worked out by hand from the format page named above; no program was asked.
    #[track_caller]
    fn check(samples: &[Sample], chunk: &[u8]) {
        assert_eq!(encode(samples), chunk);
        assert_eq!(decode(chunk).as_deref(), Ok(samples));
    }

    #[test]
    fn no_sample_is_a_bare_count() {
        check(&[], &[0, 0]);
    }

    #[test]
    fn one_sample_is_a_varint_and_eight_bytes() {
        // 1000 in zigzag is 2000 = 0b1111_1010000; 1.0 is 0x3ff0….
        let chunk = [0, 1, 0xd0, 0x0f, 0x3f, 0xf0, 0, 0, 0, 0, 0, 0];
        check(&[sample(1_000, 1.0)], &chunk);
    }

    #[test]
    fn a_second_equal_sample_is_a_distance_and_a_zero_bit() {
        // 15000 = 117 × 128 + 24.
        let chunk = [
            0, 2, 0xd0, 0x0f, 0x3f, 0xf0, 0, 0, 0, 0, 0, 0, 0x98, 0x75, 0,
        ];
        check(&[sample(1_000, 1.0), sample(16_000, 1.0)], &chunk);
    }

    #[test]
    fn a_third_sample_is_a_change_of_distance_and_a_window() {
        // After the zero bit of the second value: 10 and 14 bits for a change of +1; then 2.0 ^ 1.0 = 0x7ff0…
        // with 1 leading zero and 11 bits: 11, 00001, 001011, 11111111111.
        let chunk = [
            0,
            3,
            0xd0,
            0x0f,
            0x3f,
            0xf0,
            0,
            0,
            0,
            0,
            0,
            0,
            0x98,
            0x75, //
            0b0100_0000,
            0b0000_0000,
            0b1110_0001,
            0b0010_1111,
            0b1111_1111,
            0b1000_0000,
        ];
        let samples = [sample(1_000, 1.0), sample(16_000, 1.0), sample(31_001, 2.0)];
        check(&samples, &chunk);
    }

    #[test]
    fn the_edges_of_every_width_survive() {
        for width in [14, 17, 20] {
            let edge = 1_i64 << (width - 1);
            for change in [-edge, -edge + 1, -edge + 2, -1, 1, edge - 1, edge, edge + 1] {
                let (distance, start) = (1_i64 << 30, 7);
                let third = start + 2 * distance + change;
                let samples = [start, start + distance, third].map(|at| sample(at, 0.0));
                assert_eq!(decode(&encode(&samples)).as_deref(), Ok(&samples[..]));
            }
        }
    }

    #[test]
    fn the_ends_of_time_and_a_staleness_marker_survive() {
        let samples = [
            sample(i64::MIN, f64::INFINITY),
            sample(0, f64::NAN),
            sample(1, STALE_MARKER),
            sample(i64::MAX, f64::NEG_INFINITY),
        ];
        let decoded = decode(&encode(&samples)).unwrap();
        assert_eq!(bits_of(&decoded), bits_of(&samples));
        assert_eq!(decoded[2].value.to_bits(), 0x7ff0_0000_0000_0002);
    }

    proptest! {
        #[test]
        fn what_is_encoded_is_decoded(samples in any_samples(0..300)) {
            let decoded = decode(&encode(&samples)).unwrap();
            prop_assert_eq!(bits_of(&decoded), bits_of(&samples));
        }

        #[test]
        fn a_chunk_cut_anywhere_is_refused(samples in any_samples(1..40), cut: prop::sample::Index) {
            let chunk = encode(&samples);
            prop_assert!(decode(&chunk[..cut.index(chunk.len())]).is_err());
        }

        #[test]
        fn any_bytes_are_decoded_or_refused(chunk: Vec<u8>) {
            if let Ok(samples) = decode(&chunk) {
                prop_assert_eq!(samples.len(), declared_samples(&chunk).unwrap());
            }
        }
    }
}
