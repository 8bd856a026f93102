//! A series that ends is gone from Prometheus at once, not after the five minutes of its look-back.

use crate::world::{Foreshadow, PATIENCE, now};
use axum::{Router, extract::State, routing::get};
use serde_json::Value;
use std::{
    fmt::Write as _,
    fs,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering::SeqCst},
    },
    time::Duration,
};
use testbed::{Prometheus, create_blocks, http_client};
use tokio::time::{Instant, sleep};

/// Well below the look-back: a scrape, an evaluation and another scrape, each every second, on a busy machine.
const AT_ONCE: Duration = Duration::from_mins(1);

/// Two instances, of which one may leave.
async fn scrape(State(has_left): State<Arc<AtomicBool>>) -> String {
    let leaver = if has_left.load(SeqCst) {
        ""
    } else {
        "load{app=\"leaves\"} 7\n"
    };
    format!("# TYPE load gauge\nload{{app=\"stays\"}} 5\n{leaver}")
}

/// The apps that a query gives something for.
async fn apps(prometheus: &Prometheus, http: &reqwest::Client, query: &str) -> Vec<String> {
    let url = format!("{}api/v1/query", prometheus.url());
    let answer: Value = http
        .get(url)
        .query(&[("query", query)])
        .send()
        .await
        .unwrap()
        .json()
        .await
        .unwrap();
    let series = answer["data"]["result"].as_array().unwrap().iter();
    let mut apps: Vec<_> = series
        .map(|one| one["metric"]["app"].as_str().unwrap().to_owned())
        .collect();
    apps.sort();
    apps
}

async fn until(prometheus: &Prometheus, query: &str, expect: &[&str], patience: Duration) {
    let http = http_client(PATIENCE).unwrap();
    let deadline = Instant::now() + patience;
    loop {
        let apps = apps(prometheus, &http, query).await;
        if apps == expect {
            return;
        }
        assert!(Instant::now() < deadline, "{apps:?}, not {expect:?}");
        sleep(Duration::from_millis(100)).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_forecast_of_a_series_that_ended_is_stale_at_once() {
    let dir = tempfile::tempdir().unwrap();
    let has_left = Arc::new(AtomicBool::new(false));
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let target = listener.local_addr().unwrap();
    let router = Router::new()
        .route("/metrics", get(scrape))
        .with_state(has_left.clone());
    tokio::spawn(async move { axum::serve(listener, router).await });

    let home = dir.path().join("prometheus");
    let mut past = String::from("# TYPE load gauge\n");
    let end = now().as_millis() / 60_000 * 60;
    for at in (0..120).rev().map(|minute| end - minute * 60) {
        writeln!(
            past,
            "load{{app=\"stays\"}} 5 {at}\nload{{app=\"leaves\"}} 7 {at}"
        )
        .unwrap();
    }
    past.push_str("# EOF\n");
    fs::create_dir_all(&home).unwrap();
    fs::write(home.join("past.om"), past).unwrap();
    create_blocks(&home.join("past.om"), &Prometheus::data_dir(&home))
        .await
        .unwrap();
    let config = format!(
        "global: {{scrape_interval: 1s}}\nscrape_configs:\n\
         - {{job_name: apps, honor_labels: true, static_configs: [{{targets: ['{target}']}}], \
         metric_relabel_configs: [{{regex: job|instance, action: labeldrop}}]}}\n\
         - {{job_name: predictions, honor_labels: true, metrics_path: /predictions, file_sd_configs: [{{files: [found.json]}}]}}\n"
    );
    let prometheus = Prometheus::start(&home, &config, &[]).await.unwrap();
    let rules = "groups:\n- {name: g, interval: 1s, rules: [{forecast: load, expr: load, step: 1s, history: 1h, horizons: [5m]}]}\n";
    fs::write(dir.path().join("rules.yml"), rules).unwrap();
    let config = format!(
        "prometheus: {{url: {}}}\nrule_files: [rules.yml]\nstorage: {{path: data}}\n",
        prometheus.url()
    );
    fs::write(dir.path().join("foreshadow.yml"), config).unwrap();
    let foreshadow = Foreshadow::start(dir.path(), &[]).await;
    let address = foreshadow.url.trim_start_matches("http://");
    fs::write(
        home.join("found.json"),
        format!("[{{\"targets\": [\"{address}\"]}}]"),
    )
    .unwrap();

    // What was never scraped has no end that could be noticed.
    let scraped = format!("load and timestamp(load) > {end}");
    until(&prometheus, &scraped, &["leaves", "stays"], PATIENCE).await;
    let forecast = r#"load:forecast{quantile="0.5"}"#;
    until(&prometheus, forecast, &["leaves", "stays"], PATIENCE).await;
    has_left.store(true, SeqCst);
    until(&prometheus, forecast, &["stays"], AT_ONCE).await;
}
