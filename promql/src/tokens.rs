//! An expression as words, signs and texts in quotes.

/// A part of an expression. Space and comments are none.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Token<'a> {
    /// A word, a number with its exponent's sign, or a single sign.
    Word(&'a str),
    /// A text with its quotes; the last one is missing where the text does not end.
    Text(&'a str),
}

/// The parts of what is still to be read.
pub(crate) struct Tokens<'a>(pub(crate) &'a str);

impl<'a> Iterator for Tokens<'a> {
    type Item = Token<'a>;

    fn next(&mut self) -> Option<Token<'a>> {
        loop {
            self.0 = self.0.trim_start();
            if !self.0.starts_with('#') {
                break;
            }
            self.0 = self.0.find('\n').map_or("", |end| &self.0[end..]);
        }
        let first = self.0.chars().next()?;
        let is_text = matches!(first, '"' | '\'' | '`');
        let n_bytes = if is_text {
            text_length(self.0, first)
        } else {
            word_length(self.0)
        };
        let (token, rest) = self.0.split_at(n_bytes);
        self.0 = rest;
        Some(if is_text {
            Token::Text(token)
        } else {
            Token::Word(token)
        })
    }
}

/// Bytes of a text in quotes; all of it where it does not end. Between backquotes nothing is escaped.
fn text_length(text: &str, quote: char) -> usize {
    let mut is_escaped = false;
    for (at, character) in text.char_indices().skip(1) {
        if is_escaped {
            is_escaped = false;
        } else if character == quote {
            return at + 1;
        } else {
            is_escaped = character == '\\' && quote != '`';
        }
    }
    text.len()
}

/// Bytes of the first word, or of the first sign. A number has its exponent's sign.
fn word_length(text: &str) -> usize {
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
