//! The program's journal, read from beside it: a file of SQLite, opened for reading alone.

use anyhow::Context as _;
use serde_json::Value;
use sqlx::{
    ConnectOptions as _, Row as _,
    sqlite::{SqliteConnectOptions, SqliteConnection, SqliteRow},
};
use std::{
    collections::HashMap,
    fmt::Write as _,
    path::{Path, PathBuf},
    time::Duration,
};

/// Time for which the program may hold the lock.
const BUSY: Duration = Duration::from_secs(5);

/// Attempts to read, since the program may be killed, or recover the file, meanwhile.
const ATTEMPTS: u32 = 20;

/// Time between two of them.
const AGAIN: Duration = Duration::from_millis(50);

/// Actors other than people.
const OWN_ACTORS: [&str; 2] = ["supervisor", "receiver"];

/// The path of the journal.
#[derive(Debug, Clone)]
pub struct Journal {
    file: PathBuf,
}

/// One action, as far as it is looked at.
#[derive(Debug, Clone, PartialEq)]
pub struct ActionRow {
    /// Its identifier.
    pub id: String,
    /// The workload that it acts on.
    pub workload: String,
    /// Its state.
    pub state: String,
    /// The stage that is under way.
    pub stage: usize,
    /// Its plan.
    pub plan: Option<Value>,
    /// The scale state before the effect.
    pub pre_image: Option<Value>,
    /// The reason of the last transition.
    pub reason: String,
}

/// A line of an action's history.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Turn {
    /// Grows with each line of the journal.
    pub seq: i64,
    /// The action.
    pub action: String,
    /// The workload that it acts on.
    pub workload: String,
    /// The state before; none at the beginning.
    pub from: Option<String>,
    /// The state that it entered.
    pub to: String,
    /// The actor.
    pub actor: String,
    /// The reason.
    pub reason: String,
}

/// One delivery, by what tells it from others.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Delivered {
    /// Which alert.
    pub fingerprint: String,
    /// Its beginning, in milliseconds since the epoch.
    pub starts_at: i64,
    /// `firing` or `resolved`.
    pub status: &'static str,
}

/// The deliveries that the journal has.
#[derive(Debug, Default)]
pub struct Kept {
    rows: HashMap<(String, String), Vec<Heard>>,
}

#[derive(Debug)]
struct Heard {
    starts_at: i64,
    heard_at: i64,
}

impl Kept {
    /// True if a delivery is there. An alert whose beginning moves is one alert: it is there if it was heard of, firing
    /// or not as it was delivered, since it began.
    pub fn has(&self, delivered: &Delivered) -> bool {
        let Delivered {
            fingerprint,
            starts_at,
            status,
        } = delivered;
        let rows = self.rows.get(&(fingerprint.clone(), (*status).to_owned()));
        let mut rows = rows.into_iter().flatten();
        rows.any(|heard| heard.starts_at == *starts_at || heard.heard_at >= *starts_at)
    }
}

/// States of actions that run.
const OPEN_STATES: [&str; 7] = [
    "proposed",
    "awaiting_approval",
    "grace",
    "applying",
    "verifying",
    "paused",
    "rolling_back",
];

impl ActionRow {
    /// True while it runs.
    pub fn is_open(&self) -> bool {
        OPEN_STATES.contains(&self.state.as_str())
    }

    /// The number that the journal lets it write at present; none outside of an effect and a rollback.
    pub fn ordered(&self) -> Option<u64> {
        match self.state.as_str() {
            "applying" => {
                let plan = self.plan.as_ref()?;
                let shape = &plan["stages"][self.stage]["shape"];
                let target = shape["replicas"].as_u64();
                target.or_else(|| plan["target"]["replicas"].as_u64())
            }
            "rolling_back" => self.pre_image.as_ref()?["replicas"].as_u64(),
            _ => None,
        }
    }
}

impl Turn {
    /// True if a person decided, and not the program.
    pub fn is_a_persons(&self) -> bool {
        !OWN_ACTORS.contains(&self.actor.as_str())
    }

