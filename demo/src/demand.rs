//! The load that the shop's customers offer, as a function of time alone.

use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;
use rand_distr::StandardNormal;
use series::Timestamp;
use std::{f64::consts::TAU, time::Duration};

/// Requests per second on the plateau of today's opening: 8 % more than four replicas serve.
pub const PEAK_TODAY: f64 = 432.0;
/// How many times the ordinary load comes while the sale is open.
const SALE: f64 = 3.0;
/// From the opening until the plateau.
pub const RAMP: Duration = Duration::from_secs(150);
const HOLD: Duration = Duration::from_mins(20);
const FALL: Duration = Duration::from_mins(15);
/// What each day adds to the day before.
const GROWTH_PER_DAY: f64 = 1.015;
/// Standard deviation of the noise, relative to the load, and the time it takes to change.
const NOISE: f64 = 0.025;
const NOISE_SLOT_MS: i64 = 30_000;

const DAY: f64 = 86_400.0;
const HOUR: f64 = 3_600.0;
/// The shop's own clock: today is a Thursday, and the sale opens at six in the evening.
const THURSDAY: f64 = 3.0;
const OPENING_HOUR: f64 = 18.0;
/// Load by day of the week, Monday first, relative to Thursday, when the shop opens late into the night.
const WEEK: [f64; 7] = [0.79, 0.79, 0.81, 1.0, 0.86, 0.70, 0.66];
/// How long before and after midnight one day turns into the next.
const MIDNIGHT: f64 = 1.5 * HOUR;

/// The offered load; the same for every service, and the same for the same opening and seed.
#[derive(Debug, Clone)]
pub struct Demand {
    opening: Timestamp,
    noise: ChaCha8Rng,
}

impl Demand {
    /// `opening` is the second at which today's sale opens; the shop's calendar is laid around it.
    pub fn new(opening: Timestamp, seed: u64) -> Self {
        Self {
            opening,
            noise: ChaCha8Rng::seed_from_u64(seed),
        }
    }

    /// When today's sale opens.
    pub fn opening(&self) -> Timestamp {
        self.opening
    }

    /// Requests per second offered at a time, noise included.
    pub fn at(&self, time: Timestamp) -> f64 {
        self.expected(time) * (1.0 + NOISE * self.noise(time))
    }

    /// Requests per second without the noise.
    pub fn expected(&self, time: Timestamp) -> f64 {
        let since_opening = self.millis_since_opening(time) as f64 / 1e3;
        let shop = THURSDAY * DAY + OPENING_HOUR * HOUR + since_opening;
        let ordinary = PEAK_TODAY / SALE * daily(shop) / daily(OPENING_HOUR * HOUR);
        let sale = 1.0 + (SALE - 1.0) * open(since_opening.rem_euclid(DAY));
        ordinary * sale * weekly(shop) * GROWTH_PER_DAY.powf(since_opening / DAY)
    }

    /// Normal noise, cut at two deviations, drawn every half minute and linear between.
    fn noise(&self, time: Timestamp) -> f64 {
        let since = self.millis_since_opening(time);
        let slot = since.div_euclid(NOISE_SLOT_MS);
        let share = since.rem_euclid(NOISE_SLOT_MS) as f64 / NOISE_SLOT_MS as f64;
        self.draw(slot) * (1.0 - share) + self.draw(slot + 1) * share
    }

    /// Counted from the opening, so that the noise of a seed does not depend on the date.
    fn draw(&self, slot: i64) -> f64 {
        let mut rng = self.noise.clone();
        let block = u128::from(slot.cast_unsigned());
        rng.set_word_pos(block * 16);
        let draw: f64 = rng.sample(StandardNormal);
        draw.clamp(-2.0, 2.0)
    }

    fn millis_since_opening(&self, time: Timestamp) -> i64 {
        time.as_millis() - self.opening.as_millis()
    }
}

/// Two harmonics: quiet at five in the morning, busy in the afternoon and evening.
fn daily(shop_seconds: f64) -> f64 {
    let turn = TAU * shop_seconds / DAY;
    let harmonic = |n: f64, hour: f64| (n * (turn - TAU * hour * HOUR / DAY)).cos();
    1.0 + 0.45 * harmonic(1.0, 17.0) + 0.12 * harmonic(2.0, 20.0)
}

