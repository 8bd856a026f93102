//! The syntax tree of an expression: groups, alternatives and repetitions.

use super::{PatternError, class, escape};
use regex_syntax::hir::{Class, ClassUnicode, Dot, Hir, Look, Repetition};

/// The most that a count may be, and all counts within one another multiplied.
const MAX_REPEAT: u32 = 1_000;

/// Repetitions within repetitions. Prometheus allows a thousand, and the engine takes stack for each.
const MAX_HEIGHT: usize = 200;

/// Groups within groups.
const MAX_GROUPS: usize = 1_000;

/// How the text from here on is read.
#[derive(Debug, Clone, Copy)]
pub(super) struct Flags {
    /// `i`
    pub(super) folds_case: bool,
    /// `m`
    is_multi_line: bool,
    /// `s`
    dot_takes_line_ends: bool,
}

/// What stands between two bars or brackets.
struct Item {
    hir: Hir,
    /// The largest product of counts within one another.
    weight: u32,
    height: usize,
}

/// A group that is still open, or the whole.
struct Group {
    /// Flags to go back to at its end.
    outside: Flags,
    alternatives: Vec<Item>,
    items: Vec<Item>,
}

struct Parser<'t> {
    whole: &'t str,
    rest: &'t str,
    flags: Flags,
    outer: Vec<Group>,
    group: Group,
    /// Where the repetition began that ends right here.
    repeated: Option<&'t str>,
}

/// The syntax tree of a whole expression.
pub(super) fn parse(text: &str) -> Result<Hir, PatternError> {
    let flags = Flags {
        folds_case: false,
        is_multi_line: false,
        dot_takes_line_ends: true,
    };
    let mut parser = Parser {
        whole: text,
        rest: text,
        flags,
        outer: Vec::new(),
        group: Group::new(flags),
        repeated: None,
    };
    while let Some(next) = parser.rest.chars().next() {
        let before = parser.repeated.take();
        parser.step(next, before)?;
    }
    if !parser.outer.is_empty() {
        return Err(PatternError::syntax("missing closing )", text));
    }
    Ok(parser.group.close().hir)
}

impl<'t> Parser<'t> {
    /// Reads what comes next; `before` is the repetition that ended right before it.
    fn step(&mut self, next: char, before: Option<&'t str>) -> Result<(), PatternError> {
        match next {
            '(' => return self.open(),
            ')' => return self.close(),
            '[' => {
                let (class, rest) = class::bracketed(self.rest, self.flags)?;
                self.rest = rest;
                self.push(Hir::class(Class::Unicode(class)));
                return Ok(());
            }
            '*' => return self.repeat((0, None), 1, before),
            '+' => return self.repeat((1, None), 1, before),
            '?' => return self.repeat((0, Some(1)), 1, before),
            '{' => {
                if let Some((counts, rest)) = counts(self.rest) {
                    let length = self.rest.len() - rest.len();
                    let Some(counts) = counts else {
                        let part = &self.rest[..length];
                        return Err(PatternError::syntax("invalid repeat count", part));
                    };
                    return self.repeat(counts, length, before);
                }
                self.literal('{');
            }
            '\\' => return self.escape(),
            '|' => self.group.bar(),
            '^' if self.flags.is_multi_line => self.push(Hir::look(Look::StartLF)),
            '^' => self.push(Hir::look(Look::Start)),
            '$' if self.flags.is_multi_line => self.push(Hir::look(Look::EndLF)),
            '$' => self.push(Hir::look(Look::End)),
            '.' if self.flags.dot_takes_line_ends => self.push(Hir::dot(Dot::AnyChar)),
            '.' => self.push(Hir::dot(Dot::AnyCharExceptLF)),
            other => self.literal(other),
        }
        self.rest = &self.rest[next.len_utf8()..];
        Ok(())
    }

    fn push(&mut self, hir: Hir) {
        let (weight, height) = (1, 0);
        self.group.items.push(Item {
            hir,
            weight,
            height,
        });
    }

