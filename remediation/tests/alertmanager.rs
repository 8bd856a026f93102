//! Silences and warnings on a real Alertmanager.

#![expect(
    clippy::unwrap_used,
    reason = "shared test code may stop the test where it stands"
)]

use alertmanager_client::{AlertFilter, Client, MatchOp, Matcher, NewAlert};
use remediation::{Silence, Warning, alerting};
use series::Timestamp;
use std::{path::Path, time::Duration};
use testbed::{Alertmanager, http_client};

const CONFIG: &str = "route: {receiver: nobody}\nreceivers: [{name: nobody}]\n";

async fn start(folder: &Path) -> (Alertmanager, Client) {
    let _ = rustls::crypto::ring::default_provider().install_default();
    let server = Alertmanager::start(folder, CONFIG).await.unwrap();
    let http = http_client(Duration::from_secs(5)).unwrap();
    let client = Client::new(server.url().clone(), http);
    (server, client)
}

#[expect(
    clippy::disallowed_methods,
    reason = "the server lives in the present, so silences must too"
)]
fn now() -> Timestamp {
    Timestamp::from_millis(jiff::Timestamp::now().as_millisecond())
}

async fn fire(client: &Client, service: &str) -> String {
    let labels = [("alertname", "BreachForeseen"), ("service", service)];
    let alert = NewAlert {
        labels: labels.map(|(n, v)| (n.to_owned(), v.to_owned())).into(),
        annotations: [].into(),
        starts_at: None,
        ends_at: None,
        generator_url: None,
    };
    client.post_alerts(&[alert]).await.unwrap();
    let alerts = client.alerts(&AlertFilter::default()).await.unwrap();
    let is_it = |alert: &&alertmanager_client::Alert| {
        alert.labels.get("service").is_some_and(|s| s == service)
    };
    alerts.iter().find(is_it).unwrap().fingerprint.clone()
}

fn silence(key: &str) -> Silence {
    Silence {
        key: key.to_owned(),
        matchers: vec![Matcher::new("service", MatchOp::Equal, "checkout")],
        starts_at: now(),
        ends_at: now() + Duration::from_mins(10),
        comment: "action on checkout takes effect".to_owned(),
    }
}

#[tokio::test]
async fn a_silence_is_made_once_and_told_of() {
    let folder = tempfile::tempdir().unwrap();
    let (_server, client) = start(folder.path()).await;
    let ours = [fire(&client, "checkout").await];
    let both = [ours[0].clone(), fire(&client, "search").await];
    assert_eq!(alerting::silenced(&client, &ours).await, Ok(None));

    for _ in 0..3 {
        alerting::silence(&client, &silence("a1/0")).await.unwrap();
    }
    let all = client.silences(&[]).await.unwrap();
    assert_eq!(all.len(), 1);
    assert_eq!(all[0].created_by, "foreshadow");
    assert_eq!(all[0].comment, "action on checkout takes effect [a1/0]");
    alerting::silence(&client, &silence("a1/1")).await.unwrap();
    assert_eq!(client.silences(&[]).await.unwrap().len(), 2);

    // Alertmanager marks its alerts when they are dispatched next.
    let mut told = None;
    for _ in 0..100 {
        told = alerting::silenced(&client, &ours).await.unwrap();
        if told.is_some() {
            break;
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    let told = told.unwrap();
    assert!(told.contains("by foreshadow: action on checkout"), "{told}");
    assert_eq!(
        alerting::silenced(&client, &both).await,
        Ok(None),
        "one still speaks"
    );
    let unknown = ["0000000000000000".to_owned()];
    assert_eq!(alerting::silenced(&client, &unknown).await, Ok(None));
}

#[tokio::test]
async fn a_warning_is_an_alert_that_ends_by_itself_or_when_it_is_over() {
    let folder = tempfile::tempdir().unwrap();
    let (_server, client) = start(folder.path()).await;
    let warning = Warning {
        action: "a1".to_owned(),
        workload: "checkout".to_owned(),
        state: "grace",
        summary: "scale 4 → 7".to_owned(),
        starts_at: now(),
        ends_at: now() + Duration::from_secs(90),
    };
    for _ in 0..2 {
        alerting::warn(&client, &warning).await.unwrap();
    }
    let alerts = client.alerts(&AlertFilter::default()).await.unwrap();
    assert_eq!(alerts.len(), 1);
    assert_eq!(alerts[0].labels["alertname"], "ForeshadowActionPending");
    assert_eq!(alerts[0].labels["workload"], "checkout");
    assert_eq!(alerts[0].annotations["summary"], "scale 4 → 7");
    assert_eq!(
        alerts[0].starts_at.as_millisecond(),
        warning.starts_at.as_millis()
    );

    let over = Warning {
        ends_at: now(),
        ..warning
    };
    alerting::warn(&client, &over).await.unwrap();
    let left = client.alerts(&AlertFilter::default()).await.unwrap();
    assert!(left.is_empty(), "{left:?}");
}

#[tokio::test]
async fn a_server_that_is_away_is_an_error_with_a_sentence() {
    let folder = tempfile::tempdir().unwrap();
    let (server, client) = start(folder.path()).await;
    drop(server);
    let error = alerting::silenced(&client, &["f".to_owned()]).await;
    assert!(error.unwrap_err().contains("cannot list alerts"));
    let error = alerting::silence(&client, &silence("a")).await;
    assert!(error.unwrap_err().contains("cannot list silences"));
}
