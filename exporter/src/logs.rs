//! Structured logs on standard error, as logfmt or JSON, with the keys of Prometheus' own logs: `ts`, `level`, `msg`.

mod line;

use crate::{clock, visible::visible_json};
use clap::ValueEnum;
use line::Line;
use std::fmt;
use tracing::{Event, Subscriber};
use tracing_subscriber::{
    Registry,
    filter::LevelFilter,
    fmt::{FmtContext, FormatEvent, FormatFields, format::Writer},
    layer::SubscriberExt as _,
    registry::LookupSpan,
};

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

impl<S, N> FormatEvent<S, N> for LogFormat
where
    S: Subscriber + for<'a> LookupSpan<'a>,
    N: for<'a> FormatFields<'a> + 'static,
{
    fn format_event(
        &self,
        _: &FmtContext<'_, S, N>,
        mut writer: Writer<'_>,
        event: &Event<'_>,
    ) -> fmt::Result {
        let line = Line::of(event, clock::now());
        match self {
            Self::Logfmt => writeln!(writer, "{}", line.logfmt()),
            Self::Json => {
                writeln!(writer, "{}", visible_json(&line.json().to_string()))
            }
        }
    }
}

/// Sends all events of this process to standard error.
pub(crate) fn start(level: LogLevel, format: LogFormat) -> anyhow::Result<()> {
    let filter = match level {
        LogLevel::Debug => LevelFilter::DEBUG,
        LogLevel::Info => LevelFilter::INFO,
        LogLevel::Warn => LevelFilter::WARN,
        LogLevel::Error => LevelFilter::ERROR,
    };
    let layer = tracing_subscriber::fmt::layer().event_format(format);
    let registry = Registry::default().with(filter);
    tracing::subscriber::set_global_default(registry.with(layer.with_writer(std::io::stderr)))?;
    Ok(())
}
