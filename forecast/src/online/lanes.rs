//! Numbers for several variants of one model, side by side, in a form that compilers turn into vector instructions.

#![expect(
    clippy::inline_always,
    reason = "a call that is not inlined here is no vector instruction"
)]

use std::ops::{Add, Div, Mul, Neg, Sub};

/// `N` numbers that go through the same arithmetic.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Lanes<const N: usize>(pub(crate) [f32; N]);

/// For each lane all bits set, or none.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Mask<const N: usize>([u32; N]);

impl<const N: usize> Lanes<N> {
    pub(crate) const ZERO: Self = Self([0.0; N]);

    #[inline(always)]
    pub(crate) fn all(value: f32) -> Self {
        Self([value; N])
    }

    #[inline(always)]
    fn zip(self, other: Self, op: impl Fn(f32, f32) -> f32) -> Self {
        Self(std::array::from_fn(|n| op(self.0[n], other.0[n])))
    }

    /// The larger of each two; neither is NaN.
    #[inline(always)]
    pub(crate) fn max(self, other: Self) -> Self {
        self.zip(other, |a, b| if a > b { a } else { b })
    }

    /// The smaller of each two; neither is NaN.
    #[inline(always)]
    pub(crate) fn min(self, other: Self) -> Self {
        self.zip(other, |a, b| if a < b { a } else { b })
    }

    #[inline(always)]
    pub(crate) fn abs(self) -> Self {
        Self(self.0.map(f32::abs))
    }

    /// One with the sign of each number.
    #[inline(always)]
    pub(crate) fn sign(self) -> Self {
        Self(
            self.0
                .map(|a| f32::from_bits(a.to_bits() & 0x8000_0000 | 0x3f80_0000)),
        )
    }

    /// Within a positive distance of zero.
    #[inline(always)]
    pub(crate) fn within(self, limit: Self) -> Self {
        self.min(limit).max(-limit)
    }

    #[inline(always)]
    pub(crate) fn above(self, other: Self) -> Mask<N> {
        Mask(std::array::from_fn(|n| {
            if self.0[n] > other.0[n] { u32::MAX } else { 0 }
        }))
    }
}

impl<const N: usize> Mask<N> {
    /// For each lane one or the other.
    #[inline(always)]
    pub(crate) fn pick(self, set: Lanes<N>, unset: Lanes<N>) -> Lanes<N> {
        Lanes(std::array::from_fn(|n| {
            let mask = self.0[n];
            f32::from_bits(set.0[n].to_bits() & mask | unset.0[n].to_bits() & !mask)
        }))
    }

    #[inline(always)]
    pub(crate) fn and_not(self, other: Self) -> Self {
        Self(std::array::from_fn(|n| self.0[n] & !other.0[n]))
    }
}

macro_rules! lanewise {
    ($($op:ident $method:ident $sign:tt),*) => {$(
        impl<const N: usize> $op for Lanes<N> {
            type Output = Self;

            #[inline(always)]
            fn $method(self, other: Self) -> Self {
                self.zip(other, |a, b| a $sign b)
            }
        }
    )*};
}

lanewise!(Add add +, Sub sub -, Mul mul *, Div div /);

impl<const N: usize> Neg for Lanes<N> {
    type Output = Self;

    #[inline(always)]
    fn neg(self) -> Self {
        Self(self.0.map(|a| -a))
    }
}
