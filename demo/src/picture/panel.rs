//! One of the two diagrams: its frame, its grid, and places within it.

use super::{
    Picture,
    axis::{Axis, Ticks, value_ticks},
    seconds,
    svg::{Anchor, Path, Place, Svg},
};
use series::{Sample, Timestamp};

/// Where a panel lies, in pixels.
#[derive(Debug, PartialEq)]
pub(super) struct Area {
    pub(super) left: f64,
    pub(super) right: f64,
    pub(super) top: f64,
    pub(super) bottom: f64,
}

/// An area with its axes.
#[derive(Debug)]
pub(super) struct Panel<'p> {
    area: &'p Area,
    time: &'p Axis,
    value: Axis,
    ticks: Ticks,
}

impl<'p> Panel<'p> {
    /// A panel whose values go from zero to just above the highest.
    pub(super) fn new(area: &'p Area, time: &'p Axis, highest: f64) -> Self {
        let ticks = value_ticks(highest);
        let top = ticks.values.last().copied().unwrap_or(1.0);
        let value = Axis::new((0.0, top), (area.bottom, area.top));
        Self {
            area,
            time,
            value,
            ticks,
        }
    }

    /// Whether it fills this area.
    pub(super) fn is(&self, area: &Area) -> bool {
        self.area == area
    }

    /// Its upper edge, in pixels.
    pub(super) fn top(&self) -> f64 {
        self.area.top
    }

    /// Its right edge, in pixels.
    pub(super) fn right(&self) -> f64 {
        self.area.right
    }

    /// Where a value at a time lies.
    pub(super) fn place(&self, at: Timestamp, value: f64) -> Place {
        (self.time.at(seconds(at)), self.value.at(value))
    }

    /// Grid, numbers, and a tint over what was still to come.
    pub(super) fn frame(&self, svg: &mut Svg, times: &[Timestamp], now: Timestamp) {
        let Area {
            left,
            right,
            top,
            bottom,
        } = *self.area;
        let (from_now, _) = self.place(now, 0.0);
        svg.rect("future", (from_now, top), (right, bottom));
        for tick in times {
            let (x, _) = self.place(*tick, 0.0);
            svg.line("grid", (x, top), (x, bottom));
        }
        let n_decimals = self.ticks.n_decimals;
        for value in &self.ticks.values {
            let y = self.value.at(*value);
            let class = if *value > 0.0 { "grid" } else { "base" };
            svg.line(class, (left, y), (right, y));
            let number = format!("{value:.n_decimals$}");
            svg.text("quiet", (left - 8.0, y + 4.0), Anchor::End, &number);
        }
    }

    /// Lines through the samples, torn where some are missing.
    pub(super) fn lines(&self, svg: &mut Svg, class: &str, picture: &Picture, samples: &[Sample]) {
        for run in picture.runs(samples) {
            let mut path = Path::default();
            for sample in run {
                path.go_on(self.place(sample.at, sample.value));
            }
            svg.path(class, &path);
        }
    }

    /// Steps: each value holds until the next.
    pub(super) fn steps(&self, svg: &mut Svg, class: &str, picture: &Picture, samples: &[Sample]) {
        for run in picture.runs(samples) {
            let mut path = Path::default();
            let same = |one: &Sample, next: &Sample| (one.value - next.value).abs() < 1e-9;
            let mut treads = run.chunk_by(same).peekable();
            while let Some(tread) = treads.next() {
                let until = treads.peek().copied().unwrap_or(tread);
                let until = if until == tread {
                    tread.last()
                } else {
                    until.first()
                };
                for at in [tread.first(), until].into_iter().flatten() {
                    path.go_on(self.place(at.at, tread[0].value));
                }
            }
            svg.path(class, &path);
        }
    }
}

/// The last sample that has a number.
pub(super) fn last(samples: &[Sample]) -> Option<Sample> {
    samples
        .iter()
        .rfind(|sample| sample.value.is_finite())
        .copied()
}
