//! Which protocol a receiver is spoken to in.

use super::Protocol;
use std::sync::atomic::{AtomicBool, Ordering};

/// Begins with 2.0 where that is wanted, and goes down to 1.0 for good once the receiver shows that it knows no
/// other. Shared by all who send to it.
#[derive(Debug)]
pub struct Negotiation {
    is_v2: AtomicBool,
}

impl Negotiation {
    /// Begins with a protocol.
    pub fn new(first: Protocol) -> Self {
        Self {
            is_v2: AtomicBool::new(first == Protocol::V2),
        }
    }

    /// What to send next.
    pub fn protocol(&self) -> Protocol {
        if self.is_v2.load(Ordering::Relaxed) {
            Protocol::V2
        } else {
            Protocol::V1
        }
    }

    /// From now on 1.0. A receiver that learns 2.0 later is not noticed until the sender is made anew.
    pub fn fall_back(&self) {
        self.is_v2.store(false, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn falling_back_is_for_good() {
        let negotiation = Negotiation::new(Protocol::V2);
        assert_eq!(negotiation.protocol(), Protocol::V2);
        negotiation.fall_back();
        assert_eq!(negotiation.protocol(), Protocol::V1);
        assert_eq!(Negotiation::new(Protocol::V1).protocol(), Protocol::V1);
    }
}
