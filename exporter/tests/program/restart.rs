//! What the models have learned outlives the program, however it ends.

use crate::world::{Foreshadow, PATIENCE};
use axum::{
    Router,
    extract::{RawForm, State},
    routing::post,
};
use std::{
    collections::HashMap,
    fmt::Write as _,
    fs,
    os::unix::fs::PermissionsExt as _,
    path::{Path, PathBuf},
    process::Command,
    sync::{Arc, Mutex},
};

/// Where each range that was asked for begins and ends, in seconds.
#[derive(Clone, Default)]
struct Asked(Arc<Mutex<Vec<(i64, i64)>>>);

impl Asked {
    /// Serves one series with a daily season, for ever.
    async fn serve(&self) -> String {
        let router = Router::new()
            .route("/api/v1/query", post(answer))
            .route("/api/v1/query_range", post(answer))
            .with_state(self.clone());
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        tokio::spawn(async move { axum::serve(listener, router).await });
        url
    }

    fn take(&self) -> Vec<(i64, i64)> {
        std::mem::take(&mut self.0.lock().unwrap())
    }
}

async fn answer(State(asked): State<Asked>, RawForm(form): RawForm) -> String {
    let form: HashMap<_, _> = url::form_urlencoded::parse(&form).into_owned().collect();
    #[expect(clippy::cast_possible_truncation, reason = "whole seconds of our time")]
    let time = |key: &str| {
        form.get(key)
            .map(|text| text.parse::<f64>().unwrap() as i64)
    };
    let (kind, samples) = if let (Some(start), Some(end)) = (time("start"), time("end")) {
        asked.0.lock().unwrap().push((start, end));
        let times = (start..=end).step_by(60);
        let samples: Vec<_> = times.map(|at| format!("[{at},\"{}\"]", load(at))).collect();
        ("matrix", format!("\"values\":[{}]", samples.join(",")))
    } else {
        let at = time("time").unwrap();
        ("vector", format!("\"value\":[{at},\"{}\"]", load(at)))
    };
    let series = format!(r#"{{"metric":{{"app":"shop"}},{samples}}}"#);
    format!(r#"{{"status":"success","data":{{"resultType":"{kind}","result":[{series}]}}}}"#)
}

fn load(at: i64) -> f64 {
    let phase = at as f64 / 86_400.0 * std::f64::consts::TAU;
    100.0 + 20.0 * phase.sin() + (at / 60 % 7) as f64
}

fn configure(dir: &Path, prometheus: &str) {
    let mut rules = String::from("groups:\n- name: g\n  interval: 1s\n  rules:\n");
    for name in ["load", "load:again"] {
        writeln!(
            rules,
            "  - {{forecast: '{name}', expr: load, history: 1d, horizons: [5m, 1h]}}"
        )
        .unwrap();
    }
    fs::write(dir.join("rules.yml"), rules).unwrap();
    let config = format!(
        "prometheus: {{url: '{prometheus}'}}\nrule_files: [rules.yml]\nstorage: {{save_interval: 10s}}\n"
    );
    fs::write(dir.join("foreshadow.yml"), config).unwrap();
}

async fn until_foreseen(f: &Foreshadow) {
    f.until("there are forecasts", async |f| {
        f.get("/predictions")
            .await
            .1
            .contains("load:again:forecast{")
    })
    .await;
}

/// The files of saved models.
fn saved(dir: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(dir.join("data/models")).unwrap();
    let mut files: Vec<_> = entries.map(|entry| entry.unwrap().path()).collect();
    files.retain(|file| file.extension().is_some_and(|e| e == "state"));
    files.sort();
    files
}

fn log(f: &Foreshadow) -> String {
    fs::read_to_string(f.process.log()).unwrap()
}

/// Starts again, and sees that both rules go on without asking for anything from before `end`.
async fn goes_on(dir: &Path, asked: &Asked, end: i64) -> Foreshadow {
    asked.take();
    let f = Foreshadow::start(dir, &[]).await;
    until_foreseen(&f).await;
    let ranges = asked.take();
    assert!(ranges.len() >= 2, "{ranges:?}");
    assert!(
        ranges.iter().all(|(start, _)| *start >= end),
        "{ranges:?}, saved at {end}"
    );
    let restored = f.metric("foreshadow_state_series_restored").await;
    assert_eq!(restored, Some(1.0), "{}", log(&f));
    assert!(
        log(&f).contains("models go on from where they were saved\" rule=load series=1"),
        "{}",
        log(&f)
    );
    f
}

/// The last step that anything was asked for.
fn last_end(asked: &Asked) -> i64 {
    asked.take().iter().map(|(_, end)| *end).max().unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_restart_goes_on_where_the_program_ended() {
    let dir = tempfile::tempdir().unwrap();
    let asked = Asked::default();
    configure(dir.path(), &asked.serve().await);
    let mut f = Foreshadow::start(dir.path(), &[]).await;
    until_foreseen(&f).await;
    f.process.terminate(PATIENCE).await.unwrap();
    let files = saved(dir.path());
    assert_eq!(files.len(), 2, "{files:?}");
    for file in &files {
        let mode = fs::metadata(file).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
    }
    goes_on(dir.path(), &asked, last_end(&asked)).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_program_that_is_killed_goes_on_from_its_last_save() {
    let dir = tempfile::tempdir().unwrap();
    let asked = Asked::default();
    configure(dir.path(), &asked.serve().await);
    let mut f = Foreshadow::start(dir.path(), &[]).await;
    until_foreseen(&f).await;
    let first_end = last_end(&asked);
    f.until("models are saved", async |f| {
        f.metric("foreshadow_state_size_bytes").await > Some(1_000.0)
    })
    .await;
    let time = f.metric("foreshadow_state_last_save_success_timestamp_seconds");
    assert!(time.await.unwrap() > first_end as f64);

    // Another program on the same folder is refused.
    let mut other = Command::new(env!("CARGO_BIN_EXE_foreshadow"));
    other.args(["serve", "--web.listen-address=127.0.0.1:0", "--config.file"]);
    let other = other
        .arg(dir.path().join("foreshadow.yml"))
        .output()
        .unwrap();
    let told = String::from_utf8_lossy(&other.stderr);
    let is_refused = told.contains("another program works with this `storage.path`");
    assert!(is_refused && other.status.code() == Some(1), "{told}");

    f.process.kill().await.unwrap();
    goes_on(dir.path(), &asked, first_end).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn damaged_files_are_refused_and_rebuilt_and_stray_ones_removed() {
    let dir = tempfile::tempdir().unwrap();
    let asked = Asked::default();
    configure(dir.path(), &asked.serve().await);
    let mut f = Foreshadow::start(dir.path(), &[]).await;
    until_foreseen(&f).await;
    f.process.terminate(PATIENCE).await.unwrap();

    let files = saved(dir.path());
    let mut bytes = fs::read(&files[1]).unwrap();
    let stray = dir.path().join("data/models/gone-0000000000000000.state");
    let foreign = dir.path().join("data/models/notes.state");
    fs::write(&stray, &bytes).unwrap();
    fs::write(&foreign, "not ours").unwrap();
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    fs::write(&files[1], &bytes).unwrap();

    asked.take();
    let mut f = Foreshadow::start(dir.path(), &[]).await;
    until_foreseen(&f).await;
    let ranges = asked.take();
    assert!(
        ranges.iter().any(|(start, end)| end - start > 80_000),
        "{ranges:?}"
    );
    let (_, metrics) = f.get("/metrics").await;
    let refused = r#"foreshadow_state_refused_total{reason="damaged"} 1"#;
    assert!(metrics.contains(refused), "{metrics}");
    f.process.terminate(PATIENCE).await.unwrap();
    let told = log(&f);
    let warning = format!(
        "file={} error=\"1 of its series are damaged\"",
        files[1].display()
    );
    let relative = warning.replace(&format!("{}/", dir.path().display()), "");
    assert!(
        told.contains(&warning) || told.contains(&relative),
        "{told}"
    );
    assert!(!stray.exists() && foreign.exists());
}

#[tokio::test(flavor = "multi_thread")]
async fn models_that_cannot_be_saved_stop_nothing() {
    let dir = tempfile::tempdir().unwrap();
    let asked = Asked::default();
    configure(dir.path(), &asked.serve().await);
    fs::create_dir(dir.path().join("data")).unwrap();
    fs::write(dir.path().join("data/models"), "in the way").unwrap();
    let mut f = Foreshadow::start(dir.path(), &[]).await;
    until_foreseen(&f).await;
    f.until("the failure is counted", async |f| {
        f.metric("foreshadow_state_save_failures_total").await == Some(1.0)
    })
    .await;
    assert!(f.get("/predictions").await.1.contains("load:forecast{"));
    f.process.terminate(PATIENCE).await.unwrap();
    let told = log(&f);
    let failures = told.matches("level=error").count();
    assert_eq!(failures, 2, "one each save: {told}");
    assert!(
        told.contains("models could not be saved") && told.contains("msg=stopped"),
        "{told}"
    );
}
