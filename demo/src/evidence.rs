//! What happened, read back from Prometheus when it is over.

use crate::{
    actions::Action,
    fleet::{CONTROL, Change, MANAGED},
    restart::Restart,
    sources::{ALERT, Sources},
    watch::{OBJECTIVE_SECONDS, Sightings},
};
use series::{PromDuration, Sample, Series, Timestamp};
use std::time::Duration;

/// The spacing of the samples that are read back: Prometheus' own evaluation interval.
const EVERY: Duration = Duration::from_secs(5);
/// The share of the capacity at which the alert stands.
const ALERT_SHARE: f64 = 0.9;

/// Everything that the report and the verdict rest on.
#[derive(Debug, Clone, PartialEq)]
pub struct Evidence {
    /// When the sale opened.
    pub opening: Timestamp,
    /// What a restart cost.
    pub restart: Option<Restart>,
    /// The first forecast that spoke of the overload.
    pub foreseen: Option<Foreseen>,
    /// The alert about the managed service.
    pub alert: Alert,
    /// Foreshadow's journal.
    pub actions: Vec<Action>,
    /// What became of the managed service's replicas.
    pub changes: Vec<Change>,
    /// The service with Foreshadow.
    pub managed: Outcome,
    /// The service without.
    pub control: Outcome,
}

/// When the alert was seen where.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Alert {
    /// Its condition became true in Prometheus.
    pub pending: Option<Timestamp>,
    /// It fired in Prometheus.
    pub firing: Option<Timestamp>,
    /// Alertmanager had it.
    pub alertmanager: Option<Timestamp>,
}

/// A forecast above what the replicas of its time keep the objective with.
#[derive(Debug, Clone, PartialEq)]
pub struct Foreseen {
    /// When it was made.
    pub at: Timestamp,
    /// How far ahead it spoke.
    pub ahead: Duration,
    /// Level and value of each quantile, ascending.
    pub quantiles: Vec<(f64, f64)>,
    /// Requests per second that the ready replicas served.
    pub capacity: f64,
}

/// How one service kept the objective.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Outcome {
    /// The worst 99 % quantile of the latency, in seconds.
    pub worst_p99: f64,
    /// When the objective was first missed.
    pub first_breach: Option<Timestamp>,
    /// How long it was missed.
    pub in_breach: Duration,
    /// Requests in all.
    pub requests: f64,
    /// Requests that took longer than the objective or failed.
    pub slow_or_failed: f64,
    /// What it cost.
    pub replica_minutes: f64,
}

impl Foreseen {
    /// The value that the objective cannot be kept above.
    pub fn threshold(&self) -> f64 {
        ALERT_SHARE * self.capacity
    }

    /// A quantile's value; NaN when it was not asked for.
    pub fn quantile(&self, level: f64) -> f64 {
        let found = self
            .quantiles
            .iter()
            .find(|(at, _)| (at - level).abs() < 1e-9);
        found.map_or(f64::NAN, |(_, value)| *value)
    }

    /// The lowest level whose quantile exceeds the threshold: the chance of staying below is no more than that.
    pub fn lowest_level_above(&self) -> Option<f64> {
        let above = self
            .quantiles
            .iter()
            .find(|(_, value)| *value > self.threshold());
        above.map(|(level, _)| *level)
    }
}

/// Reads it all back.
pub async fn gather(
    sources: &Sources,
    (start, end): (Timestamp, Timestamp),
    seen: Sightings,
    (opening, changes): (Timestamp, Vec<Change>),
) -> anyhow::Result<Evidence> {
    let selector = format!("{{service=\"{MANAGED}\"}}");
    let forecasts = format!("service:http_requests:rate2m:forecast{selector}");
    let forecasts = sources.range(&forecasts, (start, end), EVERY).await?;
    let capacity = format!("service:http_requests:capacity{selector}");
    let capacity = sources.range(&capacity, (start, end), EVERY).await?;
    let alerts = format!("ALERTS{{alertname=\"{ALERT}\",service=\"{MANAGED}\"}}");
    let alerts = sources
        .range(&alerts, (start, end), Duration::from_secs(1))
        .await?;
    Ok(Evidence {
        opening,
        restart: seen.restart,
        foreseen: first_foreseen(&forecasts, capacity.first()),
        alert: Alert {
            pending: first_in_state(&alerts, "pending"),
            firing: first_in_state(&alerts, "firing"),
            alertmanager: seen.alertmanager,
        },
        actions: seen.actions,
        changes: changes
            .into_iter()
            .filter(|change| change.service == MANAGED)
            .collect(),
        managed: outcome(sources, MANAGED, (start, end)).await?,
        control: outcome(sources, CONTROL, (start, end)).await?,
    })
}

