//! The curves of one series, drawn from its model or from what was kept of an earlier evaluation.

use super::past::Past;
use crate::{
    ForecastRule,
    engine::{
        State,
        grid::{Grid, Span},
        vintage::Vintage,
    },
};
use series::{Labels, STALE_MARKER, Sample, Series, Timestamp};
use std::sync::Arc;

/// One series, and those of its quantiles that are asked for.
pub(super) struct Picked {
    pub(super) rule: Arc<Rule>,
    pub(super) evaluated_at: Timestamp,
    /// Those that the model is known by.
    pub(super) labels: Labels,
    /// The labels of each curve, and the place of its quantile in the rule.
    pub(super) curves: Vec<(Labels, usize)>,
    pub(super) kind: Kind,
}

/// A forecast rule with its models.
pub(super) struct Rule {
    written: ForecastRule,
    state: Arc<State>,
}

/// Where the values of a curve come from.
pub(super) enum Kind {
    /// The model, and before its evaluation the curves that were issued then.
    Live(Past),
    /// What the model said then.
    Issued(Arc<Vintage>),
}

impl Rule {
    pub(super) fn new(state: &Arc<State>, written: &ForecastRule) -> Arc<Self> {
        Arc::new(Self {
            written: written.clone(),
            state: Arc::clone(state),
        })
    }

    pub(super) fn written(&self) -> &ForecastRule {
        &self.written
    }

    pub(super) fn state(&self) -> &State {
        &self.state
    }
}

impl Picked {
    fn grid(&self) -> Grid {
        let rule = &self.rule.written;
        match &self.kind {
            Kind::Live(past) => past.extend(Grid::live(self.evaluated_at, rule)),
            Kind::Issued(_) => Grid::new(self.evaluated_at, rule),
        }
    }

    /// The times of a range that the curves have samples at.
    pub(super) fn span(&self, start: Timestamp, end: Timestamp) -> Span {
        self.grid().within(start, end)
    }

    /// Draws some of the curves at these times.
    pub(super) fn draw(&self, span: &Span, curves: &[usize]) -> Vec<Series> {
        let times: Vec<_> = span.times().collect();
        let last = self.grid().last;
        let foreseen = &times[..times.partition_point(|at| *at <= last)];
        let values = self.values(foreseen, curves);
        let draw = |(n, curve): (usize, &usize)| {
            let own = values.iter().skip(n).step_by(curves.len()).copied();
            // The marker is no forecast: the curve has ended.
            let values = own.chain(std::iter::repeat(STALE_MARKER));
            let samples = times.iter().zip(values);
            Series {
                labels: self.curves[*curve].0.clone(),
                samples: samples
                    .map(|(at, value)| Sample { at: *at, value })
                    .collect(),
            }
        };
        curves.iter().enumerate().map(draw).collect()
    }

    /// The values of some curves, time after time; none of a model that is gone meanwhile.
    fn values(&self, times: &[Timestamp], curves: &[usize]) -> Vec<f64> {
        let quantiles = &self.rule.written.quantiles;
        let levels = curves.iter().map(|curve| self.curves[*curve].1);
        match &self.kind {
            Kind::Issued(vintage) => {
                let grid = (self.grid(), quantiles.len());
                let at = |at: &Timestamp| {
                    let at = *at;
                    levels
                        .clone()
                        .map(move |level| vintage.value(grid, at, level))
                };
                times.iter().flat_map(at).collect()
            }
            Kind::Live(past) => {
                let rule = &self.rule.written;
                let live = Grid::live(self.evaluated_at, rule);
                let (before, ahead) = times.split_at(times.partition_point(|at| *at < live.first));
                let foreseen = |at: &Timestamp| {
                    let at = *at;
                    levels.clone().map(move |level| past.value(rule, at, level))
                };
                let mut values: Vec<_> = before.iter().flat_map(foreseen).collect();
                let levels: Vec<_> = levels.map(|level| quantiles[level]).collect();
                self.rule.state.with_models(|models| {
                    let model = models.get(&self.labels).and_then(|tracked| tracked.model());
                    if let Some(model) = model {
                        values.extend(model.curve(ahead, &levels));
                    }
                });
                values
            }
        }
    }
}
