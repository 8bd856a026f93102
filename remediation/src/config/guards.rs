//! The section `guards`.

use super::{
    intervals::{TimeInterval, time_interval},
    scalars::{count, share, words},
};
use std::path::PathBuf;
use yaml::Node;

/// What holds for all workloads together.
#[derive(Debug, Clone, PartialEq)]
pub struct Guards {
    /// How many actions may have an unsettled effect at once; at least one.
    pub max_concurrent: u32,
    /// How many effects may be ordered within an hour; at least one.
    pub max_actions_per_hour: u32,
    /// The share of the configured workloads that may have an unsettled effect at once, and at least one of
    /// them may; none is no limit.
    pub blast_radius: Option<f64>,
    /// Nothing is begun in these times.
    pub maintenance: Vec<TimeInterval>,
    /// What a forecast has to have shown of late.
    pub forecast: Proof,
    /// Nothing is done while this file is there; it is looked for right before each effect, and before
    /// each write of one that takes several. As written, so a relative path counts from the program's working
    /// folder.
    pub kill_switch_file: Option<PathBuf>,
}

/// How good forecasts must have turned out of late, where that is known.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Proof {
    /// The largest mean absolute scaled error; above zero.
    pub max_mase: f64,
    /// How far the share of values that fell into a band may stay below what the band promises.
    pub max_coverage_shortfall: f64,
}

/// Two, so that one action that hangs does not hold up all others, and a storm still cannot run away.
const MAX_CONCURRENT: u32 = 2;

/// One in five minutes on average; more than that is a fault of ours or beyond what scaling can mend.
const MAX_ACTIONS_PER_HOUR: u32 = 12;

/// Twice as wrong as taking yesterday for today: whoever forecasts like that should not move production.
const MAX_MASE: f64 = 2.0;

/// An 80 % band that holds less than half of what comes is no band.
const MAX_COVERAGE_SHORTFALL: f64 = 0.3;

impl Guards {
    /// What holds when the section is left out.
    pub fn standard() -> Self {
        Self {
            max_concurrent: MAX_CONCURRENT,
            max_actions_per_hour: MAX_ACTIONS_PER_HOUR,
            blast_radius: None,
            maintenance: Vec::new(),
            forecast: Proof {
                max_mase: MAX_MASE,
                max_coverage_shortfall: MAX_COVERAGE_SHORTFALL,
            },
            kill_switch_file: None,
        }
    }
}

/// Reads the section `guards`.
pub fn read_guards(node: &Node) -> Option<Guards> {
    let standard = Guards::standard();
    node.map(|fields| {
        let max_concurrent = fields.optional("max_concurrent", at_least_one);
        let max_actions_per_hour = fields.optional("max_actions_per_hour", at_least_one);
        let kill_switch_file = fields.optional("kill_switch_file", words);
        let maintenance = fields.optional("maintenance", |node| node.list(time_interval));
        fields.optional("budget", |node| -> Option<()> {
            node.problem(
                "is not available in this version, which knows no prices; bound each workload by sizing.max",
            );
            None
        });
        Some(Guards {
            max_concurrent: max_concurrent.unwrap_or(standard.max_concurrent),
            max_actions_per_hour: max_actions_per_hour.unwrap_or(standard.max_actions_per_hour),
            blast_radius: fields.optional("blast_radius", part),
            maintenance: maintenance.unwrap_or_default(),
            forecast: fields
                .optional("forecast", proof)
                .unwrap_or(standard.forecast),
            kill_switch_file: kill_switch_file.map(PathBuf::from),
        })
    })
}

fn proof(node: &Node) -> Option<Proof> {
    node.map(|fields| {
        let max_mase = fields.optional("max_mase", |node| {
            let number = node.number()?;
            if !(number.is_finite() && number > 0.0) {
                node.problem(format!("must be above 0, got {number}"));
                return None;
            }
            Some(number)
        });
        let shortfall = fields.optional("max_coverage_shortfall", part);
        Some(Proof {
            max_mase: max_mase.unwrap_or(MAX_MASE),
            max_coverage_shortfall: shortfall.unwrap_or(MAX_COVERAGE_SHORTFALL),
        })
    })
}

/// A share of at most all.
fn part(node: &Node) -> Option<f64> {
    let share = share(node)?;
    if share > 1.0 {
        node.problem("cannot be more than 100%");
        return None;
    }
    Some(share)
}

fn at_least_one(node: &Node) -> Option<u32> {
    let count = count(node)?;
    if count == 0 {
        node.problem("must be at least 1; to stop all actions, use kill_switch_file");
        return None;
    }
    Some(count)
}
