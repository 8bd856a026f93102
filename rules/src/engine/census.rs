//! The parts that a rule's series are asked for in: all at once, or value by value of a label.

use super::{Context, models::Models, reader::Shard, state::State};
use crate::{
    Failure, FailureReason, ForecastRule, Source,
    shards::{census, shard},
};
use prometheus_api::Reason;
use series::Timestamp;
use std::collections::{BTreeMap, BTreeSet};

/// Values of one label that are asked for one after the other; more of them would not fit into an interval.
const MAX_VALUES: usize = 1_000;

/// The parts of a rule's series at one time. A label's values are counted first: one small answer, by which a rule
/// that gives too many series is stopped, too.
pub(super) async fn parts<S: Source>(
    context: &Context<'_, S>,
    state: &State,
    rule: &ForecastRule,
    at: Timestamp,
) -> Result<Vec<Shard>, Failure> {
    let Some(label) = &rule.for_each else {
        let (expr, n_series) = (rule.expr.clone(), state.with_models(Models::len));
        return Ok(vec![Shard { expr, n_series }]);
    };
    let census = census(&rule.expr, label);
    let counted = context.complete(context.source.instant(&census, at).await?)?;
    context.count(counted.len());
    if counted.len() > MAX_VALUES {
        let n_values = counted.len();
        let message = format!(
            "`{label}` has {n_values} values, at most {MAX_VALUES} are asked for one by one"
        );
        return Err(Failure::new(
            FailureReason::Query(Reason::TooManySeries),
            message,
        ));
    }
    let counted = counted.into_iter();
    let counted = counted.map(|(labels, count)| (labels.get(label).to_owned(), whole(count.value)));
    let mut values: BTreeMap<_, _> = counted.collect();
    let n_series = values.values().sum();
    if n_series > context.limit {
        return Err(Failure::too_many_series(n_series, context.limit));
    }
    for value in known_values(state, label) {
        values.entry(value).or_insert(0);
    }
    let part = |(value, n_series): (String, usize)| {
        let expr = shard(&rule.expr, label, &value).map_err(|error| {
            let message = format!("for {label}={value:?}, the expression {error}");
            Failure::new(FailureReason::Query(Reason::Rejected), message)
        })?;
        Ok(Shard { expr, n_series })
    };
    values.into_iter().map(part).collect()
}

#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "a count is a small whole number, and such casts stop at the ends of the range"
)]
fn whole(count: f64) -> usize {
    count as usize
}

/// The values of a label among the series that are known. One whose series are all away is asked for as well, since
/// they may have had samples since the last evaluation. A value that the rule or the outside gave gives nothing then.
fn known_values(state: &State, label: &str) -> BTreeSet<String> {
    state.with_models(|models| {
        let labels = models.after(None).map(|(labels, _)| labels.get(label));
        labels
            .collect::<BTreeSet<_>>()
            .into_iter()
            .map(str::to_owned)
            .collect()
    })
}
