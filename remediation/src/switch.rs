//! The kill switch in people's hands: making the file that stops everything, and taking it away.

mod file;

use crate::{Remediation, guards::kill_switch};
use series::Timestamp;
use std::{
    io,
    path::{Path, PathBuf},
    sync::{Arc, PoisonError},
    time::Duration,
};
use store::{StoreError, SwitchTurn};

/// Time to make the file or to take it away.
const CHANGE_LIMIT: Duration = Duration::from_secs(5);

/// Where the kill switch stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KillSwitch {
    /// The configured file.
    pub file: PathBuf,
    /// Why nothing may be done; none while the switch is not thrown.
    pub stands: Option<String>,
    /// Who turned it last through this program; none where nobody ever did. Somebody else may have made or
    /// taken away the file since.
    pub last: Option<SwitchTurn>,
}

/// Why the kill switch was not turned.
#[derive(Debug, thiserror::Error)]
pub enum SwitchError {
    /// The configuration names no file.
    #[error("no kill switch is configured: name a file as guards.kill_switch_file")]
    NotConfigured,
    /// The file cannot be made or taken away.
    #[error("cannot {what} the kill switch {}", file.display())]
    File {
        /// Completes "cannot …".
        what: &'static str,
        /// The configured file.
        file: PathBuf,
        /// Why not.
        source: io::Error,
    },
    /// Somebody threw it while its release was written down, so it stays thrown.
    #[error("the kill switch was thrown again meanwhile ({0}), so it is not released")]
    ThrownAgain(String),
    /// The kill switch is thrown, and the journal does not say so.
    #[error("the kill switch is thrown and stops everything, but that could not be written down")]
    Unrecorded(#[source] StoreError),
    /// The journal cannot be written, so nothing was changed.
    #[error(transparent)]
    Journal(#[from] StoreError),
}

impl Remediation {
    /// Where the kill switch stands; none where none is configured.
    pub async fn kill_switch(&self) -> Result<Option<KillSwitch>, StoreError> {
        let current = self.current();
        let guards = &current.settings.guards;
        let Some(file) = guards.kill_switch_file.clone() else {
            return Ok(None);
        };
        Ok(Some(KillSwitch {
            file,
            stands: kill_switch(guards).await,
            last: self.journal.last_switch().await?,
        }))
    }

    /// Whether nothing may be done by now.
    pub async fn is_stopped(&self) -> bool {
        let current = self.current();
        kill_switch(&current.settings.guards).await.is_some()
    }

    /// Stops everything by making the file anew, whoever made it before. That the journal cannot be written does
    /// not hinder it: [`SwitchError::Unrecorded`] then tells that the switch is thrown all the same.
    pub async fn throw_kill_switch(
        &self,
        actor: &str,
        reason: &str,
        now: Timestamp,
    ) -> Result<(), SwitchError> {
        let file = self.kill_switch_file()?;
        let content = format!("{actor}, {}: {reason}\n", rfc3339(now));
        let make = move |file: &Path| file::make(file, &content);
        if let Err(source) = self.change(&file, make).await {
            let what = "make";
            return Err(SwitchError::File { what, file, source });
        }
        tracing::warn!(actor, reason, file = %file.display(), "kill switch thrown");
        let noted = self.journal.note_switch(true, now, actor, reason).await;
        noted.map_err(SwitchError::Unrecorded)
    }

    /// Lets things go on by taking the file away, which is written down first. A file that was made meanwhile stays.
    pub async fn release_kill_switch(
        &self,
        actor: &str,
        reason: &str,
        now: Timestamp,
    ) -> Result<(), SwitchError> {
        let file = self.kill_switch_file()?;
        let failed = |source| SwitchError::File {
            what: "take away",
            file: file.clone(),
            source,
        };
        let seen = self.change(&file, file::mark).await;
        let Some(seen) = seen.map_err(failed)? else {
            return Ok(());
        };
        self.journal.note_switch(false, now, actor, reason).await?;
        let take_away = move |file: &Path| {
            let is_gone = file::take_away(file, &seen)?;
            Ok((!is_gone).then(|| file::words(file)))
        };
        if let Some(words) = self.change(&file, take_away).await.map_err(failed)? {
            return Err(SwitchError::ThrownAgain(words));
        }
        tracing::warn!(actor, reason, file = %file.display(), "kill switch released");
        Ok(())
    }

    /// Looks at the file and changes it, one caller at a time, where that may block.
    async fn change<T: Send + 'static>(
        &self,
        file: &Path,
        change: impl FnOnce(&Path) -> io::Result<T> + Send + 'static,
    ) -> io::Result<T> {
        let (at, switch) = (file.to_owned(), Arc::clone(&self.switch));
        let changed = files::within(file, CHANGE_LIMIT, move || {
            let _turn = switch.lock().unwrap_or_else(PoisonError::into_inner);
            change(&at)
        });
        changed
            .await
            .unwrap_or_else(|hung| Err(io::Error::other(hung)))
    }

    fn kill_switch_file(&self) -> Result<PathBuf, SwitchError> {
        let current = self.current();
        let file = current.settings.guards.kill_switch_file.clone();
        file.ok_or(SwitchError::NotConfigured)
    }
}

fn rfc3339(time: Timestamp) -> String {
    let known = jiff::Timestamp::from_millisecond(time.as_millis());
    known.map_or_else(|_| time.as_millis().to_string(), |time| time.to_string())
}
