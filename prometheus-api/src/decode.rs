//! The JSON of Prometheus' answers, read so that the limit of series holds before memory is taken.

use crate::{Answer, LeftOut, QueryError};
use serde::{
    Deserialize, Deserializer,
    de::{DeserializeSeed, Error as _, IgnoredAny, MapAccess, SeqAccess, Visitor},
};
use series::{Labels, Sample, Series};
use std::{cell::Cell, fmt};

mod value;

use value::{Item, RawSeries};

/// The `data` of an answer before anybody asked whether it is of the right kind.
#[derive(Debug, Default)]
pub(crate) struct Data {
    /// `vector`, `matrix`, `scalar` or `string`; empty for lists of names.
    kind: String,
    items: Vec<Item>,
}

/// What an answer that is no success says.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(crate) struct Refusal {
    /// Prometheus' `errorType`, such as `bad_data`.
    #[serde(rename = "errorType")]
    pub(crate) kind: String,
    /// Prometheus' sentence, or the body's beginning where it is none of Prometheus'.
    #[serde(rename = "error")]
    pub(crate) message: String,
}

/// How much of a body that is not JSON is shown, in characters.
const EXCERPT: usize = 200;

/// Reads the body of a success, taking at most `max_items` series or names.
pub(crate) fn decode(body: &[u8], max_items: usize) -> Result<Answer<Data>, QueryError> {
    let overflow = Cell::new(false);
    let seed = Budget {
        max_items,
        overflow: &overflow,
    };
    let mut json = serde_json::Deserializer::from_slice(body);
    let read = json
        .deserialize_map(EnvelopeVisitor(seed))
        .and_then(|envelope| json.end().map(|()| envelope));
    match read {
        Ok(envelope) => envelope.open(),
        Err(_) if overflow.get() => Err(QueryError::TooManySeries(max_items)),
        Err(error) => Err(QueryError::Malformed(error.to_string())),
    }
}

/// Reads the body of a failure as far as it can be read.
pub(crate) fn refusal(body: &[u8]) -> Refusal {
    let read = serde_json::from_slice(body).ok();
    // Proxies answer in JSON of their own.
    let told = read.filter(|refusal: &Refusal| !refusal.message.is_empty());
    told.unwrap_or_else(|| {
        let text = String::from_utf8_lossy(body);
        let message = text.trim().chars().take(EXCERPT).collect();
        let kind = String::new();
        Refusal { kind, message }
    })
}

impl Data {
    /// The result of an instant query.
    pub(crate) fn vector(
        self,
        left_out: &mut LeftOut,
    ) -> Result<Vec<(Labels, Sample)>, QueryError> {
        match (self.kind.as_str(), self.items.as_slice()) {
            ("scalar", [Item::Number(seconds), Item::Text(value)]) => {
                let sample = value::sample(*seconds, value).map_err(QueryError::Malformed)?;
                Ok(vec![(Labels::default(), sample)])
            }
            ("vector", _) => {
                let vector = self.series()?.filter_map(|series| series.one(left_out));
                distinct(vector.collect(), |(labels, _)| labels)
            }
            (kind, _) => Err(QueryError::Malformed(format!(
                "expected a vector or a scalar, got `{kind}`"
            ))),
        }
    }

    /// The result of a range query.
    pub(crate) fn matrix(self, left_out: &mut LeftOut) -> Result<Vec<Series>, QueryError> {
        if self.kind != "matrix" {
            let message = format!("expected a matrix, got `{}`", self.kind);
            return Err(QueryError::Malformed(message));
        }
        let matrix = self.series()?.filter_map(|series| series.many(left_out));
        distinct(matrix.collect::<Result<_, _>>()?, |series| &series.labels)
    }

    /// A list of names.
    pub(crate) fn names(self, _: &mut LeftOut) -> Result<Vec<String>, QueryError> {
        let name = |item| match item {
            Item::Text(name) => Ok(name),
            _ => Err(QueryError::Malformed("expected a list of texts".to_owned())),
        };
        self.items.into_iter().map(name).collect()
    }

    fn series(self) -> Result<impl Iterator<Item = RawSeries>, QueryError> {
        let stray = |item: &Item| !matches!(item, Item::Series(_));
        if self.items.iter().any(stray) {
            let message = format!("a {} holds something else than series", self.kind);
            return Err(QueryError::Malformed(message));
        }
        Ok(self.items.into_iter().filter_map(|item| match item {
            Item::Series(series) => Some(series),
            Item::Number(_) | Item::Text(_) => None,
        }))
    }
}

