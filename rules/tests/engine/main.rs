//! The engine, fed from memory: whatever Prometheus may answer, and when.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod clocks;
mod curves;
mod failures;
mod fleet;
mod for_each;
mod forecasts;
mod growth;
mod issued;
mod not_finite;
mod quality;
mod recordings;
mod refusals;
mod reload;
mod saved;
mod schedule;
mod vintages;
mod world;
