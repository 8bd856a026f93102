//! Paths of deviations by the model's own dynamics, driven by surprises that it has seen.

use super::{engine::Engine, recent::Recent};
use crate::noise::Noise;

/// Surprises that are taken together, as they came: storms last a while.
const BLOCK: usize = 12;

/// Deviations of whole paths from what is foreseen, one path after the other. Their order at each step matters,
/// their size does not.
pub(crate) fn templates(engine: &Engine, n: usize, n_steps: usize, seed: u64) -> Vec<f32> {
    let rates = &engine.smoother.rates;
    let (memory, gain, level) = (rates.memory.0[0], rates.gain.0[0], rates.level.0[0]);
    let mut surprises = Surprises::new(&engine.recent, seed);
    let mut paths = Vec::with_capacity(n * n_steps);
    for _ in 0..n {
        let (mut shift, mut deviation) = (0.0, 0.0);
        surprises.jump();
        for _ in 0..n_steps {
            let surprise = surprises.next();
            let off = memory * deviation + surprise;
            paths.push(shift + off);
            shift += level * off;
            deviation = memory * deviation + gain * surprise;
        }
    }
    paths
}

/// Blocks of past surprises, one after the other.
struct Surprises {
    /// None where none was seen.
    seen: Vec<f32>,
    noise: Noise,
    at: usize,
    left: usize,
}

impl Surprises {
    fn new(recent: &Recent, seed: u64) -> Self {
        Self {
            seen: recent.iter().collect(),
            noise: Noise::new(seed),
            at: 0,
            left: 0,
        }
    }

    /// Starts somewhere else.
    fn jump(&mut self) {
        self.at = self.noise.below(self.seen.len());
        self.left = BLOCK;
    }

    fn next(&mut self) -> f32 {
        // Repeated surprises differ a little, so that no two paths are the same.
        let jitter = JITTER * self.noise.normal();
        if self.left == 0 {
            self.jump();
        }
        self.left -= 1;
        self.at += 1;
        let seen = self.seen.get((self.at - 1) % self.seen.len().max(1));
        seen.map_or(jitter / JITTER, |seen| seen + jitter)
    }
}

/// How much, in usual sizes.
const JITTER: f32 = 0.2;
