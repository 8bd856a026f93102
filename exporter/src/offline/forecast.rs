//! `foreshadow forecast`: forecast something now.

use super::{
    input::{self, Named},
    plot::{Plot, number},
    subject::Subject,
    terminal::drawing_width,
};
use crate::{
    cli::{Forecast, Format},
    say::{complain, say, say_json},
    table::{Align, table},
};
use anyhow::ensure;
use forecast::{Bounds, Fitted};
use serde_json::json;
use series::{Quantile, Timestamp};

/// The edges of the band, and the median between them.
const LEVELS: [f64; 3] = [0.05, 0.5, 0.95];

/// Rows of a table: enough to see the shape, few enough to read.
const TABLE_ROWS: usize = 12;

/// Forecasts every series and prints what is foreseen; a series without enough history says so.
pub(crate) fn run(request: &Forecast) -> anyhow::Result<()> {
    let subject = Subject::of(&request.subject, vec![request.horizon.clone()])?;
    let (step, reach) = (subject.step, subject.history);
    let mut input = input::read(&subject, reach)?;
    for named in &mut input.series {
        named.keep_last(step.count(reach).max(1));
    }
    let n_steps = step.count(subject.furthest()).max(1);
    let settings = subject.settings(Bounds::UNLIMITED);
    let mut n_foreseen = 0;
    for named in &input.series {
        let fitted = match forecast::fit(&named.history, &settings) {
            Ok(fitted) => fitted,
            Err(error) => {
                complain(format_args!("{}: {error}", named.name));
                continue;
            }
        };
        let foreseen = foresee(&*fitted, n_steps);
        n_foreseen += 1;
        match request.format {
            Format::Json => print_json(named, fitted.model(), &foreseen),
            Format::Table | Format::Plot => {
                let gap = if n_foreseen == 1 { "" } else { "\n" };
                let body = match request.format {
                    Format::Plot => plot(named, &foreseen),
                    Format::Table | Format::Json => rows(&foreseen),
                };
                say(&format!("{gap}{} ({})\n{body}", named.name, fitted.model()));
            }
        }
    }
    ensure!(n_foreseen > 0, "no series could be forecast");
    input.check()
}

type Foreseen = Vec<(Timestamp, [f64; 3])>;

fn foresee(fitted: &dyn Fitted, n_steps: usize) -> Foreseen {
    let levels = LEVELS.map(|level| Quantile::new(level).expect("levels lie between 0 and 1"));
    let times = std::iter::successors(Some(fitted.origin()), |at| Some(*at + fitted.step().get()));
    let ahead = times.skip(1).take(n_steps);
    ahead
        .map(|at| (at, levels.map(|level| fitted.predict(at).quantile(level))))
        .collect()
}

fn print_json(named: &Named, model: &str, foreseen: &Foreseen) {
    let values: Vec<_> = foreseen.iter().map(|(_, values)| values).collect();
    let times: Vec<_> = foreseen
        .iter()
        .map(|(at, _)| at.as_millis() / 1_000)
        .collect();
    let origin = named.stamp(named.history.end()).as_millis() / 1_000;
    let line = json!({
        "series": named.name, "model": model, "origin": origin, "levels": LEVELS,
        "timestamps": times, "values": values,
    });
    say_json(&format!("{line}\n"));
}

fn rows(foreseen: &Foreseen) -> String {
    use Align::{Left, Right};
    let columns = [
        ("TIME", Left),
        ("5 %", Right),
        ("MEDIAN", Right),
        ("95 %", Right),
    ];
    let every = foreseen.len().div_ceil(TABLE_ROWS).max(1);
    let shown = foreseen.iter().skip(every - 1).step_by(every);
    let rows = shown.map(|(at, [lower, median, upper])| {
        let time = jiff::Timestamp::from_millisecond(at.as_millis());
        let time = time.map_or_else(|_| at.as_millis().to_string(), |t| t.to_string());
        [time, number(*lower), number(*median), number(*upper)]
    });
    table(columns, &rows.collect::<Vec<_>>())
}

fn plot(named: &Named, foreseen: &Foreseen) -> String {
    // As much past as future, for the eye to compare.
    let values = named.history.values();
    let shown = &values[values.len().saturating_sub(foreseen.len())..];
    let plot = Plot {
        actual: shown.to_vec(),
        foreseen: foreseen.iter().map(|(_, values)| *values).collect(),
        now: named.history.end(),
        step: named.history.step().get(),
    };
    plot.draw(drawing_width())
}
