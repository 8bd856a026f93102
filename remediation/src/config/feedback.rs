//! The keys `feedback` and `silence` of a workload: what is measured of an action, and which alerts it may stir.

use super::{
    checks::expression,
    scalars::{positive_duration, share, words},
};
use alertmanager_client::{MatchOp, Matcher};
use promql::{label, parser};
use std::time::Duration;
use yaml::Node;

/// PromQL that tells what an action changed. Each returns one series.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Feedback {
    /// How many instances are ready.
    pub ready: Option<String>,
    /// How much of the present instances is used, as a share.
    pub utilisation: Option<String>,
    /// The share that is aimed at; above zero, at most one. None where the response of a replica is not
    /// measured.
    pub target: Option<f64>,
    /// What the workload is held to, such as a delay.
    pub objective: Option<String>,
    /// What it costs.
    pub cost: Option<String>,
}

/// Alerts that an action stirs, and that are held back while it takes effect.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SilenceOrder {
    /// Conditions that an alert must all meet; never empty, and one at least is an equality.
    pub matchers: Vec<Matcher>,
    /// How long, from each effect.
    pub lasts: Duration,
}

/// Nobody should be kept in the dark for longer by a program.
const LONGEST_SILENCE: Duration = Duration::from_hours(1);

pub(super) fn feedback(node: &Node) -> Option<Feedback> {
    node.map(|fields| {
        let feedback = Feedback {
            ready: fields.optional("ready", expression),
            utilisation: fields.optional("utilisation", expression),
            target: fields.optional("target", |node| {
                let share = share(node)?;
                if share > 1.0 {
                    node.problem("cannot be more than 100%");
                    return None;
                }
                Some(share)
            }),
            objective: fields.optional("objective", expression),
            cost: fields.optional("cost", expression),
        };
        if fields.has("target") && !fields.has("utilisation") {
            fields.problem("target", "is the aim of `utilisation`, which is missing");
        }
        Some(feedback)
    })
}

pub(super) fn silence(node: &Node) -> Option<SilenceOrder> {
    node.map(|fields| {
        let matchers = fields.required("selector", matchers);
        let lasts = fields.required("for", |node| {
            let lasts = positive_duration(node)?;
            if lasts > LONGEST_SILENCE {
                node.problem("must not be longer than 1h");
                return None;
            }
            Some(lasts)
        });
        Some(SilenceOrder {
            matchers: matchers?,
            lasts: lasts?,
        })
    })
}

fn matchers(node: &Node) -> Option<Vec<Matcher>> {
    let text = words(node)?;
    let parsed = node.accept(promql::parse(&text))?;
    let parser::Expr::VectorSelector(selector) = parsed else {
        node.problem(
            "must be a selector, like {alertname=\"ReplicasChanged\", service=\"checkout\"}",
        );
        return None;
    };
    if selector.name.is_some() || selector.offset.is_some() || selector.at.is_some() {
        node.problem("must have labels alone, as alerts have: name the alert by alertname");
        return None;
    }
    if !selector.matchers.or_matchers.is_empty() {
        node.problem("must not have `or`, which silences do not know");
        return None;
    }
    let matchers: Vec<_> = selector.matchers.matchers.iter().map(matcher).collect();
    let is_bound = |matcher: &Matcher| matcher.op() == MatchOp::Equal && !matcher.value.is_empty();
    if !matchers.iter().any(is_bound) {
        node.problem("must have one label that equals a value, or it might hold back everything");
        return None;
    }
    Some(matchers)
}

fn matcher(matcher: &label::Matcher) -> Matcher {
    let op = match matcher.op {
        label::MatchOp::Equal => MatchOp::Equal,
        label::MatchOp::NotEqual => MatchOp::NotEqual,
        label::MatchOp::Re(_) => MatchOp::Regex,
        label::MatchOp::NotRe(_) => MatchOp::NotRegex,
    };
    Matcher::new(matcher.name.clone(), op, matcher.value.clone())
}
