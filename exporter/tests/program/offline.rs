//! `foreshadow backtest` and `foreshadow forecast`, over files and over a real Prometheus.

use crate::world::{TWO_DAYS, prometheus_with, prometheus_with_past};
use serde_json::Value;
use std::{
    fmt::Write as _,
    fs,
    path::Path,
    process::{Command, Output},
};

fn foreshadow(dir: &Path, args: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_foreshadow"));
    command.current_dir(dir).args(args).output().unwrap()
}

fn lines(text: &[u8]) -> Vec<Value> {
    let text = std::str::from_utf8(text).unwrap();
    text.lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect()
}

/// The first timestamp of the files, and how many there are.
const BEGIN: i64 = 1_704_067_200;
const N_STEPS: i64 = 8 * 288;

/// Eight days of two series at five minutes: a noisy daily wave, and the same with gaps at twice the height.
fn two_series(dir: &Path) {
    let mut csv = String::from("timestamp,steady,gappy\n");
    let mut random = 1_u64;
    for step in 0..N_STEPS {
        // Constants of Knuth's MMIX generator; the upper half is random enough.
        random = random
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        let noise = (random >> 32) as f64 / f64::from(u32::MAX) - 0.5;
        let phase = step as f64 / 288.0 * std::f64::consts::TAU;
        let value = 100.0 + 40.0 * phase.sin() + 10.0 * noise;
        let gappy = if step % 17 == 0 {
            String::new()
        } else {
            (value * 2.0).to_string()
        };
        writeln!(csv, "{},{value},{gappy}", BEGIN + step * 300).unwrap();
    }
    fs::create_dir_all(dir.join("set")).unwrap();
    fs::write(dir.join("set/waves.csv"), csv).unwrap();
}

#[test]
fn the_chance_of_a_breach_stands_in_the_forecasts_and_its_worth_in_the_report() {
    let dir = tempfile::tempdir().unwrap();
    two_series(dir.path());
    let args =
        "backtest --csv . --origins 12 --stride 2h --horizon 6h --threshold 120 --history 6d";
    let mut args: Vec<&str> = args.split(' ').collect();
    args.extend(["--forecasts", "out.jsonl"]);
    let output = foreshadow(dir.path(), &args);
    assert!(output.status.success(), "{output:?}");
    let report = String::from_utf8(output.stdout).unwrap();
    let totals: Vec<_> = report.lines().filter(|l| l.starts_with("> 120")).collect();
    assert_eq!(totals.len(), 2, "{report}");

    let written = fs::read(dir.path().join("out.jsonl")).unwrap();
    let mut near_misses = 0;
    for line in lines(&written) {
        let chances = &line["breach_probability"];
        let [hour, whole] = ["1h", "6h"].map(|horizon| chances[horizon].as_f64().unwrap());
        assert!(
            (0.0..=1.0).contains(&hour) && (0.0..=1.0).contains(&whole),
            "{chances}"
        );
        // The wave of 100 ± 40 crosses the threshold, so that some origins are sure and others are not.
        near_misses += usize::from(hour < 0.3 && whole > 0.7);
    }
    assert!(near_misses >= 2, "{near_misses}");
    let refused = foreshadow(
        dir.path(),
        &["backtest", "--csv", ".", "--threshold", "NaN"],
    );
    assert_eq!(refused.status.code(), Some(2));
}

#[test]
fn a_backtest_tells_scores_and_writes_what_was_foreseen() {
    let dir = tempfile::tempdir().unwrap();
    two_series(dir.path());
    let args = [
        "backtest",
        "--csv",
        ".",
        "--origins",
        "2",
        "--stride",
        "5h",
        "--horizon",
        "3h",
    ];
    let more = ["--forecasts", "out.jsonl", "--format", "json"];
    let output = foreshadow(dir.path(), &[&args[..], &more].concat());
    assert!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );

    let scores = lines(&output.stdout);
    let told: Vec<_> = scores
        .iter()
        .map(|s| (s["series"].as_str(), s["horizon"].as_str()))
        .collect();
    let (gappy, steady) = (Some("set/waves:gappy"), Some("set/waves:steady"));
    assert_eq!(
        told,
        [
            (steady, Some("1h")),
            (gappy, Some("1h")),
            (steady, Some("3h")),
            (gappy, Some("3h"))
        ]
    );
    for score in &scores {
        assert_eq!(
            (score["model"].as_str(), score["origins"].as_u64()),
            (Some("online"), Some(2))
        );
        assert!(
            score["rel_sql"].as_f64().unwrap() < 1.0,
            "no better than naive: {score}"
        );
        assert!(
            (0.0..=1.0).contains(&score["cov80"].as_f64().unwrap()),
            "{score}"
        );
    }

    check_forecasts(&lines(&fs::read(dir.path().join("out.jsonl")).unwrap()));
}

