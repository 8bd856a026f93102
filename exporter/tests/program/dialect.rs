//! Matchers pick what every real Prometheus picks, and refuse what it refuses.

use crate::world::PATIENCE;
use serde_json::Value;
use series::{MatchOp, Matcher, Quoted};
use std::{collections::BTreeSet, fmt::Write as _, fs, path::Path};
use testbed::{Prometheus, Version, create_blocks, http_client, prometheus_versions};

/// Values of a label. None has a line end, which dots take since Prometheus 3 alone.
const TEXTS: [&str; 44] = [
    "/v1/users/{id}",
    "/v1/users/7",
    "a[0]",
    "a]",
    "x-y,z",
    "x.y",
    "x.yy",
    "xzy",
    "xxx",
    "x{,3}",
    "x{01}",
    "x",
    "xx",
    "plain",
    "PLAIN",
    "a&b",
    "a&&b",
    "<x>",
    "٣",
    "3",
    "é",
    "É",
    "ß",
    "ſ",
    "K",
    "λ",
    "_",
    "-",
    "^",
    "{",
    "}",
    "\\",
    "\\d",
    "a b",
    "a\tb",
    "a\u{a0}b",
    "abc\u{7}",
    "(?i)x",
    "a|b",
    "[:alpha:]",
    "日本",
    "\u{2028}",
    "x+y",
    "~",
];

/// Expressions of which Prometheus takes some and refuses others.
const PATTERNS: [&str; 117] = [
    "",
    ".*",
    ".+",
    "x",
    "x|xx",
    "(x)|(xx)",
    "()|x",
    "|x",
    "x*",
    "x+?",
    "x??",
    "x{2}",
    "x{1,2}",
    "x{2,}",
    "x{,3}",
    "x{01}",
    "x{1,2",
    "x{a}",
    "{",
    "}",
    "{}",
    "/v1/.+/{id}",
    "/v1/.*/{gid}/{uid}",
    "[^[]+",
    "[[a]",
    "[a[]+\\[0\\]",
    "[\\w-,]+",
    "[a-z&&x]+",
    "[a-z--m]",
    "[a~~b]",
    "[a-z&-]+",
    "a[&]b",
    "[]a]\\[0\\]",
    "[]a]+",
    "[^]a]",
    "[a-]",
    "[-a]",
    "[a\\-]",
    "[\\]]",
    "[\\d\\s]",
    "[\\D]",
    "[^\\D]",
    "[[:alpha:]]+",
    "[[:^alpha:]]",
    "[[:word:]]+",
    "[[:foo:]]",
    "[[:alpha:]",
    "[:alpha:]+",
    "[[:space:]a]",
    "[a",
    "[]",
    "[^]",
    "[z-a]",
    "[a-\\d]",
    "\\Qx.y\\E",
    "\\Qx.y\\E+",
    "\\Q{\\E",
    "\\Q(?i)x\\E",
    "\\E",
    "\\<x\\>",
    "\\d",
    "\\D",
    "\\w",
    "\\W",
    "\\s",
    "a\\sb",
    "a\\Sb",
    "\\bx\\b",
    "\\bé\\b",
    "\\B_",
    "\\Aplain\\z",
    "\\Z",
    "\\a",
    "abc\\a",
    "\\_",
    "\\-",
    "\\{",
    "\\é",
    "\\\\",
    "\\\\d",
    "\\",
    "\\1",
    "\\8",
    "\\0",
    "\\141&b",
    "\\x61&b",
    "\\x{61}&b",
    "\\x{110000}",
    "\\xg1",
    "a\\&b",
    "\\C",
    "\\pL+",
    "\\p{Greek}",
    "\\p{greek}",
    "\\p{^Lu}+",
    "\\PN",
    "\\p{Nd}",
    "\\p{Alphabetic}",
    "\\pZ",
    "\\p",
    "\\p{L",
    "(?i)plain",
    "(?i:p)LAIN",
    "(?i)[k]",
    "(?i)[[:lower:]]",
    "(?i)\\pL",
    "(?U)pl.*n",
    "(?s-i:.)",
    "(?i-)x",
    "(?x)x",
    "(?=x)x",
    "a**",
    "x{2}{2}",
    "x{1001}",
    "(x{100}){11}",
    "(?P<n>x)",
    "(?P<>x)",
];

/// What only Prometheus 3 takes, or takes in this way.
const OF_3: [&str; 5] = ["\\Qx", "(?<n>x)", "a)|(b", "(?i)ſ|K", "x)("];

#[tokio::test(flavor = "multi_thread")]
async fn expressions_pick_what_a_real_prometheus_picks() {
    let dir = tempfile::tempdir().unwrap();
    let (versions, missing) = prometheus_versions().await.unwrap();
    let mut differences = Vec::new();
    for version in &versions {
        let prometheus = start(version, &dir.path().join(&version.number)).await;
        let of_3 = OF_3.iter().filter(|_| version.is_at_least(3, 0));
        for pattern in PATTERNS.iter().chain(of_3) {
            let there = asked(&prometheus, pattern).await;
            let here = picked(pattern);
            if there != here {
                let number = &version.number;
                differences.push(format!(
                    "{pattern} of {number}: {there:?} there, {here:?} here"
                ));
            }
        }
    }
    for sentence in missing {
        println!("Not tested: {sentence}.");
    }
    assert!(differences.is_empty(), "{}", differences.join("\n"));
}

/// A Prometheus that has a series of each text.
async fn start(version: &Version, dir: &Path) -> Prometheus {
    let mut past = String::from("# TYPE text gauge\n");
    let at = crate::world::now().as_millis() / 1_000 - 60;
    for text in TEXTS {
        writeln!(past, "text{{v={}}} 1 {at}", Quoted(text)).unwrap();
    }
    past.push_str("# EOF\n");
    fs::create_dir_all(dir).unwrap();
    fs::write(dir.join("past.om"), past).unwrap();
    create_blocks(&dir.join("past.om"), &Prometheus::data_dir(dir))
        .await
        .unwrap();
    Prometheus::start_as(&version.program, dir, "global: {}\n", &[])
        .await
        .unwrap()
}

/// The texts that Prometheus picks; `None` where it refuses the expression.
async fn asked(prometheus: &Prometheus, pattern: &str) -> Option<BTreeSet<String>> {
    let url = format!("{}api/v1/query", prometheus.url());
    let query = format!("text{{v=~`{pattern}`}}");
    let http = http_client(PATIENCE).unwrap();
    let answer = http.post(url).form(&[("query", &query)]);
    let answer: Value = answer.send().await.unwrap().json().await.unwrap();
    let series = answer["data"]["result"].as_array()?.iter();
    let texts = series.map(|one| one["metric"]["v"].as_str().unwrap_or_default().to_owned());
    Some(texts.collect())
}

fn picked(pattern: &str) -> Option<BTreeSet<String>> {
    let matcher = Matcher::new(MatchOp::Regex, "v", pattern).ok()?;
    // What is asked of the query API, and stands in rule files, is read by the parser before.
    let parsed = promql::parse(&format!("text{{v=~`{pattern}`}}"));
    assert!(parsed.is_ok(), "{pattern}: {parsed:?}");
    let texts = TEXTS.into_iter().filter(|text| matcher.takes(text));
    Some(texts.map(str::to_owned).collect())
}
