//! Commands in shell examples.

/// The commands of a shell example, each on one line: lines that go on are joined, comments, documents that are fed to a command, and
/// empty lines are left out. In a session, the commands stand behind a prompt and the rest is output.
pub fn commands(text: &str) -> Vec<String> {
    let is_session = text.lines().any(|line| line.starts_with("$ "));
    let joined = text.replace("\\\n", " ");
    let mut found = Vec::new();
    let mut document_end: Option<String> = None;
    for line in joined.lines() {
        if let Some(end) = &document_end {
            if line.trim() == end {
                document_end = None;
            }
            continue;
        }
        if let Some((_, word)) = line.split_once("<<") {
            document_end = Some(word.trim().trim_matches(['\'', '"', '-']).to_owned());
        }
        let command = match (is_session, line.strip_prefix("$ ")) {
            (true, Some(command)) => command,
            (true, None) => continue,
            (false, _) => line,
        };
        let command = without_comment(command).trim();
        if !command.is_empty() {
            found.push(command.to_owned());
        }
    }
    found
}

/// A line up to a `#` that begins a word outside quotes.
fn without_comment(line: &str) -> &str {
    let (mut quote, mut before) = (None, ' ');
    for (idx, letter) in line.char_indices() {
        match (quote, letter) {
            (None, '#') if before.is_whitespace() => return &line[..idx],
            (None, '\'' | '"') => quote = Some(letter),
            (Some(open), _) if open == letter => quote = None,
            _ => {}
        }
        before = letter;
    }
    line
}

/// A command up to the first `|`, `>` or `&` outside quotes.
pub fn without_redirection(line: &str) -> &str {
    let mut quote = None;
    for (idx, letter) in line.char_indices() {
        match (quote, letter) {
            (None, '|' | '>' | '&') => return line[..idx].trim_end(),
            (None, '\'' | '"') => quote = Some(letter),
            (Some(open), _) if open == letter => quote = None,
            _ => {}
        }
    }
    line
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn comments_and_documents_are_no_commands() {
        let text = "# first\nmake demo   # slow\ncurl -d '{\"a\": \"#\"}' \\\n  x\nkubectl apply -f - <<EOF\n{a: b}\nEOF\n\nls\n";
        let expect = [
            "make demo",
            "curl -d '{\"a\": \"#\"}'    x",
            "kubectl apply -f - <<EOF",
            "ls",
        ];
        assert_eq!(commands(text), expect);
    }

    #[test]
    fn a_redirection_is_cut_off_outside_quotes_alone() {
        assert_eq!(without_redirection("a --b '> 3' > file"), "a --b '> 3'");
        assert_eq!(without_redirection("a | head"), "a");
        assert_eq!(without_redirection("a \"x|y\""), "a \"x|y\"");
    }

    #[test]
    fn what_a_session_prints_is_no_command() {
        assert_eq!(
            commands("$ ls -l\ntotal 4\n$ pwd\n/tmp\n"),
            ["ls -l", "pwd"]
        );
    }
}
