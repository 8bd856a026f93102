//! The kill switch in people's hands: making the file that stops everything, and taking it away.

use crate::{Remediation, guards::kill_switch};
use series::Timestamp;
use std::{
    fs::{self, OpenOptions},
    io::{self, Write as _},
    path::{Path, PathBuf},
};
use store::{StoreError, SwitchTurn};

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
    /// The journal cannot be read or written.
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
            stands: kill_switch(guards),
            last: self.journal.last_switch().await?,
        }))
    }

    /// Stops everything by making the file. That the journal cannot be written does not hinder it: the error
    /// then tells that the switch is thrown all the same.
    pub async fn throw_kill_switch(
        &self,
        actor: &str,
        reason: &str,
        now: Timestamp,
    ) -> Result<(), SwitchError> {
        let file = self.kill_switch_file()?;
        let is_new = make(&file, &format!("{actor}: {reason}\n"))?;
        tracing::warn!(actor, reason, file = %file.display(), "kill switch thrown");
        if is_new {
            self.journal.note_switch(true, now, actor, reason).await?;
        }
        Ok(())
    }

    /// Lets things go on by taking the file away, which is written down first.
    pub async fn release_kill_switch(
        &self,
        actor: &str,
        reason: &str,
        now: Timestamp,
    ) -> Result<(), SwitchError> {
        let file = self.kill_switch_file()?;
        if matches!(file.try_exists(), Ok(false)) {
            return Ok(());
        }
        self.journal.note_switch(false, now, actor, reason).await?;
        match fs::remove_file(&file) {
            Err(source) if source.kind() != io::ErrorKind::NotFound => Err(SwitchError::File {
                what: "take away",
                file,
                source,
            }),
            _ => {
                tracing::warn!(actor, reason, file = %file.display(), "kill switch released");
                Ok(())
            }
        }
    }

    fn kill_switch_file(&self) -> Result<PathBuf, SwitchError> {
        let current = self.current();
        let file = current.settings.guards.kill_switch_file.clone();
        file.ok_or(SwitchError::NotConfigured)
    }
}

/// Makes the file; false where it was there already, whose content stays.
fn make(file: &Path, content: &str) -> Result<bool, SwitchError> {
    let made = OpenOptions::new().write(true).create_new(true).open(file);
    match made {
        Ok(mut made) => {
            // The file stops everything whatever it says, so a full disk is no reason to complain.
            let _ = made.write_all(content.as_bytes());
            Ok(true)
        }
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Ok(false),
        Err(source) => Err(SwitchError::File {
            what: "make",
            file: file.to_owned(),
            source,
        }),
    }
}
