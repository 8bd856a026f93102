//! The whole loop as `make demo` runs it: real Prometheus, real Alertmanager, a breach averted, and what a user then sees.
#![expect(
    clippy::unwrap_used,
    reason = "the helpers of tests may panic as tests do"
)]

use promql::parser::Expr;
use series::{Step, Timestamp, is_stale_marker};
use std::{
    io::{BufRead as _, BufReader, Read as _},
    path::Path,
    process::{Child, Command, Stdio},
    time::Duration,
};
use testbed::http_client;
use url::Url;

const DASHBOARD: &str = include_str!("../../dashboards/foreshadow.json");

/// A demo that is left running, killed when dropped.
struct Kept(Child);

impl Drop for Kept {
    fn drop(&mut self) {
        // SIGTERM lets it end its own children; it is waited for, so that none outlives the test.
        let pid = self.0.id().to_string();
        let _ = Command::new("kill").args(["-TERM", &pid]).status();
        let _ = self.0.wait();
    }
}

/// Runs the demo until it says that it is still running; returns what it printed.
fn run_and_keep() -> (Kept, String) {
    let demo = Path::new(env!("CARGO_BIN_EXE_foreshadow-demo"));
    let foreshadow = demo.with_file_name("foreshadow");
    assert!(
        foreshadow.exists(),
        "{} is not there: cargo build -p exporter",
        foreshadow.display()
    );
    let mut command = Command::new(demo);
    command
        .arg("--keep")
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    let mut child = command.spawn().unwrap();
    let out = BufReader::new(child.stdout.take().unwrap());
    let mut kept = Kept(child);
    let mut said = String::new();
    for line in out.lines().map(Result::unwrap) {
        said += &(line + "\n");
        if said.contains("  the fleet      http") {
            return (kept, said);
        }
    }
    let mut errors = String::new();
    kept.0
        .stderr
        .take()
        .unwrap()
        .read_to_string(&mut errors)
        .unwrap();
    panic!("the demo ended early:\n{said}\n{errors}");
}

/// The address that the demo printed behind a word.
fn address(said: &str, behind: &str) -> Url {
    let line = said
        .lines()
        .rfind(|line| line.trim_start().starts_with(behind))
        .unwrap();
    let url: Url = line.split_whitespace().last().unwrap().parse().unwrap();
    url.join("/").unwrap()
}