/// Sorts by labels and refuses two that are alike.
fn distinct<T>(mut items: Vec<T>, labels: impl Fn(&T) -> &Labels) -> Result<Vec<T>, QueryError> {
    items.sort_by(|a, b| labels(a).cmp(labels(b)));
    match items.windows(2).find(|w| labels(&w[0]) == labels(&w[1])) {
        Some(twins) => Err(QueryError::Malformed(format!(
            "series {} is given twice",
            labels(&twins[0])
        ))),
        None => Ok(items),
    }
}

/// The outermost object.
#[derive(Default)]
struct Envelope {
    status: String,
    data: Option<Data>,
    error: String,
    warnings: Option<Vec<String>>,
    infos: Option<Vec<String>>,
    /// `VictoriaMetrics`' way to say that some of its storage did not answer.
    is_partial: Option<bool>,
}

impl Envelope {
    fn open(self) -> Result<Answer<Data>, QueryError> {
        let mut warnings = self.warnings.unwrap_or_default();
        if self.is_partial == Some(true) {
            warnings.push("the answer is marked as partial".to_owned());
        }
        match (self.status.as_str(), self.data) {
            ("success", Some(data)) => {
                Ok(Answer::new(data, warnings, self.infos.unwrap_or_default()))
            }
            ("success", None) => Err(QueryError::Malformed("`data` is missing".to_owned())),
            ("error", _) => Err(QueryError::Rejected {
                status: 200,
                message: self.error,
            }),
            (status, _) => Err(QueryError::Malformed(format!("status is `{status}`"))),
        }
    }
}

/// How many items may still be taken, and whether there were more.
#[derive(Clone, Copy)]
struct Budget<'b> {
    max_items: usize,
    overflow: &'b Cell<bool>,
}

struct EnvelopeVisitor<'b>(Budget<'b>);

#[derive(Deserialize)]
#[serde(field_identifier, rename_all = "camelCase")]
enum EnvelopeKey {
    Status,
    Data,
    Error,
    Warnings,
    Infos,
    IsPartial,
    #[serde(other)]
    Other,
}

impl<'de> Visitor<'de> for EnvelopeVisitor<'_> {
    type Value = Envelope;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an answer of the Prometheus API")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Envelope, A::Error> {
        let mut envelope = Envelope::default();
        while let Some(key) = map.next_key()? {
            match key {
                EnvelopeKey::Status => envelope.status = map.next_value()?,
                EnvelopeKey::Data => envelope.data = Some(map.next_value_seed(DataSeed(self.0))?),
                EnvelopeKey::Error => envelope.error = map.next_value()?,
                EnvelopeKey::Warnings => envelope.warnings = map.next_value()?,
                EnvelopeKey::Infos => envelope.infos = map.next_value()?,
                EnvelopeKey::IsPartial => envelope.is_partial = map.next_value()?,
                EnvelopeKey::Other => drop(map.next_value::<IgnoredAny>()?),
            }
        }
        Ok(envelope)
    }
}

/// `data`: an object with a typed result, or a bare list.
struct DataSeed<'b>(Budget<'b>);

#[derive(Deserialize)]
#[serde(field_identifier, rename_all = "camelCase")]
enum DataKey {
    ResultType,
    Result,
    #[serde(other)]
    Other,
}

impl<'de> DeserializeSeed<'de> for DataSeed<'_> {
    type Value = Data;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Data, D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for DataSeed<'_> {
    type Value = Data;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a result or a list")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Data, A::Error> {
        let mut data = Data::default();
        while let Some(key) = map.next_key()? {
            match key {
                DataKey::ResultType => data.kind = map.next_value()?,
                DataKey::Result => data.items = map.next_value_seed(ItemsSeed(self.0))?,
                DataKey::Other => drop(map.next_value::<IgnoredAny>()?),
            }
        }
        Ok(data)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, seq: A) -> Result<Data, A::Error> {
        let items = ItemsSeed(self.0).visit_seq(seq)?;
        let kind = String::new();
        Ok(Data { kind, items })
    }
}

/// A list that stops at the budget.
struct ItemsSeed<'b>(Budget<'b>);

impl<'de> DeserializeSeed<'de> for ItemsSeed<'_> {
    type Value = Vec<Item>;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Vec<Item>, D::Error> {
        deserializer.deserialize_seq(self)
    }
}

impl<'de> Visitor<'de> for ItemsSeed<'_> {
    type Value = Vec<Item>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a list")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Vec<Item>, A::Error> {
        let mut items = Vec::new();
        while let Some(item) = seq.next_element()? {
            if items.len() == self.0.max_items {
                self.0.overflow.set(true);
                return Err(A::Error::custom("too many series"));
            }
            items.push(item);
        }
        Ok(items)
    }
}

#[cfg(test)]
mod tests;
