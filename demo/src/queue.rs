//! One replica's queue: how long requests stay when so many come.

use std::time::Duration;

/// Requests per second that one replica serves when it never idles.
pub const SERVICE_RATE: f64 = 100.0;
/// Clients give up after this; it is the longest that a request is seen to take.
pub const CLIENT_TIMEOUT: Duration = Duration::from_millis(2_500);

/// A queue with random arrivals and one server, as its mean number of requests inside.
///
/// The mean follows the pointwise stationary fluid flow approximation, dL/dt = λ − μ·L/(1 + L) (Wang, Tipper
/// and Banerjee 1996): at rest it is the M/M/1 queue's L = u/(1 − u), in overload it grows by λ − μ. A random
/// arrival that finds a geometric number of mean L before it stays for an exponential time of rate μ/(1 + L),
/// which at rest is the sojourn time of M/M/1 (Kleinrock, Queueing Systems I, 1975, section 5.12): rate μ(1 − u).
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct Queue {
    inside: f64,
}

impl Queue {
    /// Lets `rate` requests per second arrive during `span`.
    ///
    /// One backward Euler step, whose quadratic equation has one positive root: stable for any span.
    pub fn advance(&mut self, rate: f64, span: Duration) {
        let seconds = span.as_secs_f64();
        let arrived = self.inside + rate * seconds;
        let half = (arrived - 1.0 - SERVICE_RATE * seconds) / 2.0;
        let inside = half + (half * half + arrived).sqrt();
        // Whoever waits longer has gone.
        self.inside = inside.clamp(0.0, SERVICE_RATE * CLIENT_TIMEOUT.as_secs_f64());
    }

    /// The share of time in which the server is busy, 0 to 1.
    pub fn busy(self) -> f64 {
        self.inside / (1.0 + self.inside)
    }

    /// The chance that a request is answered within so many seconds.
    pub fn answered_within(self, seconds: f64) -> f64 {
        -(-self.sojourn_rate() * seconds).exp_m1()
    }

    /// The mean seconds that a client stays, those who give up included.
    pub fn mean_seconds(self) -> f64 {
        self.answered_within(CLIENT_TIMEOUT.as_secs_f64()) / self.sojourn_rate()
    }

    fn sojourn_rate(self) -> f64 {
        SERVICE_RATE / (1.0 + self.inside)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at_rest(utilisation: f64) -> Queue {
        let mut queue = Queue::default();
        for _ in 0..1_000 {
            queue.advance(utilisation * SERVICE_RATE, Duration::from_secs(1));
        }
        queue
    }

    #[test]
    fn at_rest_it_is_the_textbook_queue() {
        for utilisation in [0.1, 0.5, 0.9] {
            let queue = at_rest(utilisation);
            assert!((queue.busy() - utilisation).abs() < 1e-6);
            let rate = SERVICE_RATE * (1.0 - utilisation);
            let expect = 1.0 - (-rate * 0.1_f64).exp();
            assert!((queue.answered_within(0.1) - expect).abs() < 1e-6);
        }
    }

    #[test]
    fn half_a_second_is_kept_for_99_in_100_up_to_nine_tenths_of_the_capacity() {
        assert!(at_rest(0.90).answered_within(0.5) > 0.99);
        assert!(at_rest(0.92).answered_within(0.5) < 0.99);
    }

    #[test]
    fn overload_grows_by_what_is_not_served_until_clients_give_up() {
        let mut queue = at_rest(0.9);
        let before = queue.inside;
        queue.advance(2.0 * SERVICE_RATE, Duration::from_secs(1));
        assert!((queue.inside - before - SERVICE_RATE).abs() < 10.0);
        for _ in 0..100 {
            queue.advance(2.0 * SERVICE_RATE, Duration::from_secs(1));
        }
        assert!(queue.answered_within(2.5) < 0.7 && queue.mean_seconds() < 2.5);
    }

    #[test]
    fn fine_and_coarse_steps_end_alike() {
        let (mut fine, mut coarse) = (Queue::default(), Queue::default());
        for _ in 0..600 {
            fine.advance(85.0, Duration::from_millis(100));
        }
        for _ in 0..6 {
            coarse.advance(85.0, Duration::from_secs(10));
        }
        assert!((fine.inside / coarse.inside - 1.0).abs() < 0.05);
    }
}