    fn literal(&mut self, literal: char) {
        self.code_point(u32::from(literal));
    }

    /// A character by its number. A surrogate is in no text.
    fn code_point(&mut self, number: u32) {
        let mut class = ClassUnicode::empty();
        class::add_range(&mut class, (number, number), self.flags);
        self.push(Hir::class(Class::Unicode(class)));
    }

    fn escape(&mut self) -> Result<(), PatternError> {
        let look = match self.rest.as_bytes().get(1) {
            Some(b'A') => Some(Look::Start),
            Some(b'z') => Some(Look::End),
            Some(b'b') => Some(Look::WordAscii),
            Some(b'B') => Some(Look::WordAsciiNegate),
            Some(b'Q') => {
                self.quotation();
                return Ok(());
            }
            _ => None,
        };
        if let Some(look) = look {
            self.push(Hir::look(look));
            self.rest = &self.rest[2..];
            return Ok(());
        }
        if let Some((class, rest)) = class::escaped(self.rest, self.flags)? {
            self.push(Hir::class(Class::Unicode(class)));
            self.rest = rest;
            return Ok(());
        }
        let (number, rest) = escape::code_point(self.rest)?;
        self.code_point(number);
        self.rest = rest;
        Ok(())
    }

    /// `\Q…\E`: all of it stands for itself, to the end where `\E` is missing.
    fn quotation(&mut self) {
        let quoted = &self.rest[2..];
        let (literal, rest) = quoted.split_once(r"\E").unwrap_or((quoted, ""));
        literal.chars().for_each(|c| self.literal(c));
        self.rest = rest;
    }

    fn repeat(
        &mut self,
        counts: (u32, Option<u32>),
        length: usize,
        before: Option<&'t str>,
    ) -> Result<(), PatternError> {
        let (operator, after) = self.rest.split_at(length);
        let after = after.strip_prefix('?').unwrap_or(after);
        if let Some(before) = before {
            let both = &before[..before.len() - after.len()];
            return Err(PatternError::syntax(
                "invalid nested repetition operator",
                both,
            ));
        }
        let Some(item) = self.group.items.pop() else {
            return Err(PatternError::syntax(
                "missing argument to repetition operator",
                operator,
            ));
        };
        let (min, max) = counts;
        // A star within another multiplies nothing, in Prometheus neither.
        let own = if operator.starts_with('{') {
            max.unwrap_or(min).max(1)
        } else {
            1
        };
        let weight = item.weight.saturating_mul(own);
        if weight > MAX_REPEAT {
            return Err(PatternError::syntax("invalid repeat count", operator));
        }
        let height = item.height + 1;
        if height > MAX_HEIGHT {
            return Err(PatternError::TooDeep(MAX_HEIGHT));
        }
        let hir = Hir::repetition(Repetition {
            min,
            max,
            greedy: true,
            sub: Box::new(item.hir),
        });
        self.group.items.push(Item {
            hir,
            weight: if max == Some(0) { 1 } else { weight },
            height,
        });
        self.repeated = Some(self.rest);
        self.rest = after;
        Ok(())
    }

    fn open(&mut self) -> Result<(), PatternError> {
        let outside = self.flags;
        if self.rest.starts_with("(?") {
            let is_group = self.flags_or_name()?;
            if !is_group {
                return Ok(());
            }
        } else {
            self.rest = &self.rest[1..];
        }
        if self.outer.len() == MAX_GROUPS {
            return Err(PatternError::TooDeep(MAX_GROUPS));
        }
        let inner = Group::new(outside);
        self.outer.push(std::mem::replace(&mut self.group, inner));
        Ok(())
    }

    fn close(&mut self) -> Result<(), PatternError> {
        let Some(outer) = self.outer.pop() else {
            return Err(PatternError::syntax("unexpected )", self.whole));
        };
        let inner = std::mem::replace(&mut self.group, outer);
        self.flags = inner.outside;
        self.group.items.push(inner.close());
        self.rest = &self.rest[1..];
        Ok(())
    }

