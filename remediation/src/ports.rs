//! What the program that holds this crate lends it: forecasts, answers from Prometheus, a voice in Alertmanager.

use crate::{
    Course, RemediationError,
    actuator::{Actuator, ExecDriver, HttpDriver},
    ages::{SteadyClock, wall_clock},
    config::ActuatorConfig,
};
use alertmanager_client::Matcher;
use futures::future::BoxFuture;
use series::{Horizon, Labels, Quantile, Timestamp};
use std::{sync::Arc, time::Duration};
use store::{Action, State};

/// All that remediation is lent.
#[derive(Clone)]
pub struct Ports {
    /// Forecasts.
    pub foresight: Arc<dyn Foresight>,
    /// Answers from Prometheus.
    pub evidence: Arc<dyn Evidence>,
    /// Alertmanager.
    pub alerting: Arc<dyn Alerting>,
    /// What makes actuators of their configuration.
    pub drivers: Arc<dyn Drivers>,
    /// Measures waits within this process, whatever becomes of the machine's clock.
    pub steady: SteadyClock,
}

impl Ports {
    /// Forecasts and evidence, with the actuators of this crate and without an Alertmanager.
    pub fn new(foresight: Arc<dyn Foresight>, evidence: Arc<dyn Evidence>) -> Self {
        Self {
            foresight,
            evidence,
            alerting: Arc::new(NoAlertmanager),
            drivers: Arc::new(OwnDrivers),
            steady: wall_clock(),
        }
    }

    /// The same with a clock that is neither put forward nor back.
    #[must_use]
    pub fn with_steady_clock(self, steady: SteadyClock) -> Self {
        Self { steady, ..self }
    }

    /// The same with an Alertmanager.
    #[must_use]
    pub fn with_alerting(self, alerting: Arc<dyn Alerting>) -> Self {
        Self { alerting, ..self }
    }
}

/// The demand that is foreseen for a workload.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Foreseen {
    /// The largest over all horizons that were looked at; NaN and infinities cannot be sized for.
    pub value: f64,
    /// When it is foreseen.
    pub at: Timestamp,
    /// Which horizon that is.
    pub horizon: Horizon,
    /// The demand now, where it is known.
    pub current: Option<f64>,
}

impl Foreseen {
    /// The demand to be met: what is foreseen, or what there is now where that is more.
    pub fn demand(&self) -> f64 {
        // `max` passes over a NaN on either side, and an infinite present is a fault of the measurement.
        let current = self.current.filter(|value| value.is_finite());
        self.value.max(current.unwrap_or(f64::NAN))
    }
}

/// Which demand is asked for.
#[derive(Debug, Clone, Copy)]
pub struct Question<'a> {
    /// The name of the forecast.
    pub forecast: &'a str,
    /// Labels that the series carries.
    pub labels: &'a Labels,
    /// The level that is asked for.
    pub quantile: Quantile,
    /// How far ahead: all horizons up to the first that reaches this far, or all where none does.
    pub within: Duration,
}

/// How forecasts turned out of late.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Standing {
    /// The mean absolute scaled error; NaN where it is not known.
    pub mase: f64,
    /// The share of values that fell into the band; NaN where it is not known.
    pub coverage: f64,
    /// The share that the band promises.
    pub band: f64,
}

/// Where forecasts come from.
pub trait Foresight: Send + Sync {
    /// The largest demand that a forecast foresees, over all series with these labels. None when there is no
    /// fresh forecast, which is never taken for "no demand".
    fn demand(&self, question: Question<'_>, now: Timestamp) -> Option<Foreseen>;

    /// The course that is foreseen for the one series with these labels. None where it cannot be told.
    fn course(&self, _question: Question<'_>, _now: Timestamp) -> Option<Course> {
        None
    }

    /// How good the forecast turned out of late. None where nobody keeps count, which stands against nothing.
    fn standing(&self, _question: Question<'_>, _now: Timestamp) -> Option<Standing> {
        None
    }
}

/// Where the effect of an action is judged.
pub trait Evidence: Send + Sync {
    /// Evaluates an instant PromQL query, within a time limit of its own. Warnings count as errors: a part of
    /// an answer is no evidence.
    fn query<'a>(
        &'a self,
        expr: &'a str,
        at: Timestamp,
    ) -> BoxFuture<'a, Result<Vec<(Labels, f64)>, String>>;
}

