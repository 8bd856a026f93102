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
