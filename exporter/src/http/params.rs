//! Parameters of the query API, from the address or from a form, read as Prometheus reads them.

use axum::body::Bytes;
use series::{PromDuration, Timestamp};
use std::time::Duration;

/// All parameters of a request; some may come several times.
#[derive(Debug)]
pub(super) struct Params(Vec<(String, String)>);

impl Params {
    /// Those of the address, then those of the body.
    pub(super) fn read(query: Option<&str>, body: &Bytes) -> Self {
        let of = |bytes: &[u8]| url::form_urlencoded::parse(bytes).into_owned().collect();
        let mut all: Vec<(String, String)> = of(query.unwrap_or_default().as_bytes());
        all.extend::<Vec<_>>(of(body));
        Self(all)
    }

    /// All values of a parameter.
    pub(super) fn all<'p>(&'p self, name: &'p str) -> impl Iterator<Item = &'p str> {
        let named = self.0.iter().filter(move |(known, _)| known == name);
        named.map(|(_, value)| value.as_str())
    }

    /// The first value of a parameter that must be there.
    pub(super) fn required<'p>(&'p self, name: &'p str) -> Result<&'p str, String> {
        self.all(name)
            .next()
            .ok_or_else(|| format!("parameter `{name}` is missing"))
    }

    /// A time that must be there.
    pub(super) fn time(&self, name: &str) -> Result<Timestamp, String> {
        let text = self.required(name)?;
        time(text).ok_or_else(|| {
            format!("parameter `{name}` is no time in seconds or RFC 3339: `{text}`")
        })
    }

    /// A time, or another where there is none.
    pub(super) fn time_or(&self, name: &str, other: Timestamp) -> Result<Timestamp, String> {
        match self.all(name).next() {
            None | Some("") => Ok(other),
            Some(_) => self.time(name),
        }
    }

    /// A positive duration that must be there.
    pub(super) fn step(&self, name: &str) -> Result<Duration, String> {
        let text = self.required(name)?;
        let step = duration(text).filter(|step| *step >= Duration::from_millis(1));
        step.ok_or_else(|| {
            format!("parameter `{name}` is no positive duration, such as `15s` or `15`: `{text}`")
        })
    }
}

/// Seconds since the epoch with a fraction, or RFC 3339.
fn time(text: &str) -> Option<Timestamp> {
    if let Ok(seconds) = text.parse::<f64>() {
        return millis(seconds).map(Timestamp::from_millis);
    }
    let time: jiff::Timestamp = text.parse().ok()?;
    Some(Timestamp::from_millis(time.as_millisecond()))
}

/// Seconds with a fraction, or a duration as PromQL writes it.
fn duration(text: &str) -> Option<Duration> {
    if let Ok(seconds) = text.parse::<f64>() {
        return Some(Duration::from_millis(millis(seconds)?.try_into().ok()?));
    }
    text.parse().ok().map(PromDuration::get)
}

#[expect(
    clippy::cast_possible_truncation,
    reason = "checked to lie within the range"
)]
fn millis(seconds: f64) -> Option<i64> {
    let millis = (seconds * 1e3).round();
    (millis.abs() < 9.2e18).then_some(millis as i64)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn params(query: &str, body: &'static str) -> Params {
        Params::read(Some(query), &Bytes::from_static(body.as_bytes()))
    }

    #[test]
    fn address_and_form_are_read_together() {
        let params = params("match[]=a&match%5B%5D=b", "match[]=c%20d&x=1");
        assert_eq!(params.all("match[]").collect::<Vec<_>>(), ["a", "b", "c d"]);
        assert_eq!(
            params.required("query"),
            Err("parameter `query` is missing".to_owned())
        );
    }

    #[test]
    fn times_and_steps_are_written_in_two_ways() {
        let params = params(
            "a=1.5&b=1970-01-01T00:00:02Z&c=now&d=1e300&e=90&f=1m30s&g=0&h=-5s",
            "",
        );
        let time = |name| params.time(name).map(Timestamp::as_millis).ok();
        assert_eq!(
            ["a", "b", "c", "d"].map(time),
            [Some(1_500), Some(2_000), None, None]
        );
        let step = |name| params.step(name).ok().map(|step| step.as_secs());
        assert_eq!(
            ["e", "f", "g", "h"].map(step),
            [Some(90), Some(90), None, None]
        );
        let now = Timestamp::from_seconds(9);
        assert_eq!(params.time_or("z", now), Ok(now));
    }
}
