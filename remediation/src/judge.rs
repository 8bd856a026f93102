//! What looks at an effect come to: pure, from what was found before and after to a ruling on the stage.

use crate::{
    config::{Check, Comparison, Judging},
    statistics::{Better, Events, Interval, difference_of_means, difference_of_shares, mean},
};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use store::{Look, LookVerdict};

/// What the looks of one stage come to.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Ruling {
    /// There are not enough of them yet.
    More,
    /// All checks passed often enough.
    Good(String),
    /// A check failed too often.
    Bad(String),
    /// A check could not be evaluated too often in a row.
    Unjudgeable(String),
    /// A check was inconclusive too often.
    Doubtful(String),
}

/// What one look of one check came to.
#[derive(Debug, PartialEq)]
pub(crate) struct Opinion {
    pub(crate) verdict: LookVerdict,
    pub(crate) after: Option<Value>,
    pub(crate) reason: String,
}

/// What an expression that must hold was found to be.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub(crate) struct Found {
    pub(crate) holds: bool,
    /// The worst value on its left side, where it has one; never NaN or infinite.
    pub(crate) value: Option<f64>,
}

/// What was seen on both sides of a comparison.
#[derive(Debug, PartialEq)]
pub(crate) enum Seen {
    Events { canary: Counts, rest: Counts },
    Values { canary: Vec<f64>, rest: Vec<f64> },
}

/// Counts as PromQL gives them: fractions from extrapolation included.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Counts {
    pub(crate) bad: f64,
    pub(crate) total: f64,
}

/// How much of a value must go the good way to be called better: less is within the noise of a minute.
const NOTABLE: f64 = 0.1;

/// Rules on the looks of one stage, each check with the limits on its own. Names that were never looked at
/// need looks, be there others or not.
pub(crate) fn rule(looks: &[Look], names: &[&str], judging: &Judging) -> Ruling {
    let tallies: Vec<_> = names.iter().map(|name| Tally::of(looks, name)).collect();
    let worst = |is_over: &dyn Fn(&Tally) -> bool| tallies.iter().find(|tally| is_over(tally));
    if let Some(tally) = worst(&|t| t.n_failed > judging.failure_limit) {
        return Ruling::Bad(tally.reason_of(LookVerdict::Failed));
    }
    if let Some(tally) = worst(&|t| t.errors_in_a_row > judging.error_limit) {
        return Ruling::Unjudgeable(tally.reason_of(LookVerdict::Error));
    }
    if tallies
        .iter()
        .any(|tally| tally.n_counted() < judging.count)
    {
        return Ruling::More;
    }
    if let Some(tally) = worst(&|t| t.n_inconclusive > judging.inconclusive_limit) {
        return Ruling::Doubtful(tally.reason_of(LookVerdict::Inconclusive));
    }
    let looks = match judging.count {
        1 => "one look".to_owned(),
        count => format!("{count} looks"),
    };
    Ruling::Good(match names {
        [name] => format!("verified in {looks}: {name}"),
        _ => format!("verified in {looks}: all {} checks", names.len()),
    })
}

#[derive(Default)]
struct Tally<'a> {
    looks: Vec<&'a Look>,
    n_successful: u32,
    n_failed: u32,
    n_inconclusive: u32,
    errors_in_a_row: u32,
}

impl<'a> Tally<'a> {
    fn of(looks: &'a [Look], name: &str) -> Self {
        let mut tally = Self::default();
        for look in looks.iter().filter(|look| look.check == name) {
            let errors = tally.errors_in_a_row;
            tally.errors_in_a_row = 0;
            match look.verdict {
                LookVerdict::Successful => tally.n_successful += 1,
                LookVerdict::Failed => tally.n_failed += 1,
                LookVerdict::Inconclusive => tally.n_inconclusive += 1,
                LookVerdict::Error => tally.errors_in_a_row = errors + 1,
                LookVerdict::Baseline => continue,
            }
            tally.looks.push(look);
        }
        tally
    }

    fn n_counted(&self) -> u32 {
        self.n_successful + self.n_failed + self.n_inconclusive
    }

    fn reason_of(&self, verdict: LookVerdict) -> String {
        let of_it = self.looks.iter().filter(|look| look.verdict == verdict);
        let last = of_it.clone().next_back();
        let reason = last.map_or("", |look| look.reason.as_str());
        format!(
            "{} of {} looks {verdict}: {reason}",
            of_it.count(),
            self.looks.len()
        )
    }
}

