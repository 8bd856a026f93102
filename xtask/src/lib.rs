//! Checks of the workspace itself: which crate may use which, how long files are, which licences come in.

pub mod layers;
pub mod licences;
pub mod tidy;
