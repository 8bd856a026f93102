//! Output for people and pipes.

use crate::visible::{visible, visible_json, visible_lines};
use std::{fmt, io::Write as _};

/// Writes lines to standard output; nothing in them moves a terminal's cursor or turns its text. A reader that went
/// away, as `head` does, ends the program: nobody listens any more.
pub(crate) fn say(text: &str) {
    pass_on(visible_lines(text).as_bytes());
}

/// Writes JSON to standard output, in which that is escaped as JSON has it.
pub(crate) fn say_json(json: &str) {
    pass_on(visible_json(json).as_bytes());
}

/// Writes a sentence to standard error under the program's name.
pub(crate) fn complain(sentence: impl fmt::Display) {
    eprintln!("foreshadow: {}", visible_lines(&sentence.to_string()));
}

/// Writes a line to standard error.
pub(crate) fn remark(line: impl fmt::Display) {
    eprintln!("{}", visible(&line.to_string()));
}

/// Writes bytes to standard output as they are.
pub(crate) fn pass_on(bytes: &[u8]) {
    let mut out = std::io::stdout().lock();
    if out.write_all(bytes).and_then(|()| out.flush()).is_err() {
        std::process::exit(1);
    }
}