/// Judges an expression that must hold by what it was before the effect. One that did not hold before says
/// nothing against the effect.
pub(crate) fn hold(check: &Check, before: Option<Found>, now: Found) -> Opinion {
    let expr = &check.expr;
    let better = check.measured.as_ref().map(|measured| measured.better);
    let was_bad = before.is_some_and(|before| !before.holds);
    let change = change(before.and_then(|found| found.value), now.value);
    let (verdict, reason) = match (now.holds, was_bad) {
        (true, _) => (LookVerdict::Successful, format!("{expr} holds{change}")),
        (false, false) => (LookVerdict::Failed, format!("{expr} does not hold{change}")),
        (false, true) if got_better(before, now, better) => {
            let reason = format!("{expr} does not hold yet, but got better{change}");
            (LookVerdict::Successful, reason)
        }
        (false, true) => {
            let reason = format!("{expr} does not hold, as before the action{change}");
            (LookVerdict::Inconclusive, reason)
        }
    };
    Opinion {
        verdict,
        after: serde_json::to_value(now).ok(),
        reason,
    }
}

fn got_better(before: Option<Found>, now: Found, better: Option<Better>) -> bool {
    let values = (before.and_then(|found| found.value), now.value);
    let (Some(before), Some(now), Some(better)) = (values.0, values.1, better) else {
        return false;
    };
    let gain = match better {
        Better::Lower => before - now,
        Better::Higher => now - before,
    };
    gain >= NOTABLE * before.abs() && gain > 0.0
}

fn change(before: Option<f64>, now: Option<f64>) -> String {
    match (before, now) {
        (Some(before), Some(now)) => format!(" ({} → {})", short(before), short(now)),
        (None, Some(now)) => format!(" ({})", short(now)),
        _ => String::new(),
    }
}

/// Four digits are enough for a sentence.
fn short(value: f64) -> f64 {
    format!("{value:.3e}").parse().unwrap_or(value)
}

/// Judges what is new by the rest: good where it is no worse than the margin allows with 95 % confidence, bad
/// where it is worse with as much, and neither where there is too little to tell.
pub(crate) fn compare(comparison: &Comparison, seen: &Seen, better: Better) -> Opinion {
    let name = &comparison.name;
    let min = f64::from(comparison.min_sample);
    let (canary, rest) = seen.sample();
    let after = Some(seen.to_json());
    if canary < min || rest < min {
        let reason = format!("{name}: {canary:.0} new and {rest:.0} old ones seen, not {min} each");
        return Opinion {
            verdict: LookVerdict::Inconclusive,
            after,
            reason,
        };
    }
    let (difference, margin) = seen.difference(comparison.margin, better);
    let Interval { lower, upper } = difference;
    let (verdict, how) = if upper <= margin {
        (LookVerdict::Successful, "is no worse than the rest")
    } else if lower > margin {
        (LookVerdict::Failed, "is worse than the rest")
    } else {
        (
            LookVerdict::Inconclusive,
            "may or may not be worse than the rest",
        )
    };
    let reason = format!("{name} {how}: {lower:.4} to {upper:.4} worse, margin {margin:.4}");
    Opinion {
        verdict,
        after,
        reason,
    }
}

impl Seen {
    fn sample(&self) -> (f64, f64) {
        match self {
            Self::Events { canary, rest } => (canary.total, rest.total),
            Self::Values { canary, rest } => (canary.len() as f64, rest.len() as f64),
        }
    }

    /// How much worse the canary is, and how much it may be: an absolute share of events, or a share of the
    /// rest's mean.
    fn difference(&self, margin: f64, better: Better) -> (Interval, f64) {
        match self {
            Self::Events { canary, rest } => {
                let events = |counts: &Counts| Events {
                    bad: counts.bad,
                    total: counts.total,
                };
                (difference_of_shares(events(canary), events(rest)), margin)
            }
            Self::Values { canary, rest } => {
                let Interval { lower, upper } = difference_of_means(canary, rest);
                let interval = match better {
                    Better::Lower => Interval { lower, upper },
                    Better::Higher => Interval {
                        lower: -upper,
                        upper: -lower,
                    },
                };
                (interval, margin * mean(rest).abs())
            }
        }
    }

    fn to_json(&self) -> Value {
        match self {
            Self::Events { canary, rest } => json!({
                "canary": {"bad": canary.bad, "total": canary.total},
                "rest": {"bad": rest.bad, "total": rest.total},
            }),
            Self::Values { canary, rest } => {
                let side = |values: &[f64]| {
                    let mean = (!values.is_empty()).then(|| mean(values));
                    json!({"mean": mean, "series": values.len()})
                };
                json!({"canary": side(canary), "rest": side(rest)})
            }
        }
    }
}

#[cfg(test)]
mod tests;
