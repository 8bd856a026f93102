//! What a person sees: calm, aligned lines, with colour where it helps.

use series::Timestamp;
use std::{
    fmt::Display,
    io::{self, Write as _},
    time::{Duration, Instant},
};

/// How texts are emphasised; plain where nobody would see it.
#[derive(Debug, Clone, Copy)]
pub enum Paint {
    /// With ANSI colours.
    Colour,
    /// As they are.
    Plain,
}

impl Paint {
    /// What matters.
    pub fn bold(self, text: impl Display) -> String {
        self.wrap("1", text)
    }

    /// What may be passed over.
    pub fn dim(self, text: impl Display) -> String {
        self.wrap("2", text)
    }

    /// What went well.
    pub fn green(self, text: impl Display) -> String {
        self.wrap("32", text)
    }

    /// What to look at.
    pub fn yellow(self, text: impl Display) -> String {
        self.wrap("33", text)
    }

    /// What went wrong.
    pub fn red(self, text: impl Display) -> String {
        self.wrap("31", text)
    }

    fn wrap(self, code: &str, text: impl Display) -> String {
        match self {
            Self::Colour => format!("\x1b[{code}m{text}\x1b[0m"),
            Self::Plain => text.to_string(),
        }
    }
}

/// One step of the preparation: its name at once, its outcome and length when it is done.
#[derive(Debug)]
pub struct Step {
    paint: Paint,
    begun: Instant,
    is_open: bool,
}

impl Step {
    /// Prints the name and leaves the line open.
    pub fn begin(paint: Paint, name: &str) -> Self {
        print!("  {name:<14}");
        // A line that appears late is no reason to give up.
        let _ = io::stdout().flush();
        Self {
            paint,
            begun: Instant::now(),
            is_open: true,
        }
    }

    /// Completes the line.
    pub fn done(mut self, outcome: &str) {
        self.is_open = false;
        let seconds = self.begun.elapsed().as_secs_f64();
        println!(
            "{outcome:<56} {}",
            self.paint.dim(format_args!("{seconds:>5.1} s"))
        );
    }
}

impl Drop for Step {
    /// A step that broke off leaves its line to nobody.
    fn drop(&mut self) {
        if self.is_open {
            println!();
        }
    }
}

/// The time of day in UTC, to the second.
pub fn clock_time(time: Timestamp) -> String {
    let time = jiff::Timestamp::from_millisecond(time.as_millis()).unwrap_or_default();
    time.strftime("%H:%M:%S").to_string()
}

/// A length of time in minutes and seconds.
pub fn minutes(length: Duration) -> String {
    let seconds = length.as_secs();
    match (seconds / 60, seconds % 60) {
        (0, seconds) => format!("{seconds} s"),
        (minutes, seconds) => format!("{minutes} min {seconds:02} s"),
    }
}

/// A whole number with a comma at each thousand; a dash for NaN.
pub fn whole(number: f64) -> String {
    if !number.is_finite() {
        return "–".to_owned();
    }
    let digits = format!("{:.0}", number.abs());
    let mut text = if number <= -0.5 {
        "-".to_owned()
    } else {
        String::new()
    };
    for (idx, digit) in digits.chars().enumerate() {
        if idx > 0 && (digits.len() - idx).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_and_times_are_written_for_people() {
        assert_eq!(whole(1_234_567.4), "1,234,567");
        assert_eq!(
            (whole(-1_000.0), whole(0.0), whole(999.6)),
            ("-1,000".into(), "0".into(), "1,000".into())
        );
        assert_eq!(whole(f64::NAN), "–");
        assert_eq!(clock_time(Timestamp::from_seconds(3_725)), "01:02:05");
        assert_eq!(minutes(Duration::from_secs(45)), "45 s");
        assert_eq!(minutes(Duration::from_secs(125)), "2 min 05 s");
    }

    #[test]
    fn plain_is_plain() {
        assert_eq!(Paint::Plain.red("x"), "x");
        assert_eq!(Paint::Colour.red("x"), "\x1b[31mx\x1b[0m");
    }
}