    /// True if it says no, if only by silence.
    pub fn is_a_no(&self) -> bool {
        let is_silence = self.to == "expired" && self.from.as_deref() == Some("awaiting_approval");
        let is_no = matches!(self.to.as_str(), "rejected" | "rolling_back");
        is_silence || is_no && self.is_a_persons()
    }
}

impl Journal {
    /// The journal in a storage folder.
    pub fn inside(storage: &Path) -> Self {
        Self {
            file: storage.join("journal.sqlite"),
        }
    }

    /// True once the program has made the file.
    pub fn exists(&self) -> bool {
        self.file.exists()
    }

    /// All actions, oldest first.
    pub async fn actions(&self) -> anyhow::Result<Vec<ActionRow>> {
        let sql = "SELECT id, workload, state, stage, plan, pre_image, reason FROM actions \
                   ORDER BY rowid";
        self.rows(sql, "").await?.iter().map(action).collect()
    }

    /// The open actions of a workload.
    pub async fn open_actions(&self, workload: &str) -> anyhow::Result<Vec<ActionRow>> {
        let sql = "SELECT id, workload, state, stage, plan, pre_image, reason FROM actions \
                   WHERE workload = $1 AND state NOT IN ('succeeded', 'rejected', 'expired', \
                   'superseded', 'rolled_back', 'failed')";
        let rows = self.rows(sql, workload).await?;
        rows.iter().map(action).collect()
    }

    /// Lines of history after one of them, oldest first.
    pub async fn turns_after(&self, seq: i64) -> anyhow::Result<Vec<Turn>> {
        let sql = "SELECT seq, action, workload, from_state, to_state, actor, transitions.reason \
                   FROM transitions JOIN actions ON actions.id = transitions.action \
                   WHERE seq > CAST($1 AS INTEGER) ORDER BY seq";
        let rows = self.rows(sql, &seq.to_string()).await?;
        rows.iter().map(turn).collect()
    }

    /// The alerts that were taken in.
    pub async fn deliveries(&self) -> anyhow::Result<Kept> {
        let sql = "SELECT fingerprint, status, starts_at, received_at FROM deliveries";
        let mut kept = Kept::default();
        for row in self.rows(sql, "").await? {
            let (fingerprint, status) = (row.try_get("fingerprint")?, row.try_get("status")?);
            let heard = Heard {
                starts_at: row.try_get("starts_at")?,
                heard_at: row.try_get("received_at")?,
            };
            kept.rows
                .entry((fingerprint, status))
                .or_default()
                .push(heard);
        }
        Ok(kept)
    }

    /// An action's history as text, a line each.
    pub async fn history(&self, action: &str) -> anyhow::Result<String> {
        let sql = "SELECT at, from_state, to_state, actor, reason FROM transitions \
                   WHERE action = $1 ORDER BY seq";
        let mut text = String::new();
        for row in self.rows(sql, action).await? {
            let at: i64 = row.try_get("at")?;
            let at = jiff::Timestamp::from_millisecond(at)?;
            let from: Option<String> = row.try_get("from_state")?;
            let (to, actor): (String, String) = (row.try_get("to_state")?, row.try_get("actor")?);
            let reason: String = row.try_get("reason")?;
            let from = from.unwrap_or_default();
            writeln!(text, "    {at} {from} → {to} by {actor}: {reason}")?;
        }
        Ok(text)
    }

    /// Rows of a query with one argument. A file that is being recovered is tried again.
    async fn rows(&self, sql: &'static str, argument: &str) -> anyhow::Result<Vec<SqliteRow>> {
        let mut attempt = 1;
        loop {
            match self.try_rows(sql, argument).await {
                Err(_) if attempt < ATTEMPTS => {
                    attempt += 1;
                    tokio::time::sleep(AGAIN).await;
                }
                rows => {
                    return rows.with_context(|| format!("cannot read {}", self.file.display()));
                }
            }
        }
    }