async fn outcome(
    sources: &Sources,
    service: &str,
    (start, end): (Timestamp, Timestamp),
) -> anyhow::Result<Outcome> {
    let p99 = format!("service:http_request_duration_seconds:p99{{service=\"{service}\"}}");
    let p99 = sources.range(&p99, (start, end), EVERY).await?;
    let p99: &[Sample] = p99.first().map_or(&[], |series| &series.samples);
    let breaches: Vec<_> = p99
        .iter()
        .filter(|sample| sample.value > OBJECTIVE_SECONDS)
        .collect();

    let length = end.since(start);
    let window = PromDuration::new(length);
    let increase = |name: &str, bound: &str| {
        format!("sum(increase({name}{{service=\"{service}\"{bound}}}[{window}]))")
    };
    let requests = increase("http_request_duration_seconds_count", "");
    let within = format!(",le=\"{OBJECTIVE_SECONDS}\"");
    let within = increase("http_request_duration_seconds_bucket", &within);
    let replicas = format!("avg_over_time(service_replicas{{service=\"{service}\"}}[{window}])");
    let requests = sources.value(&requests, end).await?;
    Ok(Outcome {
        worst_p99: p99
            .iter()
            .map(|sample| sample.value)
            .fold(f64::NAN, f64::max),
        first_breach: breaches.first().map(|sample| sample.at),
        in_breach: EVERY * u32::try_from(breaches.len()).unwrap_or(u32::MAX),
        requests,
        slow_or_failed: (requests - sources.value(&within, end).await?).max(0.0),
        replica_minutes: sources.value(&replicas, end).await? * length.as_secs_f64() / 60.0,
    })
}

/// The first time at which a median exceeds what the objective can be kept with, at the nearest horizon.
fn first_foreseen(forecasts: &[Series], capacity: Option<&Series>) -> Option<Foreseen> {
    let capacity = &capacity?.samples;
    let medians = || {
        forecasts
            .iter()
            .filter(|series| series.labels.get("quantile") == "0.5")
    };
    capacity.iter().find_map(
        |Sample {
             at,
             value: capacity,
         }| {
            let above = medians().filter(|series| value_at(series, *at) > ALERT_SHARE * capacity);
            let horizon = |series: &Series| {
                let ahead: PromDuration = series.labels.get("horizon").parse().ok()?;
                Some(ahead.get())
            };
            let ahead = above.filter_map(horizon).min()?;
            let same_horizon = forecasts
                .iter()
                .filter(|series| horizon(series) == Some(ahead));
            let mut quantiles: Vec<(f64, f64)> = same_horizon
                .filter_map(|series| {
                    let level = series.labels.get("quantile").parse().ok()?;
                    Some((level, value_at(series, *at)))
                })
                .collect();
            quantiles.sort_by(|one, other| one.0.total_cmp(&other.0));
            Some(Foreseen {
                at: *at,
                ahead,
                quantiles,
                capacity: *capacity,
            })
        },
    )
}

/// The value at a time; NaN when there is none.
fn value_at(series: &Series, at: Timestamp) -> f64 {
    let idx = series.samples.binary_search_by_key(&at, |sample| sample.at);
    idx.map_or(f64::NAN, |idx| series.samples[idx].value)
}

fn first_in_state(alerts: &[Series], state: &str) -> Option<Timestamp> {
    let of_state = alerts
        .iter()
        .filter(|series| series.labels.get("alertstate") == state);
    of_state
        .filter_map(|series| Some(series.samples.first()?.at))
        .min()
}

#[cfg(test)]
mod tests {
    use super::*;
    use series::Labels;

    fn series(labels: &[(&str, &str)], values: &[f64]) -> Series {
        let at = (0..).map(Timestamp::from_seconds);
        Series {
            labels: Labels::new(labels.iter().copied()).unwrap(),
            samples: at
                .zip(values)
                .map(|(at, value)| Sample { at, value: *value })
                .collect(),
        }
    }

    fn forecast(horizon: &str, quantile: &str, values: &[f64]) -> Series {
        series(&[("horizon", horizon), ("quantile", quantile)], values)
    }

    #[test]
    fn the_first_median_above_the_threshold_counts_at_its_nearest_horizon() {
        let forecasts = [
            forecast("15m", "0.5", &[300.0, 380.0]),
            forecast("5m", "0.95", &[350.0, 450.0]),
            forecast("5m", "0.5", &[300.0, 370.0]),
            forecast("5m", "0.05", &[200.0, 350.0]),
            forecast("3m", "0.5", &[200.0, 210.0]),
        ];
        let foreseen = first_foreseen(&forecasts, Some(&series(&[], &[400.0, 400.0]))).unwrap();
        assert_eq!(foreseen.at, Timestamp::from_seconds(1));
        assert_eq!(foreseen.ahead, Duration::from_mins(5));
        assert_eq!(
            foreseen.quantiles,
            [(0.05, 350.0), (0.5, 370.0), (0.95, 450.0)]
        );
        assert_eq!(foreseen.lowest_level_above(), Some(0.5));
    }

    #[test]
    fn nothing_is_foreseen_below_the_threshold() {
        let forecasts = [forecast("5m", "0.5", &[359.0])];
        assert_eq!(
            first_foreseen(&forecasts, Some(&series(&[], &[400.0]))),
            None
        );
        assert_eq!(first_foreseen(&forecasts, None), None);
    }
}
