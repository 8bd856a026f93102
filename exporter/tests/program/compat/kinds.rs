//! The ways to ask about the future.

use super::setting::{MANY, RULES, Server};
use crate::world::now;
use serde_json::Value;
use tokio::time::{Instant, sleep};

/// One way to ask.
#[derive(Clone, Copy)]
pub(super) enum Kind {
    Now,
    Instant,
    Range,
    Offset,
    AtEnd,
    Function,
    Labels,
    Recording,
    Alert,
    CleanEnd,
    Earlier,
    Error,
    Many,
}

const MEDIAN: &str = r#"load:forecast_curve{source="foreshadow", quantile="0.5"}"#;

/// The furthest horizon of the rule, in seconds.
const REACH: i64 = 30 * 60;

impl Kind {
    pub(super) const ALL: [Self; 13] = [
        Self::Now,
        Self::Instant,
        Self::Range,
        Self::Offset,
        Self::AtEnd,
        Self::Function,
        Self::Labels,
        Self::Recording,
        Self::Alert,
        Self::CleanEnd,
        Self::Earlier,
        Self::Error,
        Self::Many,
    ];

    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Now => "now, and a graph of the last hour",
            Self::Instant => "an instant in the future",
            Self::Range => "a range into the future, without holes",
            Self::Offset => "`offset -15m`",
            Self::AtEnd => "`@ end()`",
            Self::Function => "`max_over_time` over the future",
            Self::Labels => "the labels of curves (`/api/v1/series`)",
            Self::Recording => "a recording rule on the curve",
            Self::Alert => "an alerting rule on the curve",
            Self::CleanEnd => "the curve ends where it ends",
            Self::Earlier => "the curve of an earlier evaluation",
            Self::Error => "its distance from what was measured",
            Self::Many => "10,000 series",
        }
    }

    pub(super) async fn ask(self, server: &Server) -> Result<(), String> {
        let now = now_seconds();
        match self {
            Self::Now => {
                load_like(&instant(server, MEDIAN, now).await?)?;
                let last_hour = range(server, MEDIAN, (now - 3_600, now)).await?;
                without_holes(&last_hour, 1)
            }
            Self::Instant => load_like(&instant(server, MEDIAN, now + 300).await?),
            Self::Offset => {
                load_like(&instant(server, &format!("{MEDIAN} offset -15m"), now).await?)
            }
            Self::AtEnd => at_end(server, now).await,
            Self::Range => without_holes(&range(server, MEDIAN, (now, now + 900)).await?, 55),
            Self::Function => {
                let query = format!("max_over_time({MEDIAN}[20m] offset -20m)");
                load_like(&instant(server, &query, now).await?)
            }
            Self::Labels => labels(server).await,
            Self::Recording => eventually(server, "load:in_10m").await,
            Self::Alert => {
                eventually(
                    server,
                    r#"ALERTS{alertname="LoadAhead", alertstate="firing"}"#,
                )
                .await
            }
            Self::CleanEnd => clean_end(server, now).await,
            Self::Earlier => {
                let values = range(server, &earlier(), (now, now + 900)).await?;
                without_holes(&values, 50)
            }
            Self::Error => {
                let (earlier, measured) = (earlier(), "last_over_time(load[2h])");
                let query = format!(
                    "abs({earlier} - ignoring (source, quantile) group_left () {measured})"
                );
                let distance = instant(server, &query, now + 300).await?;
                within(&distance, 0.0..50.0)
            }
            Self::Many => {
                let query = r#"count(many:forecast_curve{source="foreshadow"})"#;
                let counted = instant(server, query, now + 300).await?;
                within(&counted, MANY as f64..MANY as f64 + 0.5)
            }
        }
    }
}

/// Curves as they were issued, taken together: there are two when another was issued since the start.
fn earlier() -> String {
    let curves = MEDIAN.replace("0.5\"", "0.5\", origin=~\".+\"");
    format!("max without (origin) ({curves})")
}

