//! From a query's text to what is asked for.

use promql::{
    ParseError,
    label::{MatchOp as ParsedOp, Matcher as ParsedMatcher},
    parse,
    parser::{
        AtModifier, BinaryExpr, Expr, Offset, VectorSelector, token::TokenType, value::ValueType,
    },
};
use series::{MatchOp, Matcher, Selector, Timestamp};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// What a query asks for.
#[derive(Debug)]
pub(crate) enum Question {
    /// A number, whatever the time.
    Scalar(f64),
    /// The series that a selector picks, at a time.
    Vector(Picked),
    /// The samples of those series in the time before.
    Matrix(Picked, Duration),
}

/// A selector and the time that it looks at.
#[derive(Debug)]
pub(crate) struct Picked {
    pub(crate) selector: Selector,
    at: At,
    /// Milliseconds back; negative looks ahead.
    offset: i64,
}

#[derive(Debug)]
enum At {
    /// The time that the query is evaluated for.
    Evaluated,
    Start,
    End,
    Fixed(Timestamp),
}

/// Why a query is not answered.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Refused {
    /// No PromQL.
    #[error("the query {0}")]
    NotPromQl(#[from] ParseError),
    /// PromQL, but more of it than there is here.
    #[error(
        "{0} is not answered here: this API knows selectors with `offset` and `@`; more is for a server that holds these \
         series, scraped or by remote read"
    )]
    TooMuch(&'static str),
    /// A matcher whose expression is not one.
    #[error(transparent)]
    Matcher(#[from] series::MatcherError),
}

impl Question {
    /// Reads a query.
    pub(crate) fn read(text: &str) -> Result<Self, Refused> {
        let expr = parse(text)?;
        if expr.value_type() == ValueType::Scalar
            && let Some(number) = number(&expr)
        {
            return Ok(Self::Scalar(number));
        }
        Self::of(&expr)
    }

    fn of(expr: &Expr) -> Result<Self, Refused> {
        let too_much = |what| Err(Refused::TooMuch(what));
        match expr {
            Expr::Paren(inner) => Self::of(&inner.expr),
            Expr::VectorSelector(selector) => picked(selector).map(Self::Vector),
            Expr::MatrixSelector(matrix) => {
                picked(&matrix.vs).map(|picked| Self::Matrix(picked, matrix.range))
            }
            Expr::Aggregate(_) => too_much("an aggregation"),
            Expr::Binary(_) => too_much("a binary operation"),
            Expr::Unary(_) => too_much("a sign before a selector"),
            Expr::Call(_) => too_much("a function"),
            Expr::Subquery(_) => too_much("a subquery"),
            Expr::StringLiteral(_) => too_much("a text"),
            Expr::NumberLiteral(_) | Expr::Extension(_) => too_much("this"),
        }
    }

    /// The series that a `match[]` of the API picks: a selector without any time.
    pub(crate) fn selector(text: &str) -> Result<Selector, Refused> {
        match Self::read(text)? {
            Self::Vector(Picked {
                selector,
                at: At::Evaluated,
                offset: 0,
            }) => Ok(selector),
            _ => Err(Refused::TooMuch("a `match[]` that is more than a selector")),
        }
    }
}

impl Picked {
    /// Whether it looks at a time that moves with that of the evaluation, whatever the range around it.
    pub(super) fn moves(&self) -> bool {
        matches!(self.at, At::Evaluated)
    }

    /// The time that is looked at when the query is evaluated for `time`, between `start` and `end`.
    pub(crate) fn time(&self, time: Timestamp, (start, end): (Timestamp, Timestamp)) -> Timestamp {
        let at = match self.at {
            At::Evaluated => time,
            At::Start => start,
            At::End => end,
            At::Fixed(at) => at,
        };
        Timestamp::from_millis(at.as_millis().saturating_sub(self.offset))
    }
}

pub(super) fn picked(parsed: &VectorSelector) -> Result<Picked, Refused> {
    // The parser keeps alternatives apart, and whoever reads only the matchers would answer too much.
    if !parsed.matchers.or_matchers.is_empty() {
        return Err(Refused::TooMuch("`or` between matchers"));
    }
    let name = parsed
        .name
        .iter()
        .map(|name| Matcher::new(MatchOp::Equal, "__name__", name));
    let others = parsed.matchers.matchers.iter().map(matcher);
    let matchers = name.chain(others).collect::<Result<Vec<_>, _>>()?;
    Ok(Picked {
        selector: Selector::new(matchers),
        at: match parsed.at {
            None => At::Evaluated,
            Some(AtModifier::Start) => At::Start,
            Some(AtModifier::End) => At::End,
            Some(AtModifier::At(time)) => At::Fixed(timestamp(time)),
        },
        offset: match parsed.offset {
            None => 0,
            Some(Offset::Pos(back)) => millis(back),
            Some(Offset::Neg(ahead)) => -millis(ahead),
        },
    })
}

fn matcher(parsed: &ParsedMatcher) -> Result<Matcher, series::MatcherError> {
    let op = match parsed.op {
        ParsedOp::Equal => MatchOp::Equal,
        ParsedOp::NotEqual => MatchOp::NotEqual,
        ParsedOp::Re(_) => MatchOp::Regex,
        ParsedOp::NotRe(_) => MatchOp::NotRegex,
    };
    Matcher::new(op, &parsed.name, &parsed.value)
}

fn timestamp(time: SystemTime) -> Timestamp {
    let since = time.duration_since(UNIX_EPOCH);
    Timestamp::from_millis(since.map_or_else(|before| -millis(before.duration()), millis))
}

fn millis(duration: Duration) -> i64 {
    i64::try_from(duration.as_millis()).unwrap_or(i64::MAX)
}

/// The value of arithmetic without series; `None` where there is more to it.
pub(super) fn number(expr: &Expr) -> Option<f64> {
    match expr {
        Expr::NumberLiteral(literal) => Some(literal.val),
        Expr::Paren(inner) => number(&inner.expr),
        Expr::Unary(inner) => number(&inner.expr).map(|value| -value),
        Expr::Binary(BinaryExpr { op, lhs, rhs, .. }) => {
            let (left, right) = (number(lhs)?, number(rhs)?);
            Some(Operation::of(*op)?.apply(left, right))
        }
        _ => None,
    }
}

/// An operation whose outcome is a number for all numbers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Operation {
    Add,
    Subtract,
    Multiply,
    Divide,
    Remainder,
    Power,
}

