//! The guards: what stands against an action, looked at when it is asked for and again right before its effect.

use crate::{
    Plan, Question, Reason, Remediation, Shape,
    config::{Guards, Proof, Workload},
    machine::{Event, is_unknown},
    ports::Standing,
    work::{Finding, Job},
};
use series::{PromDuration, Timestamp};
use std::{
    collections::{BTreeMap, BTreeSet, HashMap},
    io,
    time::Duration,
};
use store::{Action, ActionId, Finished, Mode, State, StoreError};

/// Time for a look at the kill switch; it counts as thrown where that hangs.
const LOOK_LIMIT: Duration = Duration::from_secs(2);

/// Over which time effects are counted against `max_actions_per_hour`.
const HOUR: Duration = Duration::from_hours(1);

/// Why a new action must wait.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Obstacle {
    pub(crate) reason: Reason,
    /// The same as a sentence.
    pub(crate) why: String,
    /// When it is over, where that is known.
    pub(crate) until: Option<Timestamp>,
}

impl Obstacle {
    pub(crate) fn new(reason: Reason, why: String) -> Self {
        Self {
            reason,
            why,
            until: None,
        }
    }
}

impl Remediation {
    /// Why a new action must wait, if it must.
    pub(crate) async fn deferral(
        &self,
        workload: &Workload,
        guards: &Guards,
        now: Timestamp,
    ) -> Result<Option<Obstacle>, StoreError> {
        if let Some(why) = kill_switch(guards).await {
            return Ok(Some(Obstacle::new(Reason::KillSwitch, why)));
        }
        if let Some(why) = maintenance(guards, now) {
            return Ok(Some(Obstacle::new(Reason::Maintenance, why)));
        }
        let cooling = self.cooling(workload, workload.cooldown.up, now).await?;
        Ok(cooling.or_else(|| self.resting(&workload.name, now)))
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
            let last = finished.get(name);
            let cooling = last.and_then(|last| self.cooling_after(last, workload.cooldown.up, now));
            let obstacle = cooling.or_else(|| self.resting(name, now))?;
            Some((*name, obstacle.why))
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
        if let Some(obstacle) = self.cooling(job.workload, pause, job.now).await? {
            return refused(obstacle.why);
        }
        Ok(match self.crowded(job).await? {
            Some(why) => Finding::Queue(why),
            None => Event::Cleared(observed).into(),
        })
    }

    /// Why its turn has not come, if it has not: as many actions are under way, or were ordered within the hour, as
    /// may be, or others have waited for longer.
    async fn crowded(&self, job: &Job<'_>) -> Result<Option<String>, StoreError> {
        let open = self.journal.open_actions().await?;
        let mut places = self.places(job, &open);
        places.push(self.places_this_hour(job).await?);
        let n_ahead = self.n_ahead(job, &open);
        for place in places {
            if place.n_free == 0 {
                return Ok(Some(place.why_none));
            }
            if n_ahead >= place.n_free {
                let turn = turn_of(n_ahead);
                return Ok(Some(format!(
                    "its turn has not come: {turn} waited for longer"
                )));
            }
        }
        Ok(None)
    }

    /// Why an action that has a place in the line cannot have its turn yet: the world need not be read to know that.
    pub(crate) async fn turn_is_missing(
        &self,
        job: &Job<'_>,
    ) -> Result<Option<String>, StoreError> {
        let is_in_line = job.action.state == State::Grace
            && job.action.queued_at.is_some()
            && job.action.deadline.is_some_and(|due| job.own >= due)
            && !job.is_over();
        if !is_in_line {
            return Ok(None);
        }
        self.crowded(job).await
    }

    /// How many more actions may be under way.
    fn places(&self, job: &Job<'_>, open: &[Action]) -> Vec<Places> {
        let guards = job.guards;
        // What is asked of a world that does not answer does not stand in the way of all others for as long.
        let moves = |action: &&Action| {
            action.id != job.action.id
                && action.state.has_effect()
                && !is_unknown(action, self.ages.own(action, job.now))
        };
        let running: BTreeSet<_> = open
            .iter()
            .filter(moves)
            .map(|a| a.workload.as_str())
            .collect();
        let most = guards.max_concurrent as usize;
        let mut places = vec![Places {
            n_free: most.saturating_sub(running.len()),
            why_none: format!("max_concurrent is {most}, and as many other actions are under way"),
        }];
        if let Some(share) = guards.blast_radius {
            let n_workloads = self.current().settings.workloads.len();
            let most = within(share, n_workloads);
            let share = share * 100.0;
            places.push(Places {
                n_free: most.saturating_sub(running.len()),
                why_none: format!(
                    "blast_radius is {share}%, and {most} of {n_workloads} workloads are in motion"
                ),
            });
        }
        places
    }

    async fn places_this_hour(&self, job: &Job<'_>) -> Result<Places, StoreError> {
        let most = job.guards.max_actions_per_hour;
        let ordered = self.journal.ordered_since(job.now - HOUR, most).await?;
        let is_of_the_hour =
            |(id, at): &&(ActionId, Timestamp)| self.ages.age(*id, *at, job.now) < HOUR;
        let n_ordered = ordered.iter().filter(is_of_the_hour).count();
        Ok(Places {
            n_free: (most as usize).saturating_sub(n_ordered),
            why_none: format!(
                "max_actions_per_hour is {most}, and as many were ordered within the hour"
            ),
        })
    }

    /// How many others that wait for their turn, and would take it, have waited for longer.
    fn n_ahead(&self, job: &Job<'_>, open: &[Action]) -> usize {
        let place = |action: &Action| (action.wanted_since, action.begun);
        let waits = |action: &&Action| {
            action.state == State::Grace
                && action.queued_at.is_some()
                && self.progress.would_take_its_turn(action.id)
        };
        let others = open.iter().filter(|action| action.id != job.action.id);
        let ahead = others.filter(waits);
        ahead
            .filter(|action| place(action) < place(job.action))
            .count()
    }

    async fn cooling(
        &self,
        workload: &Workload,
        pause: Duration,
        now: Timestamp,
    ) -> Result<Option<Obstacle>, StoreError> {
        let Some(last) = self.journal.last_finished(&workload.name).await? else {
            return Ok(None);
        };
        let last = Finished {
            id: last.id,
            workload: last.workload,
            ended_at: last.updated_at,
        };
        Ok(self.cooling_after(&last, pause, now))
    }

    /// The reason for which an action must wait after the one that ended last, if it must.
    fn cooling_after(&self, last: &Finished, pause: Duration, now: Timestamp) -> Option<Obstacle> {
        let rest = pause.saturating_sub(self.ages.age(last.id, last.ended_at, now));
        let words = PromDuration::new(rest);
        (!rest.is_zero()).then(|| Obstacle {
            until: Some(now + rest),
            ..Obstacle::new(
                Reason::Cooldown,
                format!("cooling down for another {words} after action {}", last.id),
            )
        })
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

/// How many more actions one limit allows.
struct Places {
    n_free: usize,
    why_none: String,
}

fn turn_of(n_ahead: usize) -> String {
    match n_ahead {
        1 => "1 other action".to_owned(),
        n => format!("{n} other actions"),
    }
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
