//! The header `Retry-After`, in either of its two forms.

use jiff::fmt::rfc2822;
use series::Timestamp;
use std::time::Duration;

/// How long to wait, from seconds or from an HTTP date (RFC 9110, 10.2.3); `None` for what is neither. A date
/// that has passed is no wait at all.
pub fn parse_retry_after(value: &str, now: Timestamp) -> Option<Duration> {
    let value = value.trim();
    if let Ok(seconds) = value.parse() {
        return Some(Duration::from_secs(seconds));
    }
    let date = rfc2822::parse(value).ok()?.timestamp();
    Some(Timestamp::from_millis(date.as_millisecond()).since(now))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(value: &str, expect: Option<u64>) {
        let now = Timestamp::from_seconds(784_111_777 - 60);
        let waits = parse_retry_after(value, now);
        assert_eq!(waits, expect.map(Duration::from_secs), "{value}");
    }

    #[test]
    fn seconds_and_dates_are_understood() {
        check("120", Some(120));
        check(" 0 ", Some(0));
        // The date that RFC 9110 gives as its example, a minute from now.
        check("Sun, 06 Nov 1994 08:49:37 GMT", Some(60));
        check("Sun, 06 Nov 1994 08:00:00 GMT", Some(0));
    }

    #[test]
    fn what_is_neither_is_none() {
        for value in ["", "-1", "soon", "1.5", "1994-11-06T08:49:37Z"] {
            check(value, None);
        }
    }
}