impl Operation {
    /// `None` for comparisons and operations on sets.
    pub(super) fn of(op: TokenType) -> Option<Self> {
        Some(match op.to_string().as_str() {
            "+" => Self::Add,
            "-" => Self::Subtract,
            "*" => Self::Multiply,
            "/" => Self::Divide,
            "%" => Self::Remainder,
            "^" => Self::Power,
            _ => return None,
        })
    }

    pub(super) fn apply(self, left: f64, right: f64) -> f64 {
        match self {
            Self::Add => left + right,
            Self::Subtract => left - right,
            Self::Multiply => left * right,
            Self::Divide => left / right,
            Self::Remainder => left % right,
            Self::Power => left.powf(right),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const AT: fn(i64) -> Timestamp = Timestamp::from_seconds;

    #[track_caller]
    fn looks_at(text: &str, expect: i64) {
        let Ok(Question::Vector(picked)) = Question::read(text) else {
            panic!("{text} is no selector");
        };
        assert_eq!(
            picked.time(AT(500), (AT(100), AT(900))),
            AT(expect),
            "{text}"
        );
    }

    #[track_caller]
    fn refuses(text: &str, expect: &str) {
        let refused = Question::read(text).unwrap_err().to_string();
        assert!(refused.contains(expect), "{refused}");
    }

    #[test]
    fn offset_and_at_move_the_time_that_is_looked_at() {
        looks_at("a:forecast_curve", 500);
        looks_at("a:forecast_curve offset 1m", 440);
        looks_at("(a:forecast_curve offset -1h)", 4_100);
        looks_at("a:forecast_curve @ 700", 700);
        looks_at("a:forecast_curve @ start() offset 10s", 90);
        looks_at("a:forecast_curve @ end()", 900);
    }

    #[test]
    fn all_kinds_of_matchers_are_understood() {
        let labels = |quantile: &str| {
            let pairs = [
                ("__name__", "a:forecast_curve"),
                ("quantile", quantile),
                ("job", "api"),
            ];
            series::Labels::new(pairs).unwrap()
        };
        let text = r#"{__name__=~"a:.*", quantile!="0.5", job="api", zone!~"eu.+"}"#;
        let selector = Question::selector(text).unwrap();
        assert!(selector.matches(&labels("0.95")) && !selector.matches(&labels("0.5")));
    }

    #[test]
    fn the_health_check_of_grafana_is_arithmetic() {
        for (text, expect) in [("1+1", 2.0), ("-(2 ^ 3) / 4", -2.0), ("7 % 4", 3.0)] {
            let Ok(Question::Scalar(value)) = Question::read(text) else {
                panic!("{text} is no number");
            };
            assert!((value - expect).abs() < 1e-12, "{text}: {value}");
        }
    }

    #[test]
    fn what_computes_is_refused_with_the_way_out() {
        refuses("sum(a)", "an aggregation is not answered here");
        refuses("rate(a[5m])", "a function");
        refuses("a + 1", "a binary operation");
        refuses("max_over_time(a[1h:1m])", "a function");
        refuses("a[1h:1m]", "a subquery");
        refuses(r#"a{x="1" or y="2"}"#, "`or` between matchers");
        refuses("a{", "the query is not PromQL");
        refuses(&"(".repeat(20_000), "20000 bytes long");
        assert!(Question::selector("a offset 5m").is_err());
    }
}
