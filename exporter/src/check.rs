//! `foreshadow check`: every problem of the files at once.

use crate::{
    cli::Check,
    config::{Config, parse_rule_files},
    say::say,
};
use std::{path::Path, process::ExitCode};
use yaml::Problems;

/// Checks each file, tells what was found, and whether all of them are good.
pub(crate) fn check(check: &Check) -> ExitCode {
    let all_good = match check {
        Check::Config { files } => {
            // Every file is checked, also after a bad one.
            let outcomes: Vec<bool> = files.iter().map(|file| tell(file, config(file))).collect();
            outcomes.into_iter().all(|good| good)
        }
        Check::Rules { files } => {
            let (groups, problems) = parse_rule_files(files.iter().cloned());
            let rules: usize = groups.iter().map(|group| group.rules.len()).sum();
            let found = match Problems::collect(problems) {
                Some(problems) => Err(problems),
                None => Ok(format!("{rules} rules found")),
            };
            let names: Vec<_> = files
                .iter()
                .map(|file| file.display().to_string())
                .collect();
            tell(Path::new(&names.join(", ")), found)
        }
    };
    if all_good {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    }
}

fn config(file: &Path) -> Result<String, Problems> {
    let config = Config::load(file)?;
    let rules: usize = config.groups.iter().map(|group| group.rules.len()).sum();
    Ok(format!(
        "{rules} rules, {} workloads found",
        config.remediation.workloads.len()
    ))
}

fn tell(file: &Path, outcome: Result<String, Problems>) -> bool {
    say(&format!("Checking {}\n", file.display()));
    match outcome {
        Ok(found) => {
            say(&format!("  SUCCESS: {found}\n"));
            true
        }
        Err(problems) => {
            let count = problems.iter().count();
            eprintln!(
                "  FAILED: {count} {}",
                if count == 1 { "problem" } else { "problems" }
            );
            problems.iter().for_each(|problem| eprintln!("{problem}"));
            false
        }
    }
}
