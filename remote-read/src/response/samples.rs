//! `SAMPLES`: the whole answer in one snappy block.

use super::{ResponseError, check_order, put_in_order, read_labels, write_labels};
use crate::{
    BodyError, Limits, block,
    limits::hold,
    messages::{self, QueryResult, ReadResponse, TimeSeries},
    wire,
};
use prost::Message;
use series::{Sample, Series, Timestamp};

/// The `Content-Type` of an answer in samples, and of every request.
pub const SAMPLES_CONTENT_TYPE: &str = "application/x-protobuf";
/// The `Content-Encoding` of an answer in samples, and of every request.
pub const SAMPLES_CONTENT_ENCODING: &str = "snappy";

/// Writes one result for each query; series and samples come out sorted, and every bit of a value is kept. Fails
/// past 4 GiB. Two series with the same labels are both written, and Prometheus would mix them up.
pub fn encode_samples(results: Vec<Vec<Series>>) -> Result<Vec<u8>, BodyError> {
    let results = results.into_iter().map(write_result).collect();
    block::pack(&ReadResponse { results }.encode_to_vec())
}

fn write_result(mut result: Vec<Series>) -> QueryResult {
    put_in_order(&mut result);
    let timeseries = result.iter().map(|series| TimeSeries {
        labels: write_labels(&series.labels),
        samples: series.samples.iter().map(write_sample).collect(),
    });
    QueryResult {
        timeseries: timeseries.collect(),
    }
}

fn write_sample(sample: &Sample) -> messages::Sample {
    messages::Sample {
        value: sample.value,
        timestamp: sample.at.as_millis(),
    }
}

/// Reads an answer to a request of `n_queries` queries: their results, series as they were sent. Histograms are
/// passed over.
pub fn decode_samples(
    body: &[u8],
    n_queries: usize,
    limits: &Limits,
) -> Result<Vec<Vec<Series>>, ResponseError> {
    let bytes = block::unpack(body, limits.max_decoded_bytes)?;
    hold_parts(&bytes, limits)?;
    let message: ReadResponse = wire::decode(&bytes)?;
    let found = message.results.len();
    if found != n_queries {
        return Err(ResponseError::Results { found, n_queries });
    }
    let results = message.results.into_iter();
    let results = results.map(|result| result.timeseries.into_iter().map(read_series).collect());
    results.collect()
}

fn hold_parts(bytes: &[u8], limits: &Limits) -> Result<(), BodyError> {
    let count = wire::count::<ReadResponse>;
    hold("results", count(bytes, &[1])?, limits.max_queries)?;
    hold("series", count(bytes, &[1, 1])?, limits.max_series)?;
    hold("labels", count(bytes, &[1, 1, 1])?, limits.max_labels)?;
    hold("samples", count(bytes, &[1, 1, 2])?, limits.max_samples)
}

fn read_series(series: TimeSeries) -> Result<Series, ResponseError> {
    let samples = series.samples.iter().map(|sample| Sample {
        at: Timestamp::from_millis(sample.timestamp),
        value: sample.value,
    });
    check_order(read_labels(series.labels)?, samples.collect())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::strategy::{all_bits_of, any_results};
    use proptest::prelude::*;
    use series::{Labels, STALE_MARKER};

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
        let samples = times.iter().map(|at| write_sample(&sample(*at, 0.0)));
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
            labels: vec![messages::Label::default(); 3],
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
            labels: vec![messages::Label::default()],
            samples: Vec::new(),
        };
        refused(&one_result(vec![labels]), "`` is not a label name");
    }

    proptest! {
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
