//! Sets of characters: `[…]`, `\d`, `\pL`.

use super::{PatternError, escape, groups, parser::Flags};
use regex_syntax::hir::{ClassUnicode, ClassUnicodeRange};

/// The last character before the surrogates, and the first after them.
const SURROGATES: (u32, u32) = (0xD7FF, 0xE000);

/// A set in brackets at the beginning of a text, and what comes after it.
pub(super) fn bracketed(text: &str, flags: Flags) -> Result<(ClassUnicode, &str), PatternError> {
    let inner = &text[1..];
    let (is_negated, mut rest) = match inner.strip_prefix('^') {
        Some(rest) => (true, rest),
        None => (false, inner),
    };
    let mut class = ClassUnicode::empty();
    let mut is_first = true;
    while is_first || !rest.starts_with(']') {
        is_first = false;
        if let Some((group, after)) = posix(rest, flags)? {
            class.union(&group);
            rest = after;
        } else if let Some((group, after)) = escaped(rest, flags)? {
            class.union(&group);
            rest = after;
        } else {
            let (range, after) = range(rest, text)?;
            add_range(&mut class, range, flags);
            rest = after;
        }
    }
    if is_negated {
        class.negate();
    }
    Ok((class, &rest[1..]))
}

/// `a` or `a-z`. A hyphen at the end stands for itself.
fn range<'t>(text: &'t str, whole: &str) -> Result<((u32, u32), &'t str), PatternError> {
    let (low, rest) = member(text, whole)?;
    let hyphen = rest.strip_prefix('-');
    let Some(after) = hyphen.filter(|after| !after.is_empty() && !after.starts_with(']')) else {
        return Ok(((low, low), rest));
    };
    let (high, rest) = member(after, whole)?;
    if high < low {
        let part = &text[..text.len() - rest.len()];
        return Err(PatternError::syntax("invalid character class range", part));
    }
    Ok(((low, high), rest))
}

fn member<'t>(text: &'t str, whole: &str) -> Result<(u32, &'t str), PatternError> {
    match text.chars().next() {
        None => Err(PatternError::syntax("missing closing ]", whole)),
        Some('\\') => escape::code_point(text),
        Some(c) => Ok((u32::from(c), &text[c.len_utf8()..])),
    }
}

/// Adds characters by their numbers, and where case is folded all that differ from them in case alone.
pub(super) fn add_range(class: &mut ClassUnicode, (low, high): (u32, u32), flags: Flags) {
    let mut added = ClassUnicode::empty();
    for (low, high) in [(low, high.min(SURROGATES.0)), (low.max(SURROGATES.1), high)] {
        if let (Some(low), Some(high)) = (char::from_u32(low), char::from_u32(high))
            && low <= high
        {
            added.push(ClassUnicodeRange::new(low, high));
        }
    }
    fold(&mut added, flags);
    class.union(&added);
}

fn fold(class: &mut ClassUnicode, flags: Flags) {
    if flags.folds_case {
        class
            .try_case_fold_simple()
            .expect("the tables of upper and lower case are compiled in");
    }
}

/// `[:alpha:]` or `[:^alpha:]` at the beginning of a text.
fn posix(text: &str, flags: Flags) -> Result<Option<(ClassUnicode, &str)>, PatternError> {
    let Some((name, rest)) = text
        .strip_prefix("[:")
        .and_then(|inner| inner.split_once(":]"))
    else {
        return Ok(None);
    };
    let (is_negated, name) = match name.strip_prefix('^') {
        Some(name) => (true, name),
        None => (false, name),
    };
    let Some(ranges) = groups::posix(name) else {
        let part = &text[..text.len() - rest.len()];
        return Err(PatternError::syntax("invalid character class range", part));
    };
    Ok(Some((of_ascii(ranges, (is_negated, flags)), rest)))
}

/// `\d`, `\pL` or `\p{Greek}` at the beginning of a text, and their opposites.
pub(super) fn escaped(
    text: &str,
    flags: Flags,
) -> Result<Option<(ClassUnicode, &str)>, PatternError> {
    let mut characters = text.chars();
    let (Some('\\'), Some(letter)) = (characters.next(), characters.next()) else {
        return Ok(None);
    };
    if matches!(letter, 'p' | 'P') {
        return unicode(text, flags).map(Some);
    }
    let Some(ranges) = groups::perl(letter.to_ascii_lowercase()) else {
        return Ok(None);
    };
    let class = of_ascii(ranges, (letter.is_ascii_uppercase(), flags));
    Ok(Some((class, characters.as_str())))
}

fn of_ascii(ranges: &[(char, char)], (is_negated, flags): (bool, Flags)) -> ClassUnicode {
    let ranges = ranges
        .iter()
        .map(|(low, high)| ClassUnicodeRange::new(*low, *high));
    let mut class = ClassUnicode::new(ranges);
    fold(&mut class, flags);
    if is_negated {
        class.negate();
    }
    class
}

fn unicode(text: &str, flags: Flags) -> Result<(ClassUnicode, &str), PatternError> {
    let what = "invalid character class range";
    let (mut is_negated, after) = (text.starts_with(r"\P"), &text[2..]);
    let (name, rest) = match after.strip_prefix('{') {
        Some(inner) => inner
            .split_once('}')
            .ok_or_else(|| PatternError::syntax(what, text))?,
        None => after.split_at(after.chars().next().map_or(0, char::len_utf8)),
    };
    let bare = name.strip_prefix('^').unwrap_or(name);
    is_negated ^= bare.len() < name.len();
    let Some(mut class) = groups::unicode(bare) else {
        let part = &text[..text.len() - rest.len()];
        return Err(PatternError::syntax(what, part));
    };
    fold(&mut class, flags);
    if is_negated {
        class.negate();
    }
    Ok((class, rest))
}
