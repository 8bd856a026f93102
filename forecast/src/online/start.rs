//! The first state of a model, from the first seasons of a history.

use super::{
    lanes::Lanes,
    parameters::Parameters,
    profile::Profile,
    smoother::{MIN_SIZE, Smoother},
};

/// What the first samples say, before any parameters.
#[derive(Debug)]
pub(crate) struct Start {
    /// How many samples were read; the replay goes on from there.
    pub(crate) n: usize,
    steady: Outline,
    /// The same with a slope taken out, for parameters that have one.
    sloping: Outline,
    /// Where a slope loses half its effect, in steps.
    patience: f32,
}

#[derive(Debug, Clone)]
struct Outline {
    level: f32,
    slope: f32,
    size: f32,
    profile: Option<Shape>,
    corrections: Vec<Shape>,
}

/// Season length, steps a cell, and the cells.
#[derive(Debug, Clone)]
struct Shape {
    length: usize,
    grain: usize,
    cells: Vec<f32>,
}

/// The shortest season is kept at this many cells at most: a day of minutes.
const PROFILE_CELLS: usize = 1_440;

/// Longer seasons only correct it, and are kept coarser: a week of quarter hours.
const CORRECTION_CELLS: usize = 672;

/// Seasons that the profile starts from, at most.
const FIRST_SEASONS: usize = 7;

impl Start {
    /// Reads the first seasons. NaN is a gap; seasons ascend and fit in the values twice.
    pub(crate) fn read(values: &[f32], seasons: &[usize], reach: usize) -> Self {
        let n = first(values.len(), seasons);
        let read = &values[..n];
        let slope = seasons.first().map_or(0.0, |season| slope(read, *season));
        let middle = n as f32 / 2.0;
        let flat: Vec<f32> = read
            .iter()
            .enumerate()
            .map(|(idx, value)| value - slope * (idx as f32 - middle))
            .collect();
        let mut sloping = outline(&flat, seasons);
        let mut steady = outline(read, seasons);
        // A week's growth is no part of what repeats every week.
        steady.corrections.clone_from(&sloping.corrections);
        if let Some(season) = seasons.first() {
            steady.level += steady.lately(read, *season);
        }
        sloping.slope = slope;
        sloping.level += slope * middle;
        Self {
            n,
            steady,
            sloping,
            patience: Smoother::<1>::patience_for(reach),
        }
    }

    /// The state of several variants after the samples read.
    pub(crate) fn smoother<const N: usize>(&self, parameters: [Parameters; N]) -> Smoother<N> {
        let of = parameters.map(|p| {
            if p.slope > 0.0 {
                &self.sloping
            } else {
                &self.steady
            }
        });
        let mut seasons = vec![];
        if let Some(shape) = &self.steady.profile {
            let cells = (0..shape.cells.len())
                .map(|cell| Lanes(of.map(|o| o.profile.as_ref().map_or(0.0, |p| p.cells[cell]))));
            seasons.push(shape.profile(self.n, cells.collect()));
        }
        for (idx, shape) in self.steady.corrections.iter().enumerate() {
            let cells = (0..shape.cells.len()).map(|cell| {
                Lanes(std::array::from_fn(|n| {
                    parameters[n].kept * of[n].corrections[idx].cells[cell]
                }))
            });
            seasons.push(shape.profile(self.n, cells.collect()));
        }
        let numbers = [of.map(|o| o.level), of.map(|o| o.slope), of.map(|o| o.size)].map(Lanes);
        Smoother::new(&parameters, numbers, self.patience, seasons)
    }
}

impl Outline {
    /// How far the last `n` values stand off, as a rule. The replay begins behind them: a level from the middle of
    /// a week would teach the cells that come first an error that nothing unteaches before their turn comes again.
    fn lately(&self, values: &[f32], n: usize) -> f32 {
        let shapes = || self.profile.iter().chain(&self.corrections);
        let expected = |at: usize| self.level + shapes().map(|shape| shape.at(at)).sum::<f32>();
        let first = values.len().saturating_sub(n);
        let off = (first..values.len()).map(|at| values[at] - expected(at));
        median(&mut off.filter(|off| !off.is_nan()).collect::<Vec<_>>())
    }
}

impl Shape {
    /// The cell of a step, counted from the first value read.
    fn at(&self, step: usize) -> f32 {
        self.cells[step % self.length / self.grain]
    }

    fn profile<const N: usize>(&self, phase: usize, cells: Box<[Lanes<N>]>) -> Profile<N> {
        let [length, grain, phase] = [self.length, self.grain, phase % self.length]
            .map(|steps| u32::try_from(steps).unwrap_or(u32::MAX));
        Profile::new(length, grain, phase, cells)
    }
}

