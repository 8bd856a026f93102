//! The body of a request, checked on its way in.

use super::{Hints, Query, ReadRequest, RequestError, ResponseKind};
use crate::{
    BodyError, Limits, block,
    limits::hold,
    messages::{self, MatchType, ResponseType},
    wire,
};
use series::{MatchOp, Matcher, Selector, Timestamp};
use std::time::Duration;

/// Reads the body of a `POST` to a remote-read endpoint: a snappy block of one `ReadRequest`.
pub fn decode_request(body: &[u8], limits: &Limits) -> Result<ReadRequest, RequestError> {
    let bytes = block::unpack(body, limits.max_decoded_bytes)?;
    hold_parts(&bytes, limits)?;
    let message: messages::ReadRequest = wire::decode(&bytes)?;
    let response = choose(message.accepted_response_types)?;
    let queries = message.queries.into_iter();
    let queries = queries.map(|query| check_query(query, limits));
    Ok(ReadRequest {
        queries: queries.collect::<Result<_, _>>()?,
        response,
    })
}

/// More than remote.proto knows, so that later types may come.
const MAX_RESPONSE_TYPES: usize = 16;

fn hold_parts(bytes: &[u8], limits: &Limits) -> Result<(), BodyError> {
    let count = wire::count::<messages::ReadRequest>;
    let n_types = wire::count_numbers::<messages::ReadRequest>(bytes, 2)?;
    hold("response types", n_types, MAX_RESPONSE_TYPES)?;
    hold("queries", count(bytes, &[1])?, limits.max_queries)?;
    hold("matchers", count(bytes, &[1, 3])?, limits.max_matchers)?;
    let n_grouping = count(bytes, &[1, 4, 5])?;
    hold("grouping labels", n_grouping, limits.max_matchers)
}

/// The first type that we know, as Prometheus chooses; it sends none when it wants samples.
fn choose(accepted: Vec<i32>) -> Result<ResponseKind, RequestError> {
    if accepted.is_empty() {
        return Ok(ResponseKind::Samples);
    }
    let known = accepted
        .iter()
        .find_map(|found| ResponseType::try_from(*found).ok());
    match known {
        Some(ResponseType::Samples) => Ok(ResponseKind::Samples),
        Some(ResponseType::StreamedXorChunks) => Ok(ResponseKind::StreamedXorChunks),
        None => Err(RequestError::ResponseTypes(accepted)),
    }
}

fn check_query(query: messages::Query, limits: &Limits) -> Result<Query, RequestError> {
    let matchers = query.matchers.into_iter();
    let matchers = matchers
        .map(|matcher| check_matcher(matcher, limits))
        .collect::<Result<Vec<_>, _>>()?;
    let checked = Query::new(
        Timestamp::from_millis(query.start_timestamp_ms),
        Timestamp::from_millis(query.end_timestamp_ms),
        Selector::new(matchers),
    )?;
    Ok(Query {
        hints: query.hints.map(read_hints),
        ..checked
    })
}

fn check_matcher(
    matcher: messages::LabelMatcher,
    limits: &Limits,
) -> Result<Matcher, RequestError> {
    let (bytes, limit) = (
        matcher.name.len() + matcher.value.len(),
        limits.max_matcher_bytes,
    );
    if bytes > limit {
        return Err(RequestError::LongMatcher { bytes, limit });
    }
    let op = match MatchType::try_from(matcher.r#type) {
        Ok(MatchType::Equal) => MatchOp::Equal,
        Ok(MatchType::NotEqual) => MatchOp::NotEqual,
        Ok(MatchType::Regex) => MatchOp::Regex,
        Ok(MatchType::NotRegex) => MatchOp::NotRegex,
        Err(_) => {
            return Err(RequestError::MatchType {
                name: matcher.name,
                found: matcher.r#type,
            });
        }
    };
    Ok(Matcher::new(op, matcher.name, matcher.value)?)
}

