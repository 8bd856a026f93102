//! Series with names of any letters, and those that are no numbers, among ordinary ones: what Prometheus servers of
//! both generations see of their forecasts.

use crate::world::{Foreshadow, PATIENCE, now};
use axum::{Json, Router, routing::post};
use serde_json::{Value, json};
use std::{collections::HashMap, fs, path::Path};
use testbed::{Prometheus, http_client, prometheus_versions};
use tokio::time::{Instant, sleep};

/// What the stand-in for a source has at each time: labels of floats, and those of native histograms.
fn labels() -> [Value; 4] {
    [
        json!({"__name__": "load", "service": "checkout"}),
        json!({"__name__": "load", "service": "pay", "http.route": "/x", "größe": "1"}),
        // Comes to the labels of the one above once they are escaped.
        json!({"__name__": "load", "service": "pay", "http_route": "/x", "größe": "1"}),
        json!({"__name__": "load", "service": "cart", "http.route": "/y", "http_route": "/z"}),
    ]
}

fn value(at: f64) -> String {
    (100.0 + 10.0 * (at / 600.0).sin()).to_string()
}

fn form(body: &str) -> HashMap<String, String> {
    let pairs = url::form_urlencoded::parse(body.as_bytes());
    pairs.into_owned().collect()
}

async fn instant(body: String) -> Json<Value> {
    let form = form(&body);
    let time: f64 = form["time"].parse().unwrap();
    let floats = labels().map(|metric| json!({"metric": metric, "value": [time, value(time)]}));
    let histogram = json!({"metric": {"service": "histogram"}, "histogram": [time, {"count": "5", "sum": "2"}]});
    let result: Vec<_> = floats.into_iter().chain([histogram]).collect();
    Json(json!({"status": "success", "data": {"resultType": "vector", "result": result}}))
}

async fn range(body: String) -> Json<Value> {
    let form = form(&body);
    let [start, end, step] = ["start", "end", "step"].map(|key| form[key].parse::<f64>().unwrap());
    let times =
        std::iter::successors(Some(start), |at| Some(at + step)).take_while(|at| *at <= end);
    let values: Vec<_> = times.map(|at| json!([at, value(at)])).collect();
    let floats = labels().map(|metric| json!({"metric": metric, "values": values}));
    let histogram = json!({"metric": {"service": "histogram"}, "histograms": [[end, {"count": "5", "sum": "2"}]]});
    let result: Vec<_> = floats.into_iter().chain([histogram]).collect();
    Json(json!({"status": "success", "data": {"resultType": "matrix", "result": result}}))
}

/// A source, and the program with two rules on it.
async fn foreshadow(dir: &Path) -> Foreshadow {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let source = listener.local_addr().unwrap();
    let router = Router::new()
        .route("/api/v1/query", post(instant))
        .route("/api/v1/query_range", post(range));
    tokio::spawn(async move { axum::serve(listener, router).await });
    let rule = "expr: load, step: 1m, history: 2h, horizons: [5m], quantiles: [0.5]";
    let rules = format!(
        "groups:\n- {{name: g, interval: 10s, rules: [{{forecast: load, {rule}}}, {{forecast: http.load, {rule}}}]}}\n"
    );
    fs::write(dir.join("rules.yml"), rules).unwrap();
    let config = format!(
        "prometheus: {{url: 'http://{source}'}}\nrule_files: [rules.yml]\nstorage: {{path: data}}\n"
    );
    fs::write(dir.join("foreshadow.yml"), config).unwrap();
    let f = Foreshadow::start(dir, &[]).await;
    f.until("all is forecast", async |f| {
        let (_, text) = scrape(f, "").await;
        text.contains("load:forecast{") && text.contains("http_load:forecast{")
    })
    .await;
    f
}

/// The content type and the lines of forecasts, sorted.
async fn scrape(f: &Foreshadow, accept: &str) -> (String, String) {
    let request = f.request(reqwest::Method::GET, "/predictions");
    let response = request.header("accept", accept).send().await.unwrap();
    let content_type = response.headers()["content-type"]
        .to_str()
        .unwrap()
        .to_owned();
    let body = response.text().await.unwrap();
    let lines = body.lines().filter(|line| line.contains("load:forecast"));
    let series = lines.filter_map(|line| Some(line.rsplit_once(' ')?.0));
    let series = series.filter(|line| !line.starts_with('#'));
    (content_type, series.collect::<Vec<_>>().join("\n"))
}

