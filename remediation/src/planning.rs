//! Working out what to do about a foreseen demand.

use crate::{
    Foreseen, Learned, Plan, Question, Remediation, Shape,
    actuator::Verdict,
    config::Workload,
    error::in_full,
    machine::Event,
    sizing::{Sized, Sizing},
    work::{Finding, Job},
};
use series::{Labels, Timestamp};
use std::time::Duration;
use store::{Mode, StoreError};

/// Labels that alerting rules add and that no forecast carries.
const ALERT_LABELS: [&str; 2] = ["alertname", "severity"];

/// How much of a dry run is kept with the plan.
const MAX_REHEARSAL_CHARS: usize = 500;

/// Until a forecast is asked for again that was not there: rules are not evaluated more often.
const FORECAST_PAUSE: Duration = Duration::from_secs(1);

/// What a workload is sized by: the configuration, and what was learned since.
pub(crate) struct Outlook<'a> {
    workload: &'a Workload,
    labels: Labels,
    pub(crate) sizing: Sizing,
    within: Duration,
}

impl Outlook<'_> {
    pub(crate) fn question(&self) -> Question<'_> {
        Question {
            forecast: &self.workload.demand,
            labels: &self.labels,
            quantile: self.sizing.quantile,
            within: self.within,
        }
    }
}

/// The forecast that a workload is sized for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DemandSeries {
    /// The name of the forecast.
    pub forecast: String,
    /// Labels that the series carries.
    pub labels: Labels,
}

impl Remediation {
    /// The forecast that a configured workload is sized for.
    pub fn demand_series(&self, workload: &str) -> Option<DemandSeries> {
        let current = self.current();
        let workload = current.settings.workload(workload)?;
        Some(DemandSeries {
            forecast: workload.demand.clone(),
            labels: forecast_labels(workload),
        })
    }

    /// Sizes a workload for the demand that is foreseen now.
    pub(crate) async fn plan(&self, job: &Job<'_>) -> Result<Finding, StoreError> {
        let outlook = self.outlook(job.workload).await?;
        let Some(foreseen) = self.foreseen(&outlook, job.now) else {
            job.claim.rest(FORECAST_PAUSE, job.now);
            return Ok(Finding::Hold(no_forecast(job.workload)));
        };
        if let Some(why) = self.discredited(outlook.question(), job) {
            return Ok(Event::Refused(why).into());
        }
        let alerts = self.journal.firing_alerts(job.action.id).await?;
        let job = &Job {
            alerts: &alerts,
            ..*job
        };
        let observed = match job.observe().await {
            Ok(observed) => observed,
            Err(error) => return Ok(job.early_failure(&error)),
        };
        let plan = |target, stages, why| Plan {
            target,
            observed,
            stages,
            demand: foreseen.demand(),
            demand_at: foreseen.at.as_millis(),
            horizon: foreseen.horizon.to_string(),
            quantile: outlook.sizing.quantile.level(),
            why,
            rehearsal: None,
            per_replica: Some(outlook.sizing.per_replica),
            course: self.foresight.course(outlook.question(), job.now),
        };
        let (target, why) = match outlook.sizing.size(&foreseen, observed) {
            Sized::Up { target, why, .. } => (target, why),
            Sized::Enough { why, .. } => {
                return Ok(Event::Suffices(plan(observed, Vec::new(), why)).into());
            }
            Sized::Unusable { why } => return Ok(Event::Refused(why).into()),
        };
        let stages = match job.workload.rollout.strategy.stages(observed, target) {
            Ok(stages) => stages,
            Err(why) => return Ok(Event::Refused(why).into()),
        };
        let target = stages.last().map_or(observed, |stage| stage.shape);
        Ok(rehearsed(job, plan(target, stages, why)).await)
    }

    /// What a workload is sized by now, and how far ahead.
    pub(crate) async fn outlook<'a>(
        &self,
        workload: &'a Workload,
    ) -> Result<Outlook<'a>, StoreError> {
        let learned = self.learned(workload).await?;
        Ok(Outlook {
            workload,
            labels: forecast_labels(workload),
            sizing: Sizing {
                per_replica: learned.per_replica,
                ..workload.sizing
            },
            within: until_felt(workload, &learned),
        })
    }

    pub(crate) fn foreseen(&self, outlook: &Outlook<'_>, now: Timestamp) -> Option<Foreseen> {
        self.foresight.demand(outlook.question(), now)
    }
}

/// From now until an action that is proposed now is felt: the waits that the configuration asks for, and the lead
/// time of the effect.
fn until_felt(workload: &Workload, learned: &Learned) -> Duration {
    let pace = &workload.pace;
    let approval = match workload.mode {
        Mode::Approve => pace.approval_timeout,
        Mode::Observe | Mode::Auto => Duration::ZERO,
    };
    approval + pace.grace + workload.rollout.duration() + learned.lead_time
}

/// The plan, with what a dry run of its first stage says; a dry run that fails for good is an answer, too.
async fn rehearsed(job: &Job<'_>, plan: Plan) -> Finding {
    let first: Shape = plan.stage(0).shape;
    let rehearsal = match job.rehearse(first).await {
        Ok(rehearsal) => rehearsal,
        Err(error) if error.verdict() == Verdict::GiveUp => {
            let why = format!("the dry run says no: {}", in_full(&error));
            return Event::Refused(why).into();
        }
        Err(error) => return job.early_failure(&error),
    };
    let cut = |text: String| text.chars().take(MAX_REHEARSAL_CHARS).collect();
    Event::Planned(Plan {
        rehearsal: rehearsal.map(cut),
        ..plan
    })
    .into()
}

/// What a workload waits for while its forecast is away, written as a selector that can be looked up.
pub(crate) fn no_forecast(workload: &Workload) -> String {
    let labels = forecast_labels(workload);
    format!("there is no fresh forecast {}{labels}", workload.demand)
}

fn forecast_labels(workload: &Workload) -> Labels {
    let all = workload.labels.clone();
    ALERT_LABELS
        .iter()
        .fold(all, |labels, name| labels.without(name))
}
