//! Decisions on the pages of actions, as a browser without scripts sends them, and what is told of them afterwards.

use crate::world::{Fleet, Foreshadow, answer, configure, firing, prometheus_with_past};
use reqwest::{Method, StatusCode, redirect::Policy};
use serde_json::Value;
use std::{fs, path::Path, process::Command, sync::atomic::Ordering::SeqCst};

const HOSTILE: &str = "<script>alert(1)</script>";

/// Somebody with a browser.
struct Person {
    name: &'static str,
    url: String,
    http: reqwest::Client,
}

impl Person {
    fn new(name: &'static str, f: &Foreshadow) -> Self {
        let http = reqwest::Client::builder().no_proxy();
        Self {
            name,
            url: f.url.clone(),
            http: http.redirect(Policy::none()).build().unwrap(),
        }
    }

    fn request(&self, method: Method, path: &str) -> reqwest::RequestBuilder {
        let request = self.http.request(method, format!("{}{path}", self.url));
        request.basic_auth(self.name, Some("secret"))
    }

    async fn look(&self, path: &str) -> String {
        let answer = self.request(Method::GET, path).send().await.unwrap();
        assert_eq!(answer.status(), StatusCode::OK);
        let policy = answer.headers()["content-security-policy"]
            .to_str()
            .unwrap();
        assert!(policy.starts_with("default-src 'none'"), "{policy}");
        // As a browser reads the addresses in it.
        answer.text().await.unwrap().replace("&#x2f;", "/")
    }

    /// Sends the fields of a form; the status, and the sentence or where to go from there.
    async fn send(&self, path: &str, fields: &[(&str, &str)]) -> (u16, String) {
        let origin = self.url.clone();
        self.send_from(&origin, path, fields).await
    }

    async fn send_from(&self, site: &str, path: &str, fields: &[(&str, &str)]) -> (u16, String) {
        let request = self.request(Method::POST, path).header("origin", site);
        let answer = request.form(fields).send().await.unwrap();
        let status = answer.status().as_u16();
        let location = answer.headers().get("location").cloned();
        match location {
            Some(location) => (status, location.to_str().unwrap().to_owned()),
            None => (status, answer.text().await.unwrap()),
        }
    }
}

/// The value of the first field of this name in the form that is sent to a path that ends so.
fn field(page: &str, action: &str, name: &str) -> String {
    let (_, form) = page.split_once(&format!("{action}\">")).unwrap();
    let (_, rest) = form
        .split_once(&format!("name=\"{name}\" value=\""))
        .unwrap();
    rest.split_once('"').unwrap().0.to_owned()
}

/// What the form that is sent to a path that ends so says it is about.
fn fields(page: &str, action: &str) -> Vec<(&'static str, String)> {
    let (_, form) = page.split_once(&format!("{action}\">")).unwrap();
    let (form, _) = form.split_once("</form>").unwrap();
    let names = ["token", "state", "stage", "plan"];
    names
        .map(|name| (name, field(&format!("x\">{form}"), "x", name)))
        .into()
}

