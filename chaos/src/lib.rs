//! The real program under random faults, in worlds of stubs, with the journal read at each effect.

pub mod alertmanager;
pub mod clock;
pub mod disk;
pub mod event;
mod faults;
pub mod findings;
pub mod fleet;
pub mod journal;
pub mod listener;
mod notification;
pub mod people;
pub mod program;
pub mod prometheus;
pub mod quiet;
pub mod run;
pub mod scene;
pub mod schedule;
pub mod workloads;
pub mod world;
