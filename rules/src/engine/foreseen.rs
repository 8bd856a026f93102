//! The one number that a scaling action is sized for.

use super::Engine;
use crate::{RuleKind, Source};
use series::{Horizon, Quantile, Timestamp};
use std::time::Duration;

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
        let mut found = None;
        for state in self.states() {
            let RuleKind::Forecast(rule) = &state.kind else {
                continue;
            };
            let Some(output) = state.fresh(now).filter(|_| rule.name == name) else {
                continue;
            };
            for row in &output.rows {
                let has_all = matches
                    .iter()
                    .all(|(name, value)| row.labels.get(name) == value);
                if has_all
                    && found
                        .replace((state, rule, output.at, row.labels.clone()))
                        .is_some()
                {
                    return None;
                }
            }
        }
        let (state, rule, evaluated_at, labels) = found?;
        state.with_models(|models| {
            let tracked = models.get(&labels)?;
            let model = tracked.model()?;
            let lengths = rule.horizons.iter().map(|named| named.horizon.get());
            let reach = lengths.filter(|length| *length >= within).min();
            let near = |length: Duration| reach.is_none_or(|reach| length <= reach);
            let near: Vec<_> = rule
                .horizons
                .iter()
                .filter(|named| near(named.horizon.get()))
                .collect();
            let ahead = near.into_iter().map(|named| {
                let at = evaluated_at + named.horizon.get();
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
}