fn pairs<'a>(fields: &'a [(&'static str, String)]) -> Vec<(&'static str, &'a str)> {
    fields
        .iter()
        .map(|(name, value)| (*name, &**value))
        .collect()
}

async fn world(dir: &Path) -> (Foreshadow, std::sync::Arc<Fleet>, testbed::Prometheus) {
    let prometheus = prometheus_with_past(&dir.join("prometheus")).await;
    let (fleet, address) = Fleet::start(u32::MAX, true).await;
    let file = configure(dir, prometheus.url().as_str(), &address);
    let config = fs::read_to_string(&file).unwrap();
    let config = config.replace("mode: auto", "mode: approve\n  approval: {timeout: 10m}");
    let guards = "guards: {kill_switch_file: STOP}\n";
    fs::write(&file, format!("{config}{guards}")).unwrap();
    let hash = bcrypt::hash("secret", 4).unwrap();
    let web = format!(
        "basic_auth_users: {{ann: &h '{hash}', bob: *h, am: *h}}\n\
         roles: {{operator: [ann], sender: [am]}}\n"
    );
    fs::write(dir.join("web.yml"), web).unwrap();
    let auth = "basic_auth: {username: ann, password_file: password}\n";
    fs::write(dir.join("http.yml"), auth).unwrap();
    fs::write(dir.join("password"), "secret\n").unwrap();
    let f = Foreshadow::start(dir, &["--web.config.file", "web.yml"]).await;
    (f, fleet, prometheus)
}

/// The program's own command line; what it wrote.
fn cli(dir: &Path, f: &Foreshadow, args: &[&str]) -> (bool, String) {
    let mut command = Command::new(env!("CARGO_BIN_EXE_foreshadow"));
    command.current_dir(dir).arg("actions").args(args);
    command.args(["--foreshadow.url", &f.url, "--http.config.file", "http.yml"]);
    let output = command.output().unwrap();
    let said = [output.stdout, output.stderr].concat();
    (output.status.success(), String::from_utf8(said).unwrap())
}

#[tokio::test(flavor = "multi_thread")]
async fn an_operator_decides_on_the_page_and_all_of_it_is_told_afterwards() {
    let dir = tempfile::tempdir().unwrap();
    let (f, fleet, _prometheus) = world(dir.path()).await;
    let [ann, bob, am] = ["ann", "bob", "am"].map(|name| Person::new(name, &f));
    f.until("there is a forecast", async |_| {
        let text = bob.look_at("/predictions").await;
        text.contains("load:forecast{")
    })
    .await;

    throw_and_release(dir.path(), &ann, &bob, &am).await;
    let id = approve(&f, &ann, &bob).await;
    let path = format!("/actions/{id}");
    f.until("the effect is verified", async |_| {
        ann.look(&path).await.contains(">succeeded<")
    })
    .await;
    let scaled = fleet.replicas.load(SeqCst);
    assert!(scaled > 4, "{scaled}");
    let page = ann.look(&path).await;
    assert!(page.contains("approved by ann") && page.contains("Before and after"));

    let rollback = fields(&page, &format!("{id}/rollback"));
    let rollback = pairs(&rollback);
    assert_eq!(
        bob.send(&format!("{path}/rollback"), &rollback).await.0,
        403
    );
    let sent = ann.send(&format!("{path}/rollback"), &rollback).await;
    assert_eq!(sent, (303, format!("../{id}")));
    f.until("it is rolled back", async |_| {
        ann.look(&path).await.contains(">rolled back<")
    })
    .await;
    assert_eq!(fleet.replicas.load(SeqCst), 4);
    tell(dir.path(), &f, &id);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_does_not_fit_on_the_first_page_is_on_the_second() {
    let dir = tempfile::tempdir().unwrap();
    configure(dir.path(), "http://127.0.0.1:9", "http://127.0.0.1:9/");
    let f = Foreshadow::start(dir.path(), &[]).await;
    let ann = Person::new("ann", &f);
    let home = ann.request(Method::GET, "/").send().await.unwrap();
    assert_eq!(
        (home.status().as_u16(), &home.headers()["location"]),
        (302, &"actions".parse().unwrap())
    );
    let mut ids = Vec::new();
    for nth in 0..26 {
        let alert = firing().replace("b565acbff94640dc", &format!("{nth:016x}"));
        let (_, receipt) = f.post("/api/v1/webhook/alertmanager", alert).await;
        let receipt: Value = serde_json::from_str(&receipt).unwrap();
        let id = receipt["data"]["alerts"][0]["action"]
            .as_str()
            .unwrap()
            .to_owned();
        let reject = format!("/api/v1/actions/{id}/reject");
        let sent = f
            .request(Method::POST, &reject)
            .header("content-type", "application/json");
        let (status, said) = answer(sent.body(r#"{"reason": "a drill"}"#)).await;
        assert_eq!(status, 200, "{said}");
        ids.push(id);
    }
    let first = ann.look("/actions").await;
    assert_eq!(first.matches("href=\"actions/0").count(), 25);
    let (before, _) = first.split_once("\">Older</a>").unwrap();
    let (_, older) = before.rsplit_once("href=\"").unwrap();
    let second = ann.look(&format!("/{older}")).await;
    assert_eq!(second.matches("href=\"actions/0").count(), 1);
    assert!(
        second.contains(&ids[0])
            && second.contains(">Newest</a>")
            && !second.contains(">Older</a>")
    );
}

impl Person {
    /// What a path says that is no page.
    async fn look_at(&self, path: &str) -> String {
        let answer = self.request(Method::GET, path).send().await.unwrap();
        answer.text().await.unwrap()
    }
}

/// The switch stops what an alert asks for until it is released; the viewer cannot turn it.
async fn throw_and_release(dir: &Path, ann: &Person, bob: &Person, am: &Person) {
    let switch = "/actions/kill-switch";
    let page = ann.look("/actions").await;
    let token = field(&page, "actions/kill-switch", "token");
    let throw = [
        ("token", token.as_str()),
        ("turn", "throw"),
        ("reason", "a drill"),
    ];
    let (status, said) = bob.send(switch, &throw).await;
    assert!(
        status == 403 && said.contains("bob is a viewer here"),
        "{said}"
    );
    let (status, _) = ann.send(switch, &throw[..2]).await;
    assert_eq!(status, 400, "a reason is missing");
    let (status, said) = ann.send_from("https://evil.example", switch, &throw).await;
    assert!(status == 403 && said.contains("another site"), "{said}");
    assert!(!dir.join("STOP").exists());
    assert_eq!(
        ann.send(switch, &throw).await,
        (303, "../actions".to_owned())
    );
    let metrics = bob.look_at("/metrics").await;
    assert!(metrics.contains("foreshadow_kill_switch_thrown 1\n"));
    let thrown = fs::read_to_string(dir.join("STOP")).unwrap();
    assert!(
        thrown.starts_with("ann, 20") && thrown.ends_with("Z: a drill\n"),
        "{thrown}"
    );

    let alert = firing().replace(
        "\"annotations\":{}",
        &format!("\"annotations\":{{\"summary\":\"{HOSTILE}\"}}"),
    );
    assert!(alert.contains(HOSTILE));
    let webhook = "/api/v1/webhook/alertmanager";
    let sent = am.request(Method::POST, webhook).body(alert).send().await;
    assert!(sent.unwrap().text().await.unwrap().contains("deferred"));
    let page = bob.look("/actions").await;
    assert!(page.contains("The kill switch is thrown") && page.contains("thrown by ann"));
    let release = [
        ("token", token.as_str()),
        ("turn", "release"),
        ("reason", "done"),
    ];
    assert_eq!(ann.send(switch, &release).await.0, 303);
    assert!(!dir.join("STOP").exists());
    fs::write(dir.join("STOP"), "").unwrap();
    let page = bob.look("/actions").await;
    assert!(
        page.contains("it stands all the same; here last released by ann"),
        "{page}"
    );
    fs::remove_file(dir.join("STOP")).unwrap();
}

/// The action that the page shows is approved by its form, and by nothing less.
async fn approve(f: &Foreshadow, ann: &Person, bob: &Person) -> String {
    f.until("approval is asked for", async |_| {
        ann.look("/actions").await.contains(">Approve<")
    })
    .await;
    let page = ann.look("/actions").await;
    assert!(
        !page.contains(HOSTILE) && page.contains("&lt;script&gt;"),
        "{page}"
    );
    let viewed = bob.look("/actions").await;
    assert!(!viewed.contains("method=\"post\"") && viewed.contains("awaiting approval"));
    let fresh = ann.look("/actions?refresh=10").await;
    assert!(fresh.contains("http-equiv=\"refresh\"") && !fresh.contains("type=\"text\""));

    let (before, _) = page.split_once("/approve").unwrap();
    let (_, id) = before.rsplit_once('/').unwrap();
    let seen = fields(&page, &format!("{id}/approve"));
    let seen = pairs(&seen);
    let path = format!("/actions/{id}/approve");
    let (status, said) = ann.send(&path, &seen[1..]).await;
    assert!(
        status == 403 && said.contains("load the page again"),
        "{said}"
    );
    let other = [&seen[..3], &[("plan", "0123")]].concat();
    let (status, said) = ann.send(&path, &other).await;
    assert!(
        status == 409 && said.contains("another plan by now"),
        "{said}"
    );
    // As it is sent from a page that was loaded when something else was asked.
    let stale = [&seen[..1], &[("state", "paused")], &seen[2..]].concat();
    let (status, said) = ann.send(&path, &stale).await;
    assert!(status == 409 && said.contains("has moved on"), "{said}");
    let put_in_place = format!("/actions/{id}/override");
    let too_many = [&seen[..], &[("replicas", "1000")]].concat();
    let (status, said) = ann.send(&put_in_place, &too_many).await;
    assert!(status == 409 && said.contains("this cannot be"), "{said}");
    let other = [&other[..], &[("replicas", "5")]].concat();
    let (status, said) = ann.send(&put_in_place, &other).await;
    assert!(
        status == 409 && said.contains("another plan by now"),
        "{said}"
    );
    // Whoever is second, if only by a moment, hears that it is decided.
    let (one, other) = tokio::join!(ann.send(&path, &seen), ann.send(&path, &seen));
    let (done, late) = if one.0 == 303 {
        (one, other)
    } else {
        (other, one)
    };
    assert_eq!(done, (303, format!("../{id}")));
    assert!(late.0 == 409, "{late:?}");
    id.to_owned()
}

/// The command line tells of the same, in columns and in lines.
fn tell(dir: &Path, f: &Foreshadow, id: &str) {
    let (_, listed) = cli(
        dir,
        f,
        &["list", "--workload", "checkout", "--state", "rolled_back"],
    );
    assert!(listed.contains(id), "{listed}");
    let (_, listed) = cli(dir, f, &["list", "--state", "grace", "--format", "json"]);
    assert_eq!(listed, "");
    let (_, shown) = cli(dir, f, &["show", id]);
    for words in [
        "approved by ann",
        "asked for by ann",
        "MEASURED",
        "found before  4",
    ] {
        assert!(shown.contains(words), "{words}: {shown}");
    }
    let (is_done, said) = cli(dir, f, &["override", id, "--replicas", "7"]);
    assert!(
        !is_done && said.contains("so it cannot be overridden"),
        "{said}"
    );

    let (_, exported) = cli(dir, f, &["export", "--since", "1h"]);
    let lines: Vec<Value> = exported
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    let [action, thrown, released] = &lines[..] else {
        panic!("{exported}");
    };
    assert_eq!(
        (&action["type"], &action["id"]),
        (&"action".into(), &id.into())
    );
    assert_eq!(
        action["deliveries"][0]["alert"]["annotations"]["summary"],
        HOSTILE
    );
    assert!(action["transitions"].as_array().unwrap().len() > 5);
    assert_eq!(
        (&thrown["thrown"], &thrown["actor"]),
        (&true.into(), &"ann".into())
    );
    assert_eq!(
        (&released["thrown"], &released["reason"]),
        (&false.into(), &"done".into())
    );
    let (is_done, said) = cli(dir, f, &["export", "--since", "ages"]);
    assert!(!is_done && said.contains("neither a duration"), "{said}");
}
