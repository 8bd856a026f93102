//! What actions changed, kept with them, and what is learned from it: how long an effect takes, and what a replica
//! carries.

use crate::{
    Plan, Remediation, Shape,
    arrival::Arrived,
    config::Workload,
    work::{Finding, Job},
};
use futures::join;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use series::{PromDuration, Timestamp};
use std::time::Duration;
use store::StoreError;

/// What was measured of one action.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct Effect {
    /// Right before the effect.
    #[serde(default)]
    pub before: Option<Measured>,
    /// When its last stage was judged.
    #[serde(default)]
    pub after: Option<Measured>,
    /// How long each stage took from its order until all instances were ready, in seconds, by stage. Stages
    /// that were not waited for are left out.
    #[serde(default)]
    pub lead_seconds: Vec<(u32, f64)>,
}

/// Figures of a workload at one time; what was not asked for or not answered is left out.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Measured {
    /// When, in milliseconds since the epoch.
    pub at: i64,
    /// Instances that serve.
    pub replicas: u32,
    /// The demand, in the unit of the forecast.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub demand: Option<f64>,
    /// How much of the instances was used, as a share.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub utilisation: Option<f64>,
    /// What the workload is held to.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub objective: Option<f64>,
    /// What it costs.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cost: Option<f64>,
}

/// What a workload is sized by, after all actions so far.
#[derive(Debug, Clone, PartialEq)]
pub struct Learned {
    /// The workload.
    pub workload: String,
    /// The demand that one replica carries.
    pub per_replica: f64,
    /// From how many actions that was learned; none where it is the configured one.
    pub n_responses: usize,
    /// How long an effect takes until it is felt.
    pub lead_time: Duration,
    /// From how many actions that was learned; none where it is the configured one.
    pub n_lead_times: usize,
    /// What was measured of the last action.
    pub last: Option<Effect>,
}

/// Actions that are learned from, the newest: a workload changes with each release.
const MEMORY: u32 = 20;

/// A median of fewer is one action's luck.
const MIN_RESPONSES: usize = 5;

/// What was learned stays within these multiples of what is configured: beyond, something else is wrong.
const RESPONSE_BOUNDS: (f64, f64) = (0.5, 2.0);

/// Where measurements lie this far apart, as a share of their median, they do not tell one response.
const MAX_SPREAD: f64 = 0.3;

/// The slower of the lead times counts, once there are as many.
const MIN_LEAD_TIMES: usize = 3;

/// The share of effects that are felt by the learned lead time.
const LEAD_QUANTILE: f64 = 0.9;

/// How often readiness is asked for; the resolution of lead times.
const READY_PAUSE: Duration = Duration::from_secs(2);

impl Remediation {
    /// What each workload is sized by now.
    pub async fn all_learned(&self) -> Result<Vec<Learned>, StoreError> {
        let current = self.current();
        let mut all = Vec::new();
        for workload in &current.settings.workloads {
            all.push(self.learned(workload).await?);
        }
        Ok(all)
    }

    pub(crate) async fn learned(&self, workload: &Workload) -> Result<Learned, StoreError> {
        let actions = self.journal.measured(&workload.name, MEMORY).await?;
        let effects: Vec<_> = actions
            .iter()
            .filter_map(|action| Effect::deserialize(action.effect.as_ref()?).ok())
            .collect();
        let (per_replica, n_responses) = response(workload, &effects);
        let (lead_time, n_lead_times) = lead_time(workload, &effects);
        Ok(Learned {
            workload: workload.name.clone(),
            per_replica,
            n_responses,
            lead_time,
            n_lead_times,
            last: effects.into_iter().next(),
        })
    }

    /// Measures a workload right before the effect.
    pub(crate) async fn measure_before(
        &self,
        job: &Job<'_>,
        observed: Shape,
    ) -> Result<(), StoreError> {
        let effect = Effect {
            before: Some(self.measure(job, observed.replicas).await),
            ..Effect::default()
        };
        self.note(job, &effect).await
    }

    /// Measures a workload when its last stage has been judged.
    pub(crate) async fn measure_after(&self, job: &Job<'_>, plan: &Plan) -> Result<(), StoreError> {
        let mut there = plan.target.replicas;
        if plan.target.floor.is_some() {
            // An autoscaler may have gone above its floor, and a guess would be learned from.
            let Ok(observed) = job.observe().await else {
                return Ok(());
            };
            there = observed.replicas;
        }
        let effect = Effect {
            after: Some(self.measure(job, there).await),
            ..Effect::of(job)
        };
        self.note(job, &effect).await
    }

