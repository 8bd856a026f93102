//! The latest surprises, in their usual size at the time.

/// A ring of the latest surprises; those of a model that has seen fewer are zero.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Recent {
    pub(crate) values: Box<[f32; Self::LEN]>,
    /// How many were ever pushed, or the length of the ring and more.
    pub(crate) pushed: u32,
}

impl Default for Recent {
    fn default() -> Self {
        Self {
            values: Box::new([0.0; Self::LEN]),
            pushed: 0,
        }
    }
}

impl Recent {
    /// Two thirds of a day of five minutes.
    pub(crate) const LEN: usize = 192;

    /// Surprises count up to this many sizes.
    const CLIP: f32 = 50.0;

    /// Takes a surprise, and forgets the oldest.
    #[inline]
    pub(crate) fn push(&mut self, surprise: f32) {
        self.values[self.pushed as usize % Self::LEN] = surprise.clamp(-Self::CLIP, Self::CLIP);
        // Wraps back to a full ring, not to an empty one.
        self.pushed = self.pushed.checked_add(1).unwrap_or(FULL);
    }

    /// Those seen, oldest first; none when there are none.
    pub(crate) fn iter(&self) -> impl Iterator<Item = f32> + Clone + '_ {
        let n = (self.pushed as usize).min(Self::LEN);
        let from = if n < Self::LEN {
            0
        } else {
            self.pushed as usize % Self::LEN
        };
        (0..n).map(move |idx| self.values[(from + idx) % Self::LEN])
    }
}

/// The length of the ring as its counter counts.
const FULL: u32 = 192;