/// Two windows of two series, each with 36 steps of 11 levels in order.
fn check_forecasts(forecasts: &[Value]) {
    assert_eq!(forecasts.len(), 4);
    for forecast in forecasts {
        assert_eq!(forecast["values"].as_array().unwrap().len(), 36);
        for values in forecast["values"].as_array().unwrap() {
            let values: Vec<f64> = values
                .as_array()
                .unwrap()
                .iter()
                .map(|v| v.as_f64().unwrap())
                .collect();
            assert!(values.len() == 11 && values.is_sorted(), "{values:?}");
        }
    }
    // The last window ends with the series: its origin lies 36 steps before the last sample.
    let last = BEGIN + (N_STEPS - 1 - 36) * 300;
    assert!(
        forecasts
            .iter()
            .any(|f| f["series"] == "set/waves:steady" && f["origin"] == last)
    );
}

#[test]
fn a_table_ends_with_one_line_for_each_horizon() {
    let dir = tempfile::tempdir().unwrap();
    two_series(dir.path());
    let output = foreshadow(
        dir.path(),
        &["backtest", "--csv", "set/waves.csv", "--origins", "1"],
    );
    let text = String::from_utf8(output.stdout).unwrap();
    let lines = text.lines().map(str::trim_start);
    let totals: Vec<_> = lines
        .skip_while(|line| !line.starts_with("HORIZON  SERIES  REL MASE"))
        .take(3)
        .collect();
    assert!(
        totals[1].starts_with("1h") && totals[2].starts_with("24h"),
        "{text}"
    );
    assert!(text.contains("REL SQL     below 1 is better"), "{text}");
}

#[test]
fn what_cannot_be_tested_is_said_in_a_sentence() {
    let dir = tempfile::tempdir().unwrap();
    fs::write(
        dir.path().join("short.csv"),
        "timestamp,value\n60,1\n120,2\n",
    )
    .unwrap();
    fs::write(dir.path().join("bad.csv"), "timestamp,value\nnoon,1\n").unwrap();
    let rules = "groups: [{name: g, rules: [{forecast: a, expr: up}]}]";
    fs::write(dir.path().join("rules.yml"), rules).unwrap();
    for (args, words) in [
        (&["backtest", "--csv", "short.csv"][..], "no window to try"),
        (
            &["backtest", "--csv", "bad.csv"],
            "neither RFC 3339 nor seconds",
        ),
        (&["backtest", "--csv", "missing.csv"], "reading missing.csv"),
        (
            &["backtest", "--csv", "short.csv", "--step", "0s"],
            "step must be at least 1ms",
        ),
        (&["backtest"], "--csv"),
        (&["forecast"], "--query"),
        (
            &["backtest", "--csv", "short.csv", "--origins", "0"],
            "at least one window",
        ),
        (
            &[
                "forecast",
                "--query",
                "up",
                "--prometheus.url",
                "localhost:9090",
            ],
            "takes an address such as http://localhost:9090, got `localhost:9090`",
        ),
        (
            &["forecast", "--rule", "rules.yml:b"],
            "rules.yml has no forecast rule `b`; it has a",
        ),
        (
            &["forecast", "--rule", "rules.yml:a", "--step", "1m"],
            "cannot be used with",
        ),
        (
            &["forecast", "--csv", "short.csv"],
            "no series could be forecast",
        ),
    ] {
        let output = foreshadow(dir.path(), args);
        let said = String::from_utf8(output.stderr).unwrap();
        assert!(
            !output.status.success() && said.contains(words),
            "{args:?}: {said}"
        );
    }
}