    /// Waits until all instances of a stage are ready, where that is asked for, and keeps how long it took.
    pub(crate) async fn await_ready(
        &self,
        job: &Job<'_>,
        plan: &Plan,
        arrived: &Arrived,
    ) -> Result<Option<Finding>, StoreError> {
        let Some(expr) = &job.workload.feedback.ready else {
            return Ok(None);
        };
        let stage = job.action.stage;
        let effect = Effect::of(job);
        if effect.lead_seconds.iter().any(|(known, _)| *known == stage) {
            return Ok(None);
        }
        let shape = plan.stage(stage).shape;
        let wanted = if job.sets_a_size() {
            // The number that is set counts no instances; where nobody else counts them, one sign is enough.
            arrived.instances.unwrap_or(1)
        } else {
            shape.replicas + shape.fleets.map_or(0, |fleets| fleets.idle)
        };
        let ready = self.number(expr, job.now).await;
        if ready.is_none_or(|ready| ready < f64::from(wanted)) {
            job.claim.rest(READY_PAUSE, job.now);
            let why = match ready {
                Some(ready) => format!("{ready} of {wanted} instances are ready"),
                None => format!("cannot tell how many instances are ready: {expr}"),
            };
            return Ok(Some(Finding::Hold(why)));
        }
        let began = job.action.stage_at.unwrap_or(job.now);
        let took = self.ages.age(job.action.id, began, job.now);
        let mut lead_seconds = effect.lead_seconds.clone();
        lead_seconds.push((stage, took.as_secs_f64()));
        let effect = Effect {
            lead_seconds,
            ..effect
        };
        self.note(job, &effect).await?;
        let took = PromDuration::new(took);
        Ok(Some(Finding::Later {
            at: job.now + job.workload.rollout.wait,
            reason: format!("all {wanted} instances are ready after {took}"),
        }))
    }

    async fn measure(&self, job: &Job<'_>, replicas: u32) -> Measured {
        let feedback = &job.workload.feedback;
        let ask = async |expr: &Option<String>| match expr {
            Some(expr) => self.number(expr, job.now).await,
            None => None,
        };
        let (utilisation, objective, cost) = join!(
            ask(&feedback.utilisation),
            ask(&feedback.objective),
            ask(&feedback.cost)
        );
        let outlook = self.outlook(job.workload).await.ok();
        let foreseen = outlook.and_then(|outlook| self.foreseen(&outlook, job.now));
        let demand = foreseen.and_then(|foreseen| foreseen.current);
        Measured {
            at: job.now.as_millis(),
            replicas,
            demand: demand.filter(|value| value.is_finite()),
            utilisation,
            objective,
            cost,
        }
    }

    /// The one number that an expression returns; none where it returns anything else.
    async fn number(&self, expr: &str, now: Timestamp) -> Option<f64> {
        match self.evidence.query(expr, now).await.ok()?.as_slice() {
            [(_, value)] if value.is_finite() => Some(*value),
            _ => None,
        }
    }

    async fn note(&self, job: &Job<'_>, effect: &Effect) -> Result<(), StoreError> {
        let json = serde_json::to_value(effect).unwrap_or(Value::Null);
        self.journal.note_effect(job.action.id, &json).await
    }
}

impl Effect {
    fn of(job: &Job<'_>) -> Self {
        let json = job.action.effect.as_ref();
        json.and_then(|json| Self::deserialize(json).ok())
            .unwrap_or_default()
    }

    /// The lead time of the last stage that was waited for.
    pub fn lead_time(&self) -> Option<Duration> {
        let (_, seconds) = self.lead_seconds.last()?;
        Duration::try_from_secs_f64(*seconds).ok()
    }
}

/// The median response: the demand that one replica carried at the utilisation that is aimed at. Each action
/// says demand / (replicas × utilisation) × target, which takes utilisation to grow with demand.
fn response(workload: &Workload, effects: &[Effect]) -> (f64, usize) {
    let configured = workload.sizing.per_replica;
    let Some(target) = workload.feedback.target else {
        return (configured, 0);
    };
    let response = |effect: &Effect| {
        let after = effect.after.as_ref()?;
        let (demand, utilisation) = (after.demand?, after.utilisation?);
        let carried = f64::from(after.replicas) * utilisation;
        (demand > 0.0 && carried > 0.0).then(|| demand / carried * target)
    };
    let mut responses: Vec<_> = effects.iter().filter_map(response).collect();
    if responses.len() < MIN_RESPONSES {
        return (configured, 0);
    }
    let middle = median(&mut responses);
    let mut distances: Vec<_> = responses.iter().map(|one| (one - middle).abs()).collect();
    if median(&mut distances) > MAX_SPREAD * middle {
        return (configured, 0);
    }
    let (least, most) = RESPONSE_BOUNDS;
    let bounded = middle.clamp(least * configured, most * configured);
    (bounded, responses.len())
}

fn lead_time(workload: &Workload, effects: &[Effect]) -> (Duration, usize) {
    let mut times: Vec<_> = effects.iter().filter_map(Effect::lead_time).collect();
    if times.len() < MIN_LEAD_TIMES {
        return (workload.sizing.lead_time, 0);
    }
    times.sort_unstable();
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "a share of at most one, of a small count"
    )]
    let rank = (times.len() as f64 * LEAD_QUANTILE).ceil() as usize;
    (times[rank.clamp(1, times.len()) - 1], times.len())
}

/// The middle of at least one value; of an even number the upper one.
fn median(values: &mut [f64]) -> f64 {
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}

#[cfg(test)]
mod tests;
