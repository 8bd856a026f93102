//! What a scrape asks for in `Accept`: the version of the text format, and how names are escaped.

use super::CONTENT_TYPE;
use series::Escaping;

/// A text format with a way to escape names.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Format {
    is_version_1: bool,
    pub(crate) escaping: Escaping,
}

/// Clauses of one header that are looked at.
const MAX_CLAUSES: usize = 50;

/// One of the alternatives of the header.
struct Clause<'a> {
    media_type: &'a str,
    quality: f64,
    version: &'a str,
    escaping: Option<Escaping>,
}

impl Format {
    /// Chooses as Prometheus' own libraries do: the text format in any case, names as the most wanted clause says
    /// up to the first one that asks for text, and with underscores where none says anything.
    pub(crate) fn negotiate<'a>(accept: impl Iterator<Item = &'a str>) -> Self {
        let clauses = accept.flat_map(|header| header.split(','));
        let mut clauses: Vec<_> = clauses.take(MAX_CLAUSES).map(Clause::read).collect();
        clauses.sort_by(|a, b| b.quality.total_cmp(&a.quality));
        let mut format = Self {
            is_version_1: false,
            escaping: Escaping::Underscores,
        };
        for clause in clauses {
            format.escaping = clause.escaping.unwrap_or(format.escaping);
            let is_text = clause.media_type.eq_ignore_ascii_case("text/plain");
            if is_text && matches!(clause.version, "" | "0.0.4" | "1.0.0") {
                format.is_version_1 = clause.version == "1.0.0";
                break;
            }
        }
        format
    }

    pub(crate) fn content_type(self) -> String {
        let escaping = self.escaping.as_str();
        if self.is_version_1 {
            format!("text/plain; version=1.0.0; charset=utf-8; escaping={escaping}")
        } else {
            format!("{CONTENT_TYPE}; escaping={escaping}")
        }
    }
}

impl<'a> Clause<'a> {
    fn read(text: &'a str) -> Self {
        let mut parts = text.split(';').map(str::trim);
        let mut clause = Self {
            media_type: parts.next().unwrap_or_default(),
            quality: 1.0,
            version: "",
            escaping: None,
        };
        for (key, value) in parts.filter_map(|part| part.split_once('=')) {
            let value = value.trim().trim_matches('"');
            match key.trim() {
                "q" => clause.quality = value.parse().unwrap_or(1.0),
                "version" => clause.version = value,
                "escaping" => clause.escaping = Escaping::read(value),
                _ => {}
            }
        }
        clause
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(accept: &str, version: &str, escaping: &str) {
        let format = Format::negotiate([accept].into_iter());
        let expect = format!("text/plain; version={version}; charset=utf-8; escaping={escaping}");
        assert_eq!(format.content_type(), expect, "{accept}");
    }

    #[test]
    fn scrapes_of_all_generations_get_what_they_ask_for() {
        check("", "0.0.4", "underscores");
        check("*/*", "0.0.4", "underscores");
        // Prometheus 2.42, and 3.5 with each of its schemes.
        check(
            "application/openmetrics-text;version=1.0.0,application/openmetrics-text;version=0.0.1;q=0.75,text/plain;version=0.0.4;q=0.5,*/*;q=0.1",
            "0.0.4",
            "underscores",
        );
        for escaping in ["allow-utf-8", "underscores", "dots", "values"] {
            check(
                &format!(
                    "application/openmetrics-text;version=1.0.0;escaping={escaping};q=0.5,application/openmetrics-text;version=0.0.1;q=0.4,text/plain;version=1.0.0;escaping={escaping};q=0.3,text/plain;version=0.0.4;q=0.2,*/*;q=0.1"
                ),
                "1.0.0",
                escaping,
            );
        }
    }

    #[test]
    fn the_order_is_that_of_the_wishes() {
        check(
            "text/plain;version=0.0.4;q=0.2, text/plain; version=1.0.0; escaping=dots; q=0.9",
            "1.0.0",
            "dots",
        );
        check("text/plain;version=9;escaping=values", "0.0.4", "values");
        check("text/plain;escaping=none", "0.0.4", "underscores");
        check(";;=,q=,", "0.0.4", "underscores");
        check("text/plain;q=NaN;escaping=\"values\"", "0.0.4", "values");
    }
}
