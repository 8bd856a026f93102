//! `SAMPLES`: the whole answer in one snappy block, packed piece by piece.

mod body;
mod shared;

pub use self::body::PlanError;

use self::body::SamplesBody;
use super::{ResponseError, put_in_order, refuse_twins};
use crate::{
    BodyError, Limits, block,
    limits::Tally,
    timeseries,
    wire::{Message, bytes_len},
};
use bytes::Bytes;
use series::{Labels, Series, Timestamp};

/// The `Content-Type` of an answer in samples, and of every request.
pub const SAMPLES_CONTENT_TYPE: &str = "application/x-protobuf";
/// The `Content-Encoding` of an answer in samples, and of every request.
pub const SAMPLES_CONTENT_ENCODING: &str = "snappy";

/// The field of results in `ReadResponse`, of series in `QueryResult`.
const MEMBER: u8 = 1;

/// Writes one result for each query, whole; [`stream_samples`] is the leaner way.
pub fn encode_samples(results: Vec<Vec<Series>>) -> Result<Vec<u8>, BodyError> {
    let pieces: Vec<_> = stream_samples(results)?.collect();
    Ok(pieces.concat())
}

/// Writes one result for each query, piece by piece; series and samples come out sorted, and every bit of a
/// value is kept. Fails past 4 GiB. Two series with the same labels are both written, and Prometheus would mix
/// them up.
///
/// A piece is packed when it is asked for, and a series is let go once it is written.
pub fn stream_samples(
    mut results: Vec<Vec<Series>>,
) -> Result<impl Iterator<Item = Bytes> + Send, BodyError> {
    for result in &mut results {
        put_in_order(result);
    }
    let plan = results.iter();
    let plan = plan.map(|result| result.iter().map(timeseries::len).collect());
    let plan: Vec<_> = plan.collect();
    let pieces = stream_planned_samples(plan, results.into_iter().flatten())?;
    Ok(pieces.map(|piece| piece.expect("the lengths are those of these very series")))
}

/// The bytes that a series takes in an answer in samples, for which its values need not be known.
pub fn planned_len(labels: &Labels, times: impl IntoIterator<Item = Timestamp>) -> usize {
    let times = times.into_iter().map(timeseries::sample_len);
    timeseries::labels_len(labels) + times.sum::<usize>()
}

/// Writes series that are made as they are asked for, so that they are never all in memory: `plan` has the
/// [`planned_len`] of each series, result by result, since a block opens with its length.
///
/// The series of one result must follow each other sorted by labels: that is left to trust. An error is the last
/// item, and whoever sends the pieces must break the connection off on it. Fails at once past 4 GiB.
pub fn stream_planned_samples(
    plan: Vec<Vec<usize>>,
    series: impl Iterator<Item = Series> + Send,
) -> Result<impl Iterator<Item = Result<Bytes, PlanError>> + Send, BodyError> {
    let member = |lengths: Vec<usize>| {
        let length = lengths.iter().map(|length| bytes_len(*length)).sum();
        (length, lengths)
    };
    let plan: Vec<(usize, _)> = plan.into_iter().map(member).collect();
    let length = plan.iter().map(|(length, _)| bytes_len(*length)).sum();
    let mut body = SamplesBody::begin(length, plan, series)?;
    let mut failed = false;
    Ok(std::iter::from_fn(move || {
        let piece = if failed {
            None
        } else {
            body.piece().transpose()
        };
        failed |= matches!(piece, Some(Err(_)));
        piece
    }))
}

/// Reads an answer to a request of `n_queries` queries: their results, series as they were sent, labels
/// sorted. Histograms and exemplars are passed over.
pub fn decode_samples(
    body: &[u8],
    n_queries: usize,
    limits: &Limits,
) -> Result<Vec<Vec<Series>>, ResponseError> {
    let bytes = block::unpack(body, limits.max_decoded_bytes)?;
    let (mut results, mut tally) = (Vec::new(), Tally::new(limits));
    let mut answer = Message::new("ReadResponse", &bytes);
    while let Some(field) = answer.next()? {
        if field.number == u64::from(MEMBER) {
            tally.result()?;
            results.push(read_result(field.message("QueryResult")?, &mut tally)?);
        }
    }
    let found = results.len();
    if found != n_queries {
        return Err(ResponseError::Results { found, n_queries });
    }
    Ok(results)
}

