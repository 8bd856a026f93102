//! Curves of the future, made from models when they are asked for.

use super::{
    Engine, State,
    families::value_of,
    gauges::{ORIGIN, QUANTILE, SOURCE},
    grid::{Grid, Span},
    vintage::{Vintage, levels_of},
};
use crate::{ForecastRule, RuleKind, Source};
use series::{Labels, Matcher, STALE_MARKER, Sample, Selector, Series, Timestamp};
use std::sync::Arc;

/// Why curves were not made.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum CurveError {
    /// More samples than may be held at once.
    #[error(
        "the curves asked for have {wanted} samples, limit is {limit}; ask for fewer series or a shorter range"
    )]
    TooManySamples {
        /// Samples in the answer.
        wanted: usize,
        /// How many there may be.
        limit: usize,
    },
}

/// The value of the `source` label.
const FORESHADOW: &str = "foreshadow";

impl<S: Source> Engine<S> {
    /// The curves that a selector picks, within a range whose ends are included; sorted by labels.
    ///
    /// A curve begins after the evaluation that it was made from and ends with the longest horizon. One spacing
    /// later stands a staleness marker, so that look-back does not drag it on. Only rules that are fresh have curves.
    /// A selector with a matcher on `origin` picks among the curves of earlier evaluations, too, which have that
    /// label. Heavy for many series: call it where blocking is allowed.
    pub fn curves(
        &self,
        selector: &Selector,
        start: Timestamp,
        end: Timestamp,
        now: Timestamp,
    ) -> Result<Vec<Series>, CurveError> {
        let picked = self.picked(selector, now);
        let spans: Vec<_> = picked.iter().map(|p| p.grid().within(start, end)).collect();
        let counts = picked
            .iter()
            .zip(&spans)
            .map(|(p, span)| p.curves.len() * span.len());
        let wanted = counts.fold(0, usize::saturating_add);
        let limit = self.options.max_curve_samples;
        if wanted > limit {
            return Err(CurveError::TooManySamples { wanted, limit });
        }
        let drawn = picked.iter().zip(spans).flat_map(|(p, span)| p.draw(&span));
        let mut series: Vec<_> = drawn.collect();
        series.sort_by(|a, b| a.labels.cmp(&b.labels));
        series.dedup_by(|later, earlier| later.labels == earlier.labels);
        Ok(series)
    }

    /// The labels of the curves that a selector picks, sorted.
    pub fn curve_labels(&self, selector: &Selector, now: Timestamp) -> Vec<Labels> {
        let picked = self.picked(selector, now).into_iter();
        let curves = picked.flat_map(|picked| picked.curves);
        let mut labels: Vec<_> = curves.map(|(labels, _)| labels).collect();
        labels.sort();
        labels.dedup();
        labels
    }

    fn picked(&self, selector: &Selector, now: Timestamp) -> Vec<Picked<'_>> {
        let mut all = Vec::new();
        for state in self.states() {
            let RuleKind::Forecast(rule) = &state.kind else {
                continue;
            };
            let Some(picker) = Picker::of(selector, state, rule) else {
                continue;
            };
            if let Some(output) = state.fresh(now) {
                let rows = output.rows.iter();
                all.extend(rows.filter_map(|row| picker.live(&row.labels, output.at)));
            }
            if picker.asks_for_origins() {
                let levels = levels_of(rule);
                state.with_models(|models| {
                    for (labels, tracked) in models.after(None) {
                        let of_rule = |vintage: &&Arc<Vintage>| vintage.levels() == levels;
                        let vintages = tracked.vintages().iter().filter(of_rule);
                        all.extend(vintages.filter_map(|vintage| picker.issued(labels, vintage)));
                    }
                });
            }
        }
        all
    }
}

/// Picks among the curves of one rule.
struct Picker<'e, 's> {
    state: &'e State,
    rule: &'e ForecastRule,
    name: String,
    levels: Vec<String>,
    matchers: &'s [Matcher],
}

impl<'e, 's> Picker<'e, 's> {
    /// `None` where the name alone lets no curve pass, before anything is done for each series.
    fn of(selector: &'s Selector, state: &'e State, rule: &'e ForecastRule) -> Option<Self> {
        let (name, matchers) = (rule.curve(), selector.matchers());
        let mut of_name = matchers.iter().filter(|m| m.name() == "__name__");
        let levels = rule.quantiles.iter().map(ToString::to_string).collect();
        of_name.all(|matcher| matcher.takes(&name)).then_some(Self {
            state,
            rule,
            name,
            levels,
            matchers,
        })
    }

