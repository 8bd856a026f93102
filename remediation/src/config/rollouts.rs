//! The key `rollout` of a workload: the way to a target, and how its effect is judged.

use super::{
    checks::{Check, Comparison, check, comparison},
    scalars::{count, duration, positive_duration, share},
};
use crate::{machine::OnInconclusive, rollout::Strategy};
use std::{collections::BTreeSet, time::Duration};
use yaml::{Fields, Node};

/// How an effect is brought about, and judged.
#[derive(Debug, Clone, PartialEq)]
pub struct Rollout {
    /// The way to the target.
    pub strategy: Strategy,
    /// How long each stage is left to settle before it is looked at.
    pub wait: Duration,
    /// How many looks there are, and how many of them may go wrong.
    pub judging: Judging,
    /// What happens where they lead to no verdict, and a person is not asked or does not answer.
    pub on_inconclusive: OnInconclusive,
    /// Each must hold, unless it did not hold before.
    pub verify: Vec<Check>,
    /// In each, what is new must be no worse than the rest.
    pub compare: Vec<Comparison>,
}

/// When an effect has been looked at often enough. The limits are those of Argo Rollouts' analysis, check by
/// check.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Judging {
    /// Looks of each stage; at least one. Those that end in an error do not count.
    pub count: u32,
    /// Time from one look to the next; above zero.
    pub interval: Duration,
    /// Failed looks that are passed over; fewer than `count`.
    pub failure_limit: u32,
    /// Inconclusive looks that are passed over.
    pub inconclusive_limit: u32,
    /// Errors in a row that are passed over.
    pub error_limit: u32,
}

/// Two scrapes at the usual interval, before an effect can be seen at all.
const WAIT: Duration = Duration::from_secs(30);

/// Three, of which two must agree: one look may fall into a scrape that failed or a garbage collection.
const COUNT: u32 = 3;

/// See [`COUNT`].
const LIMIT: u32 = 1;

/// As in Argo Rollouts.
const ERROR_LIMIT: u32 = 4;

/// A look more often than that sees the same scrape again.
const SHORTEST_INTERVAL: Duration = Duration::from_secs(1);

/// Long enough for the daily surprise to show within the hour, and what a second fleet costs is bounded.
const RETAIN: Duration = Duration::from_mins(10);

impl Rollout {
    /// How it is done where nothing is said: at once, and without a check.
    pub fn standard() -> Self {
        Self {
            strategy: Strategy::Direct,
            wait: WAIT,
            judging: Judging::standard(WAIT),
            on_inconclusive: OnInconclusive::Keep,
            verify: Vec::new(),
            compare: Vec::new(),
        }
    }

    /// The checks, by name: an expression that must hold is its own.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        let verify = self.verify.iter().map(|check| check.expr.as_str());
        verify.chain(
            self.compare
                .iter()
                .map(|comparison| comparison.name.as_str()),
        )
    }

    /// How long it takes from the first effect to the last, when nothing goes wrong.
    pub fn duration(&self) -> Duration {
        if self.verify.is_empty() && self.compare.is_empty() {
            return self.wait * (self.strategy.n_judged() - 1);
        }
        let looks = self.judging.interval * (self.judging.count - 1);
        (self.wait + looks) * (self.strategy.n_judged() - 1)
    }
}

impl Judging {
    fn standard(wait: Duration) -> Self {
        Self {
            count: COUNT,
            interval: wait.max(SHORTEST_INTERVAL),
            failure_limit: LIMIT,
            inconclusive_limit: LIMIT,
            error_limit: ERROR_LIMIT,
        }
    }
}

/// Reads `rollout`: one of `direct`, `canary`, `blue_green`.
pub(super) fn rollout(node: &Node) -> Option<Rollout> {
    node.map(|fields| {
        let direct = fields.optional("direct", |node| {
            node.map(|f| Some(common(f, Strategy::Direct)))
        });
        let canary = fields.optional("canary", |node| {
            node.map(|fields| {
                let steps = fields.required("steps", steps);
                Some(common(fields, Strategy::Canary { steps: steps? }))
            })
        });
        let blue_green = fields.optional("blue_green", |node| {
            node.map(|fields| {
                let retain = fields.optional("retain", duration).unwrap_or(RETAIN);
                Some(common(fields, Strategy::BlueGreen { retain }))
            })
        });
        let named = ["direct", "canary", "blue_green"];
        if named.iter().filter(|name| fields.has(name)).count() > 1 {
            let problem = "must name one way: direct, canary or blue_green";
            fields.node().problem(problem);
        }
        direct.or(canary).or(blue_green)
    })
}

fn common(fields: &Fields, strategy: Strategy) -> Rollout {
    let wait = fields.optional("wait", duration).unwrap_or(WAIT);
    let verify = fields.optional("verify", |node| node.list(check));
    let compare = fields.optional("compare", |node| node.list(comparison));
    let (verify, compare) = (verify.unwrap_or_default(), compare.unwrap_or_default());
    let on_inconclusive =
        fields.optional("on_inconclusive", |node| match node.string()?.as_str() {
            "keep" => Some(OnInconclusive::Keep),
            "rollback" => Some(OnInconclusive::Rollback),
            other => {
                node.problem(format!("`{other}` is not one of keep, rollback"));
                None
            }
        });
    // More of the same cannot be told from less harm; what is new beside the old can.
    let standard = match strategy {
        Strategy::Direct => OnInconclusive::Keep,
        Strategy::Canary { .. } | Strategy::BlueGreen { .. } => OnInconclusive::Rollback,
    };
    let rollout = Rollout {
        judging: judging(fields, wait),
        strategy,
        wait,
        on_inconclusive: on_inconclusive.unwrap_or(standard),
        verify,
        compare,
    };
    let mut names = BTreeSet::new();
    for name in rollout.names() {
        if !names.insert(name) {
            fields
                .node()
                .problem(format!("there are two checks `{name}`"));
        }
    }
    rollout
}

fn judging(fields: &Fields, wait: Duration) -> Judging {
    let standard = Judging::standard(wait);
    let count = fields.optional("count", |node| {
        let count = count(node)?;
        if count == 0 {
            node.problem("must be at least 1");
            return None;
        }
        Some(count)
    });
    let count = count.unwrap_or(standard.count);
    let failure_limit = fields.optional("failure_limit", |node| {
        let limit = self::count(node)?;
        if limit >= count {
            node.problem(format!(
                "must be below count, which is {count}, or nothing could fail"
            ));
            return None;
        }
        Some(limit)
    });
    let most = count - 1;
    Judging {
        count,
        interval: fields
            .optional("interval", positive_duration)
            .unwrap_or(standard.interval),
        failure_limit: failure_limit.unwrap_or(standard.failure_limit.min(most)),
        inconclusive_limit: fields
            .optional("inconclusive_limit", self::count)
            .unwrap_or(standard.inconclusive_limit.min(most)),
        error_limit: fields
            .optional("error_limit", self::count)
            .unwrap_or(standard.error_limit),
    }
}

fn steps(node: &Node) -> Option<Vec<f64>> {
    let steps = node.list(share)?;
    if steps.is_empty() {
        node.problem("must have at least one step, like [10%, 50%]");
        return None;
    }
    let is_ascending = steps.windows(2).all(|pair| pair[0] < pair[1]);
    if !is_ascending || steps.iter().any(|share| *share >= 1.0) {
        node.problem("must ascend and stay below 100%, which follows by itself");
        return None;
    }
    Some(steps)
}
