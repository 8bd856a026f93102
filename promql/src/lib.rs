//! PromQL expressions, parsed within limits: what a person or a client sends never costs more than a sentence.

mod durations;
mod texts;
mod tokens;

pub use promql_parser::{label, parser, util::visitor};

use promql_parser::parser::{
    Expr,
    function::{Function, register_extra_functions},
    value::ValueType,
};
use std::sync::Once;
use texts::Masked;

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

/// Parses an expression, with the functions of Prometheus 2 and 3, names in quotes, and the regular expressions of RE2.
///
/// Of a matcher with a regular expression only the value counts: what the parser compiled is of another language, and
/// is replaced by an empty one. [`series::Matcher`] has the right one.
pub fn parse(text: &str) -> Result<Expr, ParseError> {
    if text.len() > MAX_BYTES {
        return Err(ParseError::TooLong(text.len()));
    }
    let masked = Masked::new(text)?;
    durations::check(&masked.expr).map_err(ParseError::Duration)?;
    know_retired_functions();
    let parsed = parser::parse(&masked.expr);
    let mut expr = parsed.map_err(|error| ParseError::Syntax(masked.explain(&error)))?;
    masked.restore(&mut expr)?;
    Ok(expr)
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

    #[track_caller]
    fn matchers(text: &str, expect: &[(&str, &str)]) {
        let expr = parse(text).unwrap_or_else(|error| panic!("{text}: {error}"));
        let Expr::VectorSelector(selector) = &expr else {
            panic!("{text} is no selector");
        };
        let matchers = selector.matchers.matchers.iter();
        let found: Vec<_> = matchers
            .map(|m| (m.name.as_str(), m.value.as_str()))
            .collect();
        assert_eq!(found, expect, "{text}");
        // What is printed means the same.
        comes_back(&expr);
    }

    #[track_caller]
    fn comes_back(expr: &Expr) {
        let printed = expr.to_string();
        let again = parse(&printed).map(|expr| expr.to_string());
        assert_eq!(again, Ok(printed));
    }

    #[test]
    fn names_in_quotes_are_understood_wherever_prometheus_takes_them() {
        matchers(r#"{"a.b"}"#, &[("__name__", "a.b")]);
        matchers(
            r#"{"metric.name", "label.x"="y", z='1',}"#,
            &[("__name__", "metric.name"), ("label.x", "y"), ("z", "1")],
        );
        matchers(r#"up{"größe"!="1"}"#, &[("größe", "1")]);
        matchers(r#"{'a"b'="c"}"#, &[("a\"b", "c")]);
        for text in [
            r#"sum by ("http.route", job) (rate({"http.load"}[5m] offset 1m))"#,
            r#"a / on ("x.y") group_left ("z.z", b) {"c.d", e="f"}"#,
            r#"a * ignoring ("x.y") {"c.d"}"#,
            r#"label_replace({"a.b"}, "c.d", "$1", "e.f", "(.*)")"#,
            r#"count_values without ("a.b") ("v.w", {"a.b"})"#,
            r#"max_over_time({"a.b"}[1h:5m] @ end())"#,
        ] {
            let expr = parse(text).unwrap_or_else(|error| panic!("{text}: {error}"));
            comes_back(&expr);
            assert!(!expr.to_string().contains("\"$0"), "{expr}");
            assert!(!expr.to_string().contains("$$"), "{expr}");
        }
    }

    #[test]
    fn expressions_of_matchers_are_those_of_re2() {
        for pattern in [
            "/v1/{id}", "[^[]+", r"[\w-,]+", r"\Qx.y\E", "x{,3}", r"\<x\>",
        ] {
            matchers(&format!("a{{b=~`{pattern}`}}"), &[("b", pattern)]);
            let quoted = series::Quoted(pattern);
            matchers(&format!("a{{b!~{quoted}}}"), &[("b", pattern)]);
        }
        refuse(r#"a{b=~"[a"}"#, "missing closing ]: `[a`");
        refuse("a{b=~`(?=x)`}", "invalid or unsupported Perl syntax");
    }

    #[test]
    fn texts_between_backquotes_are_taken_as_they_are() {
        matchers(r"a{b=`\d\.\'`}", &[("b", r"\d\.\'")]);
        matchers("a{b=`x\ny # \"`}", &[("b", "x\ny # \"")]);
        matchers(
            r#"a{b="\x41\u00e9\101\n\\", c='"\''}"#,
            &[("b", "Aé\u{41}\n\\"), ("c", "\"'")],
        );
        refuse(r#"a{b="\d"}"#, "cannot read the text");
        refuse("a{b=\"x\ny\"}", "cannot read the text");
        refuse("a{b=`x}", "cannot read the text");
        refuse(r#"a{b=""#, "cannot read the text");
    }

    #[test]
    fn selectors_of_everything_and_of_two_names_are_refused() {
        refuse(r#"{a=~".*"}"#, "at least one non-empty matcher");
        refuse(r#"{a="", "b.c"!="x", d!~".+"}"#, "at least one");
        refuse(r#"up{"a.b"}"#, "must not be set twice");
        refuse(r#"up{"__name__"="b"}"#, "must not be set twice");
        matchers(r#"{a!=""}"#, &[("a", "")]);
        matchers(r#"{a!~".*"}"#, &[("a", ".*")]);
        matchers("up{}", &[]);
        for text in [
            "{}",
            "{,}",
            "up{,}",
            "up{a=\"b\",,}",
            "{a=\"\" or b!=\"c\"}",
        ] {
            assert!(parse(text).is_err(), "{text}");
        }
        assert!(parse(r#"{a="b" or c=""}"#).is_ok());
    }

    #[test]
    fn errors_show_texts_and_no_placeholders() {
        let error = parse(r#"sum("a.b" c)"#).unwrap_err().to_string();
        assert!(!error.contains("$0"), "{error}");
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
