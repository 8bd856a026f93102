//! Writes SVG: a few shapes, finite numbers, escaped text.

use std::fmt::Write as _;

const STYLE: &str = include_str!("style.css");

/// A document in the making.
#[derive(Debug)]
pub(super) struct Svg(String);

/// Which part of a text stands at its place.
#[derive(Debug, Clone, Copy)]
pub(super) enum Anchor {
    Start,
    Middle,
    End,
}

/// A line or an area, step by step. Places that are not finite are left out.
#[derive(Debug, Default)]
pub(super) struct Path(String);

/// x and y in pixels, from the upper left.
pub(super) type Place = (f64, f64);

impl Svg {
    /// Begins a document. Title and description are for those who cannot see it.
    pub(super) fn new((width, height): (f64, f64), title: &str, description: &str) -> Self {
        let (title, description) = (escape(title), escape(description));
        let mut text = format!(
            "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {width} {height}\" \
             width=\"{width}\" height=\"{height}\" role=\"img\">\n\
             <title>{title}</title>\n<desc>{description}</desc>\n<style>\n{STYLE}</style>\n"
        );
        writeln!(
            text,
            "<rect class=\"paper\" width=\"{width}\" height=\"{height}\" rx=\"8\"/>"
        )
        .expect(INFALLIBLE);
        Self(text)
    }

    /// A rectangle between two corners.
    pub(super) fn rect(&mut self, class: &str, (left, top): Place, (right, bottom): Place) {
        let (x, y) = (number(left), number(top));
        let (width, height) = (
            number((right - left).max(0.0)),
            number((bottom - top).max(0.0)),
        );
        self.element(&format!(
            "<rect class=\"{class}\" x=\"{x}\" y=\"{y}\" width=\"{width}\" height=\"{height}\"/>"
        ));
    }

    /// A straight line.
    pub(super) fn line(&mut self, class: &str, from: Place, to: Place) {
        let mut path = Path::default();
        path.go_on(from);
        path.go_on(to);
        self.path(class, &path);
    }

    /// A path; nothing when it is empty.
    pub(super) fn path(&mut self, class: &str, path: &Path) {
        if !path.0.is_empty() {
            self.element(&format!("<path class=\"{class}\" d=\"{}\"/>", path.0));
        }
    }

    /// A text on one line.
    pub(super) fn text(&mut self, class: &str, (x, y): Place, anchor: Anchor, words: &str) {
        let anchor = match anchor {
            Anchor::Start => "start",
            Anchor::Middle => "middle",
            Anchor::End => "end",
        };
        let (x, y, words) = (number(x), number(y), escape(words));
        self.element(&format!(
            "<text class=\"{class}\" x=\"{x}\" y=\"{y}\" text-anchor=\"{anchor}\">{words}</text>"
        ));
    }

    /// The whole document.
    pub(super) fn finish(mut self) -> String {
        self.0.push_str("</svg>\n");
        self.0
    }

    fn element(&mut self, element: &str) {
        writeln!(self.0, "{element}").expect(INFALLIBLE);
    }
}

impl Path {
    /// Begins here, or draws a line to here.
    pub(super) fn go_on(&mut self, (x, y): Place) {
        if x.is_finite() && y.is_finite() {
            let command = if self.0.is_empty() { 'M' } else { 'L' };
            write!(self.0, "{command}{} {}", number(x), number(y)).expect(INFALLIBLE);
        }
    }

    /// Draws a line back to the beginning.
    pub(super) fn close(&mut self) {
        if !self.0.is_empty() {
            self.0.push('Z');
        }
    }
}

const INFALLIBLE: &str = "a String takes every text";

/// A tenth of a pixel is all that anybody sees.
fn number(value: f64) -> String {
    let text = format!("{:.1}", if value.is_finite() { value } else { 0.0 });
    match text.strip_suffix(".0").unwrap_or(&text) {
        "-0" => "0".to_owned(),
        short => short.to_owned(),
    }
}

fn escape(text: &str) -> String {
    let text = text.replace('&', "&amp;").replace('<', "&lt;");
    text.replace('>', "&gt;").replace('"', "&quot;")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_short_and_finite() {
        let written = [1.0, 1.25, -0.01, f64::NAN, f64::INFINITY].map(number);
        assert_eq!(written, ["1", "1.2", "0", "0", "0"]);
    }

    #[test]
    fn texts_cannot_break_out() {
        let mut svg = Svg::new((1.0, 1.0), "a<b", "\"&\"");
        svg.text("x", (0.0, 0.0), Anchor::Start, "</text><script>");
        let text = svg.finish();
        assert!(
            text.contains("<title>a&lt;b</title>") && !text.contains("<script"),
            "{text}"
        );
    }

    #[test]
    fn a_path_leaves_out_what_is_nowhere() {
        let mut path = Path::default();
        for y in [f64::NAN, 1.0, f64::INFINITY, 2.5] {
            path.go_on((1.0, y));
        }
        path.close();
        assert_eq!(path.0, "M1 1L1 2.5Z");
    }
}
