//! A curve in one go: each step ahead is looked at once, and at those levels alone that are asked for.

use super::Online;
use crate::{
    Fitted as _,
    distribution::{Place, between},
    history::steps_between,
};
use series::{Quantile, Timestamp};

/// The values at some levels, time after time: those of the distribution at each time, but for levels that cross by a
/// rounding and are not looked at, which the distribution puts in order.
pub(super) fn draw(model: &Online, times: &[Timestamp], levels: &[Quantile]) -> Vec<f64> {
    let (needed, places) = places(levels);
    let mut steps = Steps::new(model, needed);
    let mut values = Vec::with_capacity(times.len() * levels.len());
    for at in times {
        let row = steps.look(steps_between(model.origin(), *at, model.step));
        if row.is_sound {
            values.extend(places.iter().map(|place| place.value(&row.values)));
        } else {
            // Crossed, by a rounding or in a state that no history leads to.
            let foreseen = model.predict(*at);
            values.extend(levels.iter().map(|level| foreseen.quantile(*level)));
        }
    }
    values
}

/// Those of [`Distribution::LEVELS`](crate::Distribution::LEVELS) that are needed, in order, and where each level stands
/// among them.
fn places(levels: &[Quantile]) -> (Vec<usize>, Vec<Place>) {
    let places = levels.iter().map(|level| Place::of(*level));
    let mut needed: Vec<_> = places
        .clone()
        .flat_map(|place| [place.below, place.above])
        .collect();
    needed.sort_unstable();
    needed.dedup();
    let among = |idx| needed.partition_point(|known| *known < idx);
    let places = places.map(|place| Place {
        below: among(place.below),
        above: among(place.above),
        ..place
    });
    let places = places.collect();
    (needed, places)
}

/// Looks ahead, and keeps what it saw at the last two steps.
struct Steps<'a> {
    model: &'a Online,
    needed: Vec<usize>,
    kept: [(Option<usize>, Row); 2],
    mixed: Row,
}

/// Values at the needed levels.
#[derive(Clone)]
struct Row {
    values: Vec<f64>,
    /// Whether a distribution would leave them as they are.
    is_sound: bool,
}

impl<'a> Steps<'a> {
    fn new(model: &'a Online, needed: Vec<usize>) -> Self {
        let empty = Row {
            values: vec![0.0; needed.len()],
            is_sound: false,
        };
        Self {
            model,
            needed,
            kept: [(None, empty.clone()), (None, empty.clone())],
            mixed: empty,
        }
    }

    /// The values so far ahead, as [`interpolate`](crate::distribution::interpolate) makes them.
    fn look(&mut self, (whole, part): (usize, f64)) -> &Row {
        if whole == 0 || part <= 0.0 {
            let kept = self.keep(whole.max(1));
            return &self.kept[kept].1;
        }
        let [before, after] = [whole, whole.saturating_add(1)].map(|ahead| self.keep(ahead));
        let [before, after] = [before, after].map(|kept| &self.kept[kept].1.values);
        let pairs = before.iter().zip(after);
        for (mixed, (before, after)) in self.mixed.values.iter_mut().zip(pairs) {
            *mixed = between(*before, *after, part);
        }
        self.mixed.check();
        &self.mixed
    }

    /// Where the values of a step are kept, now at the latest. Two steps that follow each other never share a place.
    fn keep(&mut self, ahead: usize) -> usize {
        let place = ahead % 2;
        let (kept, row) = &mut self.kept[place];
        if *kept != Some(ahead) {
            *kept = Some(ahead);
            let ahead = u32::try_from(ahead).unwrap_or(u32::MAX);
            let (foreseen, offsets) = self.model.engine.foresee(ahead);
            for (value, level) in row.values.iter_mut().zip(&self.needed) {
                *value = self.model.value(foreseen + offsets[*level]);
            }
            row.check();
        }
        place
    }
}

impl Row {
    fn check(&mut self) {
        self.is_sound = self.values.is_sorted() && self.values.iter().all(|v| v.is_finite());
    }
}
