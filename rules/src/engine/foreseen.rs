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

/// Values of a [`Course`] at each level.
const N_COURSE: u32 = 48;

/// The median, and the ends of the band that nine of ten values stay in.
const COURSE_LEVELS: [f64; 3] = [0.05, 0.5, 0.95];

/// The course foreseen for a series: its median within its 90 % band, evenly spaced.
#[derive(Debug, Clone, PartialEq)]
pub struct Course {
    /// The time of the first values.
    pub start: Timestamp,
    /// From each value to the next.
    pub spacing: Duration,
    /// The quantile 0.05.
    pub low: Vec<f64>,
    /// The median.
    pub median: Vec<f64>,
    /// The quantile 0.95.
    pub high: Vec<f64>,
}

/// The input of a forecast rule.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Input {
    /// PromQL, as the rule has it.
    pub expr: String,
    /// Series that it gave at the last evaluation.
    pub n_series: usize,
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

    /// The course of that series from the last evaluation to the first horizon that reaches so far ahead, or to the
    /// longest where none does: 48 values of the median and of its 90 % band.
    pub fn course_within(
        &self,
        name: &str,
        matches: &[(String, String)],
        within: Duration,
        now: Timestamp,
    ) -> Option<Course> {
        let Only {
            state,
            rule,
            output,
            row,
        } = self.only(name, matches, now)?;
        let reach = near(rule, within).map(|named| named.horizon.get()).max()?;
        let spacing = reach / N_COURSE;
        let times: Vec<_> = (1..=N_COURSE).map(|n| output.at + spacing * n).collect();
        let levels = COURSE_LEVELS.map(|level| Quantile::new(level).expect("a constant in (0, 1)"));
        state.with_models(|models| {
            let model = models.get(&output.rows[row].labels)?.model()?;
            let values = model.curve(&times, &levels);
            let level = |idx| {
                values
                    .iter()
                    .skip(idx)
                    .step_by(levels.len())
                    .copied()
                    .collect()
            };
            Some(Course {
                start: times[0],
                spacing,
                low: level(0),
                median: level(1),
                high: level(2),
            })
        })
    }

    /// What the forecast `name` reads, while it is fresh.
    pub fn input(&self, name: &str, now: Timestamp) -> Option<Input> {
        self.states().find_map(|state| {
            let RuleKind::Forecast(rule) = &state.kind else {
                return None;
            };
            let output = state.fresh(now).filter(|_| rule.name == name)?;
            Some(Input {
                expr: rule.expr.clone(),
                n_series: output.rows.len(),
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
