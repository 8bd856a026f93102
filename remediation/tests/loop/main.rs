//! From alerts to actions on a real fleet behind HTTP, with a journal on disk.

#![expect(
    clippy::unwrap_used,
    reason = "shared test code may stop the test where it stands"
)]

mod actions;
mod again;
mod faults;
mod guards;
mod rollouts;
mod world;
