//! How wide the terminal is.

use std::io::IsTerminal as _;
use terminal_size::{Width, terminal_size_of};

/// Columns of a plot where nobody says how many there are.
const USUAL: usize = 80;

/// Columns of standard output's terminal; `None` where it is none.
pub(crate) fn width() -> Option<usize> {
    let out = std::io::stdout();
    let measured = terminal_size_of(&out).map(|(Width(width), _)| usize::from(width));
    let measured = measured.filter(|width| *width > 0);
    measured.or_else(|| out.is_terminal().then_some(USUAL))
}

/// Columns of a drawing: those of the terminal, else as many as `COLUMNS` says, else 80.
pub(crate) fn drawing_width() -> usize {
    #[expect(
        clippy::disallowed_methods,
        reason = "the binary owns the environment, and programs for terminals heed COLUMNS"
    )]
    let told = || std::env::var("COLUMNS").ok()?.parse().ok();
    width().or_else(told).unwrap_or(USUAL)
}
