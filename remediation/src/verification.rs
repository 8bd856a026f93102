//! Looking at effects: what was found before, looks since, and what they come to.

use crate::{
    Evidence, Plan, Remediation,
    config::{Check, Comparison, Pair, Sides},
    judge::{self, Counts, Found, Opinion, Ruling, Seen},
    machine::Event,
    statistics::Better,
    work::{Finding, Job},
};
use futures::future::join_all;
use serde::Deserialize as _;
use series::{Labels, PromDuration, Timestamp};
use std::time::Duration;
use store::{Look, LookVerdict, StoreError};

/// What was found before the effect is asked for again when it is older than that.
const BASELINE_AGE: Duration = Duration::from_mins(1);

/// After an error the next look comes sooner than others, as in Argo Rollouts.
const AFTER_ERROR: Duration = Duration::from_secs(10);

impl Remediation {
    /// Notes what each check finds before the effect. An effect that nobody could judge is not begun, so there
    /// is a finding where that cannot be told.
    pub(crate) async fn note_before(&self, job: &Job<'_>) -> Result<Option<Finding>, StoreError> {
        let checks = &job.workload.rollout.verify;
        let known = self.journal.looks(job.action.id).await?;
        let is_fresh = |look: &&Look| {
            look.verdict == LookVerdict::Baseline
                && look.at <= job.now
                && job.now.since(look.at) < BASELINE_AGE
        };
        let fresh: Vec<_> = known.iter().filter(is_fresh).collect();
        let is_known = |check: &&Check| fresh.iter().any(|look| look.check == check.expr);
        let missing = checks.iter().filter(|check| !is_known(check));
        let found = missing.map(async |check| (check, self.find(check, job.now).await));
        let mut looks = Vec::new();
        for (check, found) in join_all(found).await {
            match found {
                Ok(found) => looks.push(baseline(check, found, job.now)),
                Err(error) => {
                    job.claim.failed(None, job.now);
                    let why = format!("cannot evaluate {}: {error}", check.expr);
                    return Ok(Some(Finding::Hold(why)));
                }
            }
        }
        if !looks.is_empty() {
            self.journal.note_looks(job.action.id, &looks).await?;
        }
        Ok(None)
    }

    /// Judges the present stage: takes a look where one is due, and says what all of them come to.
    pub(crate) async fn verify(&self, job: &Job<'_>) -> Result<Finding, StoreError> {
        let plan = match Plan::from_json(job.action.plan.as_ref()) {
            Ok(plan) => plan,
            Err(why) => return Ok(Event::Unverified(why).into()),
        };
        let stage = plan.stage(job.action.stage);
        let arrived = match job.arrived(&plan, stage).await {
            Ok(arrived) => arrived,
            Err(finding) => return Ok(finding),
        };
        if !stage.judged {
            return Ok(Event::Verified(arrived.said_with("carried out")).into());
        }
        if let Some(finding) = self.await_ready(job, &plan, &arrived).await? {
            return Ok(finding);
        }
        let rollout = &job.workload.rollout;
        let names: Vec<_> = rollout.names().collect();
        if names.is_empty() {
            let how = arrived.said_with("carried out; nothing to verify is configured");
            return Ok(self.kept(job, &plan, how));
        }
        let all = self.journal.looks(job.action.id).await?;
        let of_stage = |look: &&Look| look.stage == job.action.stage && look.number > 0;
        let mut looks: Vec<_> = all.iter().filter(of_stage).cloned().collect();
        if judge::rule(&looks, &names, &rollout.judging) == Ruling::More {
            let new = self.look(job, &all, looks.last().map_or(1, |last| last.number + 1));
            let new = new.await;
            self.journal.note_looks(job.action.id, &new).await?;
            looks.extend(new);
        }
        Ok(match judge::rule(&looks, &names, &rollout.judging) {
            Ruling::More => again(job, &looks),
            Ruling::Good(how) => self.kept(job, &plan, arrived.said_with(&how)),
            Ruling::Bad(why) => Event::Unverified(why).into(),
            Ruling::Unjudgeable(why) => {
                Event::Unjudged(format!("the effect could not be judged: {why}")).into()
            }
            Ruling::Doubtful(why) => Event::Doubted(why).into(),
        })
    }

    /// Good; but some stages stay for a while before the next one begins.
    fn kept(&self, job: &Job<'_>, plan: &Plan, how: String) -> Finding {
        let keep = plan.stage(job.action.stage).keep();
        let began = job.action.stage_at.unwrap_or(job.now);
        let lasted = self.ages.age(job.action.id, began, job.now);
        if lasted < keep {
            let at = job.now + keep.saturating_sub(lasted);
            let reason = format!("{how}; the old fleet stays for {}", PromDuration::new(keep));
            return Finding::Later { at, reason };
        }
        Event::Verified(how).into()
    }

    /// One look of each check.
    async fn look(&self, job: &Job<'_>, all: &[Look], number: u32) -> Vec<Look> {
        let rollout = &job.workload.rollout;
        let stage = job.action.stage;
        let look = |name: &str, before: Option<Found>, opinion: Opinion| Look {
            stage,
            number,
            at: job.now,
            check: name.to_owned(),
            verdict: opinion.verdict,
            before: before.and_then(|found| serde_json::to_value(found).ok()),
            after: opinion.after,
            reason: opinion.reason,
        };
        let holds = rollout.verify.iter().map(async |check| {
            let before = found_before(all, check);
            let opinion = match self.find(check, job.now).await {
                Ok(found) => judge::hold(check, before, found),
                Err(error) => unevaluated(&check.expr, &error),
            };
            look(&check.expr, before, opinion)
        });
        let compared = rollout.compare.iter().map(async |comparison| {
            let opinion = match self.see(job, comparison).await {
                Ok((seen, better)) => judge::compare(comparison, &seen, better),
                Err(error) => unevaluated(&comparison.name, &error),
            };
            look(&comparison.name, None, opinion)
        });
        let (mut looks, compared) = futures::join!(join_all(holds), join_all(compared));
        looks.extend(compared);
        looks
    }

