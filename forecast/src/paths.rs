//! Joint sample paths: how a series may go on, step after step.
//!
//! A breach within the hour is a statement about a whole path; the largest marginal quantile answers it wrongly.

use crate::{Distribution, noise::Noise};
use series::{Probability, Quantile};

/// Equally likely futures of one series.
#[derive(Debug, Clone, PartialEq)]
pub struct Paths {
    n_steps: usize,
    /// One path after the other.
    values: Vec<f64>,
}

/// Paths times steps are kept below this: 64 MiB.
const MAX_VALUES: usize = 1 << 23;

impl Paths {
    /// How many paths there are; at least one.
    pub fn len(&self) -> usize {
        self.values.len() / self.n_steps
    }

    /// Whether there is no path; never.
    pub fn is_empty(&self) -> bool {
        self.values.is_empty()
    }

    /// The paths: one value for each step ahead, finite and within the bounds.
    pub fn iter(&self) -> impl Iterator<Item = &[f64]> {
        self.values.chunks_exact(self.n_steps)
    }

    /// The share of the paths that something is true of.
    pub fn probability(&self, of: impl Fn(&[f64]) -> bool) -> Probability {
        let n = self.iter().filter(|path| of(path)).count();
        Probability::new(n as f64 / self.len() as f64).expect("a share lies between 0 and 1")
    }
}

/// How many paths and steps are made when so many are asked for: at least one of each, and no more than memory
/// should hold.
pub(crate) fn limited(n: usize, n_steps: usize) -> (usize, usize) {
    let n_steps = n_steps.clamp(1, MAX_VALUES);
    (n.clamp(1, MAX_VALUES / n_steps), n_steps)
}

/// Paths with the given marginal distributions, one for each step from 1, that rank among each other at every step
/// as the templates do (the Schaake shuffle of Clark et al. 2004). Templates come one after the other.
pub(crate) fn shuffled(
    templates: &[f32],
    n_steps: usize,
    marginal: impl Fn(usize) -> Distribution,
) -> Paths {
    let n = templates.len() / n_steps;
    let levels: Vec<Quantile> = (0..n)
        .map(|rank| Quantile::new((rank as f64 + 0.5) / n as f64).expect("between 0 and 1"))
        .collect();
    let mut values = vec![0.0; n * n_steps];
    let mut order: Vec<usize> = (0..n).collect();
    for step in 0..n_steps {
        let template = |path: usize| templates[path * n_steps + step];
        order.sort_unstable_by(|one, other| {
            template(*one)
                .total_cmp(&template(*other))
                .then(one.cmp(other))
        });
        let foreseen = marginal(step + 1);
        for (path, level) in order.iter().zip(&levels) {
            values[path * n_steps + step] = foreseen.quantile(*level);
        }
    }
    Paths { n_steps, values }
}

/// Templates for models that know nothing of their own dynamics: deviations that fade as those of operational
/// series commonly do.
pub(crate) fn fading(n: usize, n_steps: usize, seed: u64) -> Vec<f32> {
    let mut noise = Noise::new(seed);
    let path = (0..n).flat_map(|_| {
        let mut deviation = 0.0;
        let steps: Vec<f32> = (0..n_steps)
            .map(|_| {
                deviation = FADES * deviation + noise.normal();
                deviation
            })
            .collect();
        steps
    });
    path.collect()
}

/// What is left of a deviation a step later.
const FADES: f32 = 0.95;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Bounds;

    fn marginal(ahead: usize) -> Distribution {
        let values = Distribution::LEVELS.map(|level| ahead as f64 * level);
        Distribution::new(values, Bounds::UNLIMITED)
    }

    #[test]
    fn at_every_step_the_paths_are_spread_as_the_marginal() {
        let (n, n_steps) = limited(1_000, 20);
        let paths = shuffled(&fading(n, n_steps, 5), n_steps, marginal);
        assert_eq!((paths.len(), paths.is_empty()), (1_000, false));
        for step in [0, 7, 19] {
            let threshold = (step + 1) as f64 * 0.8;
            let below = paths.probability(|path| path[step] <= threshold).get();
            assert!((below - 0.8).abs() < 0.002, "{step}: {below}");
        }
    }

    #[test]
    fn neighbouring_steps_of_a_path_go_together() {
        let paths = shuffled(&fading(500, 40, 5), 40, marginal);
        let high = |step: usize| move |path: &[f64]| path[step] > 0.5 * (step + 1) as f64;
        let both = |one, other| {
            paths
                .probability(|path| high(one)(path) && high(other)(path))
                .get()
        };
        assert!(both(20, 21) > 0.4, "{}", both(20, 21));
        assert!(both(0, 39) < 0.33, "{}", both(0, 39));
    }

    #[test]
    fn no_request_is_too_large_or_too_small() {
        assert_eq!(limited(0, 0), (1, 1));
        let (n, n_steps) = limited(usize::MAX, usize::MAX);
        assert!(n * n_steps <= MAX_VALUES);
    }
}