/// Data that Prometheus has itself come in spite of a remote read that breaks off, with a warning and no failure.
pub(super) async fn survives(server: &Server, curve: &str, minutes: i64) -> Result<(), String> {
    let query = format!(r#"last_over_time(load[2h]) or {curve}{{source="foreshadow"}}"#);
    let time = (now_seconds() + 60 * minutes).to_string();
    let answer = server
        .get("query", &[("query", &query), ("time", &time)])
        .await?;
    let n_results = answer["data"]["result"].as_array().map_or(0, Vec::len);
    let warned = answer["warnings"]
        .as_array()
        .is_some_and(|warnings| !warnings.is_empty());
    if n_results == 1 && warned {
        return Ok(());
    }
    Err(format!(
        "{n_results} series, warnings: {}",
        answer["warnings"]
    ))
}

async fn instant(server: &Server, query: &str, time: i64) -> Result<Vec<f64>, String> {
    let time = time.to_string();
    let answer = complete(
        server
            .get("query", &[("query", query), ("time", &time)])
            .await?,
    )?;
    let series = answer["data"]["result"].as_array().ok_or("no result")?;
    let value = |one: &Value| number(&one["value"][1]);
    series.iter().map(value).collect()
}

/// The points of the only series, every 15 seconds.
async fn range(
    server: &Server,
    query: &str,
    (start, end): (i64, i64),
) -> Result<Vec<(i64, f64)>, String> {
    let (start, end) = (start.to_string(), end.to_string());
    let form = [
        ("query", query),
        ("start", &start),
        ("end", &end),
        ("step", "15"),
    ];
    let answer = complete(server.get("query_range", &form).await?)?;
    let series = answer["data"]["result"].as_array().ok_or("no result")?;
    let [series] = &series[..] else {
        return Err(format!("{} series instead of one", series.len()));
    };
    let points = series["values"].as_array().ok_or("no values")?;
    let point = |point: &Value| {
        let at = point[0].as_f64().ok_or("no time")?.to_string();
        Ok((
            at.parse().map_err(|_| "no whole second")?,
            number(&point[1])?,
        ))
    };
    points.iter().map(point).collect()
}

/// An answer to which no warning was given.
fn complete(answer: Value) -> Result<Value, String> {
    match answer.get("warnings") {
        Some(warnings) => Err(format!("warnings: {warnings}")),
        None => Ok(answer),
    }
}

fn number(text: &Value) -> Result<f64, String> {
    let number = text.as_str().and_then(|text| text.parse().ok());
    number.ok_or_else(|| format!("{text} is no number"))
}

fn within(values: &[f64], range: std::ops::Range<f64>) -> Result<(), String> {
    match values {
        [value] if range.contains(value) => Ok(()),
        _ => Err(format!("{values:?} instead of one within {range:?}")),
    }
}

/// Where the load was in all of its past, with room for a band.
fn load_like(values: &[f64]) -> Result<(), String> {
    within(values, 180.0..240.0)
}

fn without_holes(points: &[(i64, f64)], n_least: usize) -> Result<(), String> {
    let torn = points.windows(2).find(|pair| pair[1].0 - pair[0].0 != 15);
    match torn {
        Some(pair) => Err(format!("a hole between {} and {}", pair[0].0, pair[1].0)),
        None if points.len() < n_least => Err(format!("only {} points", points.len())),
        None => Ok(()),
    }
}

/// The value at the end, at every step.
async fn at_end(server: &Server, now: i64) -> Result<(), String> {
    let points = range(server, &format!("{MEDIAN} @ end()"), (now - 600, now + 600)).await?;
    let mut values: Vec<_> = points.iter().map(|(_, value)| *value).collect();
    values.dedup();
    if points.len() != 81 {
        return Err(format!("{} points instead of 81", points.len()));
    }
    load_like(&values)
}

async fn labels(server: &Server) -> Result<(), String> {
    let selector = r#"load:forecast_curve{source="foreshadow"}"#;
    let answer = complete(server.get("series", &[("match[]", selector)]).await?)?;
    let series = answer["data"].as_array().ok_or("no data")?;
    let quantiles: Vec<_> = series
        .iter()
        .filter_map(|labels| labels["quantile"].as_str())
        .collect();
    if quantiles == ["0.1", "0.5", "0.9"] {
        return Ok(());
    }
    Err(format!("quantiles {quantiles:?}"))
}

/// Something that a rule writes.
async fn eventually(server: &Server, query: &str) -> Result<(), String> {
    let deadline = Instant::now() + RULES;
    loop {
        let values = instant(server, query, now_seconds()).await?;
        if let [_] = values[..] {
            return Ok(());
        }
        if Instant::now() > deadline {
            return Err(format!(
                "{} series of {query} within {RULES:?}",
                values.len()
            ));
        }
        sleep(std::time::Duration::from_millis(200)).await;
    }
}

/// The look-back of five minutes does not drag the line on beyond the last forecast and one spacing.
async fn clean_end(server: &Server, now: i64) -> Result<(), String> {
    let points = range(server, MEDIAN, (now, now + 2 * REACH)).await?;
    let last = points.last().map_or(0, |(at, _)| at - now);
    // Evaluated a few seconds ago at most, or a minute on a machine that is busy.
    if (REACH - 120..=REACH + 60).contains(&last) {
        return Ok(());
    }
    Err(format!("the last point is {last} s ahead"))
}

fn now_seconds() -> i64 {
    now().as_millis() / 1_000
}
