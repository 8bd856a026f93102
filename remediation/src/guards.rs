//! The guards: what stands against an action, looked at when it is asked for and again right before its effect.

use crate::{
    Plan, Question, Remediation, Shape,
    config::{Guards, Proof, Workload},
    machine::Event,
    ports::Standing,
    work::{Finding, Job},
};
use series::{PromDuration, Timestamp};
use std::{
    collections::{BTreeMap, BTreeSet, HashMap},
    io,
    time::Duration,
};
use store::{Action, Finished, Mode, StoreError};

/// Time for a look at the kill switch; it counts as thrown where that hangs.
const LOOK_LIMIT: Duration = Duration::from_secs(2);

/// Over which time effects are counted against `max_actions_per_hour`.
const HOUR: Duration = Duration::from_hours(1);

impl Remediation {
    /// Why a new action must wait, if it must.
    pub(crate) async fn deferral(
        &self,
        workload: &Workload,
        guards: &Guards,
        now: Timestamp,
    ) -> Result<Option<String>, StoreError> {
        let stop = kill_switch(guards).await;
        if let Some(reason) = stop.or_else(|| maintenance(guards, now)) {
            return Ok(Some(reason));
        }
        self.cooling(workload, workload.cooldown.up, now).await
    }

    /// Reasons for which new actions on these workloads must wait, by name; none for those that need not.
    pub(crate) async fn deferrals<'w>(
        &self,
        workloads: &BTreeMap<&'w str, &Workload>,
        guards: &Guards,
        now: Timestamp,
    ) -> Result<HashMap<&'w str, String>, StoreError> {
        let names: Vec<_> = workloads.keys().copied().collect();
        if names.is_empty() {
            return Ok(HashMap::new());
        }
        let stop = kill_switch(guards).await;
        if let Some(reason) = stop.or_else(|| maintenance(guards, now)) {
            return Ok(names
                .into_iter()
                .map(|name| (name, reason.clone()))
                .collect());
        }
        let finished = self.journal.all_last_finished(&names).await?;
        let finished: HashMap<_, _> = finished
            .iter()
            .map(|last| (last.workload.as_str(), last))
            .collect();
        let cooling = workloads.iter().filter_map(|(name, workload)| {
            let last = finished.get(name)?;
            let reason = cooling(last, workload.cooldown.up, now)?;
            Some((*name, reason))
        });
        Ok(cooling.collect())
    }

    /// The last look at the guards; the caller holds the gate.
    pub(crate) async fn last_look(
        &self,
        job: &Job<'_>,
        plan: &Plan,
        observed: Shape,
    ) -> Result<Finding, StoreError> {
        let guards = job.guards;
        let refused = |why| Ok(Event::Refused(why).into());
        let stop = kill_switch(guards).await;
        let stop = stop.or_else(|| maintenance(guards, job.now));
        if let Some(why) = stop.or_else(|| overruled(job, plan)) {
            return refused(why);
        }
        let cooldown = &job.workload.cooldown;
        let pause = if plan.is_upward() {
            cooldown.up
        } else {
            cooldown.down
        };
        if let Some(why) = self.cooling(job.workload, pause, job.now).await? {
            return refused(why);
        }
        let ordered = self.journal.count_since(job.now - HOUR).await?;
        if ordered >= u64::from(guards.max_actions_per_hour) {
            return refused(format!(
                "max_actions_per_hour is {}, and as many were ordered within the hour",
                guards.max_actions_per_hour
            ));
        }
        let open = self.journal.open_actions().await?;
        if let Some(why) = self.crowded(job, &open) {
            return Ok(Finding::Hold(why));
        }
        Ok(Event::Cleared(observed).into())
    }

    /// Why as many actions are under way as may be, if they are.
    fn crowded(&self, job: &Job<'_>, open: &[Action]) -> Option<String> {
        let guards = job.guards;
        let others = open.iter().filter(|action| action.id != job.action.id);
        let running: BTreeSet<_> = others
            .filter(|action| action.state.has_effect())
            .map(|action| action.workload.as_str())
            .collect();
        if running.len() >= guards.max_concurrent as usize {
            return Some(format!(
                "max_concurrent is {}, and as many other actions are under way",
                guards.max_concurrent
            ));
        }
        let share = guards.blast_radius?;
        let n_workloads = self.current().settings.workloads.len();
        let most = within(share, n_workloads);
        (running.len() >= most).then(|| {
            let share = share * 100.0;
            format!("blast_radius is {share}%, and {most} of {n_workloads} workloads are in motion")
        })
    }

    async fn cooling(
        &self,
        workload: &Workload,
        pause: Duration,
        now: Timestamp,
    ) -> Result<Option<String>, StoreError> {
        let Some(last) = self.journal.last_finished(&workload.name).await? else {
            return Ok(None);
        };
        let last = Finished {
            id: last.id,
            workload: last.workload,
            ended_at: last.updated_at,
        };
        Ok(cooling(&last, pause, now))
    }

    /// What the forecast has shown of late, if that is too bad to act on.
    pub(crate) fn discredited(&self, question: Question<'_>, job: &Job<'_>) -> Option<String> {
        let standing = self.foresight.standing(question, job.now)?;
        let why = too_bad(&standing, &job.guards.forecast)?;
        Some(format!(
            "the forecast {} cannot be trusted: {why}",
            question.forecast
        ))
    }
}

