//! Checks that an expression is PromQL, and of a kind that gives series.

use promql::parser::value::ValueType;
use yaml::Node;

/// Reads an expression.
pub(super) fn read(node: &Node) -> Option<String> {
    let text = node.string()?;
    node.accept(check(&text))?;
    Some(text)
}

fn check(text: &str) -> Result<(), String> {
    match promql::parse(text).map(|expr| expr.value_type()) {
        Ok(ValueType::Vector | ValueType::Scalar) => Ok(()),
        Ok(other) => Err(format!(
            "expected an instant vector or a scalar, got a {other}"
        )),
        Err(error) => Err(error.to_string()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn refuse(text: &str, expect: &str) {
        let error = check(text).unwrap_err();
        assert!(error.contains(expect), "{error}");
    }

    #[test]
    fn what_gives_series_is_accepted() {
        for text in [
            "1 - avg by (instance) (rate(node_cpu_seconds_total{mode=\"idle\"}[5m]))",
            "time()",
            "holt_winters(up[1h], 0.5, 0.5)",
            "max_over_time(x:forecast_curve[1h] offset -1h)",
            "up{job=\"a\" or job=\"b\"} @ end()",
        ] {
            assert_eq!(check(text), Ok(()), "{text}");
        }
    }

    #[test]
    fn what_gives_none_is_refused() {
        refuse(
            "up[5m]",
            "expected an instant vector or a scalar, got a matrix",
        );
        refuse("\"text\"", "got a string");
        refuse("sum(", "is not PromQL");
        refuse("", "is not PromQL");
        refuse("no_such_function(up)", "is not PromQL");
        refuse("rate(up[1e30])", "has `1e30` for a duration");
    }

    #[test]
    fn what_would_exhaust_the_stack_is_refused() {
        let nested = |depth| format!("{}up{}", "(".repeat(depth), ")".repeat(depth));
        assert_eq!(check(&nested(promql::MAX_BYTES / 2 - 1)), Ok(()));
        refuse(
            &nested(100_000),
            "is 200002 bytes long where 16384 are allowed",
        );
    }
}
