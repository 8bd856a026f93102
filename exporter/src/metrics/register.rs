//! The register of the program's own metrics: makes them, and can tell all of them, used yet or not.

use prometheus::{
    Encoder as _, Gauge, GaugeVec, Histogram, HistogramOpts, HistogramVec, IntCounterVec,
    IntGaugeVec, Opts, Registry, TextEncoder, core::Collector, process_collector::ProcessCollector,
};

/// Where metrics are registered.
#[derive(Default)]
pub(crate) struct Register {
    registry: Registry,
    #[cfg(test)]
    told: std::sync::Mutex<Vec<(String, Vec<String>)>>,
}

impl Register {
    /// Registers a metric that was made elsewhere.
    pub(crate) fn add<C: Collector + Clone + 'static>(&self, metric: C) -> anyhow::Result<C> {
        self.take(metric.clone())?;
        Ok(metric)
    }

    /// Registers what every program of Prometheus says about its process.
    pub(super) fn add_process(&self) -> anyhow::Result<()> {
        self.take(ProcessCollector::for_self())
    }

    fn take(&self, collector: impl Collector + 'static) -> anyhow::Result<()> {
        #[cfg(test)]
        for described in collector.desc() {
            let (name, labels) = (&described.fq_name, &described.variable_labels);
            let told = (name.clone(), labels.clone());
            self.told.lock().unwrap().push(told);
        }
        Ok(self.registry.register(Box::new(collector))?)
    }

    /// The names and labels of all metrics.
    #[cfg(test)]
    pub(super) fn told(&self) -> Vec<(String, Vec<String>)> {
        self.told.lock().unwrap().clone()
    }

    /// All of them in Prometheus' text format.
    pub(super) fn text(&self) -> anyhow::Result<String> {
        let mut text = Vec::new();
        TextEncoder::new().encode(&self.registry.gather(), &mut text)?;
        Ok(String::from_utf8(text)?)
    }

    /// The sum of a counter over its series that have all of these label values.
    pub(super) fn total(&self, name: &str, values: &[&str]) -> u64 {
        let families = self.registry.gather();
        let series = families
            .iter()
            .filter(|family| family.name() == name)
            .flat_map(prometheus::proto::MetricFamily::get_metric);
        let has = |metric: &&prometheus::proto::Metric| {
            let labels = metric.get_label();
            values
                .iter()
                .all(|value| labels.iter().any(|label| label.value() == *value))
        };
        let sum: f64 = series
            .filter(has)
            .map(|metric| metric.get_counter().get_value())
            .sum();
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "a sum of counts is a whole number that is not negative"
        )]
        let sum = sum as u64;
        sum
    }

    pub(crate) fn counters(
        &self,
        name: &str,
        help: &str,
        labels: &[&str],
    ) -> anyhow::Result<IntCounterVec> {
        self.add(IntCounterVec::new(options(name, help), labels)?)
    }

    pub(crate) fn gauge(&self, name: &str, help: &str) -> anyhow::Result<Gauge> {
        self.add(Gauge::with_opts(options(name, help))?)
    }

    pub(crate) fn gauges(
        &self,
        name: &str,
        help: &str,
        labels: &[&str],
    ) -> anyhow::Result<GaugeVec> {
        self.add(GaugeVec::new(options(name, help), labels)?)
    }

    pub(crate) fn int_gauges(
        &self,
        name: &str,
        help: &str,
        labels: &[&str],
    ) -> anyhow::Result<IntGaugeVec> {
        self.add(IntGaugeVec::new(options(name, help), labels)?)
    }

    pub(crate) fn histogram(
        &self,
        name: &str,
        help: &str,
        buckets: &[f64],
    ) -> anyhow::Result<Histogram> {
        let options = HistogramOpts::from(options(name, help)).buckets(buckets.to_vec());
        self.add(Histogram::with_opts(options)?)
    }

    pub(crate) fn histograms(
        &self,
        name: &str,
        help: &str,
        (labels, buckets): (&[&str], &[f64]),
    ) -> anyhow::Result<HistogramVec> {
        let options = HistogramOpts::from(options(name, help)).buckets(buckets.to_vec());
        self.add(HistogramVec::new(options, labels)?)
    }
}

fn options(name: &str, help: &str) -> Opts {
    Opts::new(format!("foreshadow_{name}"), help)
}
