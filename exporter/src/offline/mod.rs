//! Forecasts and backtests from the command line, without a running service.

pub(crate) mod backtest;
mod csv;
pub(crate) mod forecast;
mod input;
mod plot;
mod subject;
mod terminal;
