//! The program as users run it: real processes, a real Prometheus, real HTTP.
#![expect(
    clippy::unwrap_used,
    reason = "the helpers of tests may panic as tests do"
)]

mod authority;
mod check;
mod compat;
mod connections;
mod crash;
mod dialect;
mod doors;
mod faults;
mod history;
mod journal;
mod names;
mod offline;
mod pages;
mod push;
mod queries;
mod reload;
mod restart;
mod roles;
mod secrets;
mod shutdown;
mod staleness;
mod stand_in;
mod terminal;
mod tls;
mod unattended;
mod upstream;
mod world;
