//! Alerts that fire and are not being acted upon: what the API, the page and the command line tell of them.

use crate::world::{Foreshadow, configure, firing};
use axum::{Json, Router, routing::get};
use serde_json::{Value, json};
use std::{fs, path::Path, process::Command};

const WEBHOOK: &str = "/api/v1/webhook/alertmanager";
const TITLE: &str = "Firing, not acted upon";

/// Nothing listens here.
const NOWHERE: &str = "http://127.0.0.1:9/";

/// The kill switch, by a name that a page must not take for its own.
const SWITCH: &str = "STOP<b>";

/// Runs `foreshadow actions`; whether it succeeded, and what it wrote.
fn actions(url: &str, args: &[&str]) -> (bool, String) {
    let mut command = Command::new(env!("CARGO_BIN_EXE_foreshadow"));
    let command = command.env("FORESHADOW_URL", url).arg("actions").args(args);
    let output = command.output().unwrap();
    let said = [output.stdout, output.stderr].concat();
    (output.status.success(), String::from_utf8(said).unwrap())
}

async fn unattended(f: &Foreshadow) -> Vec<Value> {
    let (status, body) = f.get("/api/v1/unattended").await;
    assert_eq!(status, 200, "{body}");
    let answer: Value = serde_json::from_str(&body).unwrap();
    assert_eq!(answer["status"], "success");
    answer["data"].as_array().unwrap().clone()
}

/// The program with a thrown kill switch and two alerts about its workload.
async fn stopped(dir: &Path) -> Foreshadow {
    let file = configure(dir, NOWHERE, NOWHERE);
    let config = fs::read_to_string(&file).unwrap();
    let guards = format!("guards: {{kill_switch_file: {SWITCH}}}\n");
    fs::write(file, config + &guards).unwrap();
    fs::write(dir.join(SWITCH), "").unwrap();
    let f = Foreshadow::start(dir, &[]).await;
    let (_, body) = f.get("/api/v1/unattended").await;
    assert_eq!(body, r#"{"data":[],"status":"success"}"#);
    let other = firing().replace("b565acbff94640dc", "b565acbff94640dd");
    for alert in [firing(), other] {
        let (status, said) = f.post(WEBHOOK, alert).await;
        assert!(status == 200 && said.contains("deferred"), "{said}");
    }
    f
}

#[tokio::test(flavor = "multi_thread")]
async fn a_deferred_alert_is_told_of_until_an_action_comes_about() {
    let dir = tempfile::tempdir().unwrap();
    let f = stopped(dir.path()).await;
    f.until("both alerts are told of", async |f| {
        let found = unattended(f).await;
        found.first().is_some_and(|one| one["alerts"] == 2)
    })
    .await;
    let found = unattended(&f).await;
    let [one] = &found[..] else {
        panic!("{found:?}");
    };
    let since = one["since"].as_str().unwrap();
    assert!(since.starts_with("20") && since.ends_with('Z'), "{since}");
    let expect = json!({
        "workload": "checkout", "reason": "kill_switch", "why": "the kill switch STOP<b> is there", "alerts": 2,
        "since": since, "again_at": null, "missing": 0, "action": null,
    });
    assert_eq!(*one, expect);
    assert!(f.actions().await.is_empty());
    let (status, said) = f.get("/api/v1/unattended?limit=1").await;
    assert!(status == 400 && said.contains("limit"), "{said}");
    on_the_page(&f).await;
    in_the_terminal(&f.url, one);

    fs::remove_file(dir.path().join(SWITCH)).unwrap();
    f.until("an action comes about", async |f| {
        !f.actions().await.is_empty() && unattended(f).await.is_empty()
    })
    .await;
    assert!(!f.get("/actions").await.1.contains(TITLE));
    let (_, listed) = actions(&f.url, &["list"]);
    assert!(
        listed.contains("checkout") && !listed.contains(TITLE),
        "{listed}"
    );
}

async fn on_the_page(f: &Foreshadow) {
    let (_, page) = f.get("/actions").await;
    let (_, section) = page.split_once(TITLE).unwrap();
    let (section, _) = section.split_once("</table>").unwrap();
    for part in [
        "<bdi>checkout</bdi>",
        ">2 alerts<",
        ">kill switch<",
        ">again when the kill switch is released<",
        "<bdi>the kill switch STOP&lt;b&gt; is there</bdi>",
    ] {
        assert!(section.contains(part), "no {part}\n{section}");
    }
    let shows = async |query: &str| f.get(&format!("/actions{query}")).await.1.contains(TITLE);
    assert!(shows("?workload=checkout&refresh=10").await);
    for other in ["?workload=cart", "?state=failed"] {
        assert!(!shows(other).await, "{other}");
    }
}

fn in_the_terminal(url: &str, one: &Value) {
    let row = format!(
        "checkout       2  {}  -      kill_switch  the kill switch STOP<b> is there\n",
        one["since"].as_str().unwrap()
    );
    let (is_done, listed) = actions(url, &["list"]);
    assert!(is_done && listed.starts_with("ID "), "{listed}");
    let (_, below) = listed.split_once("\n\nFiring, not acted upon\n").unwrap();
    assert!(
        below.starts_with("WORKLOAD  ALERTS  SINCE") && below.ends_with(&row),
        "{below}"
    );
    assert_eq!(actions(url, &["unattended"]), (true, below.to_owned()));
    let (_, line) = actions(url, &["unattended", "--format", "json"]);
    assert_eq!(serde_json::from_str::<Value>(&line).unwrap(), *one);
    assert_eq!(
        actions(url, &["list", "--format", "json"]),
        (true, String::new())
    );
    let (_, listed) = actions(url, &["list", "--state", "failed"]);
    assert!(!listed.contains(TITLE), "{listed}");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_older_server_lists_its_actions_all_the_same() {
    let answer = json!({"status": "success", "data": [{"id": "a1", "workload": "checkout"}]});
    let listed = get(move || async { Json(answer) });
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let router = Router::new().route("/api/v1/actions", listed);
    tokio::spawn(async move { axum::serve(listener, router).await });

    let (is_done, said) = actions(&url, &["list"]);
    assert!(
        is_done && said.contains("a1") && !said.contains(TITLE),
        "{said}"
    );
    let (is_done, said) = actions(&url, &["unattended"]);
    assert!(
        !is_done && said.contains("the server has no /api/v1/unattended"),
        "{said}"
    );
}
