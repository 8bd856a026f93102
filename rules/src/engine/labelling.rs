//! From the labels that an expression gives to those that a rule serves.

use super::gauges::{BAND, HORIZON, QUANTILE, SOURCE};
use crate::{Failure, FailureReason};
use series::{Labels, Sample};
use std::collections::BTreeMap;

/// How a rule labels its series.
pub(super) struct Labelling {
    rule: Labels,
    external: Labels,
    /// Labels that the rule sets itself, on each series anew.
    own: &'static [&'static str],
}

/// Labels that a forecast sets itself.
const FORECAST: &[&str] = &[HORIZON, QUANTILE, BAND, SOURCE];

impl Labelling {
    /// For a forecast. Where the input has labels of the same names, they are kept as `exported_…`, as
    /// Prometheus does on a scrape.
    pub(super) fn forecast(rule: Labels, external: Labels) -> Self {
        let own = FORECAST;
        Self {
            rule,
            external,
            own,
        }
    }

    /// For a recording.
    pub(super) fn record(rule: Labels, external: Labels) -> Self {
        let own = &[];
        Self {
            rule,
            external,
            own,
        }
    }

    pub(super) fn external_labels(&self) -> &Labels {
        &self.external
    }

    /// The labels of a series, without a name: the input's, the rule's over them, the external below them.
    pub(super) fn apply(&self, input: &Labels) -> Labels {
        let mut labels: BTreeMap<String, String> = owned(&self.external).collect();
        for (name, value) in owned(input) {
            labels.insert(self.exported(name, input), value);
        }
        labels.extend(owned(&self.rule));
        labels.remove("__name__");
        Labels::new(labels).expect("all names come from checked labels")
    }

    fn exported(&self, mut name: String, input: &Labels) -> String {
        if self.own.contains(&name.as_str()) {
            while !input.get(&name).is_empty() {
                name.insert_str(0, "exported_");
            }
        }
        name
    }

    /// The same for whole series. Two that differ in nothing but their names become one, as after the `or` of an
    /// old metric and a new one, unless both have a sample at the same time.
    pub(super) fn merge(&self, samples: Samples) -> Result<Samples, Failure> {
        let mut merged = Samples::new();
        for (labels, samples) in samples {
            let all: &mut Vec<Sample> = merged.entry(self.apply(&labels)).or_default();
            let is_first = all.is_empty();
            all.extend(samples);
            if !is_first {
                all.sort_by_key(|sample| sample.at);
            }
            if all.windows(2).any(|pair| pair[0].at >= pair[1].at) {
                return Err(twins(&self.apply(&labels)));
            }
        }
        Ok(merged)
    }
}

/// Samples by the labels of their series, oldest first.
pub(super) type Samples = BTreeMap<Labels, Vec<Sample>>;

fn owned(labels: &Labels) -> impl Iterator<Item = (String, String)> {
    let own = |(name, value): (&str, &str)| (name.to_owned(), value.to_owned());
    labels.iter().map(own)
}

fn twins(labels: &Labels) -> Failure {
    Failure::new(
        FailureReason::DuplicateSeries,
        format!("expression gives more than one series {labels} once their names are dropped"),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn labels(pairs: &[(&str, &str)]) -> Labels {
        Labels::new(pairs.iter().copied()).unwrap()
    }

    #[track_caller]
    fn check(input: &[(&str, &str)], expect: &str) {
        let rule = labels(&[("team", "infra")]);
        let external = labels(&[("cluster", "eu"), ("team", "none")]);
        let labelling = Labelling::forecast(rule, external);
        assert_eq!(labelling.apply(&labels(input)).to_string(), expect);
    }

    #[test]
    fn the_rule_comes_before_the_input_and_the_input_before_the_outside() {
        check(
            &[("__name__", "up"), ("team", "web")],
            r#"{cluster="eu",team="infra"}"#,
        );
        check(&[("cluster", "us")], r#"{cluster="us",team="infra"}"#);
    }

    #[test]
    fn labels_that_the_forecast_needs_are_exported() {
        check(
            &[("quantile", "0.9"), ("exported_quantile", "0.5")],
            r#"{cluster="eu",exported_exported_quantile="0.9",exported_quantile="0.5",team="infra"}"#,
        );
    }
}
