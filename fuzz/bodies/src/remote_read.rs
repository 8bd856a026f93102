//! The decoders of remote read and remote write.

use remote_read::{
    FrameReader, Limits, ReadRequest, ResponseError, decode_frames, decode_request, decode_samples,
    encode_frames, encode_request, encode_samples,
    write::{self, Protocol},
    xor,
};
use series::{Labels, Sample, Series};

/// Small, so that a fuzzer gets to see each of them reached.
const LIMITS: Limits = Limits {
    max_decoded_bytes: 1 << 20,
    max_queries: 4,
    max_matchers: 16,
    max_matcher_bytes: 1 << 10,
    max_series: 100,
    max_labels: 500,
    max_samples: 100_000,
    max_held_samples: 50_000,
    max_stream_bytes: 1 << 20,
};

/// A request is refused with 400 or 413, or understood, and then it survives being sent on.
pub fn remote_read_request(bytes: &[u8]) {
    for body in [bytes, &packed(bytes)] {
        match decode_request(body, &LIMITS) {
            Ok(request) => use_request(&request),
            Err(error) => {
                assert!(matches!(error.status(), 400 | 413), "{error}");
                assert!(!error.to_string().is_empty());
            }
        }
    }
}

fn use_request(request: &ReadRequest) {
    let labels = Labels::new([("__name__", "up"), ("job", "api")]).expect("these are labels");
    for query in &request.queries {
        let ((start, end), (from, to)) = (query.window(), query.range());
        assert!(from <= start && start <= end && end <= to);
        query.selector().matches(&labels);
    }
    let body = encode_request(request).expect("what was read is far below 4 GiB");
    let again = decode_request(&body, &Limits::default()).expect("what is written is read");
    assert_eq!(format!("{again:?}"), format!("{request:?}"));
}

/// An answer in samples, as the fuzzer has it or with its bytes as the message in the block.
pub fn samples_response(bytes: &[u8]) {
    for body in [bytes, &packed(bytes)] {
        if let Ok(results) = decode_samples(body, 1, &LIMITS) {
            check_results(&results);
            let sorted = sorted(results);
            let again = encode_samples(sorted.clone()).expect("what was read is far below 4 GiB");
            let again = decode_samples(&again, 1, &LIMITS).expect("what is written is read");
            assert_eq!(bits(&again), bits(&sorted));
        }
    }
}

/// An answer in frames, as the fuzzer has it or with its bytes as the data of one frame: read whole and in
/// pieces, with the same outcome.
pub fn frames_response(bytes: &[u8]) {
    for body in [bytes, &framed(bytes)] {
        let whole = decode_frames(body, 2, &LIMITS);
        let size = 1 + body.len() % 61;
        let pieces = in_pieces(body.chunks(size));
        match (whole, pieces) {
            (Ok(whole), Ok(pieces)) => {
                assert_eq!(bits(&whole), bits(&pieces));
                check_results(&whole);
                let sorted = sorted(whole);
                let again: Vec<u8> = encode_frames(sorted.clone()).flatten().collect();
                let again = decode_frames(&again, 2, &Limits::default());
                assert_eq!(
                    bits(&again.expect("what is written is read")),
                    bits(&sorted)
                );
            }
            (Err(_), Err(_)) => {}
            (whole, pieces) => panic!("whole {whole:?}, in pieces {pieces:?}"),
        }
    }
}

fn in_pieces<'a>(
    pieces: impl Iterator<Item = &'a [u8]>,
) -> Result<Vec<Vec<Series>>, ResponseError> {
    let mut reader = FrameReader::new(2, LIMITS)?;
    let mut results = vec![Vec::new(); 2];
    for piece in pieces {
        reader.push(piece)?;
        while let Some((query, series)) = reader.next_series()? {
            results[query].push(series);
        }
    }
    for (query, series) in reader.finish()? {
        results[query].push(series);
    }
    Ok(results)
}

/// A chunk is refused, or its samples pack to a chunk that holds the same.
pub fn xor_chunk(bytes: &[u8]) {
    if let Ok(samples) = xor::decode(bytes) {
        assert!(samples.len() <= 4 * bytes.len(), "a sample takes two bits");
        let again = xor::decode(&xor::encode(&samples)).expect("what is written is read");
        assert_eq!(sample_bits(&again), sample_bits(&samples));
    }
}

/// A request of remote write in either protocol is refused, or survives being written again in both.
pub fn write_request(bytes: &[u8]) {
    for body in [bytes, &packed(bytes)] {
        for protocol in [Protocol::V1, Protocol::V2] {
            let Ok(series) = write::decode(protocol, body, &LIMITS) else {
                continue;
            };
            for protocol in [Protocol::V1, Protocol::V2] {
                let again = write::encode(protocol, &series).expect("it is far below 4 GiB");
                let again = write::decode(protocol, &again, &Limits::default());
                let again = again.expect("what is written is read");
                assert_eq!(bits(&[again]), bits(std::slice::from_ref(&series)));
            }
        }
    }
}

fn packed(bytes: &[u8]) -> Vec<u8> {
    let packed = snap::raw::Encoder::new().compress_vec(bytes);
    packed.expect("a fuzzer's bytes are far below 4 GiB")
}

fn framed(data: &[u8]) -> Vec<u8> {
    let mut frame = Vec::new();
    let mut length = data.len();
    while length >= 0x80 {
        frame.push(length.to_le_bytes()[0] | 0x80);
        length >>= 7;
    }
    frame.push(length.to_le_bytes()[0]);
    frame.extend(crc32c::crc32c(data).to_be_bytes());
    frame.extend(data);
    frame
}

fn check_results(results: &[Vec<Series>]) {
    let series = || results.iter().flatten();
    assert!(series().count() <= LIMITS.max_series);
    let n_samples: usize = series().map(|series| series.samples.len()).sum();
    assert!(n_samples <= LIMITS.max_samples);
    for series in series() {
        let samples = &series.samples;
        assert!(samples.is_sorted_by(|one, next| one.at < next.at));
    }
}

fn sorted(mut results: Vec<Vec<Series>>) -> Vec<Vec<Series>> {
    for result in &mut results {
        result.sort_by(|one, other| one.labels.cmp(&other.labels));
    }
    results
}

type SampleBits = Vec<(i64, u64)>;

/// By their bits, since a NaN is not equal to itself.
fn bits(results: &[Vec<Series>]) -> Vec<Vec<(Labels, SampleBits)>> {
    let of = |series: &Series| (series.labels.clone(), sample_bits(&series.samples));
    let results = results.iter();
    results
        .map(|result| result.iter().map(of).collect())
        .collect()
}

fn sample_bits(samples: &[Sample]) -> SampleBits {
    let bits = |sample: &Sample| (sample.at.as_millis(), sample.value.to_bits());
    samples.iter().map(bits).collect()
}
