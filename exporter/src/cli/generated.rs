//! What is made of the command line: completions for shells, and the manual page.

use super::Cli;
use clap::{Command, CommandFactory as _};
use clap_complete::Shell;
use clap_mangen::Man;

/// The name that the program is called by.
const NAME: &str = "foreshadow";

/// A script that makes a shell complete commands and flags.
pub(crate) fn completions(shell: Shell) -> Vec<u8> {
    let mut script = Vec::new();
    clap_complete::generate(shell, &mut Cli::command(), NAME, &mut script);
    script
}

/// One manual page, with a section for each command.
pub(crate) fn manual() -> std::io::Result<Vec<u8>> {
    let mut command = Cli::command();
    command.build();
    let mut page = Vec::new();
    let whole = Man::new(command.clone()).section("1");
    whole.render_title(&mut page)?;
    whole.render_name_section(&mut page)?;
    whole.render_synopsis_section(&mut page)?;
    whole.render_description_section(&mut page)?;
    for (name, command) in leaves(NAME, &command) {
        page.extend(format!(".SH \"{}\"\n", name.to_uppercase()).bytes());
        let part = Man::new(command);
        let mut rendered = Vec::new();
        part.render_synopsis_section(&mut rendered)?;
        part.render_description_section(&mut rendered)?;
        part.render_options_section(&mut rendered)?;
        // Sections of a command are subsections of the page.
        let text = String::from_utf8_lossy(&rendered).replace(".SH ", ".SS ");
        page.extend(text.bytes());
    }
    Ok(page)
}

/// The commands that do something, each under its whole name.
fn leaves(name: &str, command: &Command) -> Vec<(String, Command)> {
    let below = command
        .get_subcommands()
        .filter(|one| one.get_name() != "help");
    let all: Vec<_> = below
        .flat_map(|one| leaves(&format!("{name} {}", one.get_name()), one))
        .collect();
    if all.is_empty() {
        vec![(name.to_owned(), command.clone())]
    } else {
        all
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_shell_completes_every_command() {
        for shell in [
            Shell::Bash,
            Shell::Zsh,
            Shell::Fish,
            Shell::Elvish,
            Shell::PowerShell,
        ] {
            let script = String::from_utf8(completions(shell)).unwrap();
            for word in ["backtest", "web-config", "rollback", "prometheus.url"] {
                assert!(script.contains(word), "{shell}: {word}");
            }
        }
    }

    #[test]
    fn the_manual_has_every_command_with_its_flags() {
        let page = String::from_utf8(manual().unwrap()).unwrap();
        for text in [
            ".TH foreshadow 1",
            ".SH \"FORESHADOW ACTIONS ROLLBACK\"",
            ".SH \"FORESHADOW BACKTEST\"",
            "\\-\\-threshold",
        ] {
            assert!(page.contains(text), "{text}\n{page}");
        }
    }

    #[test]
    fn the_command_line_is_consistent() {
        Cli::command().debug_assert();
    }
}
