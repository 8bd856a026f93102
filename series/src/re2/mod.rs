//! Regular expressions in the syntax of RE2, as Prometheus reads them.
//!
//! The syntax of this language's own engine differs in many places, and in some of them the same text means something
//! else: `\d` is ASCII in RE2, `&&` in brackets is two characters, `{` without a count stands for itself. So
//! expressions are parsed here, by the rules of Go's `regexp/syntax`, and only the syntax tree goes to the engine.

mod class;
mod escape;
mod groups;
mod parser;

use regex_automata::meta;
use regex_syntax::hir::{Hir, Look};

/// The memory that one compiled expression may take; a hostile one is refused, not grown into.
const MAX_COMPILED_BYTES: usize = 4 << 20;

/// An expression that is compared with whole texts.
#[derive(Debug, Clone)]
pub(crate) struct Pattern(meta::Regex);

/// Why a text is no expression, in the words of Prometheus where it refuses it, too.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PatternError {
    /// Refused by Prometheus as well.
    #[error("error parsing regexp: {0}: `{1}`")]
    Syntax(&'static str, String),
    /// Accepted by Prometheus, but larger than is allowed here.
    #[error(
        "the expression takes more than the {MAX_COMPILED_BYTES} bytes allowed once compiled; shorten its counts"
    )]
    TooLarge,
    /// Accepted by Prometheus, but nested deeper than is allowed here.
    #[error("the expression nests more than {0} levels deep")]
    TooDeep(usize),
}

/// Characters of an expression that an error shows.
const EXCERPT: usize = 80;

impl PatternError {
    fn syntax(what: &'static str, part: &str) -> Self {
        Self::Syntax(what, part.chars().take(EXCERPT).collect())
    }
}

impl Pattern {
    /// Compiles an expression; dots take line ends, as since Prometheus 3.
    pub(crate) fn new(text: &str) -> Result<Self, PatternError> {
        let anchored = Hir::concat(vec![
            Hir::look(Look::Start),
            parser::parse(text)?,
            Hir::look(Look::End),
        ]);
        let config = meta::Config::new().nfa_size_limit(Some(MAX_COMPILED_BYTES));
        let built = meta::Builder::new()
            .configure(config)
            .build_from_hir(&anchored);
        built.map(Self).map_err(|_| PatternError::TooLarge)
    }

    /// Whether the whole text satisfies the expression.
    pub(crate) fn is_match(&self, text: &str) -> bool {
        self.0.is_match(text)
    }
}

#[cfg(test)]
mod tests;
