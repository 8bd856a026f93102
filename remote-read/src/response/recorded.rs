//! What a real server answered, read and written again.

use crate::{
    Limits, decode_frames, decode_samples, frame, messages::answers::ChunkedReadResponse,
    strategy::all_bits_of, wire, xor,
};
use series::{Sample, Series, Timestamp};

const SAMPLES: &[u8] = include_bytes!("../../tests/fixtures/answer-samples.bin");
const FRAMES: &[u8] = include_bytes!("../../tests/fixtures/answer-frames.bin");

fn read_samples() -> Vec<Series> {
    let mut results = decode_samples(SAMPLES, 1, &Limits::default()).unwrap();
    results.remove(0)
}

fn read_frames() -> Vec<Series> {
    let mut results = decode_frames(FRAMES, 1, &Limits::default()).unwrap();
    results.remove(0)
}

#[test]
fn a_recorded_counter_is_read_from_both_answers() {
    let counter = (0..150_i32).map(|idx| Sample {
        at: Timestamp::from_seconds(1_795_280_000 + 15 * i64::from(idx)),
        value: f64::from(idx * idx),
    });
    let counter: Vec<_> = counter.collect();
    for result in [read_samples(), read_frames()] {
        let names: Vec<_> = result.iter().map(|series| series.labels.name()).collect();
        assert_eq!(names, ["counter_total", "magnitudes", "specials"]);
        assert_eq!(result[0].samples, counter);
        assert_eq!(result[1].samples.len(), 30);
    }
}

#[test]
fn recorded_special_values_are_read_by_their_bits() {
    let special = [f64::NAN, f64::INFINITY, f64::NEG_INFINITY, 0.0, -0.0, 5.0];
    let [_, _, specials] = &read_frames()[..] else {
        panic!("three series were recorded");
    };
    for (idx, sample) in specials.samples.iter().enumerate() {
        let expect = special[idx * idx % 6];
        let same = sample.value.to_bits() == expect.to_bits();
        assert!(same || sample.value.is_nan() && expect.is_nan(), "{idx}");
    }
}

#[test]
fn both_recorded_answers_agree_but_for_the_sign_of_zero() {
    // Prometheus leaves zeros out of its samples, and loses the sign of -0.0 with them.
    let unsigned = |mut result: Vec<Series>| {
        for sample in result.iter_mut().flat_map(|series| &mut series.samples) {
            sample.value += 0.0;
        }
        all_bits_of(&[result])
    };
    assert_eq!(unsigned(read_samples()), unsigned(read_frames()));
}

#[test]
fn recorded_chunks_are_written_again_byte_by_byte() {
    let (mut rest, mut n_chunks) = (FRAMES, 0);
    while !rest.is_empty() {
        let data = frame::take(&mut rest, 1 << 20).unwrap();
        let message: ChunkedReadResponse = wire::decode(data).unwrap();
        for chunk in message
            .chunked_series
            .iter()
            .flat_map(|series| &series.chunks)
        {
            let again = xor::encode(&xor::decode(&chunk.data).unwrap());
            let spare = chunk.data.strip_prefix(&again[..]);
            assert!(matches!(spare, Some([] | [0])), "{spare:?}");
            n_chunks += 1;
        }
    }
    assert_eq!(n_chunks, 4);
}