/// A silence that an action wants while it takes effect.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Silence {
    /// Tells it from others: the action and its stage. Asking again for the same one is asking once.
    pub key: String,
    /// Conditions that an alert must all meet.
    pub matchers: Vec<Matcher>,
    /// When it begins.
    pub starts_at: Timestamp,
    /// When it ends; at most an hour later.
    pub ends_at: Timestamp,
    /// Why, as a sentence.
    pub comment: String,
}

/// What people should hear of an action before it takes effect.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Warning {
    /// The action.
    pub action: String,
    /// On which workload.
    pub workload: String,
    /// The state that it has entered: `awaiting_approval`, `grace` or `paused`; `applying` or `rolling_back` where
    /// nobody knows what that came to; `at_maximum` where more is needed than the maximum allows.
    pub state: &'static str,
    /// What is going to be done, as a sentence.
    pub summary: String,
    /// Since when it is in the state.
    pub starts_at: Timestamp,
    /// Until when something can be said about it; in the past once it has left the state.
    pub ends_at: Timestamp,
}

impl Warning {
    /// About an action in a state in which people may say something.
    pub(crate) fn of(action: &Action, ends_at: Timestamp) -> Option<Self> {
        let is_for_people = matches!(
            action.state,
            State::AwaitingApproval | State::Grace | State::Paused
        );
        is_for_people.then(|| Self {
            action: action.id.to_string(),
            workload: action.workload.clone(),
            state: action.state.as_str(),
            summary: action.reason.clone(),
            starts_at: action.updated_at,
            ends_at,
        })
    }
}

impl Warning {
    /// About an effect or a rollback of which nobody knows what it came to.
    pub(crate) fn unknown(action: &Action, summary: String, ends_at: Timestamp) -> Self {
        Self {
            action: action.id.to_string(),
            workload: action.workload.clone(),
            state: action.state.as_str(),
            summary,
            starts_at: action.updated_at.min(ends_at),
            ends_at,
        }
    }
}

/// Alertmanager, as actions need it. Each call has a time limit of its own.
pub trait Alerting: Send + Sync {
    /// Which silence holds back these alerts now, in words, if all of them are held back. Alerts that
    /// Alertmanager does not know are not.
    fn silenced<'a>(
        &'a self,
        fingerprints: &'a [String],
    ) -> BoxFuture<'a, Result<Option<String>, String>>;

    /// Sees to it that there is a silence.
    fn silence<'a>(&'a self, silence: &'a Silence) -> BoxFuture<'a, Result<(), String>>;

    /// Tells people of an action, as an alert.
    fn warn<'a>(&'a self, warning: &'a Warning) -> BoxFuture<'a, Result<(), String>>;
}

/// Where none is configured: nothing is silenced, and nobody hears of anything.
#[derive(Debug, Clone, Copy)]
pub struct NoAlertmanager;

impl Alerting for NoAlertmanager {
    fn silenced<'a>(&'a self, _: &'a [String]) -> BoxFuture<'a, Result<Option<String>, String>> {
        Box::pin(async { Ok(None) })
    }

    fn silence<'a>(&'a self, _: &'a Silence) -> BoxFuture<'a, Result<(), String>> {
        Box::pin(async { Err("no alertmanager is configured".to_owned()) })
    }

    fn warn<'a>(&'a self, _: &'a Warning) -> BoxFuture<'a, Result<(), String>> {
        Box::pin(async { Ok(()) })
    }
}

/// Makes an actuator of its configuration.
pub trait Drivers: Send + Sync {
    /// Called once for each actuator when a configuration is put in place.
    fn driver(&self, config: &ActuatorConfig) -> Result<Arc<dyn Actuator>, RemediationError>;
}

/// The actuators of this crate.
#[derive(Debug, Clone, Copy)]
pub struct OwnDrivers;

impl Drivers for OwnDrivers {
    fn driver(&self, config: &ActuatorConfig) -> Result<Arc<dyn Actuator>, RemediationError> {
        Ok(match config {
            ActuatorConfig::Http(http) => Arc::new(HttpDriver::new((**http).clone())?),
            ActuatorConfig::Exec(exec) => Arc::new(ExecDriver::new((**exec).clone())),
            #[cfg(feature = "kubernetes")]
            ActuatorConfig::Kubernetes(kubernetes) => Arc::new(
                crate::actuator::KubernetesDriver::new((**kubernetes).clone()),
            ),
            #[cfg(not(feature = "kubernetes"))]
            ActuatorConfig::Kubernetes(_) => return Err(RemediationError::NoKubernetes),
        })
    }
}
