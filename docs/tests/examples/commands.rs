//! Commands of shell examples and sessions.

use crate::{none, of, programs::foreshadow};
use docs::{Kind, commands, root, without_redirection};
use std::{
    fs,
    path::Path,
    process::{Command, Stdio},
};

/// Programs that are not ours: only the shell's syntax is looked at.
const OTHERS: [&str; 8] = [
    "curl",
    "kubectl",
    "install",
    "now=$(date",
    "man",
    "htpasswd",
    "export",
    "mkdir",
];

#[test]
fn every_command_is_one_that_there_is() {
    let mut offences = Vec::new();
    for (kind, block) in of(&[Kind::Shell, Kind::Session]) {
        if kind == Kind::Shell && !shell(&["-n", "-c", &block.text]) {
            offences.push(format!("{}: no shell reads this", block.place()));
        }
        for command in commands(&block.text) {
            let problem = problem(&command);
            offences
                .extend(problem.map(|problem| format!("{}: {command}: {problem}", block.place())));
        }
    }
    none(&offences);
}

fn problem(command: &str) -> Option<String> {
    let program = command.split_whitespace().next()?;
    match program {
        "foreshadow" => refused_by_foreshadow(command),
        "make" => unknown_to_make(command),
        "cargo" => unknown_to_cargo(command),
        _ if OTHERS.contains(&program) => None,
        _ => Some("nothing checks this program".to_owned()),
    }
}

/// Asks for the help behind the command: every word before it is read as the real one would be.
fn refused_by_foreshadow(command: &str) -> Option<String> {
    let line = format!("{} --help", without_redirection(command));
    (!shell(&["-c", &line])).then(|| "the program refuses it".to_owned())
}

fn shell(args: &[&str]) -> bool {
    let folder = foreshadow().parent().unwrap().to_owned();
    let path = format!("{}:/usr/bin:/bin", folder.display());
    let mut command = Command::new("sh");
    let command = command.args(args).env("PATH", path).stdin(Stdio::null());
    command.stdout(Stdio::null()).status().unwrap().success()
}

fn unknown_to_make(command: &str) -> Option<String> {
    let makefile = fs::read_to_string(root().join("Makefile")).unwrap();
    let words = command.split_whitespace().skip(1);
    let mut wrong = words.filter(|word| match word.split_once('=') {
        Some((variable, _)) if !variable.contains(['-', '\'']) => {
            !makefile.contains(&format!("$({variable})"))
                && !makefile.contains(&format!("$(or $({variable})"))
        }
        Some(_) => false,
        // What stands behind `VARIABLE='--flag` is part of a value.
        None if word.contains(['\'', '.']) => false,
        None => !makefile
            .lines()
            .any(|line| line.starts_with(&format!("{word}:"))),
    });
    wrong
        .next()
        .map(|word| format!("the Makefile does not know `{word}`"))
}

fn unknown_to_cargo(command: &str) -> Option<String> {
    let manifest = fs::read_to_string(root().join("Cargo.toml")).unwrap();
    let words: Vec<_> = command.split_whitespace().collect();
    let package = words
        .iter()
        .position(|word| *word == "-p")
        .and_then(|at| words.get(at + 1));
    package
        .filter(|package| !manifest.contains(&format!("\"{package}\",")))
        .map(|package| format!("the workspace has no `{package}`"))
}

#[test]
fn links_between_documents_lead_somewhere() {
    let mut offences = Vec::new();
    let documents = fs::read_dir(root().join("docs"))
        .unwrap()
        .map(|entry| entry.unwrap().path());
    let documents = documents.chain([
        root().join("README.md"),
        root().join("ARCHITECTURE.md"),
        root().join("CONTRIBUTING.md"),
    ]);
    for path in documents.filter(|path| path.extension().is_some_and(|extension| extension == "md"))
    {
        let text = fs::read_to_string(&path).unwrap();
        for link in text
            .split("](")
            .skip(1)
            .filter_map(|rest| rest.split(')').next())
        {
            if let Some(offence) = dead(&path, &text, link) {
                offences.push(offence);
            }
        }
    }
    none(&offences);
}

/// A sentence about a link that leads to no file or no heading.
fn dead(from: &Path, text: &str, link: &str) -> Option<String> {
    if link.contains("://") || link.contains(' ') {
        return None;
    }
    let (file, anchor) = link.split_once('#').unwrap_or((link, ""));
    let target = from.parent().unwrap().join(file);
    if !file.is_empty() && !target.exists() {
        return Some(format!("{}: no file {link}", from.display()));
    }
    let other;
    let text = if file.is_empty() {
        text
    } else if anchor.is_empty() {
        return None;
    } else {
        other = fs::read_to_string(&target).unwrap();
        &other
    };
    let mut headings = text
        .lines()
        .filter(|line| line.starts_with('#'))
        .map(anchor_of);
    (!headings.any(|heading| heading == anchor))
        .then(|| format!("{}: no heading {link}", from.display()))
}

/// The anchor that a heading gets on GitHub.
fn anchor_of(heading: &str) -> String {
    let words = heading.trim_start_matches('#').trim().to_lowercase();
    let kept = words
        .chars()
        .filter(|c| c.is_alphanumeric() || matches!(c, ' ' | '-' | '_'));
    kept.map(|c| if c == ' ' { '-' } else { c }).collect()
}
