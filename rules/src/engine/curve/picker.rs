//! Which curves of a rule a selector picks.

use super::{
    past::Past,
    picked::{Kind, Picked, Rule},
};
use crate::{
    RuleKind,
    engine::{
        State,
        families::value_of,
        gauges::{ORIGIN, curve_labels, of_curve},
        grid::Grid,
        state::Output,
        tracked::Tracked,
        vintage::{Vintage, levels_of},
    },
};
use series::{Labels, Matcher, Selector, Timestamp};
use std::sync::Arc;

/// Picks among the curves of one rule.
pub(super) struct Picker<'s> {
    rule: Arc<Rule>,
    name: String,
    levels: Vec<String>,
    matchers: &'s [Matcher],
}

impl<'s> Picker<'s> {
    /// `None` where there are no curves, or the name alone lets none pass, before anything is done for each series.
    pub(super) fn of(selector: &'s Selector, state: &Arc<State>) -> Option<Self> {
        let RuleKind::Forecast(rule) = &state.kind else {
            return None;
        };
        let (name, matchers) = (rule.curve(), selector.matchers());
        let mut of_name = matchers.iter().filter(|m| m.name() == "__name__");
        of_name.all(|matcher| matcher.takes(&name)).then(|| Self {
            levels: rule.quantiles.iter().map(ToString::to_string).collect(),
            rule: Rule::new(state, rule),
            name,
            matchers,
        })
    }

    pub(super) fn asks_for_origins(&self) -> bool {
        self.matchers.iter().any(|matcher| matcher.name() == ORIGIN)
    }

    /// Takes the curves as they are now, with their past where a range that begins at `start` reaches it.
    pub(super) fn pick_live(&self, output: &Output, start: Timestamp, to: &mut Vec<Picked>) {
        let rule = self.rule.written();
        let live = |labels| self.pick(labels, "", output.at, Kind::Live(Past::default()));
        let picked = output.rows.iter().filter_map(|row| live(&row.labels));
        if start >= Grid::live(output.at, rule).first {
            to.extend(picked);
            return;
        }
        self.rule.state().with_models(|models| {
            to.extend(picked.map(|picked| {
                let issued = models.get(&picked.labels).map(Tracked::vintages);
                let past = Past::of(issued.unwrap_or_default(), output.at, rule);
                Picked {
                    kind: Kind::Live(past),
                    ..picked
                }
            }));
        });
    }

    /// Takes the curves as they were issued earlier.
    pub(super) fn pick_issued(&self, to: &mut Vec<Picked>) {
        let levels = levels_of(self.rule.written());
        let of_rule = |vintage: &&Arc<Vintage>| vintage.levels() == levels;
        self.rule.state().with_models(|models| {
            for (labels, tracked) in models.after(None) {
                for vintage in tracked.vintages().iter().filter(of_rule) {
                    let issued = Kind::Issued(Arc::clone(vintage));
                    to.extend(self.pick(labels, &vintage.origin(), vintage.at(), issued));
                }
            }
        });
    }

    fn pick(
        &self,
        labels: &Labels,
        origin: &str,
        evaluated_at: Timestamp,
        kind: Kind,
    ) -> Option<Picked> {
        let is_picked = |level: &str| {
            let added = of_curve(origin, level);
            let seen = |name: &str| match name {
                "__name__" => &self.name,
                _ => value_of(name, labels, &added),
            };
            self.matchers.iter().all(|m| m.takes(seen(m.name())))
        };
        let named = |level: &str| curve_labels(labels, &self.name, of_curve(origin, level));
        let levels = self.levels.iter().enumerate();
        let picked = levels.filter(|(_, level)| is_picked(level));
        let curves: Vec<_> = picked.map(|(idx, level)| (named(level), idx)).collect();
        (!curves.is_empty()).then(|| Picked {
            rule: Arc::clone(&self.rule),
            evaluated_at,
            labels: labels.clone(),
            curves,
            kind,
        })
    }
}
