//! The part of a live curve that lies before its evaluation: the values foreseen by the curves issued until then.

use crate::{
    ForecastRule,
    engine::{
        grid::Grid,
        vintage::{Vintage, levels_of},
    },
};
use series::{STALE_MARKER, Timestamp};
use std::sync::Arc;

/// Issued curves that lead up to the live one without a gap, newest first.
#[derive(Default)]
pub(super) struct Past {
    issued: Vec<Arc<Vintage>>,
    /// The first time that one of them has a value at; `None` where there are none.
    begin: Option<Timestamp>,
}

impl Past {
    /// Collects them from the curves of one series, oldest first. They reach back as far as the longest horizon
    /// reaches ahead, and end at the first gap, as one after a stop of the program.
    pub(super) fn of(
        issued: &[Arc<Vintage>],
        evaluated_at: Timestamp,
        rule: &ForecastRule,
    ) -> Self {
        let levels = levels_of(rule);
        let live = Grid::live(evaluated_at, rule);
        let mut past = Self::default();
        let mut next = live.first;
        for vintage in issued
            .iter()
            .rev()
            .filter(|issued| issued.levels() == levels)
        {
            let grid = Grid::new(vintage.at(), rule);
            if !grid.leads_up_to(next) {
                break;
            }
            if grid.first < next {
                next = grid.first;
                past.issued.push(Arc::clone(vintage));
            }
        }
        let earliest = live.first - rule.longest_horizon();
        past.begin = (next < live.first).then(|| next.max(earliest));
        past
    }

    /// The grid of the live curve from the first of these values on.
    pub(super) fn extend(&self, live: Grid) -> Grid {
        self.begin.map_or(live, |begin| live.since(begin))
    }

    /// The value at a time on the grid, by the curve issued last before it, at the level of this place in the rule.
    pub(super) fn value(&self, rule: &ForecastRule, at: Timestamp, level: usize) -> f64 {
        let grids = self
            .issued
            .iter()
            .map(|issued| (issued, Grid::new(issued.at(), rule)));
        let mut covering = grids.filter(|(_, grid)| grid.first <= at);
        covering.next().map_or(STALE_MARKER, |(issued, grid)| {
            issued.value((grid, rule.quantiles.len()), at, level)
        })
    }
}
