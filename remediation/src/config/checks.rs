//! The PromQL that an effect is judged by.

use super::scalars::{count, share, words};
use crate::statistics::Better;
use promql::parser::{Expr, token, value::ValueType};
use series::{PromDuration, Timestamp};
use std::time::Duration;
use yaml::{Fields, Node};

/// A PromQL expression that must hold.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Check {
    /// The expression. It holds when it returns at least one series.
    pub expr: String,
    /// Whether a comparison in it has the modifier `bool`, so that a 0 in its answer means false. Without
    /// the modifier a comparison drops what does not hold, and 0 is a value like any other.
    pub zero_is_false: bool,
    /// What is compared with a number, where the expression is such a comparison: it has a value also when the
    /// comparison does not hold.
    pub measured: Option<Measured>,
}

/// The left side of a comparison with a number.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Measured {
    /// The expression on the left side.
    pub expr: String,
    /// Which way is the good one.
    pub better: Better,
}

/// What is new held against the untouched rest.
#[derive(Debug, Clone, PartialEq)]
pub struct Comparison {
    /// Unique within the workload.
    pub name: String,
    /// What is compared.
    pub sides: Sides,
    /// How much worse it may be; above zero.
    pub margin: f64,
    /// The least that must have been seen on each side.
    pub min_sample: u32,
}

/// The expressions of a comparison.
#[derive(Debug, Clone, PartialEq)]
pub enum Sides {
    /// Shares of events that went wrong. Each expression returns one series.
    Events {
        /// How many went wrong.
        bad: Pair,
        /// How many there were.
        total: Pair,
    },
    /// One value an instance.
    Values {
        /// The values.
        value: Pair,
        /// Which way is the good one.
        better: Better,
    },
}

/// The same question about both sides.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pair {
    /// About what is new.
    pub canary: Template,
    /// About what was not touched.
    pub rest: Template,
}

/// PromQL in which `$before` stands for the time right before the effect, in seconds since the epoch, and
/// `$window` for the time since the present stage began.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Template(String);

/// A hundred events on a side tell 10 % from 1 % most of the time; fewer tell little of anything.
const MIN_EVENTS: u32 = 100;

/// With fewer than three values, their spread is anybody's guess.
const MIN_VALUES: u32 = 3;

impl Template {
    /// A text as it is, unchecked.
    #[cfg(test)]
    pub(crate) fn literal(text: &str) -> Self {
        Self(text.to_owned())
    }

    /// The expression for a stage that began at `began`, of an action whose effect was ordered at `before`.
    pub fn fill(&self, before: Timestamp, began: Timestamp, now: Timestamp) -> String {
        let seconds = now.since(began).as_secs().max(1);
        let window = PromDuration::new(Duration::from_secs(seconds));
        self.0
            .replace("$before", &format!("{:.3}", before.as_seconds_f64()))
            .replace("$window", &window.to_string())
    }
}

pub(super) fn check(node: &Node) -> Option<Check> {
    let expr = words(node)?;
    let parsed = instant(node, &expr)?;
    Some(Check {
        zero_is_false: returns_bool(&parsed),
        measured: measured(&parsed),
        expr,
    })
}

/// An expression that an instant query answers with numbers.
pub(super) fn expression(node: &Node) -> Option<String> {
    let expr = words(node)?;
    instant(node, &expr)?;
    Some(expr)
}

fn instant(node: &Node, expr: &str) -> Option<Expr> {
    let parsed = node.accept(promql::parse(expr))?;
    if matches!(parsed.value_type(), ValueType::Matrix | ValueType::String) {
        let kind = parsed.value_type();
        node.problem(format!(
            "must return an instant vector or a scalar, not a {kind}"
        ));
        return None;
    }
    Some(parsed)
}

fn returns_bool(expr: &Expr) -> bool {
    match expr {
        Expr::Paren(inner) => returns_bool(&inner.expr),
        Expr::Aggregate(inner) => returns_bool(&inner.expr),
        Expr::Binary(binary) => {
            let here = binary.modifier.as_ref().is_some_and(|m| m.return_bool);
            here || returns_bool(&binary.lhs) || returns_bool(&binary.rhs)
        }
        _ => false,
    }
}

fn measured(expr: &Expr) -> Option<Measured> {
    match expr {
        Expr::Paren(inner) => measured(&inner.expr),
        Expr::Binary(binary) if binary.rhs.value_type() == ValueType::Scalar => {
            let better = match binary.op.id() {
                token::T_LSS | token::T_LTE => Better::Lower,
                token::T_GTR | token::T_GTE => Better::Higher,
                _ => return None,
            };
            let is_vector = binary.lhs.value_type() == ValueType::Vector;
            let expr = binary.lhs.to_string();
            is_vector.then_some(Measured { expr, better })
        }
        _ => None,
    }
}

pub(super) fn comparison(node: &Node) -> Option<Comparison> {
    node.map(|fields| {
        let name = fields.required("name", words);
        let margin = fields.required("margin", share);
        let value = fields.optional("value", pair);
        let bad = fields.optional("bad", pair);
        let total = fields.optional("total", pair);
        let better = fields.optional("better", better);
        let min_sample = fields.optional("min_sample", count);
        kinds(fields);
        let (sides, standard) = match (value, bad, total) {
            (Some(value), None, None) => {
                let better = better.unwrap_or(Better::Lower);
                (Sides::Values { value, better }, MIN_VALUES)
            }
            (None, Some(bad), Some(total)) => (Sides::Events { bad, total }, MIN_EVENTS),
            _ => return None,
        };
        let min_sample = min_sample.unwrap_or(standard);
        let least = match sides {
            Sides::Values { .. } => MIN_VALUES,
            Sides::Events { .. } => 1,
        };
        if min_sample < least {
            fields.problem("min_sample", format!("must be at least {least}"));
        }
        Some(Comparison {
            name: name?,
            sides,
            margin: margin?,
            min_sample,
        })
    })
}

/// Either `value`, or `bad` and `total`.
fn kinds(fields: &Fields) {
    let has = |key| fields.has(key);
    match (has("value"), has("bad"), has("total")) {
        (true, false, false) | (false, true, true) => {}
        _ => fields
            .node()
            .problem("must have `value`, or `bad` and `total`"),
    }
    if has("better") && !has("value") {
        fields.problem(
            "better",
            "is for `value`: what is bad is better when there is less",
        );
    }
}

fn pair(node: &Node) -> Option<Pair> {
    node.map(|fields| {
        let canary = fields.required("canary", template);
        let rest = fields.required("rest", template);
        let (canary, rest) = (canary?, rest?);
        if canary == rest {
            fields
                .node()
                .problem("both sides ask the same, so they cannot differ");
            return None;
        }
        Some(Pair { canary, rest })
    })
}

fn template(node: &Node) -> Option<Template> {
    let template = Template(words(node)?);
    let began = Timestamp::from_seconds(0);
    let example = template.fill(began, began, began + Duration::from_mins(5));
    instant(node, &example)?;
    Some(template)
}

fn better(node: &Node) -> Option<Better> {
    match node.string()?.as_str() {
        "lower" => Some(Better::Lower),
        "higher" => Some(Better::Higher),
        other => {
            node.problem(format!("`{other}` is not one of lower, higher"));
            None
        }
    }
}
