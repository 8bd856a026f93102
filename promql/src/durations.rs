//! Durations that are written as a plain number of seconds. The parser takes them for what they are, and panics where
//! they are more than a `Duration` can hold.

use crate::tokens::{Token, Tokens};

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
        let Token::Word(word) = token else {
            place = Place::Elsewhere;
            continue;
        };
        place = match word {
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
