//! A request as a receiver reads it.

use super::Protocol;
use crate::{
    BodyError, Limits, block,
    limits::Tally,
    timeseries::{self, SeriesFault},
    wire::Message,
};
use series::{Labels, LabelsError, Series};

/// Why a request is refused. The fault is always the sender's.
#[derive(Debug, thiserror::Error)]
pub enum WriteError {
    /// The body as a whole.
    #[error(transparent)]
    Body(#[from] BodyError),
    /// Labels that cannot be.
    #[error(transparent)]
    Labels(#[from] LabelsError),
    /// Times that stand still or run backwards.
    #[error("samples of series {0} are not in ascending order of time")]
    Order(Labels),
    /// 2.0 wants the empty text first.
    #[error("the first symbol is not the empty text")]
    FirstSymbol,
    /// A number that no symbol has.
    #[error("label refers to symbol {reference} of {n_symbols}")]
    Reference {
        /// The number.
        reference: u64,
        /// How many symbols there are.
        n_symbols: usize,
    },
    /// A name without a value.
    #[error("series has {0} label references, which is not an even number")]
    OddReferences(usize),
}

impl WriteError {
    /// The HTTP status to answer with: 413 for what is too large, else 400.
    pub fn status(&self) -> u16 {
        match self {
            Self::Body(error) if error.is_too_large() => 413,
            _ => 400,
        }
    }
}

/// Reads the body of a request: its series as they were sent, labels sorted. Histograms, exemplars and metadata
/// are passed over.
pub fn decode(protocol: Protocol, body: &[u8], limits: &Limits) -> Result<Vec<Series>, WriteError> {
    let bytes = block::unpack(body, limits.max_decoded_bytes)?;
    let tally = &mut Tally::new(limits);
    match protocol {
        Protocol::V1 => read_v1(&bytes, tally),
        Protocol::V2 => read_v2(&bytes, tally),
    }
}

fn read_v1(bytes: &[u8], tally: &mut Tally) -> Result<Vec<Series>, WriteError> {
    let mut message = Message::new("WriteRequest", bytes);
    let mut all = Vec::new();
    while let Some(field) = message.next()? {
        if field.number == 1 {
            tally.series()?;
            all.push(timeseries::read(field.message("TimeSeries")?, tally)?);
        }
    }
    Ok(all)
}

impl From<SeriesFault> for WriteError {
    fn from(fault: SeriesFault) -> Self {
        match fault {
            SeriesFault::Body(error) => error.into(),
            SeriesFault::Labels(error) => error.into(),
            SeriesFault::Order(labels) => Self::Order(labels),
        }
    }
}

/// Symbols may stand after the series that refer to them, so they are gathered first.
fn read_v2(bytes: &[u8], tally: &mut Tally) -> Result<Vec<Series>, WriteError> {
    let (mut symbols, mut members) = (Vec::new(), Vec::new());
    let mut message = Message::new("write.v2.Request", bytes);
    while let Some(field) = message.next()? {
        match field.number {
            4 => {
                tally.symbol()?;
                symbols.push(field.text()?);
            }
            5 => {
                tally.series()?;
                members.push(field.message("write.v2.TimeSeries")?);
            }
            _ => {}
        }
    }
    if symbols.first().is_some_and(|first| !first.is_empty()) {
        return Err(WriteError::FirstSymbol);
    }
    let members = members.into_iter();
    members
        .map(|series| read_series(series, &symbols, tally))
        .collect()
}

/// `TimeSeries` of io/prometheus/write/v2/types.proto: references in field 1, samples in field 2.
fn read_series(
    mut series: Message,
    symbols: &[&str],
    tally: &mut Tally,
) -> Result<Series, WriteError> {
    let (mut references, mut samples) = (Vec::new(), Vec::new());
    while let Some(field) = series.next()? {
        match field.number {
            1 => field.ints(|reference| {
                // Name and value are a label each of the limit: it is generous.
                tally.label()?;
                references.push(reference);
                Ok(())
            })?,
            2 => {
                tally.samples(1)?;
                samples.push(timeseries::read_sample(field.message("write.v2.Sample")?)?);
            }
            _ => {}
        }
    }
    let labels = look_up(&references, symbols)?;
    Ok(timeseries::check_order(labels, samples)?)
}

fn look_up(references: &[u64], symbols: &[&str]) -> Result<Labels, WriteError> {
    let (pairs, rest) = references.as_chunks::<2>();
    if !rest.is_empty() {
        return Err(WriteError::OddReferences(references.len()));
    }
    let symbol = |reference: u64| {
        let idx = usize::try_from(reference).ok();
        let symbol = idx.and_then(|idx| symbols.get(idx)).copied();
        symbol.ok_or(WriteError::Reference {
            reference,
            n_symbols: symbols.len(),
        })
    };
    let pairs = pairs
        .iter()
        .map(|[name, value]| Ok((symbol(*name)?, symbol(*value)?)));
    let pairs: Vec<_> = pairs.collect::<Result<_, WriteError>>()?;
    Ok(Labels::new(pairs)?)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[track_caller]
    fn check(protocol: Protocol, message: &[u8], status: u16, expect: &str) {
        let limits = Limits {
            max_series: 2,
            max_labels: 4,
            max_samples: 2,
            ..Limits::default()
        };
        let body = block::pack(message).unwrap();
        let error = decode(protocol, &body, &limits).unwrap_err();
        assert_eq!(
            (error.status(), error.to_string().as_str()),
            (status, expect)
        );
    }

    /// A request of 2.0 with the symbols "", "a" and "b" and one series.
    fn referring(references: &[u8]) -> Vec<u8> {
        let n = references.len().to_le_bytes()[0];
        let symbols = b"\x22\x00\x22\x01a\x22\x01b";
        [&symbols[..], &[0x2a, n + 2, 0x0a, n], references].concat()
    }

    #[test]
    fn references_that_lead_nowhere_are_refused() {
        let v2 = Protocol::V2;
        check(
            v2,
            &referring(&[1, 3]),
            400,
            "label refers to symbol 3 of 3",
        );
        check(
            v2,
            &referring(&[1]),
            400,
            "series has 1 label references, which is not an even number",
        );
        check(
            v2,
            &referring(&[1, 2, 1, 2]),
            400,
            "label `a` is given twice",
        );
        check(v2, &referring(&[0, 2]), 400, "a label has an empty name");
        check(
            v2,
            b"\x22\x01a",
            400,
            "the first symbol is not the empty text",
        );
    }

    #[test]
    fn what_passes_a_limit_is_refused_with_413() {
        check(
            Protocol::V2,
            &referring(&[1, 2, 1, 2, 1]),
            413,
            "body holds 5 labels where 4 are allowed",
        );
        let (v1, v2) = ([0x0a, 0].repeat(3), [0x2a, 0].repeat(3));
        for (protocol, message) in [(Protocol::V1, v1), (Protocol::V2, v2)] {
            check(
                protocol,
                &message,
                413,
                "body holds 3 series where 2 are allowed",
            );
        }
        let samples = [&[0x0a, 6][..], &[0x12, 0].repeat(3)].concat();
        check(
            Protocol::V1,
            &samples,
            413,
            "body holds 3 samples where 2 are allowed",
        );
        let symbols = [0x22, 0].repeat(9);
        check(
            Protocol::V2,
            &symbols,
            413,
            "body holds 9 symbols where 8 are allowed",
        );
    }

    #[test]
    fn samples_out_of_order_are_refused() {
        let samples = [0x12, 2, 0x10, 5].repeat(2);
        let v1 = [&[0x0a, 8][..], &samples].concat();
        let v2 = [&[0x2a, 8][..], &samples].concat();
        for (protocol, message) in [(Protocol::V1, v1), (Protocol::V2, v2)] {
            check(
                protocol,
                &message,
                400,
                "samples of series {} are not in ascending order of time",
            );
        }
    }

    proptest! {
        #[test]
        fn any_bytes_are_decoded_or_refused(bytes: Vec<u8>, is_v1: bool) {
            let protocol = if is_v1 { Protocol::V1 } else { Protocol::V2 };
            for body in [&bytes[..], &block::pack(&bytes).unwrap()] {
                if let Err(error) = decode(protocol, body, &Limits::default()) {
                    prop_assert!(matches!(error.status(), 400 | 413));
                }
            }
        }
    }
}
