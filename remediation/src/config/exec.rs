//! Actuators of the kind `exec`.

use super::{
    actuators::{Fields as ShapeFields, shape_fields},
    scalars::{positive_duration, words},
};
use crate::{
    Shape, Target, Template,
    template::{PLAIN, Place},
};
use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
    time::Duration,
};
use yaml::{Fields, Node};

/// One that sets and reads a replica count by running programs, never through a shell.
#[derive(Debug, Clone)]
pub struct ExecActuator {
    /// Prints what there is.
    pub observe: CommandLine,
    /// Makes it so; run twice, it does what once would.
    pub ensure: CommandLine,
    /// Tells what `ensure` would do, and does nothing.
    pub dry_run: Option<CommandLine>,
    /// Where the shape is in what `observe` prints.
    pub output: ShapeFields,
    /// All that the programs find in their environment beside the alerts.
    pub environment: BTreeMap<String, String>,
    /// The limit of one run; what still runs then is killed, with all that it started.
    pub timeout: Duration,
}

/// A program and its arguments.
#[derive(Debug, Clone)]
pub struct CommandLine {
    /// Absolute, and never a template.
    pub program: PathBuf,
    /// Each yields exactly one argument.
    pub arguments: Vec<Template>,
}

/// A rollout tool that waits for nothing is done within seconds.
const TIMEOUT: Duration = Duration::from_secs(30);

/// The program prints a number.
const FIELD: &str = "";

/// Names that the program itself gives meaning to.
const RESERVED: [&str; 2] = ["AMX_", "FORESHADOW_"];

impl CommandLine {
    /// The arguments for a target and, where one is to be ensured, a shape.
    pub fn arguments(
        &self,
        target: &Target,
        shape: Option<Shape>,
    ) -> Result<Vec<String>, crate::TemplateError> {
        let arguments = self.arguments.iter();
        arguments.map(|one| one.render(target, shape)).collect()
    }
}

impl ExecActuator {
    /// All that would be run.
    pub(super) fn probe(&self, target: &Target, shape: Shape) -> Result<String, String> {
        let words = |error: crate::TemplateError| error.to_string();
        self.observe.arguments(target, None).map_err(words)?;
        if let Some(dry_run) = &self.dry_run {
            dry_run.arguments(target, Some(shape)).map_err(words)?;
        }
        let arguments = self.ensure.arguments(target, Some(shape));
        Ok(arguments.map_err(words)?.join("\0"))
    }
}

pub(super) fn exec(fields: &Fields) -> Option<ExecActuator> {
    let place = fields.optional("pattern", |node| {
        let place = Place::plain(&words(node)?);
        node.accept(place.map_err(|error| format!("is no regular expression: {}", cause(&error))))
    });
    let standard = || Place::plain(PLAIN).expect("the pattern is an expression of ours");
    let place = place.unwrap_or_else(standard);
    let line = |node: &Node| command_line(node, &place);
    let observe = fields.required("observe", line);
    let ensure = fields.required("ensure", line);
    let dry_run = fields.optional("dry_run", line);
    let output = fields.optional("output", |node| {
        node.map(|fields| Some(shape_fields(fields, FIELD)))
    });
    let environment = fields.optional("environment", environment);
    let timeout = fields.optional("timeout", positive_duration);
    Some(ExecActuator {
        observe: observe?,
        ensure: ensure?,
        dry_run,
        output: output.unwrap_or(ShapeFields {
            replicas: FIELD.to_owned(),
            fleets: None,
        }),
        environment: environment.unwrap_or_default(),
        timeout: timeout.unwrap_or(TIMEOUT),
    })
}

/// The last line; those before it draw the expression.
fn cause(error: &regex::Error) -> String {
    let text = error.to_string();
    let last = text.lines().last().unwrap_or_default();
    last.trim_start_matches("error: ").to_owned()
}

fn command_line(node: &Node, place: &Place) -> Option<CommandLine> {
    let mut is_first = true;
    let mut program = None;
    let arguments = node.list(|node| {
        let text = node.string()?;
        if std::mem::take(&mut is_first) {
            program = self::program(node, &text);
            return None;
        }
        node.accept(Template::new(text, place.clone()))
    })?;
    if is_first {
        node.problem("must name a program");
    }
    Some(CommandLine {
        program: program?,
        arguments,
    })
}

fn program(node: &Node, text: &str) -> Option<PathBuf> {
    if text.contains("{{") || text.contains("{%") {
        node.problem("a program is never a template");
        return None;
    }
    if !Path::new(text).is_absolute() {
        node.problem(format!(
            "`{text}` must be an absolute path: nothing is searched for"
        ));
        return None;
    }
    Some(PathBuf::from(text))
}

fn environment(node: &Node) -> Option<BTreeMap<String, String>> {
    let pairs = node.entries(|name, node| {
        let value = node.string()?;
        let is_word = |c: char| c.is_ascii_alphanumeric() || c == '_';
        if name.is_empty()
            || !name.chars().all(is_word)
            || name.starts_with(|c: char| c.is_ascii_digit())
        {
            node.problem(format!("`{name}` is no name of an environment variable"));
            return None;
        }
        if RESERVED.iter().any(|prefix| name.starts_with(prefix)) {
            node.problem("names that begin with AMX_ or FORESHADOW_ are set by the program");
            return None;
        }
        if value.contains('\0') {
            node.problem("must not hold a null character");
            return None;
        }
        Some((name.to_owned(), value))
    })?;
    Some(pairs.into_iter().collect())
}
