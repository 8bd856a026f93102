//! Predicted series in Prometheus' text format.
//!
//! Samples carry no timestamp: what is missing from one scrape to the next is then marked stale by Prometheus
//! itself. The `prometheus` crate writes the program's own metrics, but has no place for series whose names
//! and labels are the user's.

use rules::Predicted;
use std::fmt::Write as _;

/// The content type of the text format.
pub(crate) const CONTENT_TYPE: &str = "text/plain; version=0.0.4; charset=utf-8";

/// Writes gauges, grouped by name as the format wants it, in order of labels.
pub(crate) fn encode(mut predicted: Vec<Predicted>) -> String {
    predicted.sort_by(|a, b| (a.labels.name(), &a.labels).cmp(&(b.labels.name(), &b.labels)));
    let mut text = String::with_capacity(predicted.len() * 96);
    let mut family = "";
    for Predicted {
        labels,
        value,
        meaning,
    } in &predicted
    {
        if labels.name() != family {
            family = labels.name();
            let help = meaning.help();
            writeln!(text, "# HELP {family} {help}\n# TYPE {family} gauge")
                .expect("a String takes every text");
        }
        writeln!(text, "{labels} {}", number(*value)).expect("a String takes every text");
    }
    text
}

/// A value as Prometheus spells it.
pub(crate) fn number(value: f64) -> String {
    if value == f64::INFINITY {
        "+Inf".to_owned()
    } else if value == f64::NEG_INFINITY {
        "-Inf".to_owned()
    } else {
        value.to_string()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rules::Meaning;
    use series::Labels;

    #[test]
    fn families_stand_together_and_values_are_spelt_as_prometheus_reads_them() {
        let series = |name: &str, job: &str, value| Predicted {
            labels: Labels::new([("__name__", name), ("job", job)]).unwrap(),
            value,
            meaning: Meaning::Forecast,
        };
        let text = encode(vec![
            series("b:forecast", "x", f64::INFINITY),
            series("a:forecast", "z\"\n", 1.5e-9),
            series("b:forecast", "w", f64::NAN),
            series("a:forecast", "y", 0.1),
        ]);
        insta::assert_snapshot!(text, @r#"
        # HELP a:forecast The value foreseen for the time of the sample plus the horizon.
        # TYPE a:forecast gauge
        a:forecast{job="y"} 0.1
        a:forecast{job="z\"\n"} 0.0000000015
        # HELP b:forecast The value foreseen for the time of the sample plus the horizon.
        # TYPE b:forecast gauge
        b:forecast{job="w"} NaN
        b:forecast{job="x"} +Inf
        "#);
    }
}
