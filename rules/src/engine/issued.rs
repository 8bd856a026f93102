//! Curves as they are issued, for whoever sends them on: each once, a bounded piece at a time.

use super::{
    Engine, State,
    gauges::{curve_labels, of_curve},
    grid::{Grid, Span},
    vintage::{Vintage, levels_of},
};
use crate::{ForecastRule, RuleKind, Source};
use series::{Labels, STALE_MARKER, Sample, Series, Timestamp};

/// How far somebody has come with the curves of one group.
#[derive(Debug, Clone, Default)]
pub struct Bookmark {
    /// The place of a rule in its group.
    rule: usize,
    /// The series whose curves were handed over last.
    last: Option<Labels>,
}

impl<S: Source> Engine<S> {
    /// Curves that the rules of a group issued after `since` and no later than `upto`, with their `origin`: whole, at
    /// least one series' and no more once there are `max_samples`. Empty when there are no more behind the bookmark,
    /// which moves on.
    ///
    /// # Panics
    /// When there is no such group.
    pub fn issued(
        &self,
        group_idx: usize,
        (since, upto): (Timestamp, Timestamp),
        bookmark: &mut Bookmark,
        max_samples: usize,
    ) -> Vec<Series> {
        let mut curves = Vec::new();
        while let Some(state) = self.states[group_idx].get(bookmark.rule) {
            if let RuleKind::Forecast(rule) = &state.kind {
                let of_rule = (&**state, rule);
                let stopped_at =
                    piece(of_rule, (since, upto), bookmark, (&mut curves, max_samples));
                if stopped_at.is_some() {
                    bookmark.last = stopped_at;
                    return curves;
                }
            }
            *bookmark = Bookmark {
                rule: bookmark.rule + 1,
                last: None,
            };
        }
        curves
    }

    /// How many samples the curves have that [`Engine::issued`] has yet to hand over. Draws none of them.
    ///
    /// # Panics
    /// When there is no such group.
    pub fn n_issued(
        &self,
        group_idx: usize,
        (since, upto): (Timestamp, Timestamp),
        bookmark: &Bookmark,
    ) -> usize {
        let states = self.states[group_idx].iter().enumerate();
        let rest = states.skip(bookmark.rule).filter_map(|(idx, state)| {
            let RuleKind::Forecast(rule) = &state.kind else {
                return None;
            };
            let last = bookmark.last.as_ref().filter(|_| idx == bookmark.rule);
            let is_new = is_new(rule, (since, upto));
            let n_samples = |vintage: &Vintage| rule.quantiles.len() * times(rule, vintage).len();
            Some(state.with_models(|models| {
                let vintages = models
                    .after(last)
                    .flat_map(|(_, tracked)| tracked.vintages().iter());
                vintages
                    .filter(|vintage| is_new(vintage))
                    .map(|vintage| n_samples(vintage))
                    .sum::<usize>()
            }))
        });
        rest.sum()
    }
}

/// Whether a curve was issued after a time and no later than another, at the quantiles that the rule has now.
fn is_new(
    rule: &ForecastRule,
    (since, upto): (Timestamp, Timestamp),
) -> impl Fn(&Vintage) -> bool + use<> {
    let levels = levels_of(rule);
    move |vintage| {
        let at = vintage.at();
        since < at && at <= upto && vintage.levels() == levels
    }
}

/// Those of a whole curve, marker included.
fn times(rule: &ForecastRule, vintage: &Vintage) -> Span {
    let grid = Grid::new(vintage.at(), rule);
    grid.within(grid.first, Timestamp::from_millis(i64::MAX))
}

/// Adds the curves behind the bookmark; gives the series that it stopped at when there are enough.
fn piece(
    (state, rule): (&State, &ForecastRule),
    (since, upto): (Timestamp, Timestamp),
    bookmark: &Bookmark,
    (curves, max_samples): (&mut Vec<Series>, usize),
) -> Option<Labels> {
    let is_new = is_new(rule, (since, upto));
    let mut n_samples: usize = curves.iter().map(|curve| curve.samples.len()).sum();
    state.with_models(|models| {
        for (labels, tracked) in models.after(bookmark.last.as_ref()) {
            let vintages = tracked.vintages().iter();
            for vintage in vintages.filter(|vintage| is_new(vintage)) {
                let drawn = draw(rule, labels, vintage);
                n_samples += drawn.iter().map(|curve| curve.samples.len()).sum::<usize>();
                curves.extend(drawn);
            }
            if n_samples >= max_samples {
                return Some(labels.clone());
            }
        }
        None
    })
}

/// One curve each quantile, as they are served.
fn draw(rule: &ForecastRule, labels: &Labels, vintage: &Vintage) -> Vec<Series> {
    let grid = Grid::new(vintage.at(), rule);
    let times = times(rule, vintage);
    let (name, origin) = (rule.curve(), vintage.origin());
    let n_levels = rule.quantiles.len();
    let curve = |(idx, level): (usize, &series::Quantile)| {
        let value = |at| {
            if at <= grid.last {
                vintage.value((grid, n_levels), at, idx)
            } else {
                STALE_MARKER
            }
        };
        let sample = |at| Sample {
            at,
            value: value(at),
        };
        Series {
            labels: curve_labels(labels, &name, of_curve(&origin, &level.to_string())),
            samples: times.times().map(sample).collect(),
        }
    };
    rule.quantiles.iter().enumerate().map(curve).collect()
}
