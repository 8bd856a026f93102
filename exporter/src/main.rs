//! The `foreshadow` binary: command line, configuration, HTTP, and the wiring of the other crates.

mod actions;
mod app;
mod bridges;
mod budget;
mod certified;
mod check;
mod cli;
mod clock;
mod config;
mod door;
mod exposition;
mod figures;
mod http;
mod keeper;
mod learned;
mod listen;
mod logs;
mod metrics;
mod offline;
mod push;
mod query;
mod redact;
mod report;
mod rotating;
mod say;
mod serve;
mod sources;
mod table;

use clap::Parser as _;
use cli::{Cli, Command};
use std::process::ExitCode;

fn main() -> ExitCode {
    // Another part may have installed a provider before; any one will do.
    let _ = rustls::crypto::ring::default_provider().install_default();
    match run(Cli::parse().command) {
        Ok(code) => code,
        Err(error) => {
            eprintln!("foreshadow: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn run(command: Command) -> anyhow::Result<ExitCode> {
    match command {
        Command::Check(check) => Ok(check::check(&check)),
        Command::Serve(flags) => runtime()?
            .block_on(serve::serve(flags))
            .map(|()| ExitCode::SUCCESS),
        Command::Backtest(request) => offline::backtest::run(&request).map(|()| ExitCode::SUCCESS),
        Command::Forecast(request) => offline::forecast::run(&request).map(|()| ExitCode::SUCCESS),
        Command::Actions(request) => runtime()?
            .block_on(actions::run(request))
            .map(|()| ExitCode::SUCCESS),
    }
}

fn runtime() -> std::io::Result<tokio::runtime::Runtime> {
    tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
}
