//! `Retry-After`: the time for which Prometheus asked to be left alone.

use crate::QueryError;
use jiff::fmt::rfc2822;
use reqwest::{
    Response,
    header::{DATE, HeaderMap, RETRY_AFTER},
};
use series::PromDuration;
use std::{
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

/// The longest time that is believed: a server whose clock is wrong is not to silence everything for a day.
const MAX_REST: Duration = Duration::from_mins(5);

/// When questions may be asked again. Clones of one client share it.
#[derive(Debug, Clone, Default)]
pub(crate) struct Rest(Arc<Mutex<Option<Until>>>);

#[derive(Debug, Clone, Copy)]
struct Until {
    at: Instant,
    status: u16,
}

impl Rest {
    /// Fails while the time is not over.
    pub(crate) fn check(&self, now: Instant) -> Result<(), QueryError> {
        let Some(Until { at, status }) = *self.lock() else {
            return Ok(());
        };
        let wait = at.saturating_duration_since(now);
        if wait.is_zero() {
            return Ok(());
        }
        // Rounded up, so that it is never told to be nothing.
        let wait = PromDuration::new(Duration::from_secs(wait.as_secs() + 1));
        Err(QueryError::Deferred { status, wait })
    }

    /// Takes a time to wait from an answer that is no success.
    pub(crate) fn note(&self, response: &Response, now: Instant) {
        let status = response.status().as_u16();
        if matches!(status, 429 | 503)
            && let Some(wait) = retry_after(response.headers())
        {
            let at = now + wait.min(MAX_REST);
            *self.lock() = Some(Until { at, status });
        }
    }

    fn lock(&self) -> MutexGuard<'_, Option<Until>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Seconds, or a date, which is held against the server's own clock (RFC 9110, section 10.2.3).
fn retry_after(headers: &HeaderMap) -> Option<Duration> {
    let text = |name| headers.get(name)?.to_str().ok();
    let value = text(RETRY_AFTER)?.trim();
    if let Ok(seconds) = value.parse() {
        return Some(Duration::from_secs(seconds));
    }
    let parse = |text: &str| Some(rfc2822::parse(text.trim()).ok()?.timestamp());
    let wait = parse(value)?.duration_since(parse(text(DATE)?)?);
    Duration::try_from(wait).ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use reqwest::header::HeaderValue;

    #[track_caller]
    fn check(retry_after: &'static str, date: Option<&'static str>, expect: Option<u64>) {
        let mut headers = HeaderMap::new();
        headers.insert(RETRY_AFTER, HeaderValue::from_static(retry_after));
        if let Some(date) = date {
            headers.insert(DATE, HeaderValue::from_static(date));
        }
        let wait = super::retry_after(&headers);
        assert_eq!(wait.map(|wait| wait.as_secs()), expect, "{retry_after}");
    }

    #[test]
    fn seconds_and_dates_of_the_server_are_understood() {
        let date = "Sun, 06 Nov 1994 08:49:37 GMT";
        check("120", None, Some(120));
        check(" 0 ", None, Some(0));
        check("Sun, 06 Nov 1994 08:50:37 GMT", Some(date), Some(60));
        check("Sun, 06 Nov 1994 08:50:37 GMT", None, None);
        check("Sun, 06 Nov 1994 08:00:00 GMT", Some(date), None);
        check("soon", Some(date), None);
        check("-1", Some(date), None);
    }
}
