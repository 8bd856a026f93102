//! From rows to values.

use crate::{
    Action, ActionId, Cause, Finished, Look, RecordedDelivery, StoreError, SwitchTurn, Transition,
    UnknownWord, Waiting, error::doing, known::Row, lookup::Open,
};
use series::Timestamp;
use sqlx::{Row as _, sqlite::SqliteRow};
use std::str::FromStr;

/// Reads the columns of one row.
struct Columns<'r>(&'r SqliteRow);

impl Columns<'_> {
    fn get<'r, T>(&'r self, name: &'static str) -> Result<T, StoreError>
    where
        T: sqlx::Decode<'r, sqlx::Sqlite> + sqlx::Type<sqlx::Sqlite>,
    {
        self.0
            .try_get(name)
            .map_err(doing("read a row of the journal"))
    }

    fn time(&self, name: &'static str) -> Result<Timestamp, StoreError> {
        self.get(name).map(Timestamp::from_millis)
    }

    fn maybe_time(&self, name: &'static str) -> Result<Option<Timestamp>, StoreError> {
        let millis: Option<i64> = self.get(name)?;
        Ok(millis.map(Timestamp::from_millis))
    }

    fn word<T: FromStr<Err = UnknownWord>>(&self, name: &'static str) -> Result<T, StoreError> {
        let text: String = self.get(name)?;
        text.parse().map_err(unreadable)
    }

    fn maybe_word<T: FromStr<Err = UnknownWord>>(
        &self,
        name: &'static str,
    ) -> Result<Option<T>, StoreError> {
        let text: Option<String> = self.get(name)?;
        text.map(|text| text.parse().map_err(unreadable))
            .transpose()
    }

    fn json(&self, name: &'static str) -> Result<Option<serde_json::Value>, StoreError> {
        let text: Option<String> = self.get(name)?;
        let parse = |text: String| {
            serde_json::from_str(&text).map_err(|_| StoreError::Unreadable { what: name, text })
        };
        text.map(parse).transpose()
    }

    fn cause(&self) -> Result<Cause, StoreError> {
        Ok(Cause {
            fingerprint: self.get("fingerprint")?,
            starts_at: self.time("starts_at")?,
        })
    }
}

/// What becomes of a word that this program does not know.
pub(crate) fn unreadable(word: UnknownWord) -> StoreError {
    StoreError::Unreadable {
        what: word.what,
        text: word.text,
    }
}

pub(crate) fn action(row: &SqliteRow) -> Result<Action, StoreError> {
    let row = Columns(row);
    Ok(Action {
        id: row.word("id")?,
        workload: row.get("workload")?,
        state: row.word("state")?,
        mode: row.word("mode")?,
        cause: row.cause()?,
        plan: row.json("plan")?,
        pre_image: row.json("pre_image")?,
        stage: row.get("stage")?,
        stage_at: row.maybe_time("stage_at")?,
        plan_no: row.get("plan_no")?,
        effect: row.json("effect")?,
        created_at: row.time("created_at")?,
        updated_at: row.time("updated_at")?,
        applied_at: row.maybe_time("applied_at")?,
        deadline: row.maybe_time("deadline")?,
        reason: row.get("reason")?,
        ending: row.maybe_word("ending")?,
        attempt: row.get("attempt")?,
        wanted_since: row.time("wanted_since")?,
        queued_at: row.maybe_time("queued_at")?,
        begun: row.get("begun")?,
        moved: row.get("moved")?,
    })
}

pub(crate) fn transition(row: &SqliteRow) -> Result<Transition, StoreError> {
    let row = Columns(row);
    Ok(Transition {
        seq: row.get("seq")?,
        from: row.maybe_word("from_state")?,
        to: row.word("to_state")?,
        at: row.time("at")?,
        actor: row.get("actor")?,
        reason: row.get("reason")?,
    })
}

pub(crate) fn delivery(row: &SqliteRow) -> Result<RecordedDelivery, StoreError> {
    let row = Columns(row);
    Ok(RecordedDelivery {
        cause: row.cause()?,
        status: row.word("status")?,
        workload: row.get("workload")?,
        received_at: row.time("received_at")?,
        outcome: row.word("outcome")?,
        reason: row.get("reason")?,
        action: row.maybe_word("action")?,
        alert: row.json("alert")?,
    })
}

/// A delivery with what only the taking in of others needs.
pub(crate) fn row(row: &SqliteRow) -> Result<Row, StoreError> {
    let recorded = delivery(row)?;
    let row = Columns(row);
    Ok(Row {
        seq: row.get("seq")?,
        begun_at: row.time("begun_at")?,
        ends_at: row.maybe_time("ends_at")?,
        ended_at: row.maybe_time("ended_at")?,
        delivery: recorded,
        heard_at: row.time("heard_at")?,
        is_changed: false,
        is_heard: false,
    })
}

pub(crate) fn open(row: &SqliteRow) -> Result<Open, StoreError> {
    let row = Columns(row);
    Ok(Open {
        id: row.word("id")?,
        workload: row.get("workload")?,
        state: row.word("state")?,
    })
}

pub(crate) fn finished(row: &SqliteRow) -> Result<Finished, StoreError> {
    let row = Columns(row);
    Ok(Finished {
        id: row.word("id")?,
        workload: row.get("workload")?,
        ended_at: row.time("updated_at")?,
    })
}

/// A delivery and its number.
pub(crate) fn numbered(row: &SqliteRow) -> Result<(i64, RecordedDelivery), StoreError> {
    Ok((Columns(row).get("seq")?, delivery(row)?))
}

/// An action and when its effect was ordered.
pub(crate) fn order(row: &SqliteRow) -> Result<(ActionId, Timestamp), StoreError> {
    let row = Columns(row);
    Ok((row.word("id")?, row.time("applied_at")?))
}

pub(crate) fn waiting(row: &SqliteRow) -> Result<Waiting, StoreError> {
    let row = Columns(row);
    Ok(Waiting {
        workload: row.get("workload")?,
        action: row.maybe_word("action")?,
        ending: row.maybe_word("ending")?,
        calls: row.get("calls")?,
        n_alerts: row.get("n_alerts")?,
        first_heard_at: row.time("first_heard_at")?,
        last_heard_at: row.time("last_heard_at")?,
    })
}

pub(crate) fn look(row: &SqliteRow) -> Result<Look, StoreError> {
    let row = Columns(row);
    Ok(Look {
        stage: row.get("stage")?,
        number: row.get("number")?,
        at: row.time("at")?,
        check: row.get("check")?,
        verdict: row.word("verdict")?,
        before: row.json("before")?,
        after: row.json("after")?,
        reason: row.get("reason")?,
    })
}

pub(crate) fn switch_turn(row: &SqliteRow) -> Result<SwitchTurn, StoreError> {
    let row = Columns(row);
    Ok(SwitchTurn {
        seq: row.get("seq")?,
        thrown: row.get("thrown")?,
        at: row.time("at")?,
        actor: row.get("actor")?,
        reason: row.get("reason")?,
    })
}
