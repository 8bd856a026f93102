//! The one place that asks what time it is.

use series::Timestamp;
use std::{
    sync::Arc,
    time::{Instant, SystemTime, UNIX_EPOCH},
};

/// The present time.
#[expect(
    clippy::disallowed_methods,
    reason = "the binary owns the clock; everything else is told"
)]
pub(crate) fn now() -> Timestamp {
    let since_epoch = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .unwrap_or_default();
    Timestamp::from_millis(i64::try_from(since_epoch.as_millis()).unwrap_or(i64::MAX))
}

/// A clock that nobody puts forward or back, from now on.
pub(crate) fn steady() -> remediation::SteadyClock {
    let start = Instant::now();
    Arc::new(move |_| start.elapsed())
}