/// The reason for which an action must wait after the one that ended last, if it must.
fn cooling(last: &Finished, pause: Duration, now: Timestamp) -> Option<String> {
    let ends = last.ended_at + pause;
    (now < ends).then(|| {
        let rest = PromDuration::new(ends.since(now));
        format!("cooling down for another {rest} after action {}", last.id)
    })
}

/// At least one, so that a small share of a few is not a kill switch.
fn within(share: f64, count: usize) -> usize {
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "a share of at most one, of a count"
    )]
    let most = (share * count as f64 + 1e-9) as usize;
    most.max(1)
}

fn too_bad(standing: &Standing, proof: &Proof) -> Option<String> {
    let Standing {
        mase,
        coverage,
        band,
    } = *standing;
    // A NaN is not known, and compares as neither.
    if mase > proof.max_mase {
        return Some(format!(
            "its scaled error of late is {mase:.2}, above {}",
            proof.max_mase
        ));
    }
    let least = band - proof.max_coverage_shortfall;
    (coverage < least).then(|| {
        let (held, promised) = (coverage * 100.0, band * 100.0);
        format!("its {promised:.0}% band held {held:.0}% of what came of late")
    })
}

/// What a configuration that was put in place since then says against the plan.
pub(crate) fn overruled(job: &Job<'_>, plan: &Plan) -> Option<String> {
    let sizing = &job.workload.sizing;
    let target = plan.target.replicas;
    match (job.action.mode, job.workload.mode) {
        (_, Mode::Observe) => Some("the mode is observe by now".to_owned()),
        (Mode::Auto, Mode::Approve) => {
            Some("the mode is approve by now, and nobody was asked".to_owned())
        }
        _ if target > sizing.max => {
            let max = sizing.max;
            Some(format!(
                "max is {max} by now, and {} were planned",
                plan.target
            ))
        }
        _ if target < sizing.min => {
            let min = sizing.min;
            Some(format!(
                "min is {min} by now, and {} were planned",
                plan.target
            ))
        }
        _ => None,
    }
}

/// Why nothing may be done, if nothing may. A link counts as there wherever it leads, and so does a file that cannot
/// be looked for.
pub(crate) async fn kill_switch(guards: &Guards) -> Option<String> {
    let path = guards.kill_switch_file.as_deref()?;
    let at = path.to_owned();
    let looked = files::within(path, LOOK_LIMIT, move || at.symlink_metadata());
    match looked
        .await
        .unwrap_or_else(|hung| Err(io::Error::other(hung)))
    {
        Ok(_) => Some(format!("the kill switch {} is there", path.display())),
        Err(error) if error.kind() == io::ErrorKind::NotFound => None,
        Err(error) => Some(format!(
            "the kill switch {} cannot be looked for: {error}",
            path.display()
        )),
    }
}

fn maintenance(guards: &Guards, now: Timestamp) -> Option<String> {
    let is_time = guards.maintenance.iter().any(|time| time.contains(now));
    is_time.then(|| "it is maintenance time".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_share_of_few_is_one() {
        assert_eq!(within(0.2, 2), 1);
        assert_eq!(within(0.2, 10), 2);
        assert_eq!(within(0.3, 10), 3);
        assert_eq!(within(1.0, 7), 7);
    }

    #[test]
    fn forecasts_that_turned_out_badly_are_not_acted_on() {
        let proof = Proof {
            max_mase: 2.0,
            max_coverage_shortfall: 0.3,
        };
        let check = |mase, coverage, expect: Option<&str>| {
            let standing = Standing {
                mase,
                coverage,
                band: 0.8,
            };
            assert_eq!(too_bad(&standing, &proof).as_deref(), expect);
        };
        check(0.7, 0.79, None);
        check(f64::NAN, f64::NAN, None);
        check(2.5, 0.8, Some("its scaled error of late is 2.50, above 2"));
        check(
            f64::NAN,
            0.42,
            Some("its 80% band held 42% of what came of late"),
        );
    }
}
