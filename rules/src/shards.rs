//! One expression as several, each for one value of a label, so that no query has to answer for all series.

use promql::{
    label::{MatchOp, Matcher},
    parse,
    parser::{AggregateExpr, Expr, VectorSelector},
    visitor::{ExprVisitorMut, walk_expr_mut},
};
use series::{Quoted, is_plain_label_name};

/// Why an expression cannot be evaluated value by value. Each reads as the end of a sentence about the expression.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum ShardError {
    /// Nothing that a matcher could be added to.
    #[error("has no selector that could be asked for one value of a label")]
    NoSelector,
    /// Each alternative would need the matcher.
    #[error(
        "has a selector with `or` between its matchers, which cannot be asked for one value of a label"
    )]
    Alternatives,
    /// It does not come back from the parser as it went in.
    #[error("cannot be written anew with one more matcher")]
    NotWritable,
}

/// The expression for the series whose label has this value; the empty value is for those without the label. Each
/// selector gets one more matcher.
pub(crate) fn shard(expr: &str, label: &str, value: &str) -> Result<String, ShardError> {
    let mut ast = parse(expr).map_err(|_| ShardError::NotWritable)?;
    let mut narrow = Narrow {
        matcher: Matcher::new(MatchOp::Equal, label, value),
        n_selectors: 0,
    };
    walk_expr_mut(&mut narrow, &mut ast)?;
    if narrow.n_selectors == 0 {
        return Err(ShardError::NoSelector);
    }
    let text = ast.to_string();
    // Nobody promises that what is printed is what was meant; whether it is can be seen.
    if parse(&text).as_ref() == Ok(&ast) {
        Ok(text)
    } else {
        Err(ShardError::NotWritable)
    }
}

/// How many series the expression gives for each value of a label.
pub(crate) fn census(expr: &str, label: &str) -> String {
    // The expression may end in a comment.
    if is_plain_label_name(label) {
        format!("count by ({label}) ({expr}\n)")
    } else {
        format!("count by ({}) ({expr}\n)", Quoted(label))
    }
}

/// Adds a matcher to every selector.
struct Narrow {
    matcher: Matcher,
    n_selectors: usize,
}

impl Narrow {
    fn narrow(&mut self, selector: &mut VectorSelector) -> Result<(), ShardError> {
        if !selector.matchers.or_matchers.is_empty() {
            return Err(ShardError::Alternatives);
        }
        let matchers = &mut selector.matchers.matchers;
        matchers.push(self.matcher.clone());
        // As they are printed.
        matchers.sort_by_cached_key(ToString::to_string);
        self.n_selectors += 1;
        Ok(())
    }
}

impl ExprVisitorMut for Narrow {
    type Error = ShardError;

    fn pre_visit(&mut self, expr: &mut Expr) -> Result<bool, ShardError> {
        match expr {
            Expr::VectorSelector(selector) => self.narrow(selector)?,
            Expr::MatrixSelector(matrix) => self.narrow(&mut matrix.vs)?,
            // The walk leaves the parameter out, and it may hold a selector: `topk(scalar(x), y)`.
            Expr::Aggregate(AggregateExpr {
                param: Some(param), ..
            }) => {
                walk_expr_mut(self, param)?;
            }
            _ => {}
        }
        Ok(true)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[track_caller]
    fn check(expr: &str, expect: &str) {
        let got = shard(expr, "zone", "eu").unwrap_or_else(|error| error.to_string());
        assert_eq!(got, expect);
    }

    #[test]
    fn every_selector_gets_the_matcher() {
        check("load", r#"load{zone="eu"}"#);
        check(
            "1 - avg by (zone, instance) (rate(cpu_total{mode=\"idle\"}[5m] offset 1m))",
            r#"1 - avg by (zone, instance) (rate(cpu_total{mode="idle",zone="eu"}[5m] offset 1m))"#,
        );
        check(
            "a / on (zone) group_left () (b @ end() + max_over_time(c[1h:1m]))",
            r#"a{zone="eu"} / on (zone) group_left () (b{zone="eu"} @ end() + max_over_time(c{zone="eu"}[1h:1m]))"#,
        );
        check(
            "topk by (zone) (scalar(n), {__name__=~\"a.*\"})",
            r#"topk by (zone) (scalar(n{zone="eu"}), {__name__=~"a.*",zone="eu"})"#,
        );
    }

    #[test]
    fn what_cannot_be_asked_for_one_value_is_refused() {
        check("time()", &ShardError::NoSelector.to_string());
        check("vector(1)", &ShardError::NoSelector.to_string());
        check(
            r#"up{a="1" or b="2"}"#,
            &ShardError::Alternatives.to_string(),
        );
    }

    #[test]
    fn the_census_counts_what_the_expression_gives() {
        assert_eq!(census("a or b", "zone"), "count by (zone) (a or b\n)");
        let commented = census("a # of all", "zone");
        assert!(parse(&commented).is_ok(), "{commented}");
        let quoted = census("up", "k8s.\"zone");
        assert_eq!(quoted, "count by (\"k8s.\\\"zone\") (up\n)");
        assert!(parse(&quoted).is_ok(), "{quoted}");
    }

    #[test]
    fn names_and_expressions_of_any_kind_come_back_as_they_were() {
        check(
            r#"sum by ("k8s.ns") (rate({"http.load", "a.b"=~`/v1/[^[]+\d{id}`}[5m]))"#,
            r#"sum by ("k8s.ns") (rate({"a.b"=~"/v1/[^[]+\\d{id}",__name__="http.load",zone="eu"}[5m]))"#,
        );
        let got = shard("{\"http.load\"}", "k8s.zone", "a\"b").unwrap();
        assert_eq!(got, r#"{"k8s.zone"="a\"b",__name__="http.load"}"#);
    }

    proptest! {
        #[test]
        fn any_value_is_asked_for_as_it_is(value in any::<String>()) {
            // Where the parser cannot bring a value back, that is said, and never another one asked for.
            if let Ok(text) = shard("load", "zone", &value) {
                let Ok(Expr::VectorSelector(selector)) = parse(&text) else {
                    panic!("{text} is no selector");
                };
                prop_assert_eq!(&selector.matchers.find_matchers("zone")[0].value, &value);
            }
        }

        #[test]
        fn plain_values_are_all_asked_for(value in "[a-zA-Z0-9 ./:_-]{0,20}") {
            prop_assert!(shard("load", "zone", &value).is_ok());
        }
    }
}
