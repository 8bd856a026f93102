//! The whole journal as lines of JSON, a page of it in memory at a time.

use super::{
    super::{App, failure, places::Client},
    Asked,
};
use crate::visible::visible_json;
use axum::{
    body::{Body, Bytes},
    extract::State,
    http::{StatusCode, header},
    response::{IntoResponse, Response},
};
use futures::{Stream, stream};
use serde::{Deserialize, Serialize};
use series::{PromDuration, Timestamp};
use std::{collections::VecDeque, sync::Arc};
use store::{ActionId, Record, StoreError, SwitchTurn};

/// Actions or turns of the kill switch that are listed at once.
const PAGE: u32 = 100;

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct ExportQuery {
    since: Option<String>,
}

/// One line.
#[derive(Serialize)]
#[serde(tag = "type", rename_all = "snake_case")]
enum Line<'a> {
    Action(&'a Record),
    KillSwitch(&'a SwitchTurn),
}

/// Every action that changed since a time, oldest first, then every turn of the kill switch. An error half-way breaks
/// the answer off, so that a part is not taken for the whole.
pub(crate) async fn export(
    State(app): State<Arc<App>>,
    client: Client,
    Asked(query): Asked<ExportQuery>,
) -> Response {
    let since = match query.since.map(|text| since(&text, app.now())).transpose() {
        Ok(since) => since,
        Err(sentence) => return failure(StatusCode::BAD_REQUEST, sentence),
    };
    let headers = [(header::CONTENT_TYPE, "application/x-ndjson")];
    match app.exports.enter(client).await {
        Ok(place) => {
            let body = Body::from_stream(lines(Export::new(app, since)));
            place.keep_for((headers, body).into_response())
        }
        Err(none) => none.refuse(),
    }
}

/// A time, or how long ago it was.
fn since(text: &str, now: Timestamp) -> Result<Timestamp, String> {
    if let Ok(ago) = text.parse::<PromDuration>() {
        return Ok(now - ago.get());
    }
    let time = text.parse::<jiff::Timestamp>();
    time.map(|time| Timestamp::from_millis(time.as_millisecond()))
        .map_err(|_| {
            format!("`since` is neither a duration like 30d nor a time in RFC 3339: `{text}`")
        })
}

fn lines(export: Export) -> impl Stream<Item = Result<Bytes, StoreError>> {
    stream::try_unfold(export, |mut export| async move {
        let line = export.next().await?;
        Ok(line.map(|line| (line, export)))
    })
}

/// How far an export has come.
struct Export {
    app: Arc<App>,
    since: Option<Timestamp>,
    /// Of the page at hand.
    actions: VecDeque<ActionId>,
    last: Option<ActionId>,
    turns: VecDeque<SwitchTurn>,
    last_turn: i64,
}

impl Export {
    fn new(app: Arc<App>, since: Option<Timestamp>) -> Self {
        Self {
            app,
            since,
            actions: VecDeque::new(),
            last: None,
            turns: VecDeque::new(),
            last_turn: 0,
        }
    }

    async fn next(&mut self) -> Result<Option<Bytes>, StoreError> {
        let remediation = &self.app.remediation;
        if self.actions.is_empty() && self.turns.is_empty() {
            let page = remediation.changed_since(self.since, self.last, PAGE);
            self.actions = page.await?.into();
        }
        if let Some(id) = self.actions.pop_front() {
            self.last = Some(id);
            return Ok(Some(line(&Line::Action(&remediation.record(id).await?))));
        }
        if self.turns.is_empty() {
            let page = remediation.switches(self.since, self.last_turn, PAGE);
            self.turns = page.await?.into();
        }
        Ok(self.turns.pop_front().map(|turn| {
            self.last_turn = turn.seq;
            line(&Line::KillSwitch(&turn))
        }))
    }
}

fn line(line: &Line) -> Bytes {
    let json = serde_json::to_string(line).expect("records have texts for keys");
    // People look at exports in terminals and editors, too.
    let mut shown = visible_json(&json).into_owned();
    shown.push('\n');
    shown.into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn since_is_a_time_or_how_long_ago_it_was() {
        let now = Timestamp::from_seconds(1_800_000_000);
        let at = |text| since(text, now).map(Timestamp::as_millis);
        assert_eq!(at("1d"), Ok(1_800_000_000_000 - 86_400_000));
        assert_eq!(at("1970-01-01T00:00:02Z"), Ok(2_000));
        let refusal = "`since` is neither a duration like 30d nor a time in RFC 3339: `ages`";
        assert_eq!(at("ages"), Err(refusal.to_owned()));
    }
}
