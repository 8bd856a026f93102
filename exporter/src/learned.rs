//! What actions taught, as metrics: what workloads are sized by, and what their last action changed.

use crate::metrics::Register;
use prometheus::GaugeVec;
use remediation::{Effect, Learned, Measured};

/// What workloads are sized by, and what their last action changed.
pub(crate) struct LearnedMetrics {
    per_replica: GaugeVec,
    lead_time: GaugeVec,
    replicas: GaugeVec,
    demand: GaugeVec,
    utilisation: GaugeVec,
    objective: GaugeVec,
    cost: GaugeVec,
}

impl LearnedMetrics {
    pub(crate) fn new(register: &Register) -> anyhow::Result<Self> {
        let gauges = |name: &str, help: &str, label: &str| -> anyhow::Result<GaugeVec> {
            register.gauges(name, help, &["workload", label])
        };
        let changed = |what: &str, help: &str| gauges(&format!("action_{what}"), help, "when");
        Ok(Self {
            per_replica: gauges(
                "workload_per_replica",
                "Demand that one replica is taken to carry.",
                "source",
            )?,
            lead_time: gauges(
                "workload_lead_time_seconds",
                "Time that an effect is taken to need until it is felt.",
                "source",
            )?,
            replicas: changed("replicas", "Replicas before and after the last action.")?,
            demand: changed("demand", "Demand before and after the last action.")?,
            utilisation: changed(
                "utilisation_ratio",
                "Utilisation before and after the last action.",
            )?,
            objective: changed(
                "objective",
                "The objective before and after the last action.",
            )?,
            cost: changed("cost", "Cost before and after the last action.")?,
        })
    }

    /// Shows the present figures, in place of those shown before.
    pub(crate) fn show(&self, all: &[Learned]) {
        let Self {
            per_replica,
            lead_time,
            replicas,
            demand,
            utilisation,
            objective,
            cost,
        } = self;
        for gauges in [
            per_replica,
            lead_time,
            replicas,
            demand,
            utilisation,
            objective,
            cost,
        ] {
            gauges.reset();
        }
        for learned in all {
            let source = |n: usize| if n > 0 { "measured" } else { "configured" };
            let workload = learned.workload.as_str();
            per_replica
                .with_label_values(&[workload, source(learned.n_responses)])
                .set(learned.per_replica);
            lead_time
                .with_label_values(&[workload, source(learned.n_lead_times)])
                .set(learned.lead_time.as_secs_f64());
            self.show_last(workload, learned.last.as_ref());
        }
    }

    fn show_last(&self, workload: &str, last: Option<&Effect>) {
        let both = last.map(|effect| [("before", &effect.before), ("after", &effect.after)]);
        for (when, measured) in both.into_iter().flatten() {
            let Some(measured) = measured else { continue };
            let Measured {
                replicas,
                demand,
                utilisation,
                objective,
                cost,
                ..
            } = measured;
            let figures = [
                (&self.replicas, Some(f64::from(*replicas))),
                (&self.demand, *demand),
                (&self.utilisation, *utilisation),
                (&self.objective, *objective),
                (&self.cost, *cost),
            ];
            for (gauges, figure) in figures {
                if let Some(figure) = figure {
                    gauges.with_label_values(&[workload, when]).set(figure);
                }
            }
        }
    }
}
