//! A small query API over predicted series alone, in the shape of Prometheus' own.
//!
//! Grafana's Prometheus data source speaks it where there is no remote read.

use super::{App, failure, params::Params, places::Client, success};
use crate::{
    exposition,
    query::{self, Grid, Question, Refused},
};
use axum::{
    body::Bytes,
    extract::{FromRequest, FromRequestParts as _, Path, Request},
    http::StatusCode,
    response::{IntoResponse, Response},
};
use rules::CurveError;
use serde_json::{Value, json};
use series::{Labels, Sample, Selector, Series, Timestamp, unescape_values};
use std::{collections::BTreeSet, fmt::Display, sync::Arc};
use tokio::task::spawn_blocking;

/// Points a series that one range query may have, as Prometheus limits its own.
const MAX_POINTS: usize = 11_000;

/// Samples that one answer may hold, some hundred megabytes of JSON.
const MAX_SAMPLES: usize = 2_000_000;

/// Why a question is not answered, and the status that says so.
struct Failed(StatusCode, String);

impl Failed {
    fn bad(sentence: impl Display) -> Self {
        Self(StatusCode::BAD_REQUEST, sentence.to_string())
    }
}

impl From<Refused> for Failed {
    fn from(refused: Refused) -> Self {
        let status = match refused {
            Refused::TooMuch(_) => StatusCode::UNPROCESSABLE_ENTITY,
            Refused::NotPromQl(_) | Refused::Matcher(_) => StatusCode::BAD_REQUEST,
        };
        Self(status, refused.to_string())
    }
}

impl From<CurveError> for Failed {
    fn from(error: CurveError) -> Self {
        Self(StatusCode::UNPROCESSABLE_ENTITY, error.to_string())
    }
}

impl From<String> for Failed {
    fn from(sentence: String) -> Self {
        Self::bad(sentence)
    }
}

/// `/api/v1/query`
pub(super) async fn instant(ask: Ask) -> Response {
    answer(ask, |app, params| {
        let time = params.time_or("time", app.now())?;
        let (kind, result) = match &Question::read(params.required("query")?)? {
            Question::Scalar(value) => {
                let value = *value;
                ("scalar", point(&Sample { at: time, value }))
            }
            Question::Vector(picked) => {
                let fetch = |start, end| predicted(app, &picked.selector, (start, end));
                let values = query::instant(picked, time, fetch)?;
                ("vector", values.iter().map(in_vector).collect())
            }
            Question::Matrix(picked, length) => {
                let fetch = |start, end| predicted(app, &picked.selector, (start, end));
                let series = query::samples((picked, *length), time, fetch)?;
                check_size(series.iter().map(|series| series.samples.len()).sum())?;
                ("matrix", series.iter().map(in_matrix).collect())
            }
        };
        Ok(json!({ "resultType": kind, "result": result }))
    })
    .await
}

/// `/api/v1/query_range`
pub(super) async fn range(ask: Ask) -> Response {
    answer(ask, |app, params| {
        let grid = grid(params)?;
        let series = match &Question::read(params.required("query")?)? {
            Question::Scalar(value) => vec![grid.constant(*value)],
            Question::Vector(picked) => query::range(picked, grid, |start, end| {
                let series = predicted(app, &picked.selector, (start, end))?;
                check_size(series.len().saturating_mul(grid.len()))?;
                Ok::<_, Failed>(series)
            })?,
            Question::Matrix(..) => {
                return Err(Failed::bad(
                    "a range query wants an instant vector or a scalar",
                ));
            }
        };
        let result: Value = series.iter().map(in_matrix).collect();
        Ok(json!({ "resultType": "matrix", "result": result }))
    })
    .await
}

/// `/api/v1/series`
pub(super) async fn series(ask: Ask) -> Response {
    answer(ask, |app, params| {
        if params.all("match[]").next().is_none() {
            return Err(Failed::bad("no match[] parameter provided"));
        }
        Ok(json!(all_labels(app, params)?))
    })
    .await
}

/// `/api/v1/labels`
pub(super) async fn labels(ask: Ask) -> Response {
    answer(ask, |app, params| {
        let all = all_labels(app, params)?;
        let names: BTreeSet<&str> = all
            .iter()
            .flat_map(|l| l.iter().map(|(name, _)| name))
            .collect();
        Ok(json!(names))
    })
    .await
}

/// `/api/v1/label/{name}/values`
pub(super) async fn values(Path(name): Path<String>, ask: Ask) -> Response {
    answer(ask, move |app, params| {
        // A name that a path cannot hold is written by the numbers of its characters, as in Prometheus 3.
        let name = unescape_values(&name);
        let all = all_labels(app, params)?;
        let values: BTreeSet<&str> = all.iter().map(|labels| labels.get(&name)).collect();
        Ok(json!(
            values
                .iter()
                .filter(|value| !value.is_empty())
                .collect::<Vec<_>>()
        ))
    })
    .await
}

