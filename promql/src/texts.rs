//! Texts in quotes, kept from the parser: its regular expressions are those of another language, and it reads escapes
//! between backquotes. It is given a placeholder for each, and the texts are put into what it makes of that.

use crate::{
    ParseError,
    tokens::{Token, Tokens},
};
use promql_parser::{
    label::{Labels, MatchOp, Matcher},
    parser::{BinModifier, Expr, LabelModifier, VectorMatchCardinality, VectorSelector},
};
use regex::Regex;
use series::Quoted;
use std::sync::OnceLock;

/// Begins a placeholder: no name that stands without quotes has it.
const MARK: &str = "$";

/// Stands first in every selector while it is parsed, so that the parser, which sees no texts, finds none that picks
/// everything.
const FILLER: &str = "$$";

/// The label that holds the metric name.
const NAME: &str = "__name__";

/// An expression without its texts.
pub(crate) struct Masked {
    /// With a placeholder for each text.
    pub(crate) expr: String,
    texts: Vec<String>,
}

impl Masked {
    pub(crate) fn new(expr: &str) -> Result<Self, ParseError> {
        let mut masked = Self {
            expr: String::with_capacity(expr.len()),
            texts: Vec::new(),
        };
        let (mut tokens, mut before) = (Tokens(expr), expr);
        while let Some(token) = tokens.next() {
            // What is passed over goes along, so that errors show the places.
            let read = &before[..before.len() - tokens.0.len()];
            before = tokens.0;
            let Token::Text(text) = token else {
                masked.expr.push_str(read);
                if token == Token::Word("{") {
                    masked.expr.push_str(&filler());
                }
                continue;
            };
            masked.expr.push_str(&read[..read.len() - text.len()]);
            let placeholder = format!("\"{MARK}{}\"", masked.texts.len());
            masked.expr.push_str(&placeholder);
            masked.texts.push(unquote(text)?);
        }
        masked.expr.push_str(before);
        Ok(masked)
    }

    fn text<'a>(&'a self, placeholder: &'a str) -> &'a str {
        let idx = placeholder
            .strip_prefix(MARK)
            .and_then(|idx| idx.parse::<usize>().ok());
        idx.and_then(|idx| self.texts.get(idx))
            .map_or(placeholder, String::as_str)
    }

    fn put_back(&self, placeholder: &mut String) {
        if placeholder.starts_with(MARK) {
            *placeholder = self.text(placeholder).to_owned();
        }
    }

    /// An error of the parser with the texts in it.
    pub(crate) fn explain(&self, error: &str) -> String {
        let mut explained = error.replace(&filler(), "");
        for (idx, text) in self.texts.iter().enumerate().rev() {
            let placeholder = format!("{MARK}{idx}");
            let quoted = format!("\"{placeholder}\"");
            explained = explained
                .replace(&quoted, &Quoted(text).to_string())
                .replace(&placeholder, text);
        }
        explained
    }

    /// Puts all texts into an expression, and checks what the parser could not see.
    pub(crate) fn restore(&self, expr: &mut Expr) -> Result<(), ParseError> {
        // A list of what is still to be done, since brackets within brackets would take stack.
        let mut rest = vec![expr];
        while let Some(expr) = rest.pop() {
            match expr {
                Expr::Aggregate(aggregate) => {
                    if let Some(labels) = &mut aggregate.modifier {
                        self.restore_modifier(labels);
                    }
                    rest.extend(aggregate.param.as_deref_mut());
                    rest.push(&mut aggregate.expr);
                }
                Expr::Unary(unary) => rest.push(&mut unary.expr),
                Expr::Binary(binary) => {
                    if let Some(modifier) = &mut binary.modifier {
                        self.restore_matching(modifier);
                    }
                    rest.push(&mut binary.lhs);
                    rest.push(&mut binary.rhs);
                }
                Expr::Paren(paren) => rest.push(&mut paren.expr),
                Expr::Subquery(subquery) => rest.push(&mut subquery.expr),
                Expr::StringLiteral(literal) => self.put_back(&mut literal.val),
                Expr::VectorSelector(selector) => self.restore_selector(selector)?,
                Expr::MatrixSelector(matrix) => self.restore_selector(&mut matrix.vs)?,
                Expr::Call(call) => rest.extend(call.args.args.iter_mut().map(|arg| &mut **arg)),
                Expr::NumberLiteral(_) | Expr::Extension(_) => {}
            }
        }
        Ok(())
    }

    fn restore_matching(&self, modifier: &mut BinModifier) {
        if let Some(labels) = &mut modifier.matching {
            self.restore_modifier(labels);
        }
        match &mut modifier.card {
            VectorMatchCardinality::ManyToOne(labels)
            | VectorMatchCardinality::OneToMany(labels) => self.restore_labels(labels),
            VectorMatchCardinality::OneToOne | VectorMatchCardinality::ManyToMany => {}
        }
    }

    fn restore_modifier(&self, modifier: &mut LabelModifier) {
        let (LabelModifier::Include(labels) | LabelModifier::Exclude(labels)) = modifier;
        self.restore_labels(labels);
    }

    fn restore_labels(&self, labels: &mut Labels) {
        for label in &mut labels.labels {
            self.put_back(label);
        }
    }

    fn restore_selector(&self, selector: &mut VectorSelector) -> Result<(), ParseError> {
        let all = &mut selector.matchers;
        let mut takes_empty = true;
        for group in std::iter::once(&mut all.matchers).chain(&mut all.or_matchers) {
            group.retain(|matcher| matcher.name != FILLER);
            for matcher in group {
                takes_empty &= self.restore_matcher(matcher)?;
            }
        }
        let matchers = &selector.matchers;
        let simple = matchers.matchers.iter();
        let n_names = simple.filter(|matcher| matcher.name == NAME).count();
        let is_named = selector.name.is_some();
        if is_named && n_names > 0 {
            let sentence = "metric name must not be set twice";
            return Err(ParseError::Syntax(sentence.to_owned()));
        }
        if takes_empty && !is_named {
            let sentence = "vector selector must contain at least one non-empty matcher";
            return Err(ParseError::Syntax(sentence.to_owned()));
        }
        Ok(())
    }

    /// Whether the matcher takes series without the label.
    fn restore_matcher(&self, matcher: &mut Matcher) -> Result<bool, ParseError> {
        self.put_back(&mut matcher.name);
        self.put_back(&mut matcher.value);
        let op = match &mut matcher.op {
            MatchOp::Equal => series::MatchOp::Equal,
            MatchOp::NotEqual => series::MatchOp::NotEqual,
            MatchOp::Re(regex) => {
                *regex = unused();
                series::MatchOp::Regex
            }
            MatchOp::NotRe(regex) => {
                *regex = unused();
                series::MatchOp::NotRegex
            }
        };
        let checked = series::Matcher::new(op, &matcher.name, &matcher.value);
        let checked = checked.map_err(|error| ParseError::Syntax(error.to_string()))?;
        Ok(checked.takes(""))
    }
}

fn filler() -> String {
    format!("\"{FILLER}\"=\"{FILLER}\",")
}

/// Stands where the parser keeps an expression of its own, in whose place the matcher's value counts.
fn unused() -> Regex {
    static UNUSED: OnceLock<Regex> = OnceLock::new();
    let regex = UNUSED.get_or_init(|| Regex::new("").expect("nothing is an expression"));
    regex.clone()
}

/// The text between quotes, by Go's rules.
fn unquote(quoted: &str) -> Result<String, ParseError> {
    promql_parser::util::unquote_string(quoted)
        .map_err(|error| ParseError::Syntax(format!("cannot read the text {quoted}: {error}")))
}