/// Hints bind nobody, so a negative length among them is read as none.
fn read_hints(hints: messages::ReadHints) -> Hints {
    let length = |millis| Duration::from_millis(u64::try_from(millis).unwrap_or(0));
    Hints {
        start: Timestamp::from_millis(hints.start_ms),
        end: Timestamp::from_millis(hints.end_ms),
        func: hints.func,
        step: length(hints.step_ms),
        range: length(hints.range_ms),
        grouping: hints.grouping,
        by: hints.by,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::messages::{LabelMatcher, ReadHints};
    use proptest::prelude::*;
    use prost::Message;

    fn body(request: &messages::ReadRequest) -> Vec<u8> {
        block::pack(&request.encode_to_vec()).unwrap()
    }

    fn asking(query: messages::Query) -> messages::ReadRequest {
        messages::ReadRequest {
            queries: vec![query],
            accepted_response_types: Vec::new(),
        }
    }

    fn matching(r#type: i32, value: &str) -> messages::ReadRequest {
        let (name, value) = ("job".to_owned(), value.to_owned());
        asking(messages::Query {
            matchers: vec![LabelMatcher {
                r#type,
                name,
                value,
            }],
            ..messages::Query::default()
        })
    }

    #[track_caller]
    fn refused(request: &messages::ReadRequest, status: u16, expect: &str) {
        let error = decode_request(&body(request), &Limits::default()).unwrap_err();
        assert_eq!(
            (error.status(), error.to_string().as_str()),
            (status, expect)
        );
    }

    #[track_caller]
    fn chosen(accepted: &[i32], expect: ResponseKind) {
        let request = messages::ReadRequest {
            queries: Vec::new(),
            accepted_response_types: accepted.to_vec(),
        };
        let read = decode_request(&body(&request), &Limits::default()).unwrap();
        assert_eq!(read.response, expect);
    }

    #[test]
    fn the_first_known_response_type_is_chosen() {
        chosen(&[], ResponseKind::Samples);
        chosen(&[0, 1], ResponseKind::Samples);
        chosen(&[7, 1, 0], ResponseKind::StreamedXorChunks);
        let request = messages::ReadRequest {
            queries: Vec::new(),
            accepted_response_types: vec![7, -1],
        };
        refused(
            &request,
            400,
            "none of the accepted response types [7, -1] is SAMPLES (0) or STREAMED_XOR_CHUNKS (1)",
        );
    }

    #[test]
    fn bad_matchers_are_refused_by_name() {
        refused(
            &matching(2, "("),
            400,
            "cannot use the matcher of label `job`: error parsing regexp: missing closing ): `(`",
        );
        refused(
            &matching(3, "(a{1000}){1000}"),
            400,
            "cannot use the matcher of label `job`: error parsing regexp: invalid repeat count: `{1000}`",
        );
        refused(
            &matching(4, "x"),
            400,
            "matcher on label `job` has the unknown type 4",
        );
        refused(
            &matching(2, &"x".repeat(65_536)),
            413,
            "a matcher has 65539 bytes where 65536 are allowed",
        );
    }

    #[test]
    fn a_range_out_of_order_is_refused() {
        let query = messages::Query {
            start_timestamp_ms: 2,
            end_timestamp_ms: 1,
            ..messages::Query::default()
        };
        refused(
            &asking(query),
            400,
            "query starts at 2 and ends before that, at 1",
        );
    }

    #[test]
    fn too_many_parts_are_refused_with_413() {
        let crowd = messages::ReadRequest {
            queries: vec![messages::Query::default(); 33],
            accepted_response_types: Vec::new(),
        };
        refused(&crowd, 413, "body holds 33 queries where 32 are allowed");
        let matchers = messages::Query {
            matchers: vec![LabelMatcher::default(); 129],
            ..messages::Query::default()
        };
        refused(
            &asking(matchers),
            413,
            "body holds 129 matchers where 128 are allowed",
        );
        let grouping = messages::Query {
            hints: Some(ReadHints {
                grouping: vec![String::new(); 129],
                ..ReadHints::default()
            }),
            ..messages::Query::default()
        };
        refused(
            &asking(grouping),
            413,
            "body holds 129 grouping labels where 128 are allowed",
        );
        let types = messages::ReadRequest {
            queries: Vec::new(),
            accepted_response_types: vec![1; 17],
        };
        refused(
            &types,
            413,
            "body holds 17 response types where 16 are allowed",
        );
    }

    #[test]
    fn a_body_that_is_too_large_is_refused_with_413_and_garbage_with_400() {
        let status = |body: &[u8]| {
            let error = decode_request(body, &Limits::default()).unwrap_err();
            error.status()
        };
        assert_eq!(status(&[0xff, 0xff, 0xff, 0xff, 0x0f, 0]), 413);
        assert_eq!(status(b""), 400);
        assert_eq!(status(b"{\"queries\": []}"), 400);
        assert_eq!(status(&block::pack(b"no protobuf").unwrap()), 400);
    }

    #[test]
    fn hints_narrow_the_range_and_never_widen_it() {
        let window = |start_ms, end_ms| {
            let query = messages::Query {
                start_timestamp_ms: 10,
                end_timestamp_ms: 20,
                hints: Some(ReadHints {
                    start_ms,
                    end_ms,
                    ..ReadHints::default()
                }),
                ..messages::Query::default()
            };
            let read = decode_request(&body(&asking(query)), &Limits::default()).unwrap();
            let (start, end) = read.queries[0].window();
            (start.as_millis(), end.as_millis())
        };
        assert_eq!(window(0, 0), (10, 20));
        assert_eq!(window(15, 12), (10, 20));
        assert_eq!(window(30, 40), (10, 20));
        assert_eq!(window(15, 25), (15, 20));
        assert_eq!(window(5, 15), (10, 15));
    }

    fn asked(query: messages::Query) -> Query {
        let mut read = decode_request(&body(&asking(query)), &Limits::default()).unwrap();
        read.queries.remove(0)
    }

    #[test]
    fn a_thousand_years_and_the_ends_of_time_are_taken_as_asked() {
        let thousand_years = 1_000 * 365 * 24 * 3_600 * 1_000;
        for (start, end) in [
            (0, thousand_years),
            (-thousand_years, -1),
            (i64::MIN, i64::MAX),
        ] {
            let query = asked(messages::Query {
                start_timestamp_ms: start,
                end_timestamp_ms: end,
                ..messages::Query::default()
            });
            let range = [start, end].map(Timestamp::from_millis);
            assert_eq!(query.window(), range.into());
        }
    }

    #[test]
    fn negative_lengths_in_hints_are_none() {
        let query = asked(messages::Query {
            hints: Some(ReadHints {
                step_ms: -1,
                range_ms: i64::MIN,
                ..ReadHints::default()
            }),
            ..messages::Query::default()
        });
        let hints = query.hints().unwrap();
        assert_eq!((hints.step, hints.range), (Duration::ZERO, Duration::ZERO));
    }

    #[test]
    fn an_expression_that_takes_others_exponential_time_is_answered_at_once() {
        let read = decode_request(&body(&matching(2, "(x+x+)+y")), &Limits::default()).unwrap();
        let labels = |value: String| series::Labels::new([("job", value)]).unwrap();
        let selector = read.queries[0].selector();
        assert!(!selector.matches(&labels("x".repeat(10_000))));
        assert!(selector.matches(&labels("x".repeat(10_000) + "y")));
    }

    #[test]
    fn a_message_that_is_torn_or_of_the_wrong_shape_is_refused() {
        let sentence = |message: &[u8]| {
            let body = block::pack(message).unwrap();
            let error = decode_request(&body, &Limits::default()).unwrap_err();
            assert_eq!(error.status(), 400);
            error.to_string()
        };
        let whole = matching(0, "api").encode_to_vec();
        let torn =
            "body is not a protobuf ReadRequest: a field is cut off or of no known wire type";
        assert_eq!(sentence(&whole[..whole.len() - 1]), torn);
        // Queries as a number, and a label name that is not UTF-8.
        assert!(sentence(&[0x08, 1]).starts_with("body is not a protobuf ReadRequest: "));
        let name = [0x0a, 5, 0x1a, 3, 0x12, 1, 0xff];
        assert!(sentence(&name).starts_with("body is not a protobuf ReadRequest: "));
    }

    proptest! {
        #[test]
        fn any_bytes_are_decoded_or_refused(bytes: Vec<u8>) {
            let limits = Limits::default();
            let as_they_are = decode_request(&bytes, &limits);
            let packed = decode_request(&block::pack(&bytes).unwrap(), &limits);
            for error in [as_they_are.err(), packed.err()].into_iter().flatten() {
                prop_assert!(matches!(error.status(), 400 | 413));
            }
        }

        #[test]
        fn a_damaged_request_is_decoded_or_refused(at: prop::sample::Index, bits: u8) {
            let mut bytes = matching(2, "api|web").encode_to_vec();
            let at = at.index(bytes.len());
            bytes[at] ^= bits;
            let read = decode_request(&block::pack(&bytes).unwrap(), &Limits::default());
            if bits == 0 {
                prop_assert!(read.is_ok());
            }
        }
    }
}