    /// Evaluates an expression that must hold, and what it measures.
    async fn find(&self, check: &Check, now: Timestamp) -> Result<Found, String> {
        let answer = self.evidence.query(&check.expr, now).await?;
        let is_false = |value: f64| value.is_nan() || (check.zero_is_false && value.abs() == 0.0);
        let holds = !answer.is_empty() && !answer.iter().any(|(_, value)| is_false(*value));
        let Some(measured) = &check.measured else {
            return Ok(Found { holds, value: None });
        };
        // The number is for people; whether the expression holds has been told already.
        let answer = self.evidence.query(&measured.expr, now).await;
        let values = answer
            .unwrap_or_default()
            .into_iter()
            .map(|(_, value)| value);
        let worst = match measured.better {
            Better::Lower => values.reduce(f64::max),
            Better::Higher => values.reduce(f64::min),
        };
        Ok(Found {
            holds,
            value: worst.filter(|value| value.is_finite()),
        })
    }

    /// Evaluates both sides of a comparison.
    async fn see(&self, job: &Job<'_>, comparison: &Comparison) -> Result<(Seen, Better), String> {
        let before = job.action.applied_at.unwrap_or(job.now);
        let began = job.action.stage_at.unwrap_or(before);
        let ask = async |pair: &Pair| {
            let (canary, rest) = (&pair.canary, &pair.rest);
            let fill = |template: &crate::config::Template| template.fill(before, began, job.now);
            let (canary, rest) = (fill(canary), fill(rest));
            let evidence: &dyn Evidence = &*self.evidence;
            futures::try_join!(
                evidence.query(&canary, job.now),
                evidence.query(&rest, job.now)
            )
        };
        match &comparison.sides {
            Sides::Values { value, better } => {
                let (canary, rest) = ask(value).await?;
                let (canary, rest) = (values(canary)?, values(rest)?);
                Ok((Seen::Values { canary, rest }, *better))
            }
            Sides::Events { bad, total } => {
                let (bad, total) = (ask(bad).await?, ask(total).await?);
                let canary = counts(&bad.0, &total.0)?;
                let rest = counts(&bad.1, &total.1)?;
                Ok((Seen::Events { canary, rest }, Better::Lower))
            }
        }
    }
}

fn baseline(check: &Check, found: Found, now: Timestamp) -> Look {
    let holds = if found.holds {
        "holds"
    } else {
        "does not hold"
    };
    Look {
        stage: 0,
        number: 0,
        at: now,
        check: check.expr.clone(),
        verdict: LookVerdict::Baseline,
        before: serde_json::to_value(found).ok(),
        after: None,
        reason: format!("{} {holds} before the action", check.expr),
    }
}

/// The last look from before the effect.
fn found_before(looks: &[Look], check: &Check) -> Option<Found> {
    let is_it = |look: &&Look| look.verdict == LookVerdict::Baseline && look.check == check.expr;
    let before = looks.iter().rfind(is_it)?.before.as_ref()?;
    Found::deserialize(before).ok()
}

fn unevaluated(name: &str, error: &str) -> Opinion {
    Opinion {
        verdict: LookVerdict::Error,
        after: None,
        reason: format!("cannot evaluate {name}: {error}"),
    }
}

/// When to look again, and what the last look found.
fn again(job: &Job<'_>, looks: &[Look]) -> Finding {
    let judging = &job.workload.rollout.judging;
    let number = looks.last().map_or(0, |last| last.number);
    let last: Vec<_> = looks.iter().filter(|look| look.number == number).collect();
    let has_error = last.iter().any(|look| look.verdict == LookVerdict::Error);
    let pause = if has_error {
        judging.interval.min(AFTER_ERROR)
    } else {
        judging.interval
    };
    let reasons: Vec<_> = last.iter().map(|look| look.reason.as_str()).collect();
    Finding::Later {
        at: job.now + pause,
        reason: format!("look {number}: {}", reasons.join("; ")),
    }
}

type Answer = Vec<(Labels, f64)>;

fn values(answer: Answer) -> Result<Vec<f64>, String> {
    let values: Vec<_> = answer.into_iter().map(|(_, value)| value).collect();
    if values.iter().all(|value| value.is_finite()) {
        return Ok(values);
    }
    Err("a value in the answer is not a number".to_owned())
}

/// A counter that has never counted has no series, which is nought.
fn counts(bad: &Answer, total: &Answer) -> Result<Counts, String> {
    let one = |answer: &Answer| match answer.as_slice() {
        [] => Ok(0.0),
        [(_, value)] if value.is_finite() && *value >= 0.0 => Ok(*value),
        [(_, value)] => Err(format!("{value} is no number of events")),
        more => Err(format!(
            "the answer has {} series, where one sum is needed",
            more.len()
        )),
    };
    let total = one(total)?;
    // Extrapolation may make a little more of the part than of the whole.
    let bad = one(bad)?.min(total);
    Ok(Counts { bad, total })
}
