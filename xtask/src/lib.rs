//! Checks of the workspace itself.
