//! Watches whether the action journal can be written, without an alert to find it out.

use crate::app::App;
use std::{sync::Arc, time::Duration};
use tracing::{error, info};

/// Time between two looks for the file, which cost next to nothing.
const LOOK_INTERVAL: Duration = Duration::from_secs(1);

/// Looks between two probes, each of which waits for the disk.
const LOOKS_PER_PROBE: u32 = 15;

/// The longest pause between two probes while the journal cannot be written.
const MAX_PAUSE: Duration = Duration::from_secs(8);

/// Looks and probes until the program stops, and tells of what changes.
pub(crate) async fn watch(app: Arc<App>) {
    let stopping = app.stopping().clone();
    stopping.run_until_cancelled(look_on(&app)).await;
}

async fn look_on(app: &App) {
    let (mut pause, mut n_looks) = (LOOK_INTERVAL, 0_u32);
    let mut told = None;
    loop {
        tokio::time::sleep(pause).await;
        n_looks = n_looks.wrapping_add(1);
        // What went wrong is kept with the journal, together with what alerts and decisions run into.
        tell(&mut told, app.journal.trouble());
        if told.is_some() || n_looks.is_multiple_of(LOOKS_PER_PROBE) {
            let _ = app.journal.probe().await;
        } else {
            let _ = app.journal.look_for_file().await;
        }
        tell(&mut told, app.journal.trouble());
        pause = match &told {
            Some(_) => (pause * 2).min(MAX_PAUSE),
            None => LOOK_INTERVAL,
        };
    }
}

/// Logs a trouble that was not told yet, and the end of one that was.
fn tell(told: &mut Option<String>, trouble: Option<String>) {
    match &trouble {
        Some(trouble) if told.as_ref() != Some(trouble) => {
            error!(
                error = trouble,
                "alerts and decisions are refused, and actions stand still"
            );
        }
        None if told.is_some() => info!("the journal can be written again"),
        _ => {}
    }
    *told = trouble;
}
