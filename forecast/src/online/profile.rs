//! One season's profile: what each phase of a day or a week adds to the level.

use super::lanes::Lanes;

/// Values by phase, `N` variants side by side; `N` is one in service, and several where a replay compares
/// parameters.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Profile<const N: usize> {
    /// Steps a season.
    length: u32,
    /// Steps that share a cell.
    grain: u32,
    /// The phase of the next sample, in steps from the start of the season.
    phase: u32,
    cells: Box<[Lanes<N>]>,
}

impl<const N: usize> Profile<N> {
    /// A profile whose next sample has the given phase. `cells` are one for each `grain` steps, and at least one.
    pub(crate) fn new(length: u32, grain: u32, phase: u32, cells: Box<[Lanes<N>]>) -> Self {
        debug_assert_eq!(cells.len(), length.div_ceil(grain) as usize);
        Self {
            length,
            grain,
            phase: phase % length,
            cells,
        }
    }

    /// What the phase some steps ahead adds; the next sample is one step ahead.
    #[inline]
    pub(crate) fn at(&self, ahead: u32) -> Lanes<N> {
        self.cells[self.index(ahead)]
    }

    /// The cell of the next sample.
    #[inline]
    pub(crate) fn next_cell(&mut self) -> &mut Lanes<N> {
        let idx = self.index(1);
        &mut self.cells[idx]
    }

    /// The cells before and after that of the next sample, in a circle.
    #[inline]
    pub(crate) fn beside_next(&self) -> [usize; 2] {
        let (idx, n) = (self.index(1), self.cells.len());
        let before = if idx == 0 { n - 1 } else { idx - 1 };
        let after = if idx + 1 == n { 0 } else { idx + 1 };
        [before, after]
    }

    /// All cells, the first phase first.
    pub(crate) fn cells_mut(&mut self) -> &mut [Lanes<N>] {
        &mut self.cells
    }

    /// All cells, the first phase first.
    pub(crate) fn cells(&self) -> &[Lanes<N>] {
        &self.cells
    }

    /// Steps a season, steps a cell, and the phase of the next sample.
    pub(crate) fn shape(&self) -> [u32; 3] {
        [self.length, self.grain, self.phase]
    }

    /// Moves on by some steps.
    #[inline]
    pub(crate) fn advance(&mut self, steps: u32) {
        self.phase = self.wrapped(steps);
    }

    #[inline]
    fn index(&self, ahead: u32) -> usize {
        let phase = self.wrapped(ahead - 1);
        // Most profiles have a cell a step, and a division is dear here.
        let cell = if self.grain == 1 {
            phase
        } else {
            phase / self.grain
        };
        cell as usize
    }

    #[inline]
    fn wrapped(&self, steps: u32) -> u32 {
        let phase = self.phase.saturating_add(steps);
        if phase < self.length {
            phase
        } else if phase - self.length < self.length {
            phase - self.length
        } else {
            phase % self.length
        }
    }
}