/// Samples that the first state is read from: the longest season, or half of a short history.
fn first(n_values: usize, seasons: &[usize]) -> usize {
    match seasons {
        [] => (n_values / 4).clamp(8, 288).min(n_values),
        // One is enough where there are two: bands come from the replay of the rest.
        [season] => (n_values / season / 2).clamp(1, FIRST_SEASONS) * season,
        [.., longest] => *longest,
    }
    .min(n_values)
}

fn outline(values: &[f32], seasons: &[usize]) -> Outline {
    let mut rest: Vec<f32> = values.iter().copied().filter(|v| !v.is_nan()).collect();
    let level = median(&mut rest);
    let mut rest: Vec<f32> = values.iter().map(|v| v - level).collect();
    let mut shapes = vec![];
    for (idx, season) in seasons.iter().enumerate() {
        let most = if idx == 0 {
            PROFILE_CELLS
        } else {
            CORRECTION_CELLS
        };
        let mut shape = shape(&rest, *season, season.div_ceil(most));
        if idx > 0 {
            shape.cells = smoothed(&shape.cells, SMOOTH_CORRECTION);
        }
        for (at, value) in rest.iter_mut().enumerate() {
            *value -= shape.at(at);
        }
        shapes.push(shape);
    }
    let mut sizes: Vec<f32> = rest
        .iter()
        .map(|r| r.abs())
        .filter(|r| !r.is_nan())
        .collect();
    let mut shapes = shapes.into_iter();
    Outline {
        level,
        slope: 0.0,
        size: (1.4826 * median(&mut sizes)).max(MIN_SIZE),
        profile: shapes.next(),
        corrections: shapes.collect(),
    }
}

/// Cells on each side that a longer season's cell is averaged with: a week says everything only once.
const SMOOTH_CORRECTION: usize = 2;

/// The trimmed mean of each cell of a season; zero where nothing is known.
fn shape(values: &[f32], length: usize, grain: usize) -> Shape {
    let mut known = vec![];
    let cells = (0..length.div_ceil(grain)).map(|cell| {
        known.clear();
        for start in (cell * grain..values.len()).step_by(length) {
            let until = (start + grain.min(length - cell * grain)).min(values.len());
            known.extend(values[start..until].iter().filter(|v| !v.is_nan()));
        }
        trimmed_mean(&mut known)
    });
    Shape {
        length,
        grain,
        cells: cells.collect(),
    }
}

/// The mean without the smallest and the largest of at least five values.
fn trimmed_mean(values: &mut [f32]) -> f32 {
    let n = values.len();
    let kept = if n >= 5 {
        values.sort_unstable_by(f32::total_cmp);
        &values[1..n - 1]
    } else {
        values
    };
    kept.iter().sum::<f32>() / kept.len().max(1) as f32
}

/// The mean with some neighbours on each side, in a circle.
fn smoothed(cells: &[f32], beside: usize) -> Vec<f32> {
    let n = cells.len();
    let width = (2 * beside + 1) as f32;
    let around = |idx: usize| (0..=2 * beside).map(move |k| (idx + n * beside + k - beside) % n);
    (0..n)
        .map(|idx| around(idx).map(|k| cells[k]).sum::<f32>() / width)
        .collect()
}

/// The usual change a step: the middle one of the changes from each season to the next. Most days are followed by one
/// like them, and a few, before a weekend and after it, by quite another; each day has one voice.
fn slope(values: &[f32], season: usize) -> f32 {
    let n = values.len().saturating_sub(season);
    let change = |from: usize| {
        let each = (from..(from + season).min(n)).map(|idx| values[idx + season] - values[idx]);
        let mut known: Vec<f32> = each.filter(|change| !change.is_nan()).collect();
        (2 * known.len() > season).then(|| median(&mut known))
    };
    let mut changes: Vec<f32> = (0..n).step_by(season).filter_map(change).collect();
    median(&mut changes) / season as f32
}

/// The middle value; zero of none.
fn median(values: &mut [f32]) -> f32 {
    let middle = values.len() / 2;
    if values.is_empty() {
        return 0.0;
    }
    *values.select_nth_unstable_by(middle, f32::total_cmp).1
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A week by the hour that grows by 0.1 a day, with weekends far below, from any day of the week on.
    fn week(first_day: usize) -> Vec<f32> {
        let value = |hour: usize| {
            let day = (first_day + hour / 24) % 7;
            let weekend = if day >= 5 { -3.0 } else { 0.0 };
            let ripple = (hour * 7_919 % 101) as f32 / 1_000.0;
            (hour as f32 / 24.0 * std::f32::consts::TAU).sin()
                + weekend
                + ripple
                + hour as f32 * 0.1 / 24.0
        };
        (0..7 * 24).map(value).collect()
    }

    #[test]
    fn growth_is_told_from_weekends_whatever_day_comes_first() {
        for first_day in 0..7 {
            let a_day = slope(&week(first_day), 24) * 24.0;
            assert!((a_day - 0.1).abs() < 0.04, "from day {first_day}: {a_day}");
        }
    }
}
