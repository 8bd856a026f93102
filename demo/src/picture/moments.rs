//! What happened when: upright lines through both panels, each with its words in a row of its own.

use super::{
    LATENCY, LOAD, Picture,
    axis::Axis,
    seconds,
    svg::{Anchor, Svg},
};
use crate::terminal::clock_time;

/// The first row, from above, and the height of a row.
const FIRST_ROW: f64 = 110.0;
const ROW: f64 = 15.0;
/// Rows above the upper panel.
const MAX_ROWS: usize = 5;

/// Draws them as a staircase: later moments stand lower, so that no line crosses the words of another.
pub(super) fn draw(svg: &mut Svg, time: &Axis, picture: &Picture) {
    let inside = picture.moments.iter().filter(|m| picture.spans(m.at));
    for (row, moment) in (0_u8..).zip(inside.take(MAX_ROWS)) {
        let x = time.at(seconds(moment.at));
        let y = FIRST_ROW + f64::from(row) * ROW;
        let class = if moment.at == picture.now {
            "moment now"
        } else {
            "moment"
        };
        svg.line(class, (x, y - 10.0), (x, LOAD.bottom));
        svg.line(class, (x, LATENCY.top), (x, LATENCY.bottom));
        let words = format!("{} {}", clock_time(moment.at), moment.what);
        svg.text("moment", (x + 5.0, y), Anchor::Start, &words);
    }
}