#[tokio::test(flavor = "multi_thread")]
async fn names_are_escaped_as_they_were_asked_for_and_no_series_takes_others_with_it() {
    let dir = tempfile::tempdir().unwrap();
    let f = foreshadow(dir.path()).await;

    let (content_type, text) = scrape(&f, "text/plain;version=1.0.0;escaping=allow-utf-8").await;
    assert_eq!(
        content_type,
        "text/plain; version=1.0.0; charset=utf-8; escaping=allow-utf-8"
    );
    assert_eq!(text.lines().count(), 2 * 4, "{text}");
    let own = r#"horizon="5m","http.route"="/x",instance="",job="",quantile="0.5",service="pay"} "#;
    let own = own.trim_end();
    for head in [r"load:forecast{", r#"{"http.load:forecast","#] {
        let line = text
            .lines()
            .find(|line| line.starts_with(head) && line.contains(r#""http.route"="/x""#));
        let line = line
            .unwrap_or_else(|| panic!("{text}"))
            .replace(r#""größe"="1","#, "");
        assert_eq!(line, format!("{head}{own}"));
    }

    // Two series collide with one another, and a fourth has two labels of one name.
    let (content_type, text) = scrape(&f, "").await;
    assert_eq!(
        content_type,
        "text/plain; version=0.0.4; charset=utf-8; escaping=underscores"
    );
    assert_eq!(text.lines().count(), 2 * 2, "{text}");
    let both = r#"{gr__e="1",horizon="5m",http_route="/x",instance="",job="",quantile="0.5",service="pay"}"#;
    assert!(
        text.contains(&format!("\nhttp_load:forecast{both}"))
            || text.starts_with("http_load:forecast"),
        "{text}"
    );
    assert!(text.contains(both), "{text}");
    let left_out = r#"foreshadow_predictions_left_out_series{escaping="underscores"}"#;
    let (_, metrics) = f.get("/metrics").await;
    assert!(
        metrics
            .lines()
            .any(|line| line.starts_with(left_out) && !line.ends_with(" 0")),
        "{metrics}"
    );

    for (accept, expect) in [
        ("text/plain;escaping=dots", r#"http_dot_route="/x""#),
        ("text/plain;escaping=values", r#"U__http_2e_route="/x""#),
        ("text/plain;escaping=values", "U__http_2e_load:forecast{"),
        ("text/plain;escaping=dots", "http_dot_load:forecast{"),
    ] {
        let (_, text) = scrape(&f, accept).await;
        assert!(text.contains(expect), "{accept}: {text}");
        assert_eq!(text.lines().count(), 2 * 4, "{text}");
    }

    // The histogram is counted and told, and nothing else is missing.
    let counted = r#"foreshadow_rule_left_out_series{group="g",rule="load"} 1"#;
    assert!(metrics.contains(counted), "{metrics}");
    let log = fs::read_to_string(f.process.log()).unwrap();
    assert!(
        log.contains("series that cannot be forecast are left out"),
        "{log}"
    );
    assert!(log.contains("no float samples"), "{log}");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_query_api_takes_names_in_quotes_and_escaped_in_paths() {
    let dir = tempfile::tempdir().unwrap();
    let f = foreshadow(dir.path()).await;
    let ask = async |path: &str, query: &[(&str, &str)]| {
        let request = f.request(reqwest::Method::GET, &format!("/api/v1/{path}"));
        let response = request.query(query).send().await.unwrap();
        response.json::<Value>().await.unwrap()
    };
    let selector = r#"{"http.load:forecast", "http.route"=~`/[^[y]`}"#;
    let found = ask("query", &[("query", selector)]).await;
    let metric = &found["data"]["result"][0]["metric"];
    assert_eq!(metric["http.route"], "/x", "{found}");
    // Labels are those of the input, and none of a target.
    assert_eq!(
        (&metric["instance"], &metric["job"]),
        (&Value::Null, &Value::Null)
    );
    for path in ["label/U__http_2e_route/values", "label/http.route/values"] {
        let values = ask(path, &[]).await;
        assert_eq!(values["data"], json!(["/x", "/y"]), "{path}");
    }
    let series = ask("series", &[("match[]", selector)]).await;
    assert_eq!(series["data"].as_array().unwrap().len(), 1, "{series}");
}

#[tokio::test(flavor = "multi_thread")]
async fn every_prometheus_scrapes_all_of_it_and_adds_no_label_of_its_target() {
    let dir = tempfile::tempdir().unwrap();
    let f = foreshadow(dir.path()).await;
    let address = f.url.trim_start_matches("http://");
    let (versions, missing) = prometheus_versions().await.unwrap();
    for version in &versions {
        let config = format!(
            "global: {{scrape_interval: 1s}}\nscrape_configs:\n- {{job_name: predictions, honor_labels: true, \
             metrics_path: /predictions, static_configs: [{{targets: ['{address}']}}]}}\n"
        );
        let home = dir.path().join(&version.number);
        let prometheus = Prometheus::start_as(&version.program, &home, &config, &[])
            .await
            .unwrap();
        let is_3 = version.is_at_least(3, 0);
        let (query, n_series, route) = if is_3 {
            (r#"{"http.load:forecast"}"#, 4, "http.route")
        } else {
            ("http_load:forecast", 2, "http_route")
        };
        let found = until(&prometheus, query, n_series).await;
        let routes = found.iter().filter(|metric| metric[route] == "/x");
        assert_eq!(routes.count(), 1, "{}: {found:?}", version.number);
        for metric in &found {
            let of_target = (&metric["instance"], &metric["job"]);
            assert_eq!(
                of_target,
                (&Value::Null, &Value::Null),
                "{}",
                version.number
            );
        }
        // So a ratio against the source needs to ignore nothing but what the forecast adds.
        let ratio = r#"load:forecast{service="checkout"} / ignoring (quantile, horizon) label_replace(vector(100), "service", "checkout", "", "")"#;
        until(&prometheus, ratio, 1).await;
        until(&prometheus, r#"up{job="predictions"} == 1"#, 1).await;
    }
    for sentence in missing {
        println!("Not tested: {sentence}.");
    }
}

/// Asks until there are so many series, and returns their labels.
async fn until(prometheus: &Prometheus, query: &str, n_series: usize) -> Vec<Value> {
    let http = http_client(PATIENCE).unwrap();
    let deadline = Instant::now() + PATIENCE;
    loop {
        let url = format!("{}api/v1/query", prometheus.url());
        let time = now().as_seconds_f64().to_string();
        let answer = http.post(url).form(&[("query", query), ("time", &time)]);
        let answer: Value = answer.send().await.unwrap().json().await.unwrap();
        let result = answer["data"]["result"].as_array();
        if let Some(series) = result.filter(|series| series.len() == n_series) {
            return series.iter().map(|one| one["metric"].clone()).collect();
        }
        assert!(Instant::now() < deadline, "{query}: {answer}");
        sleep(std::time::Duration::from_millis(200)).await;
    }
}
