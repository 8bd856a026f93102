//! Horizons at which forecasts are remembered until their outcome is known.

use super::smoother::Smoother;

/// A horizon, and how often a forecast for it is remembered.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Knot {
    /// Steps ahead: `stride` times the number of places.
    pub(crate) ahead: u32,
    /// Steps between two remembered forecasts.
    pub(crate) stride: u32,
    /// The first of its places.
    from: u32,
    /// What is left of a deviation so many steps later.
    fading: f32,
}

/// Forecasts waiting for their outcome.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Pending {
    knots: Box<[Knot]>,
    /// Steps seen so far.
    pub(crate) now: u32,
    places: Box<[Promise]>,
}

/// A remembered forecast.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Promise {
    /// The forecast; NaN when none was made.
    pub(crate) value: f32,
    /// The unit that its error will be measured in.
    pub(crate) unit: f32,
}

impl Promise {
    const NONE: Self = Self {
        value: f32::NAN,
        unit: 1.0,
    };
}

/// Places a knot has at most. Neighbouring forecasts for tomorrow hardly differ, and eight a day are enough to
/// learn from.
const PLACES: usize = 8;

/// Forecasts for more than the next steps are remembered at every third step, or less often.
const STRIDE: usize = 3;

/// The knots up to a reach: each twice as far as the one before, then half, three quarters and all of the way.
pub(crate) fn knots(reach: usize) -> Box<[Knot]> {
    let reach = reach.max(1);
    let doubling = std::iter::successors(Some(3), |ahead| Some(ahead * 2));
    let near = [1, 2].into_iter().chain(doubling);
    let far = [reach.div_ceil(2), (3 * reach).div_ceil(4), reach];
    let mut all: Vec<usize> = near
        .take_while(|ahead| ahead * 5 < reach * 2)
        .chain(far)
        .collect();
    all.dedup();
    let mut from = 0;
    let knot = |ahead: usize| {
        let stride = ahead.div_ceil(PLACES).max(ahead.min(STRIDE));
        let places = ahead.div_ceil(stride);
        let [stride, n] = [stride, places].map(|n| u32::try_from(n).unwrap_or(u32::MAX));
        let knot = Knot {
            ahead: stride * n,
            stride,
            from,
            fading: 0.0,
        };
        from += n;
        knot
    };
    all.into_iter().map(knot).collect()
}

impl Knot {
    /// The place of the forecast that ends, and of the one that starts, at a step; most steps have none.
    #[inline]
    fn place(&self, step: u32) -> Option<usize> {
        if !step.is_multiple_of(self.stride) {
            return None;
        }
        let n = self.ahead / self.stride;
        Some((self.from + step / self.stride % n) as usize)
    }
}

impl Pending {
    /// Nothing remembered yet.
    pub(crate) fn new(mut knots: Box<[Knot]>, memory: f32) -> Self {
        let n: u32 = knots.iter().map(|knot| knot.ahead / knot.stride).sum();
        for knot in &mut knots {
            knot.fading = memory.powi(i32::try_from(knot.ahead).unwrap_or(i32::MAX));
        }
        Self {
            places: vec![Promise::NONE; n as usize].into(),
            now: 0,
            knots,
        }
    }

    /// The horizons, ascending.
    pub(crate) fn knots(&self) -> &[Knot] {
        &self.knots
    }

    /// Bytes of memory beside its own.
    pub(crate) fn heap_size(&self) -> usize {
        size_of_val(&*self.knots) + size_of_val(&*self.places)
    }

    /// Steps so far, and all that is remembered, in the order in which it is kept.
    pub(crate) fn state(&self) -> (u32, &[Promise]) {
        (self.now, &self.places)
    }

    /// Takes up what was kept.
    pub(crate) fn restore<E>(
        &mut self,
        now: u32,
        mut next: impl FnMut() -> Result<Promise, E>,
    ) -> Result<(), E> {
        self.now = now;
        for place in &mut self.places {
            *place = next()?;
        }
        Ok(())
    }

    /// Shows the forecasts that were made for the next sample: the knot's index, the knot and the promise.
    #[inline]
    pub(crate) fn due(&self, mut show: impl FnMut(usize, &Knot, Promise)) {
        let step = self.now.wrapping_add(1);
        for (idx, knot) in self.knots.iter().enumerate() {
            if let Some(place) = knot.place(step) {
                let promise = self.places[place];
                if !promise.value.is_nan() {
                    show(idx, knot, promise);
                }
            }
        }
    }

    /// Remembers what a model that has taken the next sample foresees. `unit` gives each knot's unit.
    #[inline]
    pub(crate) fn remember(&mut self, model: &Smoother<1>, unit: impl Fn(usize) -> f32) {
        self.now = self.now.wrapping_add(1);
        for (idx, knot) in self.knots.iter().enumerate() {
            if let Some(place) = knot.place(self.now) {
                let value = model.base(knot.ahead).0[0] + knot.fading * model.deviation.0[0];
                self.places[place] = Promise {
                    value,
                    unit: unit(idx),
                };
            }
        }
    }

    /// Changes to a scale whose unit is `factor` times as large, and to other units.
    pub(crate) fn rescale(&mut self, factor: f32, unit: impl Fn(usize) -> f32) {
        for (idx, knot) in self.knots.iter().enumerate() {
            let n = knot.ahead / knot.stride;
            for place in &mut self.places[knot.from as usize..(knot.from + n) as usize] {
                place.value /= factor;
                place.unit *= unit(idx);
            }
        }
    }

    /// Lets steps pass without samples: what was foreseen for them is never judged.
    pub(crate) fn skip(&mut self, steps: u32) {
        for knot in &self.knots {
            for step in 1..=steps.min(knot.ahead) {
                if let Some(place) = knot.place(self.now.wrapping_add(step)) {
                    self.places[place] = Promise::NONE;
                }
            }
        }
        self.now = self.now.wrapping_add(steps);
    }
}
