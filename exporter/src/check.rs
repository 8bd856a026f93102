//! `foreshadow check`: every problem of the files at once.

use crate::{
    cli::Check,
    config::{Config, WebConfig, parse_rule_files},
    say::{remark, say},
    sources,
};
use rules::{Group, RuleKind};
use std::{
    collections::BTreeSet,
    path::{Path, PathBuf},
    process::ExitCode,
};
use yaml::{Problem, Problems};

/// What a rule file may hold.
const RULES_SCHEMA: &str = include_str!("../../docs/rules.schema.json");

/// Checks each file, tells what was found, and whether all of them are good.
pub(crate) fn check(check: &Check) -> ExitCode {
    let all_good = match check {
        Check::Config { files } => {
            // Every file is checked, also after a bad one.
            let outcomes: Vec<bool> = files.iter().map(|file| tell(file, config(file))).collect();
            outcomes.into_iter().all(|good| good)
        }
        Check::WebConfig { files } => {
            let check = |file: &PathBuf| tell(file, web_config(file));
            let outcomes: Vec<bool> = files.iter().map(check).collect();
            outcomes.into_iter().all(|good| good)
        }
        Check::Schema => {
            say(RULES_SCHEMA);
            true
        }
        Check::Rules { files } => {
            let (groups, problems) = parse_rule_files(files.iter().cloned());
            let rules: usize = groups.iter().map(|group| group.rules.len()).sum();
            let found = match Problems::collect(problems) {
                Some(problems) => Err(problems),
                None => Ok(format!("{} found{}", counted(rules, "rule"), made(&groups))),
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
    let ways = if config.prometheus.history.remote_read.is_some() {
        sources::ways(&config.groups)
    } else {
        Vec::new()
    };
    let rules: usize = config.groups.iter().map(|group| group.rules.len()).sum();
    let found = format!(
        "{}, {} found{}",
        counted(rules, "rule"),
        counted(config.remediation.workloads.len(), "workload"),
        made(&config.groups)
    );
    let lines = std::iter::once(found).chain(ways);
    Ok(lines.collect::<Vec<_>>().join("\n  "))
}

/// How many series forecast rules make of one, as the end of a sentence; nothing where there is no such rule.
fn made(groups: &[Group]) -> String {
    let rules = groups.iter().flat_map(|group| &group.rules);
    let numbers = rules.filter_map(|rule| match &rule.kind {
        RuleKind::Forecast(rule) => Some(rule.n_gauges()),
        RuleKind::Record(_) => None,
    });
    let numbers: BTreeSet<usize> = numbers.collect();
    match (numbers.first(), numbers.last()) {
        (Some(fewest), Some(most)) if fewest == most => {
            format!(", about {most} series for each input series")
        }
        (Some(fewest), Some(most)) => {
            format!(", about {fewest} to {most} series for each input series")
        }
        _ => String::new(),
    }
}

/// A web configuration with the certificates that it names.
fn web_config(file: &Path) -> Result<String, Problems> {
    let web = WebConfig::load(file)?;
    if let Some(tls) = &web.tls {
        tls.server_config().map_err(|error| {
            let problem = Problem {
                file: file.display().to_string(),
                line: 0,
                key: "tls_server_config".to_owned(),
                message: format!("{error:#}"),
            };
            Problems::collect([problem]).expect("one problem was given")
        })?;
    }
    let tls = if web.tls.is_some() { "TLS" } else { "no TLS" };
    Ok(format!("{}, {tls}", counted(web.users.len(), "user")))
}

/// A number of things, in the plural unless it is one.
fn counted(n: usize, thing: &str) -> String {
    let plural = if n == 1 { "" } else { "s" };
    format!("{n} {thing}{plural}")
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
            eprintln!("  FAILED: {}", counted(count, "problem"));
            problems.iter().for_each(remark);
            false
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn series_made_of_one_are_told_where_there_is_a_forecast() {
        let groups = |rules: &str| {
            rules::parse("r.yml", &format!("groups: [{{name: g, rules: [{rules}]}}]")).unwrap()
        };
        let short = "{forecast: a, expr: up, horizons: [5m, 15m, 1h]}";
        let long = "{forecast: b, expr: up, horizons: [1h], quantiles: [0.5]}";
        assert_eq!(made(&groups("{record: a, expr: up}")), "");
        assert_eq!(
            made(&groups(short)),
            ", about 19 series for each input series"
        );
        let both = made(&groups(&format!("{short}, {long}")));
        assert_eq!(both, ", about 5 to 19 series for each input series");
    }

    #[test]
    fn one_thing_is_not_counted_in_the_plural() {
        let told = [0, 1, 2].map(|n| counted(n, "rule"));
        assert_eq!(told, ["0 rules", "1 rule", "2 rules"]);
    }
}
