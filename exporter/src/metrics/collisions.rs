//! Metrics of series that cannot be told apart once their names are escaped.

use super::Register;
use prometheus::IntGaugeVec;
use series::Escaping;
use tracing::warn;

/// What scrapes of `/predictions` left out.
pub(crate) struct Collisions {
    left_out: IntGaugeVec,
}

impl Collisions {
    pub(super) fn new(register: &Register) -> anyhow::Result<Self> {
        let left_out = register.int_gauges(
            "predictions_left_out_series",
            "Series that the last scrape of /predictions left out because their escaped names collide with others.",
            &["escaping"],
        )?;
        Ok(Self { left_out })
    }

    /// Takes one scrape to its end. Told once for each new number: scrapes come every few seconds.
    pub(crate) fn note(&self, escaping: Escaping, n_left_out: u64) {
        let escaping = escaping.as_str();
        let n_left_out = i64::try_from(n_left_out).unwrap_or(i64::MAX);
        let last = self.left_out.with_label_values(&[escaping]);
        if n_left_out > 0 && last.get() != n_left_out {
            warn!(
                escaping,
                series = n_left_out,
                "series are left out of /predictions: with their names escaped they have the labels of others; \
                 scrape with Prometheus 3 and `metric_name_escaping_scheme: allow-utf-8`"
            );
        }
        last.set(n_left_out);
    }
}
