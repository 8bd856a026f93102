//! What real servers sent, rebuilt and read.

use crate::{
    Limits, block, decode_request,
    messages::{self, LabelMatcher, MatchType, ReadHints, ResponseType},
};
use prost::Message;
use serde_json::Value;

const RECORDED: &str = include_str!("../../tests/fixtures/requests.jsonl");
/// What each of them asks, checked against the recording line by line.
const UNDERSTOOD: &str = include_str!("../../tests/fixtures/requests-understood.txt");

fn text(value: &Value) -> String {
    value.as_str().unwrap().to_owned()
}

fn number(value: &Value) -> i64 {
    value.as_i64().unwrap()
}

fn matcher(recorded: &Value) -> LabelMatcher {
    let recorded = text(recorded);
    let (name, value) = recorded.split_once('=').unwrap();
    let (r#type, value) = value
        .strip_prefix('~')
        .map_or((MatchType::Equal, value), |value| (MatchType::Regex, value));
    LabelMatcher {
        r#type: r#type.into(),
        name: name.to_owned(),
        value: value.to_owned(),
    }
}

/// The recorder wrote the times of hints as seconds from its own clock, to a tenth. Their distance from the
/// query's range, recorded likewise, gives them back to the millisecond, since both ends move together.
fn hint_time(query: &Value, end: &str) -> i64 {
    let relative = format!("{end}_rel_s");
    let seconds = |value: &Value| value[&relative].as_f64().unwrap();
    let tenths = (seconds(&query["hints"]) - seconds(query)) * 10.0;
    let tenths: i64 = format!("{tenths:.0}").parse().unwrap();
    number(&query[end]) + 100 * tenths
}

fn query(recorded: &Value) -> messages::Query {
    let hints = &recorded["hints"];
    let grouping = hints["grouping"].as_array().unwrap();
    let matchers = recorded["matchers"].as_array().unwrap();
    messages::Query {
        start_timestamp_ms: number(&recorded["start"]),
        end_timestamp_ms: number(&recorded["end"]),
        matchers: matchers.iter().map(matcher).collect(),
        hints: Some(ReadHints {
            step_ms: number(&hints["step_ms"]),
            func: text(&hints["func"]),
            start_ms: hint_time(recorded, "start"),
            end_ms: hint_time(recorded, "end"),
            grouping: grouping.iter().map(text).collect(),
            by: hints["by"].as_bool().unwrap(),
            range_ms: number(&hints["range_ms"]),
        }),
    }
}

fn request(recorded: &Value) -> messages::ReadRequest {
    let response_type = |name: &Value| match name.as_str() {
        Some("SAMPLES") => ResponseType::Samples.into(),
        Some("STREAMED_XOR_CHUNKS") => ResponseType::StreamedXorChunks.into(),
        _ => panic!("{name} is no response type"),
    };
    let accepted = recorded["accept"].as_array().unwrap();
    let queries = recorded["queries"].as_array().unwrap();
    messages::ReadRequest {
        queries: queries.iter().map(query).collect(),
        accepted_response_types: accepted.iter().map(response_type).collect(),
    }
}

fn bodies() -> impl Iterator<Item = (Value, Vec<u8>)> {
    RECORDED.lines().map(|line| {
        let recorded: Value = serde_json::from_str(line).unwrap();
        let message = request(&recorded).encode_to_vec();
        (recorded, block::pack(&message).unwrap())
    })
}

/// One line for what a request was understood to want.
fn understood(recorded: &Value, body: &[u8]) -> String {
    let request = decode_request(body, &Limits::default()).unwrap();
    let [query] = &request.queries[..] else {
        panic!("Prometheus asks one query a request");
    };
    let matchers = query.selector().matchers().iter().map(ToString::to_string);
    let matchers: Vec<_> = matchers.collect();
    let (start, end) = query.window();
    let what = if query.labels_only() {
        "labels"
    } else {
        "samples"
    };
    let agent = text(&recorded["user_agent"]);
    let (version, _) = agent["Prometheus/".len()..].split_once('+').unwrap();
    format!(
        "{version} {:?} {what} {{{}}} {}..{} {:?}",
        request.response,
        matchers.join(","),
        start.as_millis(),
        end.as_millis(),
        query.hints().unwrap().func,
    )
}

#[test]
fn recorded_requests_are_understood() {
    let seen: String = bodies()
        .map(|(line, body)| understood(&line, &body) + "\n")
        .collect();
    assert_eq!(seen, UNDERSTOOD);
}

#[test]
fn a_rebuilt_request_is_as_long_as_the_one_sent() {
    for (recorded, body) in bodies() {
        let sent = number(&recorded["content_length"]);
        assert_eq!(i64::try_from(body.len()).unwrap(), sent, "{recorded}");
    }
}