/// A question, and who asks it.
pub(super) struct Ask {
    app: Arc<App>,
    client: Client,
    params: Params,
}

impl FromRequest<Arc<App>> for Ask {
    type Rejection = Response;

    async fn from_request(request: Request, app: &Arc<App>) -> Result<Self, Response> {
        let (mut parts, body) = request.into_parts();
        let Ok(client) = Client::from_request_parts(&mut parts, app).await;
        let query = parts.uri.query().map(str::to_owned);
        let body = Bytes::from_request(Request::from_parts(parts, body), app).await;
        let body = body.map_err(IntoResponse::into_response)?;
        Ok(Self {
            app: Arc::clone(app),
            client,
            params: Params::read(query.as_deref(), &body),
        })
    }
}

/// Works a question out where blocking is allowed: many models may have to be asked.
async fn answer(
    ask: Ask,
    work: impl FnOnce(&App, &Params) -> Result<Value, Failed> + Send + 'static,
) -> Response {
    let Ask {
        app,
        client,
        params,
    } = ask;
    let place = match app.reads.enter(client).await {
        Ok(place) => place,
        Err(none) => return none.refuse(),
    };
    // Held until it is sent: it may be large.
    let answer = spawn_blocking(move || {
        let data = work(&app, &params)?;
        Ok(success(data))
    });
    match answer.await {
        Ok(Ok(response)) => place.keep_for(response),
        Ok(Err(Failed(status, sentence))) => failure(status, sentence),
        Err(_) => failure(StatusCode::INTERNAL_SERVER_ERROR, "the answer was lost"),
    }
}

fn grid(params: &Params) -> Result<Grid, Failed> {
    let grid = Grid {
        start: params.time("start")?,
        end: params.time("end")?,
        step: params.step("step")?,
    };
    if grid.end < grid.start {
        return Err(Failed::bad(
            "end timestamp must not be before start timestamp",
        ));
    }
    if grid.len() > MAX_POINTS {
        return Err(Failed::bad(format!(
            "the query has {} points a series, limit is {MAX_POINTS}; ask for a longer step",
            grid.len()
        )));
    }
    Ok(grid)
}

fn check_size(n_samples: usize) -> Result<(), Failed> {
    if n_samples <= MAX_SAMPLES {
        return Ok(());
    }
    let sentence = format!(
        "the answer would hold {n_samples} samples, limit is {MAX_SAMPLES}; ask for fewer series or a longer step"
    );
    Err(Failed(StatusCode::UNPROCESSABLE_ENTITY, sentence))
}

/// The samples of the picked series in a stretch of time: curves, and the gauges that are true at present.
fn predicted(
    app: &App,
    selector: &Selector,
    (start, end): (Timestamp, Timestamp),
) -> Result<Vec<Series>, Failed> {
    let (engine, now) = (&app.running().engine, app.now());
    let mut all = engine.curves(selector, start, end, now)?;
    let is_within = |gauge: &Series| (start..=end).contains(&gauge.samples[0].at);
    all.extend(engine.gauges(selector, now).into_iter().filter(is_within));
    all.sort_by(|a, b| a.labels.cmp(&b.labels));
    Ok(all)
}

/// The labels of all series that any `match[]` picks; of all series where there is none.
fn all_labels(app: &App, params: &Params) -> Result<BTreeSet<Labels>, Failed> {
    let selectors = params.all("match[]").map(Question::selector);
    let mut selectors = selectors.collect::<Result<Vec<_>, _>>()?;
    if selectors.is_empty() {
        selectors.push(Selector::default());
    }
    let (engine, now) = (&app.running().engine, app.now());
    let mut all = BTreeSet::new();
    for selector in &selectors {
        all.extend(engine.curve_labels(selector, now));
        let gauges = engine.gauges(selector, now).into_iter();
        all.extend(gauges.map(|gauge| gauge.labels));
    }
    Ok(all)
}

fn in_vector((labels, sample): &(Labels, Sample)) -> Value {
    json!({ "metric": labels, "value": point(sample) })
}

fn in_matrix(series: &Series) -> Value {
    let values: Value = series.samples.iter().map(point).collect();
    json!({ "metric": series.labels, "values": values })
}

/// `[1435781451.781, "1.5"]`
fn point(sample: &Sample) -> Value {
    json!([sample.at.as_seconds_f64(), exposition::number(sample.value)])
}
