//! The demand of a workload as Prometheus has it.

use super::Span;
use crate::app::App;
use rules::Source as _;
use series::{Sample, Series, Step};
use std::time::Duration;

/// Samples over the whole span.
const N_SAMPLES: u32 = 120;

/// The longest that the page waits for Prometheus.
const PATIENCE: Duration = Duration::from_secs(3);

/// Series of a rule beyond which its expression is too much to ask for one picture.
const MAX_SERIES: usize = 200;

/// The measured demand within a span, up to now.
///
/// # Errors
/// A sentence where it cannot be had.
pub(super) async fn measured(app: &App, workload: &str, span: Span) -> Result<Vec<Sample>, String> {
    let (running, now) = (app.running(), app.now());
    let demand = app.remediation.demand_series(workload);
    let demand = demand.ok_or("the workload is not configured any more")?;
    let name = &demand.forecast;
    let input = running.engine.input(name, now);
    let input = input.ok_or_else(|| format!("{name} has no fresh forecast"))?;
    if input.n_series > MAX_SERIES {
        let n_series = input.n_series;
        return Err(format!("{name} has {n_series} series, too many to ask for"));
    }
    let end = span.end.min(now);
    let step = (span.end.since(span.start) / N_SAMPLES).max(Duration::from_secs(1));
    let step = Step::new(step).map_err(|error| error.to_string())?;
    let asked = running.source.range(&input.expr, span.start, end, step);
    let answer = tokio::time::timeout(PATIENCE, asked).await;
    let answer = answer.map_err(|_| format!("Prometheus gave no answer within {PATIENCE:?}"))?;
    let answer = answer.map_err(|error| format!("{:#}", anyhow::Error::new(error)))?;
    // Labels that the rule or the configuration adds are not on what Prometheus has.
    let is_meant = |series: &Series| {
        let mut wanted = demand.labels.iter();
        wanted.all(|(name, value)| ["", value].contains(&series.labels.get(name)))
    };
    let mut found = answer.value.into_iter().filter(is_meant);
    match (found.next(), found.next()) {
        (Some(series), None) => Ok(series.samples),
        (Some(_), Some(_)) => Err(format!("{name} has more than one such series")),
        (None, _) => Err("Prometheus has no such series".to_owned()),
    }
}