    /// `(?i)`, `(?i:`, `(?P<name>` or `(?<name>`; true where a group begins.
    fn flags_or_name(&mut self) -> Result<bool, PatternError> {
        let start = self.rest;
        let named = start
            .strip_prefix("(?P<")
            .or_else(|| start.strip_prefix("(?<"));
        if let Some(named) = named {
            let what = "invalid named capture";
            let Some((name, rest)) = named.split_once('>') else {
                return Err(PatternError::syntax(what, start));
            };
            let is_word = |c: char| c == '_' || c.is_ascii_alphanumeric();
            if name.is_empty() || !name.chars().all(is_word) {
                let part = &start[..start.len() - rest.len()];
                return Err(PatternError::syntax(what, part));
            }
            self.rest = rest;
            return Ok(true);
        }
        let (mut flags, mut is_on, mut saw_flag) = (self.flags, true, false);
        let mut read = 2;
        for c in start[2..].chars() {
            read += c.len_utf8();
            match c {
                'i' => flags.folds_case = is_on,
                'm' => flags.is_multi_line = is_on,
                's' => flags.dot_takes_line_ends = is_on,
                // Which of several matches is found makes no difference to whether there is one.
                'U' => {}
                '-' if is_on => {
                    is_on = false;
                    saw_flag = false;
                    continue;
                }
                ':' | ')' if is_on || saw_flag => {
                    self.flags = flags;
                    self.rest = &start[read..];
                    return Ok(c == ':');
                }
                _ => break,
            }
            saw_flag = true;
        }
        let what = "invalid or unsupported Perl syntax";
        Err(PatternError::syntax(what, &start[..read]))
    }
}

impl Group {
    fn new(outside: Flags) -> Self {
        Self {
            outside,
            alternatives: Vec::new(),
            items: Vec::new(),
        }
    }

    fn bar(&mut self) {
        let items = std::mem::take(&mut self.items);
        self.alternatives.push(Item::of(items, Hir::concat));
    }

    fn close(mut self) -> Item {
        self.bar();
        Item::of(self.alternatives, Hir::alternation)
    }
}

impl Item {
    fn of(items: Vec<Self>, put_together: impl FnOnce(Vec<Hir>) -> Hir) -> Self {
        let weight = items.iter().map(|item| item.weight).max().unwrap_or(1);
        let height = items.iter().map(|item| item.height).max().unwrap_or(0);
        let hirs = items.into_iter().map(|item| item.hir).collect();
        Self {
            hir: put_together(hirs),
            weight,
            height,
        }
    }
}

/// Smallest and largest number of times; `None` for no limit.
type Counts = (u32, Option<u32>);

/// `{2}`, `{2,}` or `{2,3}` and what comes after it, where the text begins so; no counts where they are too large.
fn counts(text: &str) -> Option<(Option<Counts>, &str)> {
    let (min, rest) = integer(text.strip_prefix('{')?)?;
    let (max, rest) = match rest.strip_prefix(',') {
        None => (Some(min), rest),
        Some(rest) if rest.starts_with('}') => (None, rest),
        Some(rest) => {
            let (max, rest) = integer(rest)?;
            (Some(max), rest)
        }
    };
    let rest = rest.strip_prefix('}')?;
    let largest = max.unwrap_or(min);
    let is_good = min <= largest && largest <= MAX_REPEAT;
    Some((is_good.then_some((min, max)), rest))
}

/// Digits without a zero before them. What is too large for any count is still a number.
fn integer(text: &str) -> Option<(u32, &str)> {
    let end = text
        .find(|c: char| !c.is_ascii_digit())
        .unwrap_or(text.len());
    let (digits, rest) = text.split_at(end);
    if digits.is_empty() || (digits.len() > 1 && digits.starts_with('0')) {
        return None;
    }
    Some((digits.parse().unwrap_or(u32::MAX), rest))
}
