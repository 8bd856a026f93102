//! The short-term correction of a path by its latest misses.

/// How a path is corrected between refits. A slow part follows lasting shifts of the level; a fast part follows
/// what is left with a gain and fades with the horizon, as an AR(1) process under noise does in its steady state.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Correction {
    /// What is left of the slow part after one step, 0 to 1.
    slow_keep: f64,
    /// The share of a new miss that the fast part believes, 0 to 1.
    fast_gain: f64,
    /// What is left of the fast part after one step, 0 to 1.
    fast_keep: f64,
    /// The largest surprise that is believed in one step, so that one spike cannot move a forecast for long.
    limit: f64,
}

/// How far off a path has been lately (value minus path), as a correction believes it.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Level {
    slow: f64,
    fast: f64,
    /// Surprises beyond the limit in a row: so many above, or (negative) below.
    run: i32,
}

/// What is left of a level's two parts some steps ahead, each from 0 to 1.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Fading {
    slow: f64,
    fast: f64,
}

/// The share of a miss that the slow part believes. Always on: where the noise is white it costs less than one
/// percent, and a shift that no replay has seen must not be missed until the next refit.
const SLOW_GAIN: f64 = 0.03;

/// Half-lives in steps of the slow part that the replay chooses from.
const SLOW_HALF_LIVES: [f64; 3] = [60.0, 240.0, f64::INFINITY];

/// Gains of the fast part that the replay chooses from, beside none.
const FAST_GAINS: [f64; 5] = [0.1, 0.25, 0.5, 0.75, 0.95];

/// Half-lives in steps of the fast part that the replay chooses from.
const FAST_HALF_LIVES: [f64; 4] = [4.0, 15.0, 60.0, f64::INFINITY];

/// Typical misses that one step may surprise by.
const LIMIT: f64 = 8.0;

/// Surprises beyond the limit, in a row and of one sign, that are a new level and no spikes.
const SHIFT_AFTER: i32 = 10;

impl Correction {
    /// All corrections worth trying on a path whose typical miss is given.
    pub(crate) fn candidates(typical: f64) -> Vec<Self> {
        let limit = if typical > 0.0 {
            LIMIT * typical
        } else {
            f64::INFINITY
        };
        let keep = |half_life: f64| 0.5_f64.powf(half_life.recip());
        let mut all = vec![];
        for slow_keep in SLOW_HALF_LIVES.map(keep) {
            let mut add = |fast_gain, fast_keep| {
                all.push(Self {
                    slow_keep,
                    fast_gain,
                    fast_keep,
                    limit,
                });
            };
            add(0.0, 1.0);
            for gain in FAST_GAINS {
                for fast_keep in FAST_HALF_LIVES.map(keep) {
                    add(gain, fast_keep);
                }
            }
        }
        all
    }

    /// The level after one more miss (value minus path); a gap (NaN) lets it fade.
    pub(crate) fn after(&self, level: Level, miss: f64) -> Level {
        let level = self.after_gaps(level, 1);
        if miss.is_nan() {
            return level;
        }
        let surprise = miss - level.slow - level.fast;
        let run = match surprise {
            s if s > self.limit => level.run.max(0) + 1,
            s if s < -self.limit => level.run.min(0) - 1,
            _ => 0,
        };
        if run.abs() >= SHIFT_AFTER {
            return Level {
                slow: miss,
                fast: 0.0,
                run: 0,
            };
        }
        let believed = |miss: f64| miss.clamp(-self.limit, self.limit);
        let slow = level.slow + SLOW_GAIN * believed(miss - level.slow);
        let fast = level.fast + self.fast_gain * believed(miss - slow - level.fast);
        Level { slow, fast, run }
    }

    /// The level after some steps without a sample.
    pub(crate) fn after_gaps(&self, level: Level, n_steps: usize) -> Level {
        let fading = self.fading(n_steps);
        Level {
            slow: level.slow * fading.slow,
            fast: level.fast * fading.fast,
            run: level.run,
        }
    }

    /// What is left of a level some steps ahead.
    pub(crate) fn fading(&self, ahead: usize) -> Fading {
        let power = i32::try_from(ahead).unwrap_or(i32::MAX);
        Fading {
            slow: self.slow_keep.powi(power),
            fast: self.fast_keep.powi(power),
        }
    }
}

impl Level {
    /// What the level adds to a path, as much as is left of it.
    pub(crate) fn faded(self, fading: Fading) -> f64 {
        self.slow * fading.slow + self.fast * fading.fast
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const HALF: Correction = Correction {
        slow_keep: 1.0,
        fast_gain: 0.5,
        fast_keep: 0.5,
        limit: 10.0,
    };

    fn now(level: Level) -> f64 {
        level.faded(HALF.fading(0))
    }

    #[track_caller]
    fn check(misses: &[f64], expect: std::ops::RangeInclusive<f64>) {
        let level = misses
            .iter()
            .fold(Level::default(), |l, m| HALF.after(l, *m));
        assert!(expect.contains(&now(level)), "{level:?}");
    }

    #[test]
    fn a_miss_is_believed_in_part_and_fades() {
        check(&[4.0], 1.9..=2.2);
        check(&[4.0, f64::NAN, f64::NAN, f64::NAN], 0.1..=0.6);
    }

    #[test]
    fn a_lasting_shift_is_followed_to_the_end() {
        check(&[4.0; 200], 3.9..=4.1);
        let level = [4.0; 200]
            .iter()
            .fold(Level::default(), |l, m| HALF.after(l, *m));
        assert!(level.faded(HALF.fading(100)) > 3.9, "{level:?}");
    }

    #[test]
    fn one_spike_moves_it_by_no_more_than_the_limit() {
        check(&[1e9], 0.0..=10.0);
        check(&[1e9, 0.0, 0.0, 0.0, 0.0], 0.0..=1.0);
    }

    #[test]
    fn ten_spikes_in_a_row_are_a_new_level() {
        check(&[1e6; 10], 1e6..=1e6);
        check(&[-1e6; 10], -1e6..=-1e6);
    }

    #[test]
    fn a_path_that_never_missed_is_not_clipped_to_nothing() {
        let candidates = Correction::candidates(0.0);
        assert!(!candidates.is_empty());
        assert!(candidates.iter().all(|c| c.limit.is_infinite()));
    }
}