    fn asks_for_origins(&self) -> bool {
        self.matchers.iter().any(|matcher| matcher.name() == ORIGIN)
    }

    /// The curve as it is now; `None` where it is not asked for.
    fn live(&self, labels: &Labels, evaluated_at: Timestamp) -> Option<Picked<'e>> {
        self.pick(labels, "", evaluated_at, Kind::Live)
    }

    /// A curve as it was.
    fn issued(&self, labels: &Labels, vintage: &Arc<Vintage>) -> Option<Picked<'e>> {
        let issued = Kind::Issued(Arc::clone(vintage));
        self.pick(labels, &vintage.origin(), vintage.at(), issued)
    }

    fn pick(
        &self,
        labels: &Labels,
        origin: &str,
        evaluated_at: Timestamp,
        kind: Kind,
    ) -> Option<Picked<'e>> {
        let is_picked = |level: &str| {
            let added = added(origin, level);
            let seen = |name: &str| match name {
                "__name__" => &self.name,
                _ => value_of(name, labels, &added),
            };
            self.matchers.iter().all(|m| m.takes(seen(m.name())))
        };
        let named = |level: &str| {
            let with = |labels: Labels, (name, value): (&str, &str)| labels.with(name, value);
            let added = added(origin, level).into_iter();
            added.fold(labels.named(&self.name), with)
        };
        let levels = self.levels.iter().enumerate();
        let picked = levels.filter(|(_, level)| is_picked(level));
        let curves: Vec<_> = picked.map(|(idx, level)| (named(level), idx)).collect();
        (!curves.is_empty()).then(|| Picked {
            state: self.state,
            rule: self.rule,
            evaluated_at,
            labels: labels.clone(),
            curves,
            kind,
        })
    }
}

/// What a curve has besides the labels of its input; only one of an earlier evaluation has an origin.
fn added<'a>(origin: &'a str, level: &'a str) -> [(&'static str, &'a str); 3] {
    [(ORIGIN, origin), (QUANTILE, level), (SOURCE, FORESHADOW)]
}

/// One series, and those of its quantiles that are asked for, by their places in the rule.
struct Picked<'e> {
    state: &'e State,
    rule: &'e ForecastRule,
    evaluated_at: Timestamp,
    labels: Labels,
    curves: Vec<(Labels, usize)>,
    kind: Kind,
}

/// Where the values of a curve come from.
enum Kind {
    /// The model.
    Live,
    /// What the model said then.
    Issued(Arc<Vintage>),
}

impl Picked<'_> {
    fn grid(&self) -> Grid {
        Grid::new(self.evaluated_at, self.rule)
    }

    fn draw(&self, span: &Span) -> Vec<Series> {
        let grid = self.grid();
        match &self.kind {
            Kind::Issued(vintage) => {
                let n_levels = self.rule.quantiles.len();
                self.fill(span, |at, idx| vintage.value((grid, n_levels), at, idx))
            }
            Kind::Live => self.state.with_models(|models| {
                let tracked = models.get(&self.labels);
                let Some(model) = tracked.and_then(|tracked| tracked.model()) else {
                    return Vec::new();
                };
                let mut latest = None;
                self.fill(span, |at, idx| {
                    // All levels of one time come one after the other.
                    let (_, foreseen) = match latest.take() {
                        Some((known, foreseen)) if known == at => latest.insert((at, foreseen)),
                        _ => latest.insert((at, model.predict(at))),
                    };
                    foreseen.quantile(self.rule.quantiles[idx])
                })
            }),
        }
    }

    /// Curves of the values at each time of the span, level by level.
    fn fill(&self, span: &Span, mut value: impl FnMut(Timestamp, usize) -> f64) -> Vec<Series> {
        let last = self.grid().last;
        let curve = |(labels, _): &(Labels, usize)| Series {
            labels: labels.clone(),
            samples: Vec::with_capacity(span.len()),
        };
        let mut series: Vec<_> = self.curves.iter().map(curve).collect();
        for at in span.times() {
            for (series, (_, idx)) in series.iter_mut().zip(&self.curves) {
                // The marker is no forecast: the curve has ended.
                let value = if at <= last {
                    value(at, *idx)
                } else {
                    STALE_MARKER
                };
                series.samples.push(Sample { at, value });
            }
        }
        series
    }
}
