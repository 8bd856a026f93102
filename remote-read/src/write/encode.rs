//! A request as a sender writes it.

use super::Protocol;
use crate::{
    BodyError, block, timeseries,
    wire::{bytes_len, put_bytes, put_header, put_uvarint},
};
use series::{Labels, Series};
use std::collections::HashMap;

/// Writes the body of a request. Labels are sorted already, and the samples of each series must be in ascending
/// order of time; [`super::Queue`] sees to that. Fails past 4 GiB.
pub fn encode(protocol: Protocol, series: &[Series]) -> Result<Vec<u8>, BodyError> {
    let message = match protocol {
        Protocol::V1 => write_v1(series),
        Protocol::V2 => write_v2(series),
    };
    block::pack(&message)
}

/// `WriteRequest` of remote.proto: series in field 1.
fn write_v1(all: &[Series]) -> Vec<u8> {
    let lengths: Vec<_> = all.iter().map(timeseries::len).collect();
    let total = lengths.iter().map(|length| bytes_len(*length)).sum();
    let mut out = Vec::with_capacity(total);
    for (series, length) in all.iter().zip(lengths) {
        put_header(&mut out, 1, length);
        timeseries::put_labels(&mut out, &series.labels);
        timeseries::put_samples(&mut out, &series.samples);
    }
    out
}

/// `Request` of io/prometheus/write/v2/types.proto: symbols in field 4, series in field 5.
fn write_v2(all: &[Series]) -> Vec<u8> {
    let (mut symbols, mut members, mut references) = (Symbols::new(), Vec::new(), Vec::new());
    for series in all {
        references.clear();
        symbols.put_references(&series.labels, &mut references);
        let length =
            bytes_len(references.len()) + timeseries::samples_len(&series.samples) + METADATA.len();
        put_header(&mut members, 5, length);
        put_bytes(&mut members, 1, &references);
        timeseries::put_samples(&mut members, &series.samples);
        members.extend_from_slice(&METADATA);
    }
    let mut out = Vec::with_capacity(members.len() + symbols.n_bytes);
    for symbol in symbols.in_order {
        put_bytes(&mut out, 4, symbol.as_bytes());
    }
    out.append(&mut members);
    out
}

/// `Metadata` in field 5, of the type gauge (2) in its field 1, without help and unit: receivers may refuse a
/// series without a type, and all that is foreseen may go up and down.
const METADATA: [u8; 4] = [5 << 3 | 2, 2, 1 << 3, 2];

/// Each text once, numbered as it came; the first is the empty one, which stands for what is not given.
struct Symbols<'a> {
    numbers: HashMap<&'a str, u64>,
    in_order: Vec<&'a str>,
    n_bytes: usize,
}

impl<'a> Symbols<'a> {
    fn new() -> Self {
        Self {
            numbers: HashMap::from([("", 0)]),
            in_order: vec![""],
            n_bytes: bytes_len(0),
        }
    }

    /// Writes the numbers of names and values in turn.
    fn put_references(&mut self, labels: &'a Labels, out: &mut Vec<u8>) {
        for (name, value) in labels.iter() {
            put_uvarint(out, self.number(name));
            put_uvarint(out, self.number(value));
        }
    }

    fn number(&mut self, symbol: &'a str) -> u64 {
        *self.numbers.entry(symbol).or_insert_with(|| {
            self.in_order.push(symbol);
            self.n_bytes += bytes_len(symbol.len());
            self.in_order.len() as u64 - 1
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        Limits,
        strategy::{all_bits_of, any_results},
        write::decode,
    };
    use proptest::prelude::*;
    use series::{STALE_MARKER, Sample, Timestamp};

    fn up(instance: &str) -> Series {
        let labels = Labels::new([("__name__", "up"), ("instance", instance)]).unwrap();
        let sample = |at, value| Sample {
            at: Timestamp::from_millis(at),
            value,
        };
        Series {
            labels,
            samples: vec![sample(1, 1.0), sample(2, STALE_MARKER)],
        }
    }

    #[test]
    fn a_request_of_2_0_names_each_text_once_and_the_empty_one_first() {
        let message = write_v2(&[up("a"), up("up")]);
        // Symbols: "", __name__, up, instance, a.
        let symbols = b"\x22\x00\x22\x08__name__\x22\x02up\x22\x08instance\x22\x01a";
        let rest = message.strip_prefix(symbols).expect("symbols come first");
        // Field 5 of 36 bytes: 6 of references, two samples of 13 with their headers, 4 of metadata.
        let first = &rest[..8];
        assert_eq!(first, [0x2a, 36, 0x0a, 4, 1, 2, 3, 4]);
        let second = &rest[38..][..8];
        assert_eq!(second, [0x2a, 36, 0x0a, 4, 1, 2, 3, 2]);
        assert_eq!(&rest[34..38], METADATA);
    }

    #[test]
    fn a_staleness_marker_arrives_as_what_it_is() {
        for protocol in [Protocol::V1, Protocol::V2] {
            let body = encode(protocol, &[up("a")]).unwrap();
            let read = decode(protocol, &body, &Limits::default()).unwrap();
            let bits = read[0].samples[1].value.to_bits();
            assert_eq!(bits, 0x7ff0_0000_0000_0002);
        }
    }

    #[test]
    fn a_receiver_of_1_0_that_takes_2_0_for_its_own_finds_nothing() {
        let body = encode(Protocol::V2, &[up("a")]).unwrap();
        assert_eq!(decode(Protocol::V1, &body, &Limits::default()).unwrap(), []);
    }

    proptest! {
        #[test]
        fn what_is_encoded_is_decoded(results in any_results()) {
            let series = results.concat();
            for protocol in [Protocol::V1, Protocol::V2] {
                let body = encode(protocol, &series).unwrap();
                let read = decode(protocol, &body, &Limits::default()).unwrap();
                let (read, sent) = ([read], [series.clone()]);
                prop_assert_eq!(all_bits_of(&read), all_bits_of(&sent));
            }
        }
    }
}
