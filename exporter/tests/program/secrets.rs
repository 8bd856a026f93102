//! No output repeats a password, and no text from outside moves a terminal's cursor.

use crate::world::{Foreshadow, configure};
use axum::{Json, Router, response::Redirect, routing::get};
use serde_json::json;
use std::process::Command;

/// What a command that fails says, on both outputs.
fn said(arguments: &[&str]) -> String {
    let mut command = Command::new(env!("CARGO_BIN_EXE_foreshadow"));
    let output = command.args(arguments).output().unwrap();
    assert!(!output.status.success(), "{arguments:?}");
    let all = [output.stdout, output.stderr].concat();
    String::from_utf8(all).unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn passwords_in_addresses_are_in_no_error() {
    // Leads to another address with a password, on and on.
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let host = listener.local_addr().unwrap().to_string();
    let further = format!("http://bob:s3cret@{host}/?token=s3cret");
    let leading = move || async move { Redirect::temporary(&further) };
    let router = Router::new().fallback(leading);
    tokio::spawn(async move { axum::serve(listener, router).await });

    let addresses = [
        "http://ann:s3cret@127.0.0.1:9/".to_owned(),
        format!("http://ann:s3cret@{host}/?token=s3cret"),
        "ann:s3cret@localhost:9090".to_owned(),
        "http://ann:s3cret@localhost:port/".to_owned(),
        "http://ann:s3cret@".to_owned(),
    ];
    for address in &addresses {
        let prometheus = ["--query", "up", "--prometheus.url", address];
        for command in ["forecast", "backtest"] {
            let arguments = [&[command], &prometheus[..]].concat();
            let said = tokio::task::block_in_place(|| said(&arguments));
            assert!(!said.contains("s3cret"), "{said}");
        }
        for command in [&["list"][..], &["show", "x"], &["export"]] {
            let arguments = [&["actions", "--foreshadow.url", address], command].concat();
            let said = tokio::task::block_in_place(|| said(&arguments));
            assert!(!said.contains("s3cret"), "{said}");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn text_from_outside_is_shown_and_not_obeyed() {
    const HOSTILE: &str = "no\u{1b}[1A\u{1b}[2K\r\n01  checkout  succeeded\u{202e}\u{9b}0m";
    let action = json!({ "id": "a1", "workload": HOSTILE, "state": "failed", "mode": "auto", "reason": HOSTILE,
        "transitions": [{ "at": "now", "to": "failed", "actor": HOSTILE, "reason": HOSTILE }], "looks": [] });
    let list = json!({ "status": "success", "data": [action.clone()] });
    let one = json!({ "status": "success", "data": action });
    let refusal = json!({ "status": "error", "error": HOSTILE });
    let router = Router::new()
        .route("/api/v1/actions", get(|| async { Json(list) }))
        .route("/api/v1/actions/a1", get(|| async { Json(one) }))
        .fallback(|| async { (axum::http::StatusCode::CONFLICT, Json(refusal)) });
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    tokio::spawn(async move { axum::serve(listener, router).await });

    let commands: [&[&str]; 6] = [
        &["list"],
        &["list", "--format", "json"],
        &["show", "a1"],
        &["show", "a1", "--format", "json"],
        &["show", "b2"],
        &["rollback", "a1"],
    ];
    for command in commands {
        let arguments = [&["actions", "--foreshadow.url", &url], command].concat();
        let mut run = Command::new(env!("CARGO_BIN_EXE_foreshadow"));
        let output = tokio::task::block_in_place(|| run.args(&arguments).output().unwrap());
        let said = String::from_utf8([output.stdout, output.stderr].concat()).unwrap();
        assert!(said.contains("checkout  succeeded"), "{command:?}: {said}");
        let obeyed = |c: char| (c.is_control() && c != '\n') || c == '\u{202e}';
        assert!(!said.contains(obeyed), "{command:?}: {said:?}");
        let forged = said.lines().any(|line| line.starts_with("01  checkout"));
        assert!(!forged, "{command:?}: {said}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_log_and_the_page_turn_no_text() {
    let dir = tempfile::tempdir().unwrap();
    configure(
        dir.path(),
        "http://127.0.0.1:9",
        "http://127.0.0.1:9/replicas",
    );
    let f = Foreshadow::start(dir.path(), &[]).await;
    let hostile = "to \u{202e}8 ot 4\u{2066}";
    let alert = crate::world::firing().replace(
        "\"annotations\":{}",
        &format!("\"annotations\":{{\"summary\":\"{hostile}\"}}"),
    );
    assert!(alert.contains(hostile));
    assert_eq!(f.post("/api/v1/webhook/alertmanager", alert).await.0, 200);
    let actions = f.actions().await;
    let id = actions[0]["id"].as_str().unwrap();
    for path in ["/actions", &format!("/actions/{id}")] {
        let (_, page) = f.get(path).await;
        let isolated = "<bdi>to \\u{202e}8 ot 4\\u{2066}</bdi>";
        assert!(
            page.contains(isolated) && !page.contains('\u{202e}'),
            "{page}"
        );
    }
    let (_, export) = f.get("/api/v1/actions/export").await;
    assert!(export.contains("to \\u202e8 ot 4\\u2066"), "{export}");
    let log = std::fs::read_to_string(f.process.log()).unwrap();
    assert!(!log.contains('\u{202e}'), "{log}");
}
