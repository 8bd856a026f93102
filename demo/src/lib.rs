//! A simulated fleet in real time, and the whole loop around it on the real programs.

pub mod actions;
pub mod config;
pub mod demand;
pub mod evidence;
pub mod exposition;
pub mod fleet;
pub mod history;
pub mod picture;
pub mod queue;
pub mod replica;
pub mod report;
pub mod restart;
pub mod server;
pub mod sources;
pub mod stack;
pub mod terminal;
pub mod verdict;
pub mod watch;