fn read_result(mut result: Message, tally: &mut Tally) -> Result<Vec<Series>, ResponseError> {
    let mut all = Vec::new();
    while let Some(field) = result.next()? {
        if field.number == u64::from(MEMBER) {
            tally.series()?;
            all.push(timeseries::read(field.message("TimeSeries")?, tally)?);
        }
    }
    refuse_twins(&all)?;
    Ok(all)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        messages::answers::{self, QueryResult, ReadResponse, TimeSeries},
        strategy::{all_bits_of, any_results},
        wire,
    };
    use proptest::prelude::*;
    use prost::Message;
    use series::{STALE_MARKER, Sample};

    fn sample(millis: i64, value: f64) -> Sample {
        let at = Timestamp::from_millis(millis);
        Sample { at, value }
    }

    fn named(name: &str, samples: Vec<Sample>) -> Series {
        let labels = Labels::new([("__name__", name)]).unwrap();
        Series { labels, samples }
    }

    #[track_caller]
    fn refused(message: &ReadResponse, expect: &str) {
        let limits = Limits {
            max_series: 2,
            max_labels: 2,
            max_samples: 2,
            ..Limits::default()
        };
        let body = block::pack(&message.encode_to_vec()).unwrap();
        let error = decode_samples(&body, 1, &limits).unwrap_err();
        assert_eq!(error.to_string(), expect);
    }

    fn one_result(timeseries: Vec<TimeSeries>) -> ReadResponse {
        let results = vec![QueryResult { timeseries }];
        ReadResponse { results }
    }

    fn with_samples(times: &[i64]) -> TimeSeries {
        let samples = times.iter().map(|at| answers::Sample {
            value: 0.0,
            timestamp: *at,
        });
        TimeSeries {
            labels: Vec::new(),
            samples: samples.collect(),
        }
    }

    #[test]
    fn series_and_samples_come_out_sorted() {
        let late_first = vec![sample(2, 1.0), sample(1, 0.0), sample(2, 9.0)];
        let results = vec![vec![named("b", vec![]), named("a", late_first)]];
        let body = encode_samples(results).unwrap();
        let sorted = vec![
            named("a", vec![sample(1, 0.0), sample(2, 1.0)]),
            named("b", vec![]),
        ];
        assert_eq!(
            decode_samples(&body, 1, &Limits::default()).unwrap(),
            [sorted]
        );
    }

    #[test]
    fn staleness_markers_and_negative_zeros_keep_their_bits() {
        let samples = vec![sample(1, -0.0), sample(2, STALE_MARKER)];
        let body = encode_samples(vec![vec![named("a", samples)]]).unwrap();
        let read = decode_samples(&body, 1, &Limits::default()).unwrap();
        let bits = read[0][0].samples.iter().map(|s| s.value.to_bits());
        assert_eq!(bits.collect::<Vec<_>>(), [1 << 63, 0x7ff0_0000_0000_0002]);
    }

    #[test]
    fn what_passes_a_limit_is_refused() {
        refused(
            &one_result(vec![TimeSeries::default(); 3]),
            "body holds 3 series where 2 are allowed",
        );
        let labels = TimeSeries {
            labels: vec![answers::Label::default(); 3],
            samples: Vec::new(),
        };
        refused(
            &one_result(vec![labels]),
            "body holds 3 labels where 2 are allowed",
        );
        refused(
            &one_result(vec![with_samples(&[1, 2]), with_samples(&[1])]),
            "body holds 3 samples where 2 are allowed",
        );
    }

    #[test]
    fn what_makes_no_sense_is_refused() {
        refused(
            &one_result(vec![with_samples(&[2, 2])]),
            "samples of series {} are not in ascending order of time",
        );
        refused(
            &ReadResponse::default(),
            "body answers 0 queries where 1 were asked",
        );
        let labels = TimeSeries {
            labels: vec![answers::Label::default()],
            samples: Vec::new(),
        };
        refused(&one_result(vec![labels]), "a label has an empty name");
        let twice = ["1", "2"].map(|value| label("a", value)).to_vec();
        refused(
            &one_result(vec![labelled(twice)]),
            "label `a` is given twice",
        );
        let twins = vec![labelled(vec![label("a", "1")]); 2];
        refused(
            &one_result(twins),
            "series {a=\"1\"} comes twice in one result",
        );
    }

    fn label(name: &str, value: &str) -> answers::Label {
        let [name, value] = [name, value].map(str::to_owned);
        answers::Label { name, value }
    }

    fn labelled(labels: Vec<answers::Label>) -> TimeSeries {
        TimeSeries {
            labels,
            samples: Vec::new(),
        }
    }

    #[test]
    fn labels_out_of_order_are_sorted() {
        let labels = labelled(vec![label("b", "2"), label("a", "1")]);
        let body = block::pack(&one_result(vec![labels]).encode_to_vec()).unwrap();
        let read = decode_samples(&body, 1, &Limits::default()).unwrap();
        assert_eq!(read[0][0].labels.to_string(), r#"{a="1",b="2"}"#);
    }

    #[test]
    fn a_long_series_comes_in_many_pieces_and_its_bytes_are_told_beforehand() {
        let samples = (-20_000..20_000)
            .map(|at| sample(at, 1.0 / at as f64))
            .collect();
        let results = vec![vec![], vec![named("a", samples)]];
        let pieces: Vec<_> = stream_samples(results.clone()).unwrap().collect();
        assert!(pieces.len() > 2, "{} pieces", pieces.len());
        let read = decode_samples(&pieces.concat(), 2, &Limits::default()).unwrap();
        assert_eq!(read, results);
    }

    #[test]
    fn what_series_share_is_copied_and_read_back() {
        let times = || 1_800_000_000_i64..1_800_000_200;
        let curve = |name: &str, value: fn(i64) -> f64| {
            let samples = times().map(|at| sample(1_000 * at, value(at)));
            named(name, samples.collect())
        };
        let one_more = |mut series: Series| {
            series.samples.push(sample(i64::MAX, 0.0));
            series
        };
        let noise = |at: i64| (at as f64).sin();
        let results = vec![
            vec![
                curve("a:curve", noise),
                curve("b:curve", |at| (at as f64).cos()),
                curve("b:curves_with_a_longer_name", |_| 1.5),
                curve("c", |at| (at / 7) as f64),
                one_more(curve("d", noise)),
                named("e", vec![]),
            ],
            vec![curve("a:curve", noise), curve("aa:curve", noise)],
        ];
        let body = encode_samples(results.clone()).unwrap();
        assert_eq!(
            decode_samples(&body, 2, &Limits::default()).unwrap(),
            results
        );
        let flat = (0..100).map(|idx| curve(&format!("flat_{idx:03}"), |_| 1.5));
        let n_samples = 100 * 200;
        let body = encode_samples(vec![flat.collect()]).unwrap();
        assert!(body.len() < 6 * n_samples, "{} bytes", body.len());
    }

    #[test]
    fn series_that_were_not_planned_end_the_answer_with_an_error() {
        let series = || named("a", vec![sample(1, 0.0), sample(300, 1.0)]);
        let length = planned_len(&series().labels, [1, 300].map(Timestamp::from_millis));
        let outcome = |plan: &[usize], series: Vec<Series>| {
            let pieces = stream_planned_samples(vec![plan.to_vec()], series.into_iter()).unwrap();
            pieces
                .collect::<Result<Vec<_>, _>>()
                .map(|pieces| pieces.concat())
        };
        let body = outcome(&[length], vec![series()]).unwrap();
        let read = decode_samples(&body, 1, &Limits::default()).unwrap();
        assert_eq!(read, [[series()]]);
        let sentence = |plan: &[usize], series| outcome(plan, series).unwrap_err().to_string();
        assert_eq!(
            sentence(&[length + 1], vec![series()]),
            format!(
                "series a takes {length} bytes where {} were planned",
                length + 1
            )
        );
        assert_eq!(sentence(&[length], vec![]), "series are missing at the end");
        let mut pieces =
            stream_planned_samples(vec![vec![1]], std::iter::repeat(series())).unwrap();
        assert!(pieces.next().is_some_and(|piece| piece.is_err()));
        assert!(pieces.next().is_none() && pieces.next().is_none());
        let mut backwards = series();
        backwards.samples.reverse();
        assert_eq!(
            sentence(&[length], vec![backwards]),
            "samples of series a are not in ascending order of time"
        );
    }

    fn read_by_prost(body: &[u8]) -> Vec<Vec<Series>> {
        let bytes = block::unpack(body, 1 << 30).unwrap();
        let message: ReadResponse = wire::decode(&bytes).unwrap();
        let series = |series: TimeSeries| {
            let labels = series
                .labels
                .into_iter()
                .map(|label| (label.name, label.value));
            let samples = series.samples.iter().map(|s| sample(s.timestamp, s.value));
            Series {
                labels: Labels::new(labels).unwrap(),
                samples: samples.collect(),
            }
        };
        let results = message.results.into_iter();
        results
            .map(|result| result.timeseries.into_iter().map(series).collect())
            .collect()
    }

    proptest! {
        #[test]
        fn another_decoder_reads_the_same(results in any_results()) {
            let body = encode_samples(results.clone()).unwrap();
            prop_assert_eq!(all_bits_of(&read_by_prost(&body)), all_bits_of(&results));
        }

        #[test]
        fn what_is_encoded_is_decoded(results in any_results()) {
            let body = encode_samples(results.clone()).unwrap();
            let read = decode_samples(&body, results.len(), &Limits::default()).unwrap();
            prop_assert_eq!(all_bits_of(&read), all_bits_of(&results));
        }

        #[test]
        fn a_body_cut_anywhere_is_refused(results in any_results(), cut: prop::sample::Index) {
            let body = encode_samples(results.clone()).unwrap();
            let cut = &body[..cut.index(body.len())];
            prop_assert!(decode_samples(cut, results.len(), &Limits::default()).is_err());
        }

        #[test]
        fn any_bytes_are_decoded_or_refused(bytes: Vec<u8>) {
            let packed = block::pack(&bytes).unwrap();
            for body in [&bytes, &packed] {
                if let Ok(results) = decode_samples(body, 1, &Limits::default()) {
                    prop_assert_eq!(results.len(), 1);
                }
            }
        }
    }
}
