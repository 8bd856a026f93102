//! Series and samples as Prometheus writes them in JSON: `[1435781451.781, "1.5"]`.

use crate::{LeftOut, QueryError};
use serde::{
    Deserialize, Deserializer,
    de::{Error as _, MapAccess, SeqAccess, Visitor, value::MapAccessDeserializer},
};
use series::{Labels, Sample, Series, Timestamp};
use std::fmt;

/// One element of a list: a series, or a part of a scalar, or a name.
#[derive(Debug)]
pub(super) enum Item {
    Series(RawSeries),
    Number(f64),
    Text(String),
}

/// A series of a vector (`value`) or of a matrix (`values`).
#[derive(Debug, Deserialize)]
pub(super) struct RawSeries {
    metric: Labels,
    value: Option<Point>,
    values: Option<Vec<Point>>,
}

#[derive(Debug, Clone, Copy)]
struct Point(Sample);

/// Times further from the epoch than this are no times, in seconds: three hundred centuries.
const MAX_SECONDS: f64 = 1e12;

/// A sample from a time in seconds and a value as text, `NaN` and `+Inf` included.
pub(super) fn sample(seconds: f64, value: &str) -> Result<Sample, String> {
    let at = time(seconds)?;
    let value = number(value)?;
    Ok(Sample { at, value })
}

fn number(text: &str) -> Result<f64, String> {
    let malformed = |_| format!("`{text}` is not a sample's value");
    text.parse().map_err(malformed)
}

fn time(seconds: f64) -> Result<Timestamp, String> {
    if seconds.abs() > MAX_SECONDS {
        return Err(format!("{seconds} is not a time"));
    }
    #[expect(
        clippy::cast_possible_truncation,
        reason = "the bound is far inside the range"
    )]
    let millis = (seconds * 1e3).round() as i64;
    Ok(Timestamp::from_millis(millis))
}

impl RawSeries {
    /// The series of an instant query, unless it is a histogram.
    pub(super) fn one(self, left_out: &mut LeftOut) -> Option<(Labels, Sample)> {
        let Some(Point(sample)) = self.value else {
            left_out.note(&self.metric);
            return None;
        };
        Some((self.metric, sample))
    }

    /// The series of a range query, unless it is a histogram at all its times; its samples must ascend.
    pub(super) fn many(self, left_out: &mut LeftOut) -> Option<Result<Series, QueryError>> {
        let Some(values) = self.values else {
            left_out.note(&self.metric);
            return None;
        };
        Some(ascending(self.metric, &values))
    }
}

fn ascending(labels: Labels, values: &[Point]) -> Result<Series, QueryError> {
    if let Some(pair) = values.windows(2).find(|w| w[0].0.at >= w[1].0.at) {
        return Err(QueryError::Malformed(format!(
            "samples of {labels} are not in order of time: {} s does not come after {} s",
            pair[1].0.at.as_seconds_f64(),
            pair[0].0.at.as_seconds_f64(),
        )));
    }
    let samples = values.iter().map(|Point(sample)| *sample).collect();
    Ok(Series { labels, samples })
}

impl<'de> Deserialize<'de> for Item {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(ItemVisitor)
    }
}

struct ItemVisitor;

impl<'de> Visitor<'de> for ItemVisitor {
    type Value = Item;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a series, a number or a text")
    }

    fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Item, A::Error> {
        RawSeries::deserialize(MapAccessDeserializer::new(map)).map(Item::Series)
    }

    fn visit_f64<E>(self, number: f64) -> Result<Item, E> {
        Ok(Item::Number(number))
    }

    fn visit_u64<E>(self, number: u64) -> Result<Item, E> {
        Ok(Item::Number(number as f64))
    }

    fn visit_i64<E>(self, number: i64) -> Result<Item, E> {
        Ok(Item::Number(number as f64))
    }

    fn visit_str<E>(self, text: &str) -> Result<Item, E> {
        Ok(Item::Text(text.to_owned()))
    }
}

impl<'de> Deserialize<'de> for Point {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_seq(PointVisitor)
    }
}

struct PointVisitor;

impl<'de> Visitor<'de> for PointVisitor {
    type Value = Point;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a time and a value")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Point, A::Error> {
        let missing = |n| A::Error::invalid_length(n, &"a time and a value");
        let seconds = seq.next_element::<f64>()?.ok_or_else(|| missing(0))?;
        let Number(value) = seq.next_element()?.ok_or_else(|| missing(1))?;
        let at = time(seconds).map_err(A::Error::custom)?;
        Ok(Point(Sample { at, value }))
    }
}

/// A number written as a text, read where it stands, since there are millions of them.
struct Number(f64);

impl<'de> Deserialize<'de> for Number {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_str(NumberVisitor)
    }
}

struct NumberVisitor;

impl Visitor<'_> for NumberVisitor {
    type Value = Number;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a value written as a text")
    }

    fn visit_str<E: serde::de::Error>(self, text: &str) -> Result<Number, E> {
        number(text).map(Number).map_err(E::custom)
    }
}
