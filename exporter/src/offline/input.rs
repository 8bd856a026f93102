//! Which series a one-off forecast or backtest reads: CSV files, or a Prometheus query.

use super::{csv, subject::Subject};
use crate::{clock, redact::redacted, say::complain, visible::visible};
use anyhow::{Context as _, bail, ensure};
use forecast::History;
use prometheus_api::{Client, Limits, MAX_POINTS, QueryError, Shrinking};
use series::{Labels, PromDuration, Sample, Step, Timestamp};
use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};

/// One series, under the name that reports give it.
pub(crate) struct Named {
    pub(crate) name: String,
    /// Of a series of Prometheus.
    pub(crate) labels: Option<Labels>,
    /// What was measured, in order of time.
    samples: Vec<Sample>,
    pub(crate) history: History,
}

impl Named {
    /// Forgets all but the last steps of the history, unless nothing finite would be left.
    pub(crate) fn keep_last(&mut self, n_steps: usize) {
        let n = self.history.values().len();
        if let Some(part) = self.history.part(n.saturating_sub(n_steps)..n) {
            self.history = part;
        }
    }

    /// The time of the last sample in a grid cell, which need not stand at the cell's beginning.
    pub(crate) fn stamp(&self, cell: Timestamp) -> Timestamp {
        let end = cell + self.history.step().get();
        let after = self.samples.partition_point(|sample| sample.at < end);
        after
            .checked_sub(1)
            .map_or(cell, |idx| self.samples[idx].at)
    }
}

/// All series that could be read.
pub(crate) struct Input {
    pub(crate) series: Vec<Named>,
    /// Files that could not be, and were named on standard error.
    n_unreadable: usize,
}

impl Input {
    /// Fails, when all is done that could be, where some file was left out.
    pub(crate) fn check(&self) -> anyhow::Result<()> {
        match self.n_unreadable {
            0 => Ok(()),
            1 => bail!("one file could not be read and was left out"),
            n => bail!("{n} files could not be read and were left out"),
        }
    }
}

/// Reads all series on the grid of `step`. A file that cannot be read, and a series without a finite sample, are
/// left out with a word on standard error.
pub(crate) fn read(subject: &Subject<'_>, reach: Duration) -> anyhow::Result<Input> {
    let (columns, n_unreadable) = match &subject.query {
        Some(query) => (from_prometheus(subject, query, reach)?, 0),
        None => csv::read(&subject.source.csv)?,
    };
    let mut series = Vec::new();
    for csv::Column {
        name,
        labels,
        samples,
    } in columns
    {
        match History::from_samples(&samples, subject.step) {
            Ok(history) => series.push(Named {
                name: visible(&name).into_owned(),
                labels,
                samples,
                history,
            }),
            Err(error) => complain(format_args!("{name} is left out: {error}")),
        }
    }
    ensure!(!series.is_empty(), "there is no series to forecast");
    Ok(Input {
        series,
        n_unreadable,
    })
}

fn from_prometheus(
    subject: &Subject<'_>,
    query: &str,
    reach: Duration,
) -> anyhow::Result<Vec<csv::Column>> {
    let step = subject.step;
    let url = subject.source.prometheus_url.url("prometheus.url")?;
    let limits = Limits::default();
    let http = reqwest::Client::builder().timeout(limits.timeout).build()?;
    let client = Client::new(url.clone(), http, limits);
    let end = clock::now().align_down(step.get());
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    let read = runtime.block_on(history(&client, query, (end - reach, end), step));
    let Answered { series, unread } = read.with_context(|| format!("asking {}", redacted(&url)))?;
    if let Some((missing, error)) = unread {
        let (missing, wanted) = (PromDuration::new(missing), PromDuration::new(reach));
        complain(format_args!(
            "the oldest {missing} of the {wanted} asked for are missing: {error}"
        ));
    }
    let column = |(labels, samples): (Labels, Vec<Sample>)| csv::Column {
        name: labels.to_string(),
        labels: Some(labels),
        samples,
    };
    Ok(series.into_iter().map(column).collect())
}

/// What a query gave.
struct Answered {
    series: BTreeMap<Labels, Vec<Sample>>,
    /// How much is missing at the beginning, and why.
    unread: Option<(Duration, QueryError)>,
}

/// Reads a range from the newest on, in smaller pieces where Prometheus refuses one for what it takes. What it refuses
/// in small pieces, too, is left out, unless that is all.
async fn history(
    client: &Client,
    query: &str,
    (start, end): (Timestamp, Timestamp),
    step: Step,
) -> Result<Answered, QueryError> {
    let mut pieces = Shrinking::new((start, end), step, MAX_POINTS);
    let (mut series, mut refused) = (BTreeMap::<_, Vec<_>>::new(), None);
    let (mut warnings, mut reasons) = (BTreeSet::new(), BTreeSet::new());
    while let Some((from, to)) = pieces.piece() {
        match client.range(query, from, to, step).await {
            Ok(answer) => {
                pieces.answered();
                reasons.extend(answer.left_out.reasons);
                warnings.extend(answer.warnings);
                for one in answer.value {
                    let newest_first = one.samples.into_iter().rev();
                    series.entry(one.labels).or_default().extend(newest_first);
                }
            }
            Err(error) => {
                let Some(kind) = error.refusal() else {
                    return Err(error);
                };
                let is_over = !pieces.refused(kind);
                if is_over && series.is_empty() {
                    return Err(error);
                }
                refused = Some(error);
                if is_over {
                    break;
                }
            }
        }
    }
    for warning in &warnings {
        complain(format_args!("Prometheus warns: {warning}"));
    }
    for reason in &reasons {
        complain(format_args!("series are left out: {reason}"));
    }
    for samples in series.values_mut() {
        samples.reverse();
    }
    let missing = pieces
        .read_from(end)
        .map_or_else(|| end.since(start), |from| from.since(start));
    let refused = refused.filter(|_| !pieces.is_complete());
    Ok(Answered {
        series,
        unread: refused.map(|error| (missing, error)),
    })
}
