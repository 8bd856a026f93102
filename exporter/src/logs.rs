//! Structured logs on standard error, as logfmt or JSON, with the keys of Prometheus' own logs: `ts`, `level`, `msg`.

mod line;

use crate::{clock, visible::visible_json};
use clap::ValueEnum;
use line::{Line, SpanFields};
use std::fmt;
use tracing::{
    Event, Subscriber,
    span::{Attributes, Id},
};
use tracing_subscriber::{
    Layer, Registry,
    filter::LevelFilter,
    fmt::{FmtContext, FormatEvent, FormatFields, format::Writer},
    layer::{Context, SubscriberExt as _},
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
        context: &FmtContext<'_, S, N>,
        mut writer: Writer<'_>,
        event: &Event<'_>,
    ) -> fmt::Result {
        let mut line = Line::of(event, clock::now());
        let spans = context.event_scope().into_iter().flatten();
        for span in spans {
            if let Some(fields) = span.extensions().get::<SpanFields>() {
                line.add(fields);
            }
        }
        match self {
            Self::Logfmt => writeln!(writer, "{}", line.logfmt()),
            Self::Json => {
                writeln!(writer, "{}", visible_json(&line.json().to_string()))
            }
        }
    }
}

/// Keeps the fields of spans for the lines of their events.
struct KeepSpanFields;

impl<S> Layer<S> for KeepSpanFields
where
    S: Subscriber + for<'a> LookupSpan<'a>,
{
    fn on_new_span(&self, attributes: &Attributes<'_>, id: &Id, context: Context<'_, S>) {
        if let Some(span) = context.span(id) {
            let mut fields = SpanFields::default();
            fields.note(|visitor| attributes.record(visitor));
            span.extensions_mut().insert(fields);
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
    let registry = Registry::default().with(filter).with(KeepSpanFields);
    tracing::subscriber::set_global_default(registry.with(layer.with_writer(std::io::stderr)))?;
    Ok(())
}
