//! Reads what is drawn from Prometheus, and from what the demo saw on the way.

use super::{Ahead, Curve, Moment, Picture};
use crate::{
    evidence::Evidence,
    fleet::{CONTROL, MANAGED},
    sources::Sources,
    terminal::minutes,
    verdict,
};
use series::{Sample, Series, Timestamp};
use std::time::Duration;

/// How long before the opening the picture begins, and how long after the end of the run it ends.
const BEFORE: Duration = Duration::from_mins(3);
const AFTER: Duration = Duration::from_mins(10);
/// Prometheus' own scrape interval in the demo.
const EVERY: Duration = Duration::from_secs(5);
/// The spacing of a curve's samples, which lie on multiples of it.
const SPACING: Duration = Duration::from_mins(1);
/// How far ahead a curve is read: the longest that the picture can show of it.
const AHEAD: Duration = Duration::from_mins(20);

/// Reads the curve of the managed service as Prometheus shows it now; `None` when there is none.
///
/// # Errors
/// When Prometheus does not answer.
pub async fn curve(sources: &Sources, now: Timestamp) -> anyhow::Result<Option<Curve>> {
    let expr = format!(
        "service:http_requests:rate2m:forecast_curve{{service=\"{MANAGED}\",source=\"foreshadow\"}}"
    );
    let from = now.align_down(SPACING) + SPACING;
    let curves = sources.range(&expr, (from, from + AHEAD), SPACING).await?;
    let ahead = band(&curves);
    Ok((!ahead.is_empty()).then_some(Curve {
        read_at: now,
        ahead,
    }))
}

/// Joins the three quantiles where all of them have a sample.
fn band(curves: &[Series]) -> Vec<Ahead> {
    let of_level = |level: &str| {
        let found = curves
            .iter()
            .find(|series| series.labels.get("quantile") == level);
        found.map_or(&[][..], |series| &series.samples)
    };
    let at = |level: &str, at: Timestamp| {
        let found = of_level(level).iter().find(|sample| sample.at == at);
        found.map(|sample| sample.value)
    };
    let medians = of_level("0.5").iter();
    medians
        .filter_map(|median| {
            Some(Ahead {
                at: median.at,
                lower: at("0.05", median.at)?,
                median: median.value,
                upper: at("0.95", median.at)?,
            })
        })
        .collect()
}

/// Reads the rest at the end of a run.
///
/// # Errors
/// When Prometheus does not answer.
pub async fn read(
    sources: &Sources,
    evidence: &Evidence,
    forecast: Option<Curve>,
    now: Timestamp,
) -> anyhow::Result<Picture> {
    let from = evidence.opening - BEFORE;
    // The expressions of the recording rules, since what these record begins with the run.
    let line = async |expr: String| -> anyhow::Result<Vec<Sample>> {
        let series = sources.range(&expr, (from, now), EVERY).await?;
        Ok(series
            .into_iter()
            .next()
            .map_or_else(Vec::new, |series| series.samples))
    };
    let latency = |service: &str| {
        format!(
            "histogram_quantile(0.99, sum by (le) \
             (rate(http_request_duration_seconds_bucket{{service=\"{service}\"}}[1m])))"
        )
    };
    let load = format!("sum(rate(http_requests_total{{service=\"{MANAGED}\"}}[2m]))");
    let capacity =
        |service: &str| format!("100 * sum(service_ready_replicas{{service=\"{service}\"}})");
    Ok(Picture {
        from,
        until: now + AFTER,
        now,
        title: title(evidence).to_owned(),
        subtitle: subtitle(evidence),
        load: line(load).await?,
        capacity: line(capacity(MANAGED)).await?,
        control_capacity: line(capacity(CONTROL)).await?,
        forecast,
        managed: line(latency(MANAGED)).await?,
        control: line(latency(CONTROL)).await?,
        moments: moments(evidence, now),
    })
}

fn title(evidence: &Evidence) -> &'static str {
    if verdict::missing(evidence).is_empty() {
        "A breach, seen coming and averted"
    } else {
        "A run of the demo that did not go as it should"
    }
}

fn subtitle(evidence: &Evidence) -> String {
    let ready = evidence.changes.first().map(|change| change.ready_at);
    let lead = ready.zip(evidence.control.first_breach);
    match lead.filter(|(ready, breach)| ready <= breach) {
        Some((ready, breach)) => format!(
            "Two services, one load. Foreshadow had scaled {MANAGED} {} before its twin, left alone, broke the objective.",
            minutes(breach.since(ready))
        ),
        None => format!("Two services, one load. Foreshadow looks after {MANAGED} alone."),
    }
}

fn moments(evidence: &Evidence, now: Timestamp) -> Vec<Moment> {
    let moment = |at: Timestamp, what: &str| Moment {
        at,
        what: what.to_owned(),
    };
    let mut moments = vec![
        moment(evidence.opening, "the sale opens"),
        moment(now, "now"),
    ];
    let alert = evidence.alert.firing;
    moments.extend(alert.map(|at| moment(at, "alert on the forecast fires")));
    if let Some(change) = evidence.changes.first() {
        let action = format!("action: {} → {} replicas", change.from, change.to);
        moments.push(moment(change.at, &action));
        moments.push(moment(change.ready_at, "replicas ready"));
    }
    moments.sort_by_key(|moment| moment.at);
    moments
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::verdict::tests::averted;
    use series::Labels;

    fn curve(quantile: &str, values: &[(i64, f64)]) -> Series {
        let sample = |(minute, value): &(i64, f64)| Sample {
            at: Timestamp::from_seconds(60 * minute),
            value: *value,
        };
        Series {
            labels: Labels::new([("quantile", quantile)]).unwrap(),
            samples: values.iter().map(sample).collect(),
        }
    }

    #[test]
    fn a_band_is_there_where_all_of_its_quantiles_are() {
        let curves = [
            curve("0.95", &[(1, 12.0), (2, 22.0), (3, 32.0)]),
            curve("0.05", &[(1, 8.0), (3, 28.0)]),
            curve("0.25", &[(2, 19.0)]),
            curve("0.5", &[(1, 10.0), (2, 20.0), (3, 30.0)]),
        ];
        let ahead = band(&curves);
        let seen: Vec<_> = ahead
            .iter()
            .map(|a| (a.at.as_millis() / 60_000, a.lower, a.upper))
            .collect();
        assert_eq!(seen, [(1, 8.0, 12.0), (3, 28.0, 32.0)]);
        assert_eq!(band(&curves[..2]), []);
    }

    #[test]
    fn the_words_are_those_of_the_evidence() {
        let mut evidence = averted();
        let lead = "scaled checkout 2 min 13 s before its twin, left alone, broke the objective.";
        assert!(
            subtitle(&evidence).ends_with(lead),
            "{}",
            subtitle(&evidence)
        );
        let now = evidence.opening + Duration::from_mins(4);
        let words: Vec<_> = moments(&evidence, now)
            .into_iter()
            .map(|m| m.what)
            .collect();
        let expect = [
            "alert on the forecast fires",
            "action: 4 → 6 replicas",
            "replicas ready",
            "the sale opens",
            "now",
        ];
        assert_eq!(words, expect);
        evidence.changes.clear();
        evidence.actions.clear();
        assert!(subtitle(&evidence).ends_with("looks after checkout alone."));
        assert_eq!(
            title(&evidence),
            "A run of the demo that did not go as it should"
        );
    }
}
