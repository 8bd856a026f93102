//! What is served as gauges, name by name and without a copy of it: a hundred thousand series have a million samples.

use super::{
    Engine, Meaning, State,
    gauges::Take,
    state::{Output, Row},
};
use crate::{RuleKind, Source};
use series::{Labels, Matcher, Sample, Selector, Series, Timestamp};
use std::{collections::BTreeMap, sync::Arc};

/// All fresh series of one name. It keeps what it was made from, however many evaluations come after.
pub struct Family {
    name: String,
    meaning: Meaning,
    parts: Vec<Part>,
    /// Where several rules give series of this name: their rows in order of labels, none twice.
    order: Option<Vec<(usize, usize)>>,
}

/// What one rule gives to a family.
struct Part {
    state: Arc<State>,
    output: Arc<Output>,
    meaning: Meaning,
    /// The quantiles of a forecast, as the label has them.
    levels: Vec<String>,
}

/// One sample of a predicted series, true for the time that it was asked for at.
#[derive(Debug, Clone, PartialEq)]
pub struct Predicted {
    /// With the metric name.
    pub labels: Labels,
    /// Never NaN for a forecast.
    pub value: f64,
    /// What it says.
    pub meaning: Meaning,
}

impl<S: Source> Engine<S> {
    /// What is served as gauges, by name.
    pub fn families(&self, now: Timestamp) -> Vec<Family> {
        families(self.states(), now)
    }

    /// What the rules of one group are served as.
    ///
    /// # Panics
    /// When there is no such group.
    pub fn group_families(&self, group_idx: usize, now: Timestamp) -> Vec<Family> {
        families(self.states[group_idx].iter(), now)
    }

    /// All predicted and recorded series that are fresh, sorted by name and labels, none twice.
    pub fn predictions(&self, now: Timestamp) -> Vec<Predicted> {
        let families = self.families(now);
        let all = Selector::default();
        let predictions = families.iter().flat_map(|family| family.picked(&all));
        predictions.map(|(predicted, _)| predicted).collect()
    }

    /// The fresh series that a selector picks, curves aside, each with one sample that has the time of the evaluation
    /// that it is from; sorted by labels. Takes time for each series: call it where blocking is allowed when there are
    /// many.
    pub fn gauges(&self, selector: &Selector, now: Timestamp) -> Vec<Series> {
        let families = self.families(now);
        let picked = families.iter().flat_map(|family| family.picked(selector));
        let gauges = picked.map(|(Predicted { labels, value, .. }, at)| Series {
            labels,
            samples: vec![Sample { at, value }],
        });
        let mut gauges: Vec<_> = gauges.collect();
        gauges.sort_by(|a, b| a.labels.cmp(&b.labels));
        gauges
    }
}

fn families<'s>(states: impl Iterator<Item = &'s Arc<State>>, now: Timestamp) -> Vec<Family> {
    let mut families = BTreeMap::<String, Family>::new();
    for state in states {
        let Some(output) = state.fresh(now) else {
            continue;
        };
        for (name, meaning) in state.kind.gauges() {
            let family = families.entry(name.clone()).or_insert(Family {
                name,
                meaning,
                parts: Vec::new(),
                order: None,
            });
            family.parts.push(Part::new(state, &output, meaning));
        }
    }
    let families = families.into_values().map(Family::ordered);
    families.collect()
}

impl Family {
    /// The name of the metric.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// What its samples say, or the first of them where rules of several kinds share the name.
    pub fn meaning(&self) -> Meaning {
        self.meaning
    }

    /// How many rows there are; each holds the samples that were made from one series.
    pub fn n_rows(&self) -> usize {
        let own = || self.parts.iter().map(|part| part.output.rows.len()).sum();
        self.order.as_ref().map_or_else(own, Vec::len)
    }

    /// The evaluation that a row is from.
    ///
    /// # Panics
    /// When there is no such row.
    pub fn at(&self, row_idx: usize) -> Timestamp {
        self.row(row_idx).0.output.at
    }

    /// The labels that the samples of a row share, which may or may not hold the name.
    ///
    /// # Panics
    /// When there is no such row.
    pub fn labels(&self, row_idx: usize) -> &Labels {
        &self.row(row_idx).1.labels
    }

    /// Hands over the samples of a row: the labels that they share, which may or may not hold the name; those that
    /// each has besides, in order of names; and the value.
    ///
    /// # Panics
    /// When there is no such row.
    pub fn each(&self, row_idx: usize, mut take: impl FnMut(&Labels, &[(&str, &str)], f64)) {
        let (part, row) = self.row(row_idx);
        row.each(
            part.meaning,
            (&part.state.kind, &part.levels),
            &mut take as &mut Take<'_>,
        );
    }

    fn row(&self, row_idx: usize) -> (&Part, &Row) {
        let (part, row) = match &self.order {
            Some(order) => order[row_idx],
            None => (0, row_idx),
        };
        (&self.parts[part], &self.parts[part].output.rows[row])
    }

    fn ordered(mut self) -> Self {
        if self.parts.len() > 1 {
            let labels = |(part, row): &(usize, usize)| &self.parts[*part].output.rows[*row].labels;
            let parts = self.parts.iter().enumerate();
            let rows = parts
                .flat_map(|(idx, part)| (0..part.output.rows.len()).map(move |row| (idx, row)));
            let mut order: Vec<_> = rows.collect();
            order.sort_by(|a, b| labels(a).cmp(labels(b)));
            order.dedup_by(|later, earlier| labels(later) == labels(earlier));
            self.order = Some(order);
        }
        self
    }

    /// The samples that a selector picks, sorted by labels, each with the time of its evaluation.
    fn picked(&self, selector: &Selector) -> Vec<(Predicted, Timestamp)> {
        let matchers = selector.matchers();
        let mut picked = Vec::new();
        let of_name = |matcher: &&Matcher| matcher.name() == "__name__";
        if !matchers
            .iter()
            .filter(of_name)
            .all(|matcher| matcher.takes(&self.name))
        {
            return picked;
        }
        for row_idx in 0..self.n_rows() {
            let at = self.at(row_idx);
            self.each(row_idx, |labels, added, value| {
                let seen = |name: &str| value_of(name, labels, added);
                let is_picked = |m: &Matcher| m.name() == "__name__" || m.takes(seen(m.name()));
                if matchers.iter().all(is_picked) {
                    let predicted = Predicted {
                        labels: labels.named(&self.name).with_all(added),
                        value,
                        meaning: self.meaning,
                    };
                    picked.push((predicted, at));
                }
            });
        }
        picked.sort_by(|(a, _), (b, _)| a.labels.cmp(&b.labels));
        picked.dedup_by(|(later, _), (earlier, _)| later.labels == earlier.labels);
        picked
    }
}

/// The value of a label among those that a series shares with others and those that it has besides.
pub(super) fn value_of<'a>(name: &str, labels: &'a Labels, added: &[(&str, &'a str)]) -> &'a str {
    let own = added.iter().find(|(known, _)| *known == name);
    own.map_or_else(|| labels.get(name), |(_, value)| value)
}

impl Part {
    fn new(state: &Arc<State>, output: &Arc<Output>, meaning: Meaning) -> Self {
        let levels = match &state.kind {
            RuleKind::Forecast(rule) => rule.quantiles.iter().map(ToString::to_string).collect(),
            RuleKind::Record(_) => Vec::new(),
        };
        Self {
            state: Arc::clone(state),
            output: Arc::clone(output),
            meaning,
            levels,
        }
    }
}
