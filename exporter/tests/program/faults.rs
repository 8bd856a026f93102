//! Whatever Prometheus does wrong is told in the log and in a metric, and the rules beside go on.

use crate::world::Foreshadow;
use axum::{
    Router,
    extract::{RawForm, State},
    http::StatusCode,
    response::{IntoResponse, Response},
    routing::post,
};
use std::{
    collections::HashMap,
    fs,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering::SeqCst},
    },
};

/// What each expression is answered with, and the reason that is counted for it.
const FAULTS: [(&str, &str); 7] = [
    ("slow", "timeout"),
    ("refused", "rejected"),
    ("broken", "server_error"),
    ("html", "malformed"),
    ("cut", "malformed"),
    ("flood", "too_many_series"),
    ("partial", "partial"),
];

const CONFIG: &str = "prometheus: {url: URL, timeout: 500ms}\nrule_files: [rules.yml]\n";

fn rules() -> String {
    let faults = FAULTS.map(|(expr, _)| format!("  - {{forecast: {expr}, expr: {expr}}}\n"));
    format!(
        "groups:\n- name: g\n  interval: 2s\n  limit: 50\n  rules:\n{}  \
         - {{forecast: young, expr: young}}\n  - {{record: good, expr: good}}\n  \
         - {{record: nothing, expr: nothing}}\n",
        faults.concat()
    )
}

/// Answers by the expression that it is asked for; `good` may fail as well.
async fn answer(State(all_fail): State<Arc<AtomicBool>>, RawForm(form): RawForm) -> Response {
    let form: HashMap<_, _> = url::form_urlencoded::parse(&form).into_owned().collect();
    let is_range = form.contains_key("end");
    let at = form.get("end").unwrap_or_else(|| &form["time"]);
    let sample = if is_range {
        format!(r#""values":[[{at},"1"]]"#)
    } else {
        format!(r#""value":[{at},"1"]"#)
    };
    let one = |n: usize| format!(r#"{{"metric":{{"n":"{n}"}},{sample}}}"#);
    let kind = if is_range { "matrix" } else { "vector" };
    let all = |n: usize| (0..n).map(one).collect::<Vec<_>>().join(",");
    let body = |n: usize| {
        let data = format!(r#"{{"resultType":"{kind}","result":[{}]}}"#, all(n));
        format!(r#"{{"status":"success","data":{data},"warnings":[]}}"#)
    };
    match form["query"].as_str() {
        _ if all_fail.load(SeqCst) => StatusCode::INTERNAL_SERVER_ERROR.into_response(),
        "slow" => std::future::pending().await,
        "refused" => (StatusCode::UNPROCESSABLE_ENTITY, "too many samples").into_response(),
        "broken" => (StatusCode::BAD_GATEWAY, "no upstream").into_response(),
        "html" => "<html>log in first</html>".into_response(),
        "cut" => body(3)[..90].to_owned().into_response(),
        "nothing" => body(0).into_response(),
        "flood" => body(50_000).into_response(),
        "partial" => body(1)
            .replace("[]}", r#"["remote read failed"]}"#)
            .into_response(),
        _ => body(1).into_response(),
    }
}

async fn serve() -> (String, Arc<AtomicBool>) {
    let all_fail = Arc::new(AtomicBool::new(false));
    let router = Router::new()
        .route("/api/v1/query", post(answer))
        .route("/api/v1/query_range", post(answer))
        .with_state(Arc::clone(&all_fail));
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    tokio::spawn(async move { axum::serve(listener, router).await });
    (url, all_fail)
}

/// Whether a failure of the rule is counted for the reason.
fn is_counted(metrics: &str, (rule, reason): (&str, &str)) -> bool {
    let labels = format!(r#"{{group="g",reason="{reason}",rule="{rule}"}} "#);
    let line = metrics.lines().find(|line| line.contains(&labels));
    line.is_some_and(|line| !line.ends_with(" 0"))
}

#[tokio::test(flavor = "multi_thread")]
async fn every_fault_is_counted_and_logged_and_the_rule_beside_goes_on() {
    let dir = tempfile::tempdir().unwrap();
    let (url, all_fail) = serve().await;
    let config = CONFIG.replace("URL", &url);
    fs::write(dir.path().join("foreshadow.yml"), config).unwrap();
    fs::write(dir.path().join("rules.yml"), rules()).unwrap();
    let f = Foreshadow::start(dir.path(), &[]).await;
    let unfitted = r#"foreshadow_rule_unfitted_series{group="g",rule="young"} 1"#;
    f.until("all faults are counted", async |f| {
        let (_, metrics) = f.get("/metrics").await;
        let all = FAULTS.iter().all(|fault| is_counted(&metrics, *fault));
        all && metrics.contains(unfitted)
    })
    .await;
    let served = "# HELP good Recorded by a rule.\n# TYPE good gauge\ngood{instance=\"\",job=\"\",n=\"0\"} 1\n";
    f.until("the good rule is served, and no other", async |f| {
        f.get("/predictions").await == (200, served.to_owned())
    })
    .await;
    let log = fs::read_to_string(f.process.log()).unwrap();
    for (rule, reason) in FAULTS {
        let told = format!("rule={rule} reason={reason} ");
        assert!(log.contains(&told), "no {told} in\n{log}");
    }
    assert!(log.contains("rule=young series=1 unfitted=1"), "{log}");
    let nothing = log
        .matches("matches nothing\" group=g rule=nothing")
        .count();
    assert_eq!(nothing, 1, "once, not each time: {log}");

    all_fail.store(true, SeqCst);
    f.until("nothing old is served", async |f| {
        f.get("/predictions").await == (200, String::new())
    })
    .await;
}
