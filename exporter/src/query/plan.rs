//! Expressions that raw samples are enough for: a selector, with `offset`, and arithmetic with numbers around it.

use super::{
    Grid,
    evaluate::{looked_at, on_grid},
    question::{Operation, Picked, number, picked},
};
use promql::{
    parse,
    parser::{BinaryExpr, Expr},
};
use series::{Labels, Sample, Selector, Timestamp};

/// How such an expression is evaluated.
#[derive(Debug)]
pub(crate) struct Plan {
    picked: Picked,
    /// From the selector outwards.
    arithmetic: Vec<Arithmetic>,
}

/// One operation with a number.
#[derive(Debug)]
enum Arithmetic {
    /// `-x`
    Negate,
    /// `x op number`
    Right(Operation, f64),
    /// `number op x`
    Left(f64, Operation),
}

impl Plan {
    /// Reads an expression; else a phrase that says what there is in it that takes more than a selector.
    pub(crate) fn read(text: &str) -> Result<Self, &'static str> {
        let expr = parse(text).map_err(|_| "what is no PromQL")?;
        Self::of(&expr)
    }

    fn of(expr: &Expr) -> Result<Self, &'static str> {
        match expr {
            Expr::Paren(inner) => Self::of(&inner.expr),
            Expr::Unary(inner) => Ok(Self::of(&inner.expr)?.then(Arithmetic::Negate)),
            Expr::VectorSelector(selector) => {
                let picked = picked(selector).map_err(|_| "`or` between matchers")?;
                let arithmetic = Vec::new();
                let plan = Self { picked, arithmetic };
                plan.picked
                    .moves()
                    .then_some(plan)
                    .ok_or("a fixed time (`@`)")
            }
            Expr::Binary(binary) => Self::of_binary(binary),
            Expr::Aggregate(_) => Err("an aggregation"),
            Expr::Call(_) => Err("a function"),
            Expr::Subquery(_) => Err("a subquery"),
            Expr::MatrixSelector(_) => Err("a range of samples"),
            Expr::NumberLiteral(_) | Expr::StringLiteral(_) | Expr::Extension(_) => {
                Err("no selector")
            }
        }
    }

    fn of_binary(binary: &BinaryExpr) -> Result<Self, &'static str> {
        let BinaryExpr {
            op,
            lhs,
            rhs,
            modifier,
        } = binary;
        let operation = Operation::of(*op).filter(|_| modifier.is_none());
        let operation = operation.ok_or("a comparison, or an operation on sets")?;
        match (number(lhs), number(rhs)) {
            (None, Some(right)) => Ok(Self::of(lhs)?.then(Arithmetic::Right(operation, right))),
            (Some(left), None) => Ok(Self::of(rhs)?.then(Arithmetic::Left(left, operation))),
            _ => Err("an operation between series"),
        }
    }

    fn then(mut self, arithmetic: Arithmetic) -> Self {
        self.arithmetic.push(arithmetic);
        self
    }

    /// The series to be read.
    pub(crate) fn selector(&self) -> &Selector {
        &self.picked.selector
    }

    /// The times of the samples to be read, both included.
    pub(crate) fn times(&self, grid: Grid) -> (Timestamp, Timestamp) {
        looked_at(&self.picked, grid)
    }

    /// The labels of what a series is made into: as in PromQL, whatever computes drops the name.
    pub(crate) fn labels(&self, labels: Labels) -> Labels {
        if self.arithmetic.is_empty() {
            labels
        } else {
            labels.without("__name__")
        }
    }

    /// The values on a grid, from the samples of one series in order of time.
    pub(crate) fn values(&self, grid: Grid, samples: &[Sample]) -> Vec<Sample> {
        let mut values = on_grid(&self.picked, grid, samples);
        for sample in &mut values {
            for arithmetic in &self.arithmetic {
                sample.value = arithmetic.apply(sample.value);
            }
        }
        values
    }
}

impl Arithmetic {
    fn apply(&self, value: f64) -> f64 {
        match self {
            Self::Negate => -value,
            Self::Right(operation, number) => operation.apply(value, *number),
            Self::Left(number, operation) => operation.apply(*number, value),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    #[track_caller]
    fn gives(text: &str, expect: &[f64]) {
        let at = Timestamp::from_seconds;
        let samples = [(0, 1.0), (60, 2.0), (90, 4.0)].map(|(time, value)| Sample {
            at: at(time),
            value,
        });
        let grid = Grid {
            start: at(60),
            end: at(120),
            step: Duration::from_mins(1),
        };
        let values = Plan::read(text).unwrap().values(grid, &samples);
        let values: Vec<_> = values.iter().map(|sample| sample.value).collect();
        assert_eq!(values, expect, "{text}");
    }

    #[track_caller]
    fn refuses(text: &str, expect: &str) {
        assert_eq!(Plan::read(text).unwrap_err(), expect, "{text}");
    }

    #[test]
    fn selectors_and_arithmetic_with_numbers_are_evaluated() {
        gives("a", &[2.0, 4.0]);
        gives("((a))", &[2.0, 4.0]);
        gives("a offset 1m", &[1.0, 2.0]);
        gives("-a", &[-2.0, -4.0]);
        gives("1 - a / 4", &[0.5, 0.0]);
        gives("(a + 1) ^ 2 % 7", &[2.0, 4.0]);
        gives("100 * (1 - a)", &[-100.0, -300.0]);
    }

    #[test]
    fn what_computes_has_no_name() {
        let labels = || Labels::new([("__name__", "a"), ("job", "x")]).unwrap();
        assert_eq!(Plan::read("a").unwrap().labels(labels()), labels());
        let nameless = Plan::read("a * 2").unwrap().labels(labels());
        assert_eq!(nameless, labels().without("__name__"));
    }

    #[test]
    fn what_takes_more_is_told_by_name() {
        refuses("sum(a)", "an aggregation");
        refuses("rate(a[5m])", "a function");
        refuses("a - b", "an operation between series");
        refuses("a > 1", "a comparison, or an operation on sets");
        refuses("a and 1", "what is no PromQL");
        refuses("a @ 5", "a fixed time (`@`)");
        refuses("1 + 1", "an operation between series");
        refuses("1", "no selector");
        refuses("a{", "what is no PromQL");
    }
}
