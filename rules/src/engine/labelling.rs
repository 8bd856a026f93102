//! From the labels that an expression gives to those that a rule serves.

use super::{
    gauges::{BAND, HORIZON, ORIGIN, QUANTILE, SOURCE},
    samples::Samples,
};
use crate::Failure;
use series::{Labels, Sample};
use std::borrow::Cow;

/// How a rule labels its series.
pub(super) struct Labelling {
    rule: Labels,
    external: Labels,
    /// Labels that the rule sets itself, on each series anew.
    own: &'static [&'static str],
}

/// Labels that a forecast sets itself.
const FORECAST: &[&str] = &[HORIZON, QUANTILE, BAND, SOURCE, ORIGIN];

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
        let mut labels: Vec<(Cow<str>, &str)> = Vec::with_capacity(8);
        let own = self
            .rule
            .iter()
            .map(|(name, value)| (Cow::Borrowed(name), value));
        let input_pairs = input
            .iter()
            .map(|(name, value)| (self.exported(name, input), value));
        // As in Prometheus, an external label gives way to one that is there.
        let is_free = |(name, _): &(&str, &str)| !self.own.contains(name);
        let external = self
            .external
            .iter()
            .filter(is_free)
            .map(|(name, value)| (Cow::Borrowed(name), value));
        for (name, value) in own.chain(input_pairs).chain(external) {
            if name != "__name__" && labels.iter().all(|(known, _)| *known != name) {
                labels.push((name, value));
            }
        }
        Labels::new(labels).expect("all names come from checked labels")
    }

    fn exported<'a>(&self, name: &'a str, input: &Labels) -> Cow<'a, str> {
        if !self.own.contains(&name) {
            return Cow::Borrowed(name);
        }
        let mut name = name.to_owned();
        while !input.get(&name).is_empty() {
            name.insert_str(0, "exported_");
        }
        Cow::Owned(name)
    }

    /// The same for whole series. Two that differ in nothing but their names become one, as after the `or` of an
    /// old metric and a new one, unless both have a sample at the same time.
    pub(super) fn merge(
        &self,
        series: impl IntoIterator<Item = (Labels, Vec<Sample>)>,
    ) -> Result<Samples, Failure> {
        let labelled = series
            .into_iter()
            .map(|(labels, samples)| (self.apply(&labels), samples));
        Samples::of(labelled.collect())
    }
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
    fn an_external_label_gives_way_to_what_the_forecast_sets() {
        let external = labels(&[("horizon", "x"), ("source", "eu"), ("zone", "a")]);
        let apply = |labelling: Labelling| labelling.apply(&labels(&[("app", "b")])).to_string();
        let forecast = Labelling::forecast(Labels::default(), external.clone());
        assert_eq!(apply(forecast), r#"{app="b",zone="a"}"#);
        let recorded = Labelling::record(Labels::default(), external);
        assert_eq!(
            apply(recorded),
            r#"{app="b",horizon="x",source="eu",zone="a"}"#
        );
    }

    #[test]
    fn labels_that_the_forecast_needs_are_exported() {
        check(
            &[("quantile", "0.9"), ("exported_quantile", "0.5")],
            r#"{cluster="eu",exported_exported_quantile="0.9",exported_quantile="0.5",team="infra"}"#,
        );
    }
}