/// The day's factor, blended into its neighbour's around midnight.
fn weekly(shop_seconds: f64) -> f64 {
    let of = |day: f64| {
        WEEK.iter()
            .zip(0_u8..)
            .find_map(|(factor, idx)| (f64::from(idx) >= day.rem_euclid(7.0)).then_some(*factor))
            .unwrap_or(WEEK[6])
    };
    let nearest_midnight = (shop_seconds / DAY).round();
    let share = (shop_seconds - nearest_midnight * DAY) / (2.0 * MIDNIGHT) + 0.5;
    let share = smooth(share);
    of(nearest_midnight - 1.0) * (1.0 - share) + of(nearest_midnight) * share
}

/// How far the sale is open, 0 to 1, so many seconds after the day's opening.
fn open(seconds: f64) -> f64 {
    let fall_begins = (RAMP + HOLD).as_secs_f64();
    let rise = smooth(seconds / RAMP.as_secs_f64());
    rise - smooth((seconds - fall_begins) / FALL.as_secs_f64())
}

/// From 0 to 1 without a corner; constant outside.
fn smooth(share: f64) -> f64 {
    let share = share.clamp(0.0, 1.0);
    share * share * (3.0 - 2.0 * share)
}

#[cfg(test)]
mod tests {
    use super::*;

    const OPENING: Timestamp = Timestamp::from_seconds(1_790_000_000);

    fn demand() -> Demand {
        Demand::new(OPENING, 1)
    }

    fn days_ago(days: u64) -> Timestamp {
        OPENING + RAMP - Duration::from_hours(24 * days)
    }

    #[track_caller]
    fn check_peak(days: u64, low: f64, high: f64) {
        let peak = demand().expected(days_ago(days));
        assert!((low..high).contains(&peak), "{peak}");
    }

    #[test]
    fn todays_opening_is_the_first_that_four_replicas_cannot_serve() {
        check_peak(0, PEAK_TODAY - 1.0, PEAK_TODAY + 1.0);
        check_peak(1, 340.0, 350.0);
        check_peak(2, 325.0, 340.0);
        check_peak(7, 385.0, 395.0);
    }

    #[test]
    fn the_sale_triples_the_load_holds_it_and_goes() {
        let at = |seconds| demand().expected(OPENING + Duration::from_secs(seconds));
        assert!((at(150) / at(0) - 3.0).abs() < 0.05);
        assert!((at(1300) / at(150) - 1.0).abs() < 0.05);
        assert!(at(2300) < 1.1 * at(0));
    }

    #[test]
    fn weekends_are_quieter_and_nights_quieter_still() {
        let noon = |days: u64| demand().expected(days_ago(days) - Duration::from_hours(6));
        assert!(noon(4) < 0.8 * noon(6), "Sunday against Friday");
        let night = days_ago(1) - Duration::from_hours(13);
        assert!(demand().expected(night) < 0.6 * noon(1));
    }

    #[test]
    fn days_turn_into_each_other_without_a_jump() {
        let mut time = days_ago(8);
        while time < OPENING {
            let next = time + Duration::from_secs(10);
            let (one, other) = (demand().expected(time), demand().expected(next));
            assert!((other / one - 1.0).abs() < 0.2, "{one} {other}");
            time = next;
        }
    }

    #[test]
    fn noise_has_the_deviation_promised_and_depends_on_the_seed_alone() {
        let relative = |demand: &Demand, n: u64| {
            let time = OPENING - Duration::from_secs(30 * n);
            demand.at(time) / demand.expected(time) - 1.0
        };
        let squares: f64 = (0..4_000).map(|n| relative(&demand(), n).powi(2)).sum();
        let deviation = (squares / 4_000.0).sqrt();
        assert!((0.02..0.03).contains(&deviation), "{deviation}");
        let moved = Demand::new(OPENING + Duration::from_secs(86_401), 1);
        let later = OPENING + Duration::from_secs(86_401 + 77);
        assert!((moved.at(later) - demand().at(OPENING + Duration::from_secs(77))).abs() < 1e-9);
        let other = Demand::new(OPENING, 2);
        assert!((other.at(OPENING) - demand().at(OPENING)).abs() > 1e-3);
    }
}
