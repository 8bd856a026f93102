//! Series out of CSV files: a `timestamp` column, and one column a series.

use crate::say::complain;
use anyhow::{Context as _, bail, ensure};
use series::{Labels, Sample, Timestamp};
use std::{
    fs,
    path::{Path, PathBuf},
};

/// Size of a file, which is held in memory whole.
const MAX_BYTES: u64 = 1 << 30;

/// One column of a file.
#[derive(Debug, PartialEq)]
pub(crate) struct Column {
    /// The file's path under the folder given, without `.csv`; followed by `:COLUMN` where there are several.
    pub(crate) name: String,
    /// Of a series of Prometheus; files name columns alone.
    pub(crate) labels: Option<Labels>,
    /// In order of time; blanks are left out.
    pub(crate) samples: Vec<Sample>,
}

/// Reads every file, and every `.csv` file below a folder, in order of names. A file that cannot be read is named on
/// standard error and left out; how many these were is told beside the series.
pub(crate) fn read(paths: &[PathBuf]) -> anyhow::Result<(Vec<Column>, usize)> {
    let (mut columns, mut n_unreadable) = (Vec::new(), 0);
    for path in paths {
        for file in files(path)? {
            match read_one(&file, path) {
                Ok(found) => columns.extend(found),
                Err(error) => {
                    complain(format_args!("{error:#}"));
                    n_unreadable += 1;
                }
            }
        }
    }
    ensure!(!columns.is_empty(), "there is no series in {}", list(paths));
    Ok((columns, n_unreadable))
}

fn read_one(file: &Path, given: &Path) -> anyhow::Result<Vec<Column>> {
    let text = files::read_to_string(file, MAX_BYTES);
    let text = text.with_context(|| format!("reading {}", file.display()))?;
    parse(&name(file, given), &text).with_context(|| file.display().to_string())
}

fn list(paths: &[PathBuf]) -> String {
    paths
        .iter()
        .map(|path| path.display().to_string())
        .collect::<Vec<_>>()
        .join(", ")
}

fn files(path: &Path) -> anyhow::Result<Vec<PathBuf>> {
    if !path.is_dir() {
        return Ok(vec![path.to_owned()]);
    }
    let (mut found, mut folders) = (Vec::new(), vec![path.to_owned()]);
    while let Some(folder) = folders.pop() {
        let entries =
            fs::read_dir(&folder).with_context(|| format!("listing {}", folder.display()))?;
        for entry in entries {
            let path = entry?.path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|extension| extension == "csv") {
                found.push(path);
            }
        }
    }
    found.sort();
    Ok(found)
}

fn name(file: &Path, given: &Path) -> String {
    let under = match file.strip_prefix(given) {
        Ok(under) if !under.as_os_str().is_empty() => under,
        _ => Path::new(file.file_name().unwrap_or(file.as_os_str())),
    };
    under.with_extension("").to_string_lossy().into_owned()
}

fn parse(name: &str, text: &str) -> anyhow::Result<Vec<Column>> {
    // A spreadsheet writes a byte-order mark before the header.
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    let mut reader = csv::Reader::from_reader(text.as_bytes());
    let header = reader.headers().context("reading the header")?.clone();
    let time = header
        .iter()
        .position(|column| column.trim() == "timestamp");
    let time = time.context("the header has no column `timestamp`")?;
    let others: Vec<usize> = (0..header.len()).filter(|column| *column != time).collect();
    ensure!(!others.is_empty(), "there is no column beside `timestamp`");
    let mut samples = vec![Vec::new(); others.len()];
    for (idx, row) in reader.records().enumerate() {
        // The header is line 1.
        let line = idx + 2;
        let row = row.with_context(|| format!("line {line}"))?;
        let at = timestamp(&row[time]).with_context(|| format!("line {line}"))?;
        for (column, samples) in others.iter().zip(&mut samples) {
            if let Some(value) = value(&row[*column]).with_context(|| format!("line {line}"))? {
                samples.push(Sample { at, value });
            }
        }
    }
    let title = |column: usize| match others.len() {
        1 => name.to_owned(),
        _ => format!("{name}:{}", header[column].trim()),
    };
    let columns = others.iter().zip(samples).map(|(column, mut samples)| {
        samples.sort_by_key(|sample: &Sample| sample.at);
        samples.dedup_by_key(|sample| sample.at);
        Column {
            name: title(*column),
            labels: None,
            samples,
        }
    });
    Ok(columns.collect())
}

/// RFC 3339, or seconds since the epoch.
fn timestamp(text: &str) -> anyhow::Result<Timestamp> {
    let text = text.trim();
    if let Ok(seconds) = text.parse::<f64>() {
        let millis = seconds * 1e3;
        ensure!(millis.abs() < 9e15, "timestamp {text} is out of range");
        #[expect(clippy::cast_possible_truncation, reason = "its size was checked")]
        return Ok(Timestamp::from_millis(millis.round() as i64));
    }
    match text.parse::<jiff::Timestamp>() {
        Ok(at) => Ok(Timestamp::from_millis(at.as_millisecond())),
        Err(_) => bail!("timestamp {text:?} is neither RFC 3339 nor seconds since the epoch"),
    }
}

fn value(text: &str) -> anyhow::Result<Option<f64>> {
    match text.trim() {
        "" => Ok(None),
        text => Ok(Some(
            text.parse()
                .with_context(|| format!("{text:?} is not a number"))?,
        )),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(text: &str, expect: &str) {
        let told = match parse("a/b", text) {
            Ok(columns) => {
                let told = columns.iter().map(|c| {
                    let samples = c
                        .samples
                        .iter()
                        .map(|s| format!("{}={}", s.at.as_millis(), s.value));
                    format!("{} {}", c.name, samples.collect::<Vec<_>>().join(" "))
                });
                told.collect::<Vec<_>>().join("; ")
            }
            Err(error) => format!("{error:#}"),
        };
        assert_eq!(told, expect);
    }

    #[test]
    fn columns_become_series_and_blanks_are_gaps() {
        check(
            "timestamp,value\n60,1\n120,\n180,3\n",
            "a/b 60000=1 180000=3",
        );
        check(
            "x,timestamp,y\n1,60,2\n,120,4\n",
            "a/b:x 60000=1; a/b:y 60000=2 120000=4",
        );
        check(
            "timestamp,v\n2024-01-01T00:00:00Z,1\n",
            "a/b 1704067200000=1",
        );
        check("timestamp,v\n120,2\n60,1\n", "a/b 60000=1 120000=2");
        check("\u{feff}timestamp,v\n60,1\n", "a/b 60000=1");
        check("\u{feff}\"timestamp\",v\r\n60,1\r\n", "a/b 60000=1");
    }

    #[test]
    fn bad_files_are_refused_with_a_sentence() {
        check("time,value\n", "the header has no column `timestamp`");
        check("timestamp\n60\n", "there is no column beside `timestamp`");
        check(
            "timestamp,v\n60,high\n",
            "line 2: \"high\" is not a number: invalid float literal",
        );
        check(
            "timestamp,v\n60,1\nmonday,1\n",
            "line 3: timestamp \"monday\" is neither RFC 3339 nor seconds since the epoch",
        );
    }
}
