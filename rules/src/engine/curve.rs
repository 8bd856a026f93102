//! Curves of the future, made from models when they are asked for.

mod past;
mod picked;
mod picker;

use super::{Engine, grid::Span};
use crate::Source;
use picked::Picked;
use picker::Picker;
use series::{Escaping, Labels, Selector, Series, Timestamp};

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

impl<S: Source> Engine<S> {
    /// The curves that a selector picks, within a range whose ends are included; sorted by labels.
    ///
    /// A curve ends with the longest horizon after the evaluation that it was made from. One spacing later stands a
    /// staleness marker, so that look-back does not drag it on. It has a sample at the evaluation, so that a query of
    /// now is answered, and before it the values that the curves issued last before each time foresaw, as far back as
    /// the longest horizon and without gaps. Only rules that are fresh have curves. A selector with a matcher on
    /// `origin` picks among the curves of earlier evaluations, too, which have that label and begin after theirs.
    /// Heavy for many series: call it where blocking is allowed.
    pub fn curves(
        &self,
        selector: &Selector,
        start: Timestamp,
        end: Timestamp,
        now: Timestamp,
    ) -> Result<Vec<Series>, CurveError> {
        Ok(self.plan(selector, start, end, now)?.draw().collect())
    }

    /// What [`Engine::curves`] would give, before any value is computed.
    pub fn plan(
        &self,
        selector: &Selector,
        start: Timestamp,
        end: Timestamp,
        now: Timestamp,
    ) -> Result<CurvePlan, CurveError> {
        let plan = CurvePlan::new(self.picked(selector, start, now), start, end);
        let (wanted, limit) = (plan.n_samples(), self.options.max_curve_samples);
        if wanted > limit {
            return Err(CurveError::TooManySamples { wanted, limit });
        }
        Ok(plan)
    }

    /// The labels of the curves that a selector picks, sorted.
    pub fn curve_labels(&self, selector: &Selector, now: Timestamp) -> Vec<Labels> {
        let plan = CurvePlan::new(self.picked(selector, now, now), now, now);
        plan.outlines().map(|(labels, _)| labels.clone()).collect()
    }

    fn picked(&self, selector: &Selector, start: Timestamp, now: Timestamp) -> Vec<Picked> {
        let mut all = Vec::new();
        for state in self.states() {
            let Some(picker) = Picker::of(selector, state) else {
                continue;
            };
            if let Some(output) = state.fresh(now) {
                picker.pick_live(&output, start, &mut all);
            }
            if picker.asks_for_origins() {
                picker.pick_issued(&mut all);
            }
        }
        all
    }
}

/// Curves that are yet to be drawn. Holds what they are drawn from, not the engine.
pub struct CurvePlan {
    /// Each with the times that its curves have in the range that is asked for.
    picked: Vec<(Picked, Span)>,
    /// In order of labels: the place of a series among the picked, and of the curve among its own.
    order: Vec<(usize, usize)>,
    n_samples: usize,
}

impl CurvePlan {
    fn new(picked: Vec<Picked>, start: Timestamp, end: Timestamp) -> Self {
        let series = picked.iter().enumerate();
        let curves = series.flat_map(|(idx, one)| (0..one.curves.len()).map(move |n| (idx, n)));
        let order = curves.collect();
        let spanned = picked.into_iter().map(|one| {
            let span = one.span(start, end);
            (one, span)
        });
        let mut plan = Self {
            picked: spanned.collect(),
            order,
            n_samples: 0,
        };
        plan.sort();
        plan
    }

    /// The same with names written for those who accept plain names only. A curve that has the labels of another then,
    /// or two labels of one name, is left out.
    #[must_use]
    pub fn escaped(mut self, escaping: Escaping) -> Self {
        let mut order = Vec::with_capacity(self.order.len());
        for (idx, curve) in self.order {
            let labels = &mut self.picked[idx].0.curves[curve].0;
            if let Some(escaped) = labels.escaped(escaping) {
                *labels = escaped;
                order.push((idx, curve));
            }
        }
        self.order = order;
        self.sort();
        self
    }

    fn sort(&mut self) {
        let picked = &self.picked;
        let labels = |(idx, curve): &(usize, usize)| &picked[*idx].0.curves[*curve].0;
        self.order.sort_by(|a, b| labels(a).cmp(labels(b)));
        self.order
            .dedup_by(|later, earlier| labels(later) == labels(earlier));
        let lengths = self.order.iter().map(|(idx, _)| picked[*idx].1.len());
        self.n_samples = lengths.fold(0, usize::saturating_add);
    }

    /// The labels and the times of each curve; a curve that has no time in the range is there without.
    pub fn outlines(&self) -> impl Iterator<Item = (&Labels, impl Iterator<Item = Timestamp>)> {
        self.order.iter().map(|(idx, curve)| {
            let (picked, span) = &self.picked[*idx];
            (&picked.curves[*curve].0, span.times())
        })
    }

    /// How many samples there are.
    pub fn n_samples(&self) -> usize {
        self.n_samples
    }

    /// Draws them, sorted by labels, each when it is taken; curves of one series that follow each other together.
    pub fn draw(self) -> impl Iterator<Item = Series> + Send + 'static {
        let mut place = 0;
        std::iter::from_fn(move || {
            let (idx, _) = *self.order.get(place)?;
            let of_same = |(other, _): &&(usize, usize)| *other == idx;
            let run = self.order[place..].iter().take_while(of_same);
            let curves: Vec<_> = run.map(|(_, curve)| *curve).collect();
            place += curves.len();
            let (picked, span) = &self.picked[idx];
            Some(picked.draw(span, &curves))
        })
        .flatten()
    }
}