#[expect(
    clippy::disallowed_methods,
    reason = "the real Prometheus has the real clock"
)]
fn now() -> Timestamp {
    let since_epoch = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
    Timestamp::default() + since_epoch.unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn the_breach_is_averted_and_everything_about_it_can_be_seen() {
    let (_kept, said) = tokio::task::spawn_blocking(run_and_keep).await.unwrap();
    assert!(
        said.contains("The breach that happened without the action did not happen"),
        "{said}"
    );
    // What it says of the restart, it has measured; a history that was read again would be missing from the promise.
    let restart = said
        .lines()
        .find(|line| line.contains("series went on from their saved models"));
    let restart = restart.unwrap_or_else(|| panic!("no word of the restart:\n{said}"));
    assert!(restart.trim_start().starts_with("2 series"), "{restart}");
    let http = http_client(Duration::from_secs(10)).unwrap();
    let url = address(&said, "the curve");
    let client = prometheus_api::Client::new(url, http, prometheus_api::Limits::default());
    curve_lies_in_the_future(&client).await;
    dashboard_shows_something(&client).await;
}

/// Prometheus itself answers a range query that ends in an hour.
async fn curve_lies_in_the_future(client: &prometheus_api::Client) {
    let (begin, step) = (now(), Step::new(Duration::from_mins(1)).unwrap());
    let end = begin + Duration::from_hours(1);
    let curve =
        r#"service:http_requests:rate2m:forecast_curve{source="foreshadow",quantile="0.5"}"#;
    let answer = client.range(curve, begin, end, step).await.unwrap();
    assert_eq!(
        (answer.value.len(), &answer.warnings[..]),
        (2, &[][..]),
        "one curve a service"
    );
    for series in answer.value {
        let future: Vec<_> = series.samples.iter().filter(|s| s.at > begin).collect();
        assert!(future.len() >= 58, "{} samples ahead", future.len());
        assert!(
            future
                .iter()
                .all(|s| s.value > 0.0 && !is_stale_marker(s.value))
        );
    }
}

/// Every expression of the dashboard parses, and every metric in it is there.
async fn dashboard_shows_something(client: &prometheus_api::Client) {
    let mut n_selectors = 0;
    for expr in expressions() {
        let parsed = promql::parse(&expr);
        let parsed = parsed.unwrap_or_else(|error| panic!("{expr}: {error}"));
        for metric in metrics(&parsed) {
            let at = now();
            // A curve is asked about the future, everything else about the whole run.
            let (asked, at) = if metric.ends_with(":forecast_curve") {
                (
                    format!("{metric}{{source=\"foreshadow\"}}"),
                    at + Duration::from_mins(10),
                )
            } else {
                (format!("last_over_time({metric}[15m])"), at)
            };
            let answer = client
                .instant(&format!("count({asked})"), at)
                .await
                .unwrap();
            assert!(
                !answer.value.is_empty(),
                "nothing exposes {metric}, which {expr} shows"
            );
            n_selectors += 1;
        }
    }
    assert!(
        n_selectors >= 19,
        "only {n_selectors} selectors found in the dashboard"
    );
}

/// All PromQL of the dashboard, with its variables filled in as a user of the demo would choose them.
fn expressions() -> Vec<String> {
    let dashboard: serde_json::Value = serde_json::from_str(DASHBOARD).unwrap();
    let mut found = Vec::new();
    collect(&dashboard, &mut found);
    let fill = |expr: String| {
        // How good a forecast was shows when enough of them came due: within minutes for one of seconds ahead.
        let is_judged = expr.contains("_mase_ratio") || expr.contains("_coverage_ratio");
        let window = if is_judged { "1m" } else { "2m" };
        let forecast = format!("service:http_requests:rate{window}");
        let values = [
            ("${forecast}", forecast.as_str()),
            ("$label", "service"),
            ("$value", "checkout"),
            ("$horizon", "5m"),
            ("$lower_quantile", "0.05"),
            ("$upper_quantile", "0.95"),
            ("$__rate_interval", "1m"),
        ];
        let filled = values
            .iter()
            .fold(expr, |text, (name, value)| text.replace(name, value));
        assert!(
            !filled.contains('$'),
            "a variable without a value: {filled}"
        );
        filled
    };
    found.into_iter().map(fill).collect()
}

fn collect(value: &serde_json::Value, found: &mut Vec<String>) {
    match value {
        serde_json::Value::Object(map) => {
            found.extend(map.get("expr").and_then(|e| e.as_str()).map(str::to_owned));
            map.values().for_each(|inner| collect(inner, found));
        }
        serde_json::Value::Array(items) => items.iter().for_each(|inner| collect(inner, found)),
        _ => {}
    }
}

/// The names that an expression selects.
fn metrics(expr: &Expr) -> Vec<String> {
    match expr {
        Expr::VectorSelector(selector) => selector.name.iter().cloned().collect(),
        Expr::MatrixSelector(selector) => selector.vs.name.iter().cloned().collect(),
        Expr::Aggregate(aggregate) => metrics(&aggregate.expr),
        Expr::Unary(unary) => metrics(&unary.expr),
        Expr::Paren(paren) => metrics(&paren.expr),
        Expr::Subquery(subquery) => metrics(&subquery.expr),
        Expr::Binary(binary) => [&binary.lhs, &binary.rhs]
            .into_iter()
            .flat_map(|side| metrics(side))
            .collect(),
        Expr::Call(call) => call.args.args.iter().flat_map(|arg| metrics(arg)).collect(),
        _ => Vec::new(),
    }
}
