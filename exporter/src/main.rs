//! The `foreshadow` binary: command line, configuration, HTTP, and the wiring of the other crates.

mod actions;
mod address;
mod app;
mod beginning;
mod bridges;
mod budget;
mod certified;
mod check;
mod cli;
mod clock;
mod config;
mod connections;
mod door;
mod exposition;
mod figures;
mod http;
mod journal;
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
mod signals;
mod sources;
mod table;
mod totals;
mod version;
mod visible;

use clap::Parser as _;
use cli::{Cli, Command};
use std::process::ExitCode;

fn main() -> ExitCode {
    // Another part may have installed a provider before; any one will do.
    let _ = rustls::crypto::ring::default_provider().install_default();
    match run(Cli::parse().command) {
        Ok(code) => code,
        Err(error) => {
            say::complain(format_args!("{error:#}"));
            ExitCode::FAILURE
        }
    }
}

fn run(command: Command) -> anyhow::Result<ExitCode> {
    match command {
        Command::Check(check) => Ok(check::check(&check)),
        Command::Serve(flags) => in_runtime(serve::serve(flags)),
        Command::Completions { shell } => Ok(print(&cli::completions(shell))),
        Command::Man => Ok(print(&cli::manual()?)),
        Command::Backtest(request) => offline::backtest::run(&request).map(|()| ExitCode::SUCCESS),
        Command::Forecast(request) => offline::forecast::run(&request).map(|()| ExitCode::SUCCESS),
        Command::Actions(request) => in_runtime(actions::run(request)),
    }
}

fn print(bytes: &[u8]) -> ExitCode {
    say::pass_on(bytes);
    ExitCode::SUCCESS
}

/// Runs to the end, and does not wait for threads that read from a file system that hangs.
fn in_runtime(work: impl Future<Output = anyhow::Result<()>>) -> anyhow::Result<ExitCode> {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()?;
    let outcome = runtime.block_on(work);
    runtime.shutdown_background();
    outcome.map(|()| ExitCode::SUCCESS)
}
