//! Numbers as people read them, on the page and in the terminal.

use serde_json::Value;

/// A number without digits that nobody needs.
pub(crate) fn number(value: f64) -> String {
    let digits = match value.abs() {
        100.0.. => 1,
        1.0.. => 2,
        size if size < 0.001 && size > 0.0 => return format!("{value:.1e}"),
        _ => 4,
    };
    let text = format!("{value:.digits$}");
    text.trim_end_matches('0').trim_end_matches('.').to_owned()
}

/// A share as a percentage.
pub(crate) fn percent(share: f64) -> String {
    format!("{} %", number(share * 100.0))
}

/// What a look at an effect found, as the journal keeps it; nothing where it found nothing.
pub(crate) fn found(value: &Value) -> Option<String> {
    if value.is_null() {
        return None;
    }
    let [canary, rest] = ["canary", "rest"].map(|side| side_found(&value[side]));
    if let (Some(canary), Some(rest)) = (canary, rest) {
        return Some(format!("{canary}, rest {rest}"));
    }
    let said = match (value["value"].as_f64(), value["holds"].as_bool()) {
        (Some(value), _) => number(value),
        (None, Some(true)) => "holds".to_owned(),
        (None, Some(false)) => "does not hold".to_owned(),
        (None, None) => value.to_string(),
    };
    Some(said)
}

/// One side of a comparison: events among all, or the mean of some series.
fn side_found(side: &Value) -> Option<String> {
    if let (Some(bad), Some(total)) = (side["bad"].as_f64(), side["total"].as_f64()) {
        return Some(format!("{} of {}", number(bad), number(total)));
    }
    side["series"].as_u64()?;
    let mean = side["mean"].as_f64();
    Some(mean.map_or_else(|| "none".to_owned(), number))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn numbers_have_the_digits_that_matter() {
        let said = [
            424.692_03,
            40.0,
            2.506,
            0.123_456,
            0.000_012_3,
            0.0,
            -1_200.25,
        ]
        .map(number);
        let expect = ["424.7", "40", "2.51", "0.1235", "1.2e-5", "0", "-1200.2"];
        assert_eq!(said, expect);
        assert_eq!(percent(0.625), "62.5 %");
    }

    #[test]
    fn what_was_found_is_said_without_braces() {
        let check = |value: Value, expect: Option<&str>| {
            assert_eq!(found(&value).as_deref(), expect, "{value}");
        };
        check(Value::Null, None);
        check(json!({"holds": true, "value": 0.312_45}), Some("0.3125"));
        check(
            json!({"holds": false, "value": null}),
            Some("does not hold"),
        );
        let events =
            json!({"canary": {"bad": 3.0, "total": 120.0}, "rest": {"bad": 9.0, "total": 900.0}});
        check(events, Some("3 of 120, rest 9 of 900"));
        let values =
            json!({"canary": {"mean": null, "series": 0}, "rest": {"mean": 0.25, "series": 9}});
        check(values, Some("none, rest 0.25"));
    }
}
