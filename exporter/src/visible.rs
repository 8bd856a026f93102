//! Text from outside, made safe to show: control characters and those that turn or hide text become visible.
//!
//! A reason may come from an alert, from the answer of a target or from whoever rejected an action. On a terminal,
//! an escape sequence in it could forge whole rows; on a page or in a log, a direction mark could reverse them.

use std::{borrow::Cow, fmt::Write as _};

/// One line: whatever a terminal would obey, or would show reversed or not at all, is written as an escape.
pub(crate) fn visible(text: &str) -> Cow<'_, str> {
    replaced(text, is_hidden, |out, c| out.extend(c.escape_default()))
}

/// The same, but for line feeds and tabs, which stay.
pub(crate) fn visible_lines(text: &str) -> Cow<'_, str> {
    let is_hidden = |c| is_hidden(c) && !matches!(c, '\n' | '\t');
    replaced(text, is_hidden, |out, c| out.extend(c.escape_default()))
}

/// JSON that means the same, and shows nothing that [`visible_lines`] would not.
pub(crate) fn visible_json(json: &str) -> Cow<'_, str> {
    let is_hidden = |c| is_hidden(c) && !matches!(c, '\n' | '\r' | '\t');
    replaced(json, is_hidden, |out, c| {
        for unit in c.encode_utf16(&mut [0; 2]) {
            write!(out, "\\u{unit:04x}").expect("a string takes everything");
        }
    })
}

fn replaced(
    text: &str,
    is_hidden: impl Fn(char) -> bool,
    escape: impl Fn(&mut String, char),
) -> Cow<'_, str> {
    if !text.contains(&is_hidden) {
        return Cow::Borrowed(text);
    }
    let mut out = String::with_capacity(text.len() + 16);
    for c in text.chars() {
        if is_hidden(c) {
            escape(&mut out, c);
        } else {
            out.push(c);
        }
    }
    Cow::Owned(out)
}

/// Control characters, direction marks, and what takes no room. Joiners stay, as some scripts need them.
pub(crate) fn is_hidden(c: char) -> bool {
    c.is_control()
        || matches!(c,
            '\u{ad}' | '\u{61c}' | '\u{180e}' | '\u{200b}' | '\u{200e}' | '\u{200f}'
            | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{feff}' | '\u{fff9}'..='\u{fffb}'
            | '\u{e0000}'..='\u{e007f}')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn plain_text_of_any_script_stays_as_it_is() {
        for text in ["4 → 8", "größer", "می‌خواهم", "שלום", "👩‍💻", "a\\b\"c'"]
        {
            assert!(matches!(visible(text), Cow::Borrowed(same) if same == text));
            assert_eq!(visible_json(text), text);
        }
    }

    #[test]
    fn what_a_terminal_obeys_or_hides_is_written_out() {
        let check = |text: &str, expect: &str| assert_eq!(visible(text), expect);
        check("a\u{1b}[2Kb\r\nc\td", "a\\u{1b}[2Kb\\r\\nc\\td");
        check("\u{9b}31m\u{7f}", "\\u{9b}31m\\u{7f}");
        check("to \u{202e}8 ot 4\u{2066}", "to \\u{202e}8 ot 4\\u{2066}");
        check("\u{feff}\u{200b}\u{e0041}", "\\u{feff}\\u{200b}\\u{e0041}");
        assert_eq!(
            visible_lines("a\n\tb\u{1b}c\u{2028}"),
            "a\n\tb\\u{1b}c\\u{2028}"
        );
    }

    #[test]
    fn json_means_the_same_and_shows_nothing_hidden() {
        let text = "a\u{1b}\u{9b}\u{202e}\u{e0041}\u{7f}";
        let json = serde_json::to_string(text).unwrap();
        let shown = visible_json(&json);
        assert!(!shown.contains(is_hidden), "{shown}");
        assert_eq!(serde_json::from_str::<String>(&shown).unwrap(), text);
    }
}
