//! Numbers taken off the bytes of a fuzzer; past the end there are zeros.

/// What is left of the bytes.
pub(crate) struct Input<'a>(&'a [u8]);

impl<'a> Input<'a> {
    pub(crate) fn new(bytes: &'a [u8]) -> Self {
        Self(bytes)
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub(crate) fn u8(&mut self) -> u8 {
        self.array::<1>()[0]
    }

    pub(crate) fn u16(&mut self) -> u16 {
        u16::from_le_bytes(self.array())
    }

    pub(crate) fn u32(&mut self) -> u32 {
        u32::from_le_bytes(self.array())
    }

    pub(crate) fn i64(&mut self) -> i64 {
        i64::from_le_bytes(self.array())
    }

    /// Any pattern of 64 bits, or a number that a series could have.
    pub(crate) fn value(&mut self) -> f64 {
        match self.u8() {
            0..=199 => f64::from(self.u16()) / 64.0,
            200 => f64::NAN,
            201 => f64::INFINITY,
            202 => f64::MAX,
            203 => f64::MIN,
            204 => f64::MIN_POSITIVE / 2.0,
            205 => series::STALE_MARKER,
            _ => f64::from_bits(self.i64().cast_unsigned()),
        }
    }

    /// One of several.
    pub(crate) fn pick<T: Clone>(&mut self, from: &[T]) -> T {
        from[usize::from(self.u8()) % from.len()].clone()
    }

    fn array<const N: usize>(&mut self) -> [u8; N] {
        let mut array = [0; N];
        let taken = self.0.split_off(..N.min(self.0.len())).unwrap_or_default();
        array[..taken.len()].copy_from_slice(taken);
        array
    }
}
