//! PromQL expressions, parsed within limits: what a person or a client sends never costs more than a sentence.

mod durations;

pub use promql_parser::{label, parser, util::visitor};

use promql_parser::parser::{
    Expr,
    function::{Function, register_extra_functions},
    value::ValueType,
};
use std::sync::Once;

/// Far beyond what people write. The parser takes stack for each bracket and time by the square.
pub const MAX_BYTES: usize = 16 << 10;

/// Why a text is no expression. Each reads as the end of a sentence about the text.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ParseError {
    /// Longer than [`MAX_BYTES`].
    #[error("is {0} bytes long where {MAX_BYTES} are allowed")]
    TooLong(usize),
    /// A range, a step or an offset as a number of seconds that no clock will ever count.
    #[error("has `{0}` for a duration, which is too long")]
    Duration(String),
    /// Anything else, in the words of the parser.
    #[error("is not PromQL: {0}")]
    Syntax(String),
}

/// Parses an expression, with the functions of Prometheus 2 and 3.
pub fn parse(text: &str) -> Result<Expr, ParseError> {
    if text.len() > MAX_BYTES {
        return Err(ParseError::TooLong(text.len()));
    }
    durations::check(text).map_err(ParseError::Duration)?;
    know_retired_functions();
    parser::parse(text).map_err(ParseError::Syntax)
}

/// Functions that Prometheus 2 has and the parser does not know any more.
fn know_retired_functions() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        let arguments = vec![ValueType::Matrix, ValueType::Scalar, ValueType::Scalar];
        let holt_winters = Function::new("holt_winters", arguments, 0, ValueType::Vector, false);
        register_extra_functions(vec![holt_winters])
            .expect("it is called after none of the parser's own functions");
    });
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn refuse(text: &str, expect: &str) {
        let error = parse(text).unwrap_err().to_string();
        assert!(error.contains(expect), "{error}");
    }

    #[test]
    fn expressions_of_both_generations_are_understood() {
        for text in [
            "sum by (a) (rate(b[5m] offset -1h)) > 1e30",
            "holt_winters(up[1h], 0.5, 0.5)",
            "a{b=\"[1e99]\", c='offset 1e99'} offset 90",
            "max_over_time(a:b[300:60])",
        ] {
            assert!(parse(text).is_ok(), "{text}: {:?}", parse(text));
        }
    }

    #[test]
    fn what_is_none_is_refused_with_a_sentence() {
        refuse("up{", "is not PromQL: ");
        refuse(&"(".repeat(MAX_BYTES + 1), "is 16385 bytes long");
    }

    #[test]
    fn durations_that_no_clock_will_count_do_not_end_the_program() {
        for text in [
            "a[1e30]",
            "a[ Inf ]",
            "a[5m:1e30]",
            "a[NaN:]",
            "rate(a{b=\"]\"}[2555555555555555555555555555555555:5m])",
            "a offset 1e30",
            "a OFFSET - 99999999999999999999",
            "a offset\n+inf",
            "a[1_0e30]",
            "a offset # comment\n 1e30",
        ] {
            let refused = parse(text);
            assert!(refused.is_err(), "{text}");
        }
        for time in ["1e300", "-1e300", "NaN", "9e18"] {
            let _ = parse(&format!("a @ {time}"));
        }
    }
}
