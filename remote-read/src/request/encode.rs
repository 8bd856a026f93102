//! A request as a client sends it.

use super::{Hints, Query, ReadRequest, ResponseKind};
use crate::{
    BodyError, block,
    messages::{self, MatchType, ResponseType},
};
use prost::Message;
use series::{MatchOp, Matcher};
use std::time::Duration;

/// Writes the body of a `POST` to a remote-read endpoint. Like Prometheus it lists no type when it wants samples,
/// and accepts samples where it prefers chunks. Fails past 4 GiB.
pub fn encode_request(request: &ReadRequest) -> Result<Vec<u8>, BodyError> {
    let accepted: &[ResponseType] = match request.response {
        ResponseKind::Samples => &[],
        ResponseKind::StreamedXorChunks => {
            &[ResponseType::StreamedXorChunks, ResponseType::Samples]
        }
    };
    let message = messages::ReadRequest {
        queries: request.queries.iter().map(write_query).collect(),
        accepted_response_types: accepted.iter().map(|accepted| *accepted as i32).collect(),
    };
    block::pack(&message.encode_to_vec())
}

fn write_query(query: &Query) -> messages::Query {
    let matchers = query.selector.matchers();
    messages::Query {
        start_timestamp_ms: query.start.as_millis(),
        end_timestamp_ms: query.end.as_millis(),
        matchers: matchers.iter().map(write_matcher).collect(),
        hints: query.hints.as_ref().map(write_hints),
    }
}

fn write_matcher(matcher: &Matcher) -> messages::LabelMatcher {
    let r#type = match matcher.op() {
        MatchOp::Equal => MatchType::Equal,
        MatchOp::NotEqual => MatchType::NotEqual,
        MatchOp::Regex => MatchType::Regex,
        MatchOp::NotRegex => MatchType::NotRegex,
    };
    messages::LabelMatcher {
        r#type: r#type.into(),
        name: matcher.name().to_owned(),
        value: matcher.value().to_owned(),
    }
}

/// Lengths beyond what the wire holds are written as the longest one.
fn write_hints(hints: &Hints) -> messages::ReadHints {
    let millis = |length: Duration| i64::try_from(length.as_millis()).unwrap_or(i64::MAX);
    messages::ReadHints {
        step_ms: millis(hints.step),
        func: hints.func.clone(),
        start_ms: hints.start.as_millis(),
        end_ms: hints.end.as_millis(),
        grouping: hints.grouping.clone(),
        by: hints.by,
        range_ms: millis(hints.range),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Limits, decode_request};
    use proptest::prelude::*;
    use series::{Selector, Timestamp};

    fn any_query() -> impl Strategy<Value = Query> {
        let op = prop::sample::select(vec![
            MatchOp::Equal,
            MatchOp::NotEqual,
            MatchOp::Regex,
            MatchOp::NotRegex,
        ]);
        let matcher = (op, "[a-z]{0,9}", "[a-z.|*]{0,9}")
            .prop_filter_map("no expression", |(op, name, value)| {
                Matcher::new(op, name, value).ok()
            });
        let matchers = prop::collection::vec(matcher, 0..4);
        let times = (any::<i64>(), any::<i64>(), any::<i64>(), any::<i64>());
        let hints = ("[a-z_]{0,9}", any::<u32>(), any::<bool>());
        (matchers, times, prop::option::of(hints)).prop_map(|(matchers, times, hints)| {
            let [one, other, start, end] =
                [times.0, times.1, times.2, times.3].map(Timestamp::from_millis);
            let selector = Selector::new(matchers);
            let query = Query::new(one.min(other), one.max(other), selector).unwrap();
            let Some((func, millis, by)) = hints else {
                return query;
            };
            query.with_hints(Hints {
                start,
                end,
                grouping: vec![func.clone(); usize::from(by)],
                func,
                step: Duration::from_millis(millis.into()),
                range: Duration::from_millis(7 * u64::from(millis)),
                by,
            })
        })
    }

    proptest! {
        #[test]
        fn what_is_encoded_is_decoded(queries in prop::collection::vec(any_query(), 0..4), chunks: bool) {
            let response = if chunks {
                ResponseKind::StreamedXorChunks
            } else {
                ResponseKind::Samples
            };
            let request = ReadRequest { queries, response };
            let body = encode_request(&request).unwrap();
            let read = decode_request(&body, &Limits::default()).unwrap();
            prop_assert_eq!(format!("{read:?}"), format!("{request:?}"));
        }
    }
}
