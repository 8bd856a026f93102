//! Evaluates a `record:` rule as Prometheus would.

use super::{
    Context,
    state::{Done, Quality, Row, State},
};
use crate::{Evaluated, Failure, RecordRule, Source};

pub(super) async fn evaluate<S: Source>(
    context: &Context<'_, S>,
    state: &State,
    rule: &RecordRule,
) -> Result<Done, Failure> {
    let answer = context
        .source
        .instant(&rule.expr, context.queried_at)
        .await?;
    context.leave_out(answer.left_out);
    context.count(answer.value.len());
    if answer.value.len() > context.limit {
        return Err(Failure::too_many_series(answer.value.len(), context.limit));
    }
    let samples = answer
        .value
        .into_iter()
        .map(|(labels, sample)| (labels, vec![sample]));
    let samples = state.labelling.merge(samples)?;
    let rows = samples.into_iter().map(|(labels, samples)| Row {
        labels: labels.named(&rule.name),
        values: samples.iter().map(|sample| sample.value).collect(),
        quality: Quality::default(),
    });
    let rows: Vec<_> = rows.collect();
    let figures = Evaluated {
        series: rows.len(),
        samples: rows.len(),
        warnings: answer.warnings,
        ..Evaluated::default()
    };
    Ok(Done { figures, rows })
}
