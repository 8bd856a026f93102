//! What the fuzzers start from: recorded answers, requests as Prometheus sends them, small files.

use remote_read::{
    Hints, Query, ReadRequest, ResponseKind, encode_request,
    write::{self, Protocol},
    xor,
};
use series::{Labels, MatchOp, Matcher, Sample, Selector, Series, Timestamp};
use std::time::Duration;

const ANSWER_SAMPLES: &[u8] =
    include_bytes!("../../../remote-read/tests/fixtures/answer-samples.bin");
const ANSWER_FRAMES: &[u8] =
    include_bytes!("../../../remote-read/tests/fixtures/answer-frames.bin");
const RULES: &[u8] = include_bytes!("../../../demo/config/rules.yml");
const NOTIFICATIONS: [&[u8]; 3] = [
    include_bytes!("../../../alertmanager-client/tests/fixtures/0.25-firing.json"),
    include_bytes!("../../../alertmanager-client/tests/fixtures/0.25-truncated.json"),
    include_bytes!("../../../alertmanager-client/tests/fixtures/0.33-resolved.json"),
];

/// The seeds of a target; none for an unknown one.
pub fn of(target: &str) -> Vec<Vec<u8>> {
    match target {
        "remote_read_request" => requests(),
        "samples_response" => vec![ANSWER_SAMPLES.to_vec(), unpacked(ANSWER_SAMPLES)],
        "frames_response" => vec![ANSWER_FRAMES.to_vec()],
        "xor_chunk" => [0, 1, 2, 20].map(|n| xor::encode(&samples(n))).to_vec(),
        "write_request" => writes(),
        "rule_file" => vec![RULES.to_vec(), SMALL_RULES.as_bytes().to_vec()],
        "webhook" => NOTIFICATIONS.map(<[u8]>::to_vec).to_vec(),
        "forecast_state" => vec![vec![1], vec![1, 9, 0, 0, 0, 1], vec![0, 40, 0]],
        "forecast_fit" => histories(),
        "saved_state" => vec![vec![], vec![1, 5, 9, 9, 40, 0], vec![2, 2], vec![3, 1, 0]],
        _ => Vec::new(),
    }
}

const SMALL_RULES: &str = "
groups:
- name: node
  interval: 1m
  rules:
  - forecast: instance:cpu
    expr: avg by (instance) (rate(cpu_seconds_total[5m]))
    step: 5m
    history: 7d
    horizons: [15m, 24h]
    quantiles: [0.05, 0.5, 0.95]
    bounds: [0, 1]
  - record: a:b
    expr: sum(up)
    labels: {x: y}
";

fn samples(n: u32) -> Vec<Sample> {
    let sample = |idx: u32| Sample {
        at: Timestamp::from_seconds(1_700_000_000 + 60 * i64::from(idx)),
        value: f64::from(idx * idx) / 8.0,
    };
    (0..n).map(sample).collect()
}

fn requests() -> Vec<Vec<u8>> {
    let matchers = [
        (MatchOp::Equal, "__name__", "up"),
        (MatchOp::NotEqual, "job", ""),
        (MatchOp::Regex, "instance", "a|b.*"),
        (MatchOp::NotRegex, "zone", "[0-9]+"),
    ];
    let matchers = matchers.map(|(op, name, value)| Matcher::new(op, name, value));
    let selector = Selector::new(matchers.map(|matcher| matcher.expect("these compile")));
    let [start, end] = [1_700_000_000, 1_700_003_600].map(Timestamp::from_seconds);
    let query = Query::new(start, end, selector).expect("the start is before the end");
    let hints = Hints {
        start,
        end,
        func: "rate".to_owned(),
        step: Duration::from_secs(15),
        range: Duration::from_mins(5),
        grouping: vec!["job".to_owned()],
        by: true,
    };
    let kinds = [ResponseKind::Samples, ResponseKind::StreamedXorChunks];
    let bodies = kinds.map(|response| {
        let queries = vec![query.clone(), query.clone().with_hints(hints.clone())];
        encode_request(&ReadRequest { queries, response }).expect("it is small")
    });
    bodies
        .iter()
        .flat_map(|body| [body.clone(), unpacked(body)])
        .collect()
}

fn writes() -> Vec<Vec<u8>> {
    let series = ["a", "b"].map(|instance| Series {
        labels: Labels::new([("__name__", "up"), ("instance", instance)])
            .expect("these are labels"),
        samples: samples(3),
    });
    let bodies = [Protocol::V1, Protocol::V2]
        .map(|protocol| write::encode(protocol, &series).expect("it is small"));
    bodies
        .iter()
        .flat_map(|body| [body.clone(), unpacked(body)])
        .collect()
}

/// The bytes as [`crate::forecast_fit`] takes them apart: settings, then runs of a pattern.
fn histories() -> Vec<Vec<u8>> {
    let run = [255, 10, 64, 1, 1, 240];
    let settings = |model| [0, 0, 0, model, 12, 0];
    let history = |model| [&settings(model)[..], &run.repeat(3)].concat();
    [0, 3, 4, 5].map(history).to_vec()
}

/// The message in a block, so that a fuzzer need not learn snappy first.
fn unpacked(body: &[u8]) -> Vec<u8> {
    let unpacked = snap::raw::Decoder::new().decompress_vec(body);
    unpacked.expect("these blocks were recorded or just written")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::TARGETS;

    #[test]
    fn every_target_has_seeds_and_stands_them() {
        for (target, body) in TARGETS {
            let seeds = of(target);
            assert!(!seeds.is_empty(), "{target}");
            for seed in seeds {
                body(&seed);
                body(&seed[..seed.len() / 2]);
            }
        }
    }

    #[test]
    fn every_target_has_its_program() {
        let programs = include_str!("../../Cargo.toml");
        let named = programs
            .lines()
            .filter_map(|line| line.strip_prefix("path = \"fuzz_targets/"));
        let mut named: Vec<_> = named
            .filter_map(|rest| rest.strip_suffix(".rs\""))
            .collect();
        let mut targets = TARGETS.map(|(target, _)| target).to_vec();
        named.sort_unstable();
        targets.sort_unstable();
        assert_eq!(named, targets);
    }

    #[test]
    fn some_seeds_get_to_the_heart_of_their_target() {
        let limits = remote_read::Limits::default();
        assert!(
            of("remote_read_request")
                .iter()
                .any(|s| remote_read::decode_request(s, &limits).is_ok())
        );
        assert!(
            of("rule_file")
                .iter()
                .all(|s| { rules::parse("seed", std::str::from_utf8(s).unwrap()).is_ok() })
        );
        assert!(
            of("webhook")
                .iter()
                .all(|s| alertmanager_client::webhook::Webhook::parse(s).is_ok())
        );
    }
}
