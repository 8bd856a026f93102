//! The nine operations against a real Alertmanager.

#![expect(
    clippy::unwrap_used,
    reason = "shared test code may stop the test where it stands"
)]

use alertmanager_client::{
    AlertFilter, AlertState, Client, Error, MatchOp, Matcher, NewAlert, NewSilence, SilenceState,
};
use jiff::Timestamp;
use std::time::Duration;
use testbed::{Alertmanager, http_client};

const CONFIG: &str = "
route: {receiver: team, group_by: [alertname], group_wait: 1s}
receivers: [{name: team}, {name: spare}]
";

/// A client of an Alertmanager that runs as long as this lives.
struct Server {
    client: Client,
    _alertmanager: Alertmanager,
    _folder: tempfile::TempDir,
}

async fn start() -> Server {
    let folder = tempfile::tempdir().unwrap();
    let alertmanager = Alertmanager::start(folder.path(), CONFIG).await.unwrap();
    let http = http_client(Duration::from_secs(10)).unwrap();
    Server {
        client: Client::new(alertmanager.url().clone(), http),
        _alertmanager: alertmanager,
        _folder: folder,
    }
}

async fn eventually(what: &str, mut holds: impl AsyncFnMut() -> bool) {
    for _ in 0..150 {
        if holds().await {
            return;
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    panic!("15 seconds passed before {what}");
}

#[expect(
    clippy::disallowed_methods,
    reason = "the server lives in the present, so alerts must too"
)]
fn now() -> Timestamp {
    Timestamp::now()
}

fn alert(service: &str) -> NewAlert {
    let pairs = |pairs: [(&str, &str); 2]| {
        pairs
            .map(|(name, value)| (name.to_owned(), value.to_owned()))
            .into()
    };
    NewAlert {
        labels: pairs([("alertname", "BreachForeseen"), ("service", service)]),
        annotations: pairs([("summary", "soon"), ("horizon", "15m")]),
        starts_at: Some(now()),
        ..NewAlert::default()
    }
}

fn silence() -> NewSilence {
    NewSilence {
        id: None,
        matchers: vec![Matcher::new("service", MatchOp::Regex, "check.*")],
        starts_at: now(),
        ends_at: now() + Duration::from_mins(10),
        created_by: "a test".to_owned(),
        comment: "acting on it".to_owned(),
    }
}

#[tokio::test]
async fn status_and_receivers_are_those_of_the_configuration() {
    let server = start().await;
    let status = server.client.status().await.unwrap();
    assert!(
        status.version_info.version.starts_with("0."),
        "{:?}",
        status.version_info
    );
    assert_eq!(status.cluster.status, "disabled");
    assert!(status.config.original.contains("group_by"));
    assert!(status.started_at <= now());
    let mut names: Vec<_> = server.client.receivers().await.unwrap();
    names.sort_by(|a, b| a.name.cmp(&b.name));
    assert_eq!(
        names.iter().map(|r| r.name.as_str()).collect::<Vec<_>>(),
        ["spare", "team"]
    );
}

#[tokio::test]
async fn alerts_are_posted_filtered_and_grouped() {
    let server = start().await;
    let client = &server.client;
    client
        .post_alerts(&[alert("checkout"), alert("search")])
        .await
        .unwrap();
    let only_search = AlertFilter {
        matchers: vec![Matcher::new("service", MatchOp::NotEqual, "checkout")],
        ..AlertFilter::default()
    };
    let listed = client.alerts(&only_search).await.unwrap();
    assert_eq!(listed.len(), 1, "{listed:?}");
    assert_eq!(listed[0].labels["service"], "search");
    assert_eq!(listed[0].annotations["horizon"], "15m");
    let count = async || {
        let groups = client.alert_groups(&AlertFilter::default()).await.unwrap();
        groups.iter().map(|group| group.alerts.len()).sum::<usize>()
    };
    eventually("both alerts are grouped", async || count().await == 2).await;
    let groups = client.alert_groups(&AlertFilter::default()).await.unwrap();
    assert_eq!(groups[0].receiver.name, "team");
}

#[tokio::test]
async fn a_silence_suppresses_until_it_is_expired() {
    let server = start().await;
    let client = &server.client;
    client.post_alerts(&[alert("checkout")]).await.unwrap();
    let state = async || {
        client.alerts(&AlertFilter::default()).await.unwrap()[0]
            .status
            .clone()
    };
    eventually("the alert is active", async || {
        state().await.state == AlertState::Active
    })
    .await;

    let id = client.put_silence(&silence()).await.unwrap();
    eventually("the alert is suppressed", async || {
        state().await.state == AlertState::Suppressed
    })
    .await;
    assert_eq!(state().await.silenced_by, std::slice::from_ref(&id));
    let unsilenced = AlertFilter {
        silenced: false,
        ..AlertFilter::default()
    };
    assert_eq!(client.alerts(&unsilenced).await.unwrap(), []);
    assert_eq!(client.silences(&[]).await.unwrap().len(), 1);
    assert_eq!(
        client.silence(&id).await.unwrap().comment,
        "acting on it".to_owned()
    );

    client.expire_silence(&id).await.unwrap();
    let expired = client.silence(&id).await.unwrap();
    assert_eq!(expired.status.state, SilenceState::Expired);
    eventually("the alert is active again", async || {
        state().await.state == AlertState::Active
    })
    .await;
}

#[tokio::test]
async fn refusals_carry_the_servers_words() {
    let server = start().await;
    let unknown = "00000000-0000-4000-8000-000000000000";
    let missing = server.client.silence(unknown).await.unwrap_err();
    assert!(
        matches!(missing, Error::Refused { status: 404, .. }),
        "{missing}"
    );
    let endless = NewSilence {
        matchers: Vec::new(),
        ..silence()
    };
    let refused = server.client.put_silence(&endless).await.unwrap_err();
    assert!(
        matches!(&refused, Error::Refused { status: 400 | 422, message, .. } if !message.is_empty()),
        "{refused}"
    );
}
