//! The section `guards`.

use super::scalars::{count, words};
use std::path::PathBuf;
use yaml::Node;

/// What holds for all workloads together.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Guards {
    /// How many actions may have an unsettled effect at once; at least one.
    pub max_concurrent: u32,
    /// How many effects may be ordered within an hour; at least one.
    pub max_actions_per_hour: u32,
    /// Nothing is done while this file is there; it is looked for right before each effect. As written, so a
    /// relative path counts from the program's working folder.
    pub kill_switch_file: Option<PathBuf>,
}

/// Two, so that one action that hangs does not hold up all others, and a storm still cannot run away.
const MAX_CONCURRENT: u32 = 2;

/// One in five minutes on average; more than that is a fault of ours or beyond what scaling can mend.
const MAX_ACTIONS_PER_HOUR: u32 = 12;

impl Guards {
    /// What holds when the section is left out.
    pub fn standard() -> Self {
        Self {
            max_concurrent: MAX_CONCURRENT,
            max_actions_per_hour: MAX_ACTIONS_PER_HOUR,
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
        fields.optional("blast_radius", |node| -> Option<()> {
            node.problem("is not available in this version; bound each workload by sizing.step_up");
            None
        });
        Some(Guards {
            max_concurrent: max_concurrent.unwrap_or(standard.max_concurrent),
            max_actions_per_hour: max_actions_per_hour.unwrap_or(standard.max_actions_per_hour),
            kill_switch_file: kill_switch_file.map(PathBuf::from),
        })
    })
}

fn at_least_one(node: &Node) -> Option<u32> {
    let count = count(node)?;
    if count == 0 {
        node.problem("must be at least 1; to stop all actions, use kill_switch_file");
        return None;
    }
    Some(count)
}
