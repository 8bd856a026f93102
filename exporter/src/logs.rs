//! Structured logs on standard error, as logfmt or JSON.

use crate::visible::{visible_json, visible_lines};
use clap::ValueEnum;
use std::{
    borrow::Cow,
    io::{self, Write},
};
use tracing_subscriber::{Registry, filter::LevelFilter, layer::SubscriberExt as _};

/// Which lines are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum LogLevel {
    Debug,
    Info,
    Warn,
    Error,
}

/// How a line is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum LogFormat {
    Logfmt,
    Json,
}

/// Sends all events of this process to standard error.
pub(crate) fn start(level: LogLevel, format: LogFormat) -> anyhow::Result<()> {
    let filter = match level {
        LogLevel::Debug => LevelFilter::DEBUG,
        LogLevel::Info => LevelFilter::INFO,
        LogLevel::Warn => LevelFilter::WARN,
        LogLevel::Error => LevelFilter::ERROR,
    };
    let registry = Registry::default().with(filter);
    match format {
        LogFormat::Logfmt => {
            let layer = tracing_logfmt::builder().with_target(false).layer();
            let layer = layer.with_writer(|| Shown(visible_lines));
            tracing::subscriber::set_global_default(registry.with(layer))?;
        }
        LogFormat::Json => {
            let layer = tracing_subscriber::fmt::layer().json().flatten_event(true);
            let layer = layer.with_target(false).with_writer(|| Shown(visible_json));
            tracing::subscriber::set_global_default(registry.with(layer))?;
        }
    }
    Ok(())
}

/// Standard error, on which text from outside moves no cursor and turns no text.
struct Shown(for<'a> fn(&'a str) -> Cow<'a, str>);

impl Write for Shown {
    /// Takes a whole line at a time.
    fn write(&mut self, line: &[u8]) -> io::Result<usize> {
        let text = String::from_utf8_lossy(line);
        io::stderr().write_all(self.0(&text).as_bytes())?;
        Ok(line.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        io::stderr().flush()
    }
}