#[test]
fn one_bad_file_in_a_folder_is_named_and_the_others_are_forecast() {
    let dir = tempfile::tempdir().unwrap();
    two_series(dir.path());
    fs::write(dir.path().join("set/bad.csv"), "timestamp,value\nnoon,1\n").unwrap();
    fs::write(dir.path().join("set/binary.csv"), [0xff, 0xfe]).unwrap();
    for command in ["backtest", "forecast"] {
        let args = [
            command,
            "--csv",
            "set",
            "--horizon",
            "1h",
            "--format",
            "json",
        ];
        let output = foreshadow(dir.path(), &args);
        let said = String::from_utf8(output.stderr).unwrap();
        for words in [
            "set/bad.csv: line 2",
            "set/binary.csv",
            "2 files could not be read",
        ] {
            assert!(said.contains(words), "{command}: {said}");
        }
        assert_eq!(output.status.code(), Some(1));
        let series: Vec<_> = lines(&output.stdout)
            .iter()
            .map(|s| s["series"].clone())
            .collect();
        assert_eq!(series, ["waves:steady", "waves:gappy"], "{command}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_query_is_forecast_from_the_real_prometheus() {
    let dir = tempfile::tempdir().unwrap();
    let prometheus = prometheus_with_past(dir.path()).await;
    let url = prometheus.url().as_str();
    let args = [
        "forecast",
        "--prometheus.url",
        url,
        "--query",
        "load",
        "--step",
        "1m",
    ];
    let more = ["--horizon", "2h", "--history", "2d"];
    let json = foreshadow(
        dir.path(),
        &[&args[..], &more, &["--format", "json"]].concat(),
    );
    let told = lines(&json.stdout);
    assert_eq!(told[0]["series"], "load{service=\"checkout\"}");
    assert_eq!(told[0]["values"].as_array().unwrap().len(), 120);

    let plot = foreshadow(dir.path(), &[&args[..], &more].concat());
    let plot = String::from_utf8(plot.stdout).unwrap();
    assert!(
        plot.contains('•') && plot.contains('━') && plot.contains("now, 20"),
        "{plot}"
    );
    a_rule_is_tried_as_it_will_run(dir.path(), url);
}

/// A rule of a file against Prometheus, with thresholds in both directions.
fn a_rule_is_tried_as_it_will_run(dir: &Path, url: &str) {
    let rule = "{forecast: 'service:load', expr: load, step: 10m, history: 30h, horizons: [30m, 2h], bounds: [0, null]}";
    let rules = format!("groups: [{{name: g, rules: [{rule}]}}]");
    fs::write(dir.join("rules.yml"), rules).unwrap();
    let rule = "rules.yml:service:load";
    let flags = "--origins 2 --stride 1h --format json";
    let flags: Vec<&str> = flags.split(' ').collect();
    let below = r#"{service="checkout"} < 150"#;
    let args = [
        "backtest",
        "--prometheus.url",
        url,
        "--rule",
        rule,
        "--threshold",
        below,
    ];
    let output = foreshadow(dir, &[&args[..], &flags].concat());
    let said = String::from_utf8_lossy(&output.stderr);
    // Two days are too short for three days before an origin: it says so, and of the rule's own step and horizon.
    assert!(said.contains("3d2h"), "{said}");
    let plot = foreshadow(dir, &["forecast", "--prometheus.url", url, "--rule", rule]);
    let plot = String::from_utf8(plot.stdout).unwrap();
    assert!(
        plot.contains("load{service=\"checkout\"} (online)"),
        "{plot}"
    );
    let widest = plot.lines().map(|line| line.chars().count()).max();
    assert_eq!(widest, Some(80), "{plot}");
}

#[test]
fn thresholds_have_a_direction_and_are_for_the_series_that_they_name() {
    let dir = tempfile::tempdir().unwrap();
    two_series(dir.path());
    let args = "backtest --csv set --origins 12 --stride 2h --horizon 6h --history 6d";
    let mut args: Vec<&str> = args.split(' ').collect();
    args.extend([
        "--threshold",
        "waves:steady < 70",
        "--threshold",
        "waves:gappy > 260",
    ]);
    args.extend(["--threshold", "waves:nobody > 1"]);
    let output = foreshadow(dir.path(), &args);
    let (report, said) = (
        String::from_utf8(output.stdout).unwrap(),
        String::from_utf8(output.stderr).unwrap(),
    );
    assert!(
        said.contains("no series is meant by the threshold `waves:nobody > 1`"),
        "{said}"
    );
    for (threshold, horizon) in [("waves:steady < 70", "1h"), ("waves:gappy > 260", "1h")] {
        let line = report
            .lines()
            .find(|line| line.starts_with(threshold) && line.contains(horizon));
        let line = line.unwrap_or_else(|| panic!("no {threshold}\n{report}"));
        let skill: f64 = line.split_whitespace().last().unwrap().parse().unwrap();
        assert!(skill > 0.3, "{line}");
    }
    args.extend(["--format", "json"]);
    let rows = lines(&foreshadow(dir.path(), &args).stdout);
    assert_eq!(rows.len(), 4);
    assert!(
        rows.iter().all(|row| row["breach_probability"].is_f64()),
        "{rows:?}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_history_that_prometheus_refuses_at_once_is_read_in_pieces() {
    let dir = tempfile::tempdir().unwrap();
    let refusing = prometheus_with(dir.path(), TWO_DAYS, &["--query.max-samples=500"]).await;
    let args = [
        "forecast",
        "--prometheus.url",
        refusing.url().as_str(),
        "--query",
        "load",
        "--step",
        "1m",
        "--horizon",
        "1h",
        "--history",
        "2d",
        "--format",
        "json",
    ];
    let output = foreshadow(dir.path(), &args);
    let said = String::from_utf8(output.stderr).unwrap();
    assert_eq!((output.status.code(), said.as_str()), (Some(0), ""));
    assert_eq!(
        lines(&output.stdout)[0]["values"].as_array().unwrap().len(),
        60
    );
}
