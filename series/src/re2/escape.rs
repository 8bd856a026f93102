//! Characters after a backslash.

use super::PatternError;

/// The character that an escape sequence at the beginning of a text stands for, by its number, and what comes after.
pub(super) fn code_point(text: &str) -> Result<(u32, &str), PatternError> {
    let Some(letter) = text[1..].chars().next() else {
        return Err(PatternError::syntax(
            "trailing backslash at end of expression",
            "",
        ));
    };
    let rest = &text[1 + letter.len_utf8()..];
    let plain = |number| Ok((number, rest));
    match letter {
        'a' => plain(0x07),
        'f' => plain(0x0C),
        'n' => plain(0x0A),
        'r' => plain(0x0D),
        't' => plain(0x09),
        'v' => plain(0x0B),
        'x' => hexadecimal(rest).ok_or_else(|| invalid(text, 4)),
        '0'..='7' => octal(&text[1..]).ok_or_else(|| invalid(text, 2)),
        mark if mark.is_ascii() && !mark.is_ascii_alphanumeric() => plain(u32::from(mark)),
        _ => Err(invalid(text, 2)),
    }
}

fn invalid(text: &str, n_characters: usize) -> PatternError {
    let part: String = text.chars().take(n_characters).collect();
    PatternError::syntax("invalid escape sequence", &part)
}

/// Up to three digits; a single one that is not zero would be a reference back.
fn octal(text: &str) -> Option<(u32, &str)> {
    let is_octal = |byte: &u8| (b'0'..=b'7').contains(byte);
    let n_digits = text.bytes().take(3).take_while(is_octal).count();
    if n_digits == 1 && !text.starts_with('0') {
        return None;
    }
    let (digits, rest) = text.split_at(n_digits);
    Some((u32::from_str_radix(digits, 8).ok()?, rest))
}

/// Two digits, or any number of them in braces.
fn hexadecimal(text: &str) -> Option<(u32, &str)> {
    let (digits, rest) = match text.strip_prefix('{') {
        Some(inner) => inner.split_once('}')?,
        None => text.split_at_checked(2)?,
    };
    if digits.is_empty() || !digits.bytes().all(|byte| byte.is_ascii_hexdigit()) {
        return None;
    }
    let significant = digits.trim_start_matches('0');
    let number = match significant {
        "" => 0,
        other => u32::from_str_radix(other, 16).ok()?,
    };
    (number <= u32::from(char::MAX)).then_some((number, rest))
}
