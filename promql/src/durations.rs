//! Durations that are written as a plain number of seconds. The parser takes them for what they are, and panics where
//! they are more than a `Duration` can hold.

/// Three thousand years.
const MAX_SECONDS: f64 = 1e11;

/// Where a duration may stand; elsewhere a number may be as large as it likes.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Place {
    /// After `[`, after `:` between brackets, or after `offset` and a sign.
    Duration,
    Elsewhere,
}

/// Refuses the first number of seconds that is too large, and returns it.
pub(super) fn check(text: &str) -> Result<(), String> {
    let mut place = Place::Elsewhere;
    for token in Tokens(text) {
        place = match token {
            "[" | ":" => Place::Duration,
            "+" | "-" if place == Place::Duration => Place::Duration,
            word if word.eq_ignore_ascii_case("offset") => Place::Duration,
            word if place == Place::Duration && is_too_long(word) => return Err(word.to_owned()),
            _ => Place::Elsewhere,
        };
    }
    Ok(())
}

fn is_too_long(word: &str) -> bool {
    let digits = word.replace('_', "").to_ascii_lowercase();
    let seconds = digits.parse::<f64>();
    seconds.is_ok_and(|seconds| seconds.is_nan() || seconds > MAX_SECONDS)
}

/// Words and signs; texts in quotes, comments and space between them are passed over.
struct Tokens<'a>(&'a str);

impl<'a> Iterator for Tokens<'a> {
    type Item = &'a str;

    fn next(&mut self) -> Option<&'a str> {
        loop {
            self.0 = self.0.trim_start();
            let first = self.0.chars().next()?;
            match first {
                '"' | '\'' | '`' => self.0 = after_text(self.0, first),
                '#' => self.0 = self.0.find('\n').map_or("", |end| &self.0[end..]),
                _ => break,
            }
        }
        let (token, rest) = self.0.split_at(length(self.0));
        self.0 = rest;
        Some(token)
    }
}

/// What comes after a text in quotes; nothing where it does not end.
fn after_text(text: &str, quote: char) -> &str {
    let mut is_escaped = false;
    for (at, character) in text.char_indices().skip(1) {
        if is_escaped {
            is_escaped = false;
        } else if character == quote {
            return &text[at + 1..];
        } else {
            is_escaped = character == '\\' && quote != '`';
        }
    }
    ""
}

/// Bytes of the first word, or of the first sign. A number has its exponent's sign.
fn length(text: &str) -> usize {
    let is_number = text.starts_with(|c: char| c.is_ascii_digit() || c == '.');
    let mut before = ' ';
    let end = text.find(|c: char| {
        let is_exponent = is_number && matches!(before, 'e' | 'E') && matches!(c, '+' | '-');
        before = c;
        !(c.is_alphanumeric() || matches!(c, '_' | '.') || is_exponent)
    });
    match end {
        Some(0) => text.chars().next().map_or(0, char::len_utf8),
        Some(end) => end,
        None => text.len(),
    }
}
