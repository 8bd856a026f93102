//! Texts with places for the figures of a plan, each value escaped for the place that it is put in.

use crate::{Shape, Target};
use minijinja::{
    Environment, ErrorKind, Output, State, UndefinedBehavior,
    value::{Value, ValueKind},
};
use regex::Regex;
use std::fmt::Write as _;

/// A text such as `{"replicas": {{ replicas }}, "name": "{{ target.name }}"}`.
///
/// `replicas` is a number; `active` and `idle` tell of two fleets where there are two; `target` has what the
/// workload's configuration gives. There is nothing else to refer to.
#[derive(Debug, Clone)]
pub struct Template {
    text: String,
    place: Place,
}

/// Where a text goes, which decides what a value in it may do.
#[derive(Debug, Clone)]
pub enum Place {
    /// Into a JSON document: texts are escaped as the inside of a string.
    Json,
    /// Into a form or the query of an address: all but letters, digits and `-._~` is percent-encoded.
    Form,
    /// Into the path of an address: the same, and a value cannot be empty or climb with `.` or `..`.
    Path,
    /// Anywhere else, an argument of a command above all: values must match as a whole, and never begin with
    /// a dash.
    Plain(Regex),
}

/// What values may look like where nothing else is said: names, numbers, paths, versions, addresses.
pub(crate) const PLAIN: &str = "[A-Za-z0-9_./:@=+,-]{1,200}";

/// Why a text cannot be made.
#[derive(Debug, thiserror::Error)]
pub enum TemplateError {
    /// A name that stands for nothing.
    #[error("the template cannot be rendered: there is no `{name}`, only {}", known.join(", "))]
    Unknown {
        /// The name, as far as it can be told.
        name: String,
        /// Those that there are.
        known: Vec<String>,
    },
    /// Anything else.
    #[error("the template cannot be rendered: {0}")]
    Rendering(minijinja::Error),
}

impl Place {
    /// A place for values that match an expression as a whole.
    pub fn plain(pattern: &str) -> Result<Self, regex::Error> {
        Regex::new(&format!("^(?:{pattern})$")).map(Self::Plain)
    }
}

impl Template {
    /// Checks the syntax.
    pub fn new(text: impl Into<String>, place: Place) -> Result<Self, TemplateError> {
        let text = text.into();
        environment(&place)
            .template_from_str(&text)
            .map_err(TemplateError::Rendering)?;
        Ok(Self { text, place })
    }

    /// Fills in a target and, where one is to be ensured, a shape; a name that is not there is an error, not
    /// an empty text.
    pub fn render(&self, target: &Target, shape: Option<Shape>) -> Result<String, TemplateError> {
        let target_names: Vec<String> = target.keys().cloned().collect();
        let target = target
            .iter()
            .map(|(name, value)| (name.as_str(), Value::from(value.as_str())));
        let mut context = vec![("target", target.collect())];
        if let Some(shape) = shape {
            context.push(("replicas", Value::from(shape.replicas)));
            if let Some(fleets) = shape.fleets {
                context.push(("active", Value::from(fleets.active.as_str())));
                context.push(("idle", Value::from(fleets.idle)));
            }
        }
        let names: Vec<&str> = context.iter().map(|(name, _)| *name).collect();
        let known = names_of(&names, &target_names);
        environment(&self.place)
            .render_str(&self.text, Value::from_iter(context))
            .map_err(|error| self.named(error, known))
    }

    /// An error with the name that stands for nothing, where that is what is wrong.
    fn named(&self, error: minijinja::Error, known: Vec<String>) -> TemplateError {
        if error.kind() != ErrorKind::UndefinedError {
            return TemplateError::Rendering(error);
        }
        let environment = environment(&self.place);
        let used = environment
            .template_from_str(&self.text)
            .map(|template| template.undeclared_variables(true));
        let mut unknown: Vec<String> = used
            .unwrap_or_default()
            .into_iter()
            .filter(|name| !known.contains(name))
            .collect();
        unknown.sort();
        match unknown.into_iter().next() {
            Some(name) => TemplateError::Unknown { name, known },
            None => TemplateError::Rendering(error),
        }
    }

    /// Whether there is a place for a value in it.
    pub fn has_places(&self) -> bool {
        self.text.contains("{{") || self.text.contains("{%")
    }
}

/// Names that a template may use: all but `target` as they are, and each part of that.
fn names_of(names: &[&str], of_target: &[String]) -> Vec<String> {
    let plain = names.iter().filter(|name| **name != "target");
    let plain = plain.map(|name| (*name).to_owned());
    plain
        .chain(of_target.iter().map(|name| format!("target.{name}")))
        .collect()
}

fn environment(place: &Place) -> Environment<'static> {
    let mut environment = Environment::new();
    environment.set_undefined_behavior(UndefinedBehavior::Strict);
    let place = place.clone();
    environment.set_formatter(move |out, state, value| escape(&place, out, state, value));
    environment
}

