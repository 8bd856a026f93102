//! The one number that a scaling action is sized for.

use super::{
    Engine,
    state::{Output, Row, State},
};
use crate::{ForecastRule, NamedHorizon, RuleKind, Source};
use forecast::Standing;
use series::{Horizon, Quantile, Timestamp};
use std::{sync::Arc, time::Duration};

/// The largest value that is foreseen for a series.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Foreseen {
    /// The value at the quantile that was asked for.
    pub value: f64,
    /// When it is expected.
    pub at: Timestamp,
    /// How far ahead of the evaluation that is.
    pub horizon: Horizon,
    /// The last finite value seen.
    pub current: f64,
}

impl<S: Source> Engine<S> {
    /// The largest value at a quantile over the horizons of the forecast `name`, for the series whose labels hold
    /// all these pairs; an empty value asks for an absent label. `None` when there is no such series, when
    /// there is more than one, since neither their sum nor any of them need be what is meant, and when the
    /// forecast is stale.
    pub fn foreseen(
        &self,
        name: &str,
        matches: &[(String, String)],
        quantile: Quantile,
        now: Timestamp,
    ) -> Option<Foreseen> {
        self.foreseen_within(name, matches, (quantile, Duration::MAX), now)
    }

    /// The same over the horizons up to the first that reaches so far ahead, or over all where none does.
    pub fn foreseen_within(
        &self,
        name: &str,
        matches: &[(String, String)],
        (quantile, within): (Quantile, Duration),
        now: Timestamp,
    ) -> Option<Foreseen> {
        let Only {
            state,
            rule,
            output,
            row,
        } = self.only(name, matches, now)?;
        let labels = &output.rows[row].labels;
        state.with_models(|models| {
            let tracked = models.get(labels)?;
            let model = tracked.model()?;
            let ahead = near(rule, within).map(|named| {
                let at = output.at + named.horizon.get();
                let value = model.predict(at).quantile(quantile);
                (value, at, named.horizon)
            });
            // Of equal values the nearest.
            let (value, at, horizon) = ahead.rev().max_by(|a, b| a.0.total_cmp(&b.0))?;
            let current = tracked.seen().current;
            Some(Foreseen {
                value,
                at,
                horizon,
                current,
            })
        })
    }

    /// How good the forecasts of that series have been at the furthest of those horizons that has been judged; `None`
    /// until enough of them came due.
    pub fn standing_within(
        &self,
        name: &str,
        matches: &[(String, String)],
        within: Duration,
        now: Timestamp,
    ) -> Option<Standing> {
        let only = self.only(name, matches, now)?;
        let standings = &only.output.rows[only.row].quality.standings;
        let n_near = near(only.rule, within).count();
        standings.iter().take(n_near).rev().find_map(|known| *known)
    }

    /// The one fresh series of a forecast whose labels hold all these pairs.
    fn only(&self, name: &str, matches: &[(String, String)], now: Timestamp) -> Option<Only<'_>> {
        let mut found = None;
        for state in self.states() {
            let RuleKind::Forecast(rule) = &state.kind else {
                continue;
            };
            let Some(output) = state.fresh(now).filter(|_| rule.name == name) else {
                continue;
            };
            for (row, Row { labels, .. }) in output.rows.iter().enumerate() {
                let has_all = matches
                    .iter()
                    .all(|(name, value)| labels.get(name) == value);
                if !has_all {
                    continue;
                }
                let output = Arc::clone(&output);
                let only = Only {
                    state,
                    rule,
                    output,
                    row,
                };
                if found.replace(only).is_some() {
                    return None;
                }
            }
        }
        found
    }
}

/// A series, and where it stands.
struct Only<'e> {
    state: &'e State,
    rule: &'e ForecastRule,
    output: Arc<Output>,
    row: usize,
}

/// The horizons up to the first that reaches so far ahead, or all where none does.
fn near(
    rule: &ForecastRule,
    within: Duration,
) -> impl DoubleEndedIterator<Item = &NamedHorizon> + '_ {
    let lengths = rule.horizons.iter().map(|named| named.horizon.get());
    let reach = lengths.filter(|length| *length >= within).min();
    let is_near =
        move |named: &&NamedHorizon| reach.is_none_or(|reach| named.horizon.get() <= reach);
    rule.horizons.iter().filter(is_near)
}