    async fn try_rows(&self, sql: &'static str, argument: &str) -> sqlx::Result<Vec<SqliteRow>> {
        let options = SqliteConnectOptions::new()
            .filename(&self.file)
            .read_only(true)
            .busy_timeout(BUSY);
        let mut connection: SqliteConnection = options.connect().await?;
        let rows = match argument {
            "" => sqlx::query(sql).fetch_all(&mut connection).await,
            argument => {
                let query = sqlx::query(sql).bind(argument);
                query.fetch_all(&mut connection).await
            }
        };
        sqlx::Connection::close(connection).await?;
        rows
    }
}

fn action(row: &SqliteRow) -> anyhow::Result<ActionRow> {
    let json = |name| -> anyhow::Result<Option<Value>> {
        let text: Option<String> = row.try_get(name)?;
        Ok(text.map(|text| serde_json::from_str(&text)).transpose()?)
    };
    Ok(ActionRow {
        id: row.try_get("id")?,
        workload: row.try_get("workload")?,
        state: row.try_get("state")?,
        stage: row.try_get::<u32, _>("stage")? as usize,
        plan: json("plan")?,
        pre_image: json("pre_image")?,
        reason: row.try_get("reason")?,
    })
}

fn turn(row: &SqliteRow) -> anyhow::Result<Turn> {
    Ok(Turn {
        seq: row.try_get("seq")?,
        action: row.try_get("action")?,
        workload: row.try_get("workload")?,
        from: row.try_get("from_state")?,
        to: row.try_get("to_state")?,
        actor: row.try_get("actor")?,
        reason: row.try_get("reason")?,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn row(word: &str, stage: usize) -> ActionRow {
        let stages = json!([{"shape": {"replicas": 5}}, {"shape": {"replicas": 9}}]);
        ActionRow {
            id: "1".to_owned(),
            workload: "a".to_owned(),
            state: word.to_owned(),
            stage,
            plan: Some(json!({"target": {"replicas": 9}, "stages": stages})),
            pre_image: Some(json!({"replicas": 4})),
            reason: String::new(),
        }
    }

    #[test]
    fn an_action_may_write_its_stage_and_what_was_before_and_else_nothing() {
        assert_eq!(row("applying", 0).ordered(), Some(5));
        assert_eq!(row("applying", 1).ordered(), Some(9));
        assert_eq!(row("rolling_back", 1).ordered(), Some(4));
        assert_eq!(row("grace", 0).ordered(), None);
        assert_eq!(row("verifying", 0).ordered(), None);
    }

    #[test]
    fn an_alert_is_kept_where_it_was_heard_of_as_it_was_delivered_since_it_began() {
        let (starts_at, heard_at) = (5_000, 9_000);
        let heard = Heard {
            starts_at,
            heard_at,
        };
        let key = ("f".to_owned(), "firing".to_owned());
        let kept = Kept {
            rows: HashMap::from([(key, vec![heard])]),
        };
        let has = |fingerprint: &str, starts_at, status| {
            kept.has(&Delivered {
                fingerprint: fingerprint.to_owned(),
                starts_at,
                status,
            })
        };
        assert!(has("f", 5_000, "firing") && has("f", 2_000, "firing"));
        assert!(!has("f", 9_001, "firing"), "it began later");
        assert!(!has("f", 5_000, "resolved") && !has("g", 5_000, "firing"));
    }

    #[test]
    fn silence_and_people_say_no_and_guards_do_not() {
        let said = |from: &str, to: &str, actor: &str| {
            let turn = Turn {
                seq: 1,
                action: "1".to_owned(),
                workload: "a".to_owned(),
                from: Some(from.to_owned()),
                to: to.to_owned(),
                actor: actor.to_owned(),
                reason: String::new(),
            };
            turn.is_a_no()
        };
        assert!(said("awaiting_approval", "expired", "supervisor"));
        assert!(said("grace", "rejected", "ann"));
        assert!(said("succeeded", "rolling_back", "ann"));
        assert!(!said("grace", "rejected", "supervisor"));
        assert!(!said("verifying", "rolling_back", "supervisor"));
        assert!(!said("grace", "expired", "supervisor"));
    }
}