fn escape(
    place: &Place,
    out: &mut Output,
    _: &State,
    value: &Value,
) -> Result<(), minijinja::Error> {
    let refused = |why: &str| {
        let shown: String = value.to_string().chars().take(80).collect();
        minijinja::Error::new(ErrorKind::InvalidOperation, format!("{shown:?} {why}"))
    };
    let is_text = value.kind() == ValueKind::String;
    let text = match place {
        // What `tojson` made has its quotes already.
        Place::Json if is_text && !value.is_safe() => {
            let quoted = serde_json::Value::from(value.to_string()).to_string();
            quoted[1..quoted.len() - 1].to_owned()
        }
        Place::Json => value.to_string(),
        Place::Form => percent_encoded(&value.to_string()),
        Place::Path => {
            let text = value.to_string();
            if matches!(text.as_str(), "" | "." | "..") {
                return Err(refused("cannot be a part of a path"));
            }
            percent_encoded(&text)
        }
        Place::Plain(pattern) => {
            let text = value.to_string();
            if text.starts_with('-') {
                return Err(refused(
                    "begins with a dash, so it could be taken for an option",
                ));
            }
            if !pattern.is_match(&text) {
                return Err(refused("does not match the pattern for values"));
            }
            text
        }
    };
    out.write_str(&text).map_err(minijinja::Error::from)
}

/// RFC 3986, all but the unreserved characters.
pub(crate) fn percent_encoded(text: &str) -> String {
    text.bytes().fold(String::new(), |mut encoded, byte| {
        if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
            encoded.push(char::from(byte));
        } else {
            write!(encoded, "%{byte:02X}").expect("a String takes all that is written to it");
        }
        encoded
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check_in(place: Place, value: &str, template: &str, expect: Result<&str, &str>) {
        let target = Target::from([("name".to_owned(), value.to_owned())]);
        let shape = Some(Shape::of(7));
        let got = Template::new(template, place).and_then(|t| t.render(&target, shape));
        match (got, expect) {
            (Ok(got), Ok(expect)) => assert_eq!(got, expect),
            (Err(error), Err(words)) => assert!(error.to_string().contains(words), "{error}"),
            (got, _) => panic!("{got:?}, not {expect:?}"),
        }
    }

    #[track_caller]
    fn check(template: &str, expect: Result<&str, &str>) {
        check_in(Place::Json, "a\"b\\c\n{{ replicas }}", template, expect);
    }

    #[test]
    fn figures_are_filled_in() {
        check(r#"{"replicas": {{ replicas }}}"#, Ok(r#"{"replicas": 7}"#));
        check("{{ replicas * 2 }}", Ok("14"));
    }

    #[test]
    fn texts_are_escaped_and_not_rendered_again() {
        let expect = r#"{"name": "a\"b\\c\n{{ replicas }}"}"#;
        check(r#"{"name": "{{ target.name }}"}"#, Ok(expect));
        check(r#"{"name": {{ target.name | tojson }}}"#, Ok(expect));
    }

    #[test]
    fn what_is_not_there_is_an_error() {
        check(
            "{{ labels.x }}",
            Err("there is no `labels.x`, only replicas"),
        );
        check("{{ target.zone }}", Err("there is no `target.zone`"));
        check("{{ active }}", Err("there is no `active`"));
        check("{{ replicas", Err("syntax error"));
    }

    #[test]
    fn addresses_are_not_climbed_or_cut() {
        let path =
            |value, expect| check_in(Place::Path, value, "/apps/{{ target.name }}/scale", expect);
        path("shop", Ok("/apps/shop/scale"));
        path("a/b?c=d#e é", Ok("/apps/a%2Fb%3Fc%3Dd%23e%20%C3%A9/scale"));
        for value in ["..", ".", ""] {
            path(value, Err("cannot be a part of a path"));
        }
        let form = "n={{ replicas }}&name={{ target.name }}";
        check_in(Place::Form, "a&n=9", form, Ok("n=7&name=a%26n%3D9"));
    }

    #[test]
    fn arguments_match_their_pattern_and_are_no_options() {
        let plain = || Place::plain(PLAIN).unwrap();
        let argument = "--name={{ target.name }}";
        check_in(plain(), "shop-1", argument, Ok("--name=shop-1"));
        check_in(plain(), "-rf", argument, Err("taken for an option"));
        check_in(
            plain(),
            "-rf",
            "{{ target.name }}",
            Err("taken for an option"),
        );
        for value in ["", "a b", "a;b", "$(x)", "a\nb", "a\0b", "'"] {
            check_in(plain(), value, argument, Err("does not match"));
        }
        check_in(
            plain(),
            "x",
            "{{ target.name ~ ' y' }}",
            Err("does not match"),
        );
        check_in(plain(), "x", "{{ replicas }}", Ok("7"));
    }
}
