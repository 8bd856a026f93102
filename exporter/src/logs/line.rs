//! One line of the log.

use crate::visible::is_hidden;
use serde_json::{Map, Value};
use series::Timestamp;
use std::fmt::{self, Write as _};
use tracing::{
    Event, Level,
    field::{Field, Visit},
};

/// The key of an event's message among its fields.
const MESSAGE: &str = "message";

/// The fields of a span, which stand on the lines of all events within it.
#[derive(Debug, Default)]
pub(super) struct SpanFields(Vec<(&'static str, Value)>);

impl SpanFields {
    /// Notes what is recorded of a span.
    pub(super) fn note(&mut self, record: impl FnOnce(&mut dyn Visit)) {
        let mut line = Line::default();
        record(&mut line);
        self.0.append(&mut line.fields);
    }
}

/// An event: when and how grave it was, its message, and its other fields in order.
#[derive(Debug, Default)]
pub(super) struct Line {
    at: String,
    level: &'static str,
    message: String,
    fields: Vec<(&'static str, Value)>,
}

impl Line {
    /// An event that happened at a time.
    pub(super) fn of(event: &Event<'_>, at: Timestamp) -> Self {
        let millis = at.as_millis();
        let time = jiff::Timestamp::from_millisecond(millis);
        let mut line = Self {
            at: time.map_or_else(|_| millis.to_string(), |time| format!("{time:.3}")),
            level: name(*event.metadata().level()),
            message: String::new(),
            fields: Vec::new(),
        };
        event.record(&mut line);
        line
    }

    /// Adds the fields of a span that the event happened in.
    pub(super) fn add(&mut self, span: &SpanFields) {
        self.fields.extend(span.0.iter().cloned());
    }

    /// `ts=… level=… msg=…` and the other fields; values are quoted where they must be.
    pub(super) fn logfmt(&self) -> String {
        let mut text = format!("ts={} level={} msg=", self.at, self.level);
        write_value(&mut text, &self.message);
        for (key, value) in &self.fields {
            let _ = write!(text, " {key}=");
            match value {
                Value::String(value) => write_value(&mut text, value),
                other => text.push_str(&other.to_string()),
            }
        }
        text
    }

    /// One JSON object with the same keys.
    pub(super) fn json(&self) -> Value {
        let mut object = Map::new();
        let head = [
            ("ts", &*self.at),
            ("level", self.level),
            ("msg", &*self.message),
        ];
        for (key, value) in head {
            object.insert(key.to_owned(), Value::from(value));
        }
        for (key, value) in &self.fields {
            object.insert((*key).to_owned(), value.clone());
        }
        Value::Object(object)
    }

    fn note(&mut self, field: &Field, value: Value) {
        self.fields.push((field.name(), value));
    }
}

impl Visit for Line {
    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        let text = format!("{value:?}");
        if field.name() == MESSAGE {
            self.message = text;
        } else {
            self.note(field, text.into());
        }
    }

    fn record_str(&mut self, field: &Field, value: &str) {
        if field.name() == MESSAGE {
            value.clone_into(&mut self.message);
        } else {
            self.note(field, value.into());
        }
    }

    fn record_i64(&mut self, field: &Field, value: i64) {
        self.note(field, value.into());
    }

    fn record_u64(&mut self, field: &Field, value: u64) {
        self.note(field, value.into());
    }

    fn record_bool(&mut self, field: &Field, value: bool) {
        self.note(field, value.into());
    }

    fn record_f64(&mut self, field: &Field, value: f64) {
        // JSON has no number for NaN and infinities.
        let value = Some(value)
            .filter(|value| value.is_finite())
            .map_or_else(|| Value::from(value.to_string()), Value::from);
        self.note(field, value);
    }
}

fn name(level: Level) -> &'static str {
    match level {
        Level::ERROR => "error",
        Level::WARN => "warn",
        Level::INFO => "info",
        Level::DEBUG => "debug",
        Level::TRACE => "trace",
    }
}

/// Writes a text as Go's logfmt does: as it is where it is one plain word, else in quotes, with `"`, `\` and everything that
/// a terminal would obey or hide escaped.
fn write_value(out: &mut String, text: &str) {
    let is_plain = |c: char| !matches!(c, ' ' | '=' | '"' | '\\') && !is_hidden(c);
    if !text.is_empty() && text.chars().all(is_plain) {
        out.push_str(text);
        return;
    }
    out.push('"');
    for c in text.chars() {
        match c {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            '\t' => out.push_str("\\t"),
            c if is_hidden(c) => {
                let _ = write!(out, "\\u{:04x}", u32::from(c));
            }
            c => out.push(c),
        }
    }
    out.push('"');
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(value: &str, expect: &str) {
        let mut text = String::new();
        write_value(&mut text, value);
        assert_eq!(text, expect);
    }

    #[test]
    fn values_are_quoted_where_they_must_be_and_no_apostrophe_is_escaped() {
        check("plain", "plain");
        check("", r#""""#);
        check("4 → 8", r#""4 → 8""#);
        check("Prometheus' own", r#""Prometheus' own""#);
        check("it's", "it's");
        check(r#"say "a\b""#, r#""say \"a\\b\"""#);
        check("a=b", r#""a=b""#);
    }

    #[test]
    fn nothing_in_a_value_begins_a_line_or_moves_a_terminal() {
        check("a\nlevel=error", r#""a\nlevel=error""#);
        check("\u{1b}[2J", r#""\u001b[2J""#);
        check("a\u{202e}b", r#""a\u202eb""#);
    }

    #[test]
    fn a_line_has_the_keys_of_prometheus_in_both_formats() {
        let line = Line {
            at: "2026-01-01T00:00:00.000Z".to_owned(),
            level: "info",
            message: "rule evaluated".to_owned(),
            fields: vec![("series", 3.into()), ("rule", "a:b".into())],
        };
        assert_eq!(
            line.logfmt(),
            r#"ts=2026-01-01T00:00:00.000Z level=info msg="rule evaluated" series=3 rule=a:b"#
        );
        let json = line.json();
        assert_eq!(
            (&json["msg"], &json["series"]),
            (&"rule evaluated".into(), &3.into())
        );
    }
}
