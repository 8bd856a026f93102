//! Output for people and pipes.

use std::io::Write as _;

/// Writes to standard output. A reader that went away, as `head` does, ends the program: nobody listens any more.
pub(crate) fn say(text: &str) {
    pass_on(text.as_bytes());
}

/// Writes bytes to standard output as they are.
pub(crate) fn pass_on(bytes: &[u8]) {
    let mut out = std::io::stdout().lock();
    if out.write_all(bytes).and_then(|()| out.flush()).is_err() {
        std::process::exit(1);
    }
}
