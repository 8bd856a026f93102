//! The engine, fed from memory: whatever Prometheus may answer, and when.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod curves;
mod failures;
mod fleet;
mod for_each;
mod forecasts;
mod growth;
mod issued;
mod quality;
mod recordings;
mod reload;
mod saved;
mod schedule;
mod vintages;
mod world;
