//! Blue and green: two Deployments, and a Service that picks one of them.

use crate::{
    arrival::{arrived, nowhere},
    server::{Hand, Server, words},
};
use remediation::{
    Colour, Fleets, Shape, Strategy,
    actuator::{Arrival, Verdict},
};
use serde_json::{Value, json};
use std::time::Duration;

fn shape(active: Colour, replicas: u32, idle: u32) -> Shape {
    Shape {
        fleets: Some(Fleets { active, idle }),
        ..Shape::of(replicas)
    }
}

/// Two Deployments of which the blue one serves with so many.
pub(crate) async fn side_by_side(server: &Server, replicas: u32) -> Hand {
    for (colour, replicas) in [("blue", replicas), ("green", 0)] {
        let labels = json!({"app": "checkout", "example.com/colour": colour});
        let deployment = json!({
            "apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": format!("checkout-{colour}")},
            "spec": {
                "replicas": replicas, "selector": {"matchLabels": labels},
                "template": {
                    "metadata": {"labels": labels},
                    "spec": {"containers": [{"name": "app", "image": "registry.k8s.io/pause:3.10"}]},
                },
            },
        });
        server
            .create(&server.path("apis/apps/v1", "deployments"), &deployment)
            .await;
    }
    let service = json!({
        "apiVersion": "v1", "kind": "Service", "metadata": {"name": "checkout"},
        "spec": {"selector": {"app": "checkout", "example.com/colour": "blue"}, "ports": [{"port": 80}]},
    });
    server
        .create(&server.path("api/v1", "services"), &service)
        .await;
    server.actuator(
        "",
        "kind: Deployment, name: checkout, fleets: {service: checkout, label: example.com/colour}",
    )
}

async fn picked(server: &Server) -> Value {
    let service = server
        .get(&server.path("api/v1", "services/checkout"))
        .await;
    service["spec"]["selector"].clone()
}

/// Ensures a shape as the supervisor does; false where instances never become ready.
async fn ensure(hand: &Hand, wanted: Shape) -> bool {
    let mut last = String::new();
    for _ in 0..60 {
        if hand.observe().await.unwrap().is_set_as(wanted) {
            return true;
        }
        match hand.ensure(wanted).await {
            Ok(()) => return true,
            Err(error) if error.verdict() == Verdict::GiveUp => panic!("{}", words(&error)),
            Err(error) => last = words(&error),
        }
        tokio::time::sleep(Duration::from_millis(300)).await;
    }
    assert!(last.contains("are ready"), "{last}");
    false
}

#[tokio::test]
async fn the_idle_fleet_is_brought_up_switched_to_and_the_old_one_emptied() {
    use Colour::{Blue, Green};
    let server = Server::start().await;
    let hand = side_by_side(&server, 2).await;
    let before = hand.observe().await.unwrap();
    assert_eq!(before, shape(Blue, 2, 0));
    let retain = Duration::ZERO;
    let stages = Strategy::BlueGreen { retain }.stages(before, 3).unwrap();
    let said = hand.rehearse(stages[0].shape).await.unwrap().unwrap();
    assert!(said.contains("deployments/checkout-green/scale"), "{said}");
    assert!(ensure(&hand, stages[0].shape).await);
    assert_eq!(hand.observe().await.unwrap(), shape(Blue, 2, 3));
    assert_eq!(picked(&server).await["example.com/colour"], "blue");

    if !ensure(&hand, stages[1].shape).await {
        assert_eq!(
            picked(&server).await["example.com/colour"],
            "blue",
            "it is not ready"
        );
        eprintln!("kubernetes: no node runs pods here, so the Service was not switched");
        return;
    }
    assert_eq!(
        picked(&server).await,
        json!({"app": "checkout", "example.com/colour": "green"})
    );
    assert!(ensure(&hand, stages[2].shape).await);
    assert_eq!(hand.observe().await.unwrap(), shape(Green, 3, 0));

    // The way back from the very end: the old fleet is there and ready before it serves again.
    assert!(ensure(&hand, before).await);
    assert_eq!(hand.observe().await.unwrap(), before);
    assert_eq!(picked(&server).await["example.com/colour"], "blue");
}

#[tokio::test]
async fn a_fleet_that_is_not_ready_is_not_switched_to() {
    let server = Server::start().await;
    if !server.runs_pods().await {
        return;
    }
    let hand = side_by_side(&server, 2).await;
    arrived(&hand, shape(Colour::Blue, 2, 0)).await;
    let green = server.path("apis/apps/v1", "deployments/checkout-green");
    server.change(&green, &nowhere(true)).await;
    hand.observe().await.unwrap();
    let refusal = hand.ensure(shape(Colour::Green, 3, 2)).await.unwrap_err();
    assert_eq!(refusal.verdict(), Verdict::Retry(None));
    assert_eq!(
        words(&refusal),
        "not there yet: 0 of 3 instances of green are ready"
    );
    assert_eq!(hand.observe().await.unwrap(), shape(Colour::Blue, 2, 3));
    let Arrival::Underway(why) = hand.arrival(shape(Colour::Blue, 2, 3)).await else {
        panic!("three green ones cannot be ready");
    };
    assert!(why.starts_with("green: "), "{why}");
    server.change(&green, &nowhere(false)).await;
    assert!(ensure(&hand, shape(Colour::Green, 3, 2)).await);
    arrived(&hand, shape(Colour::Green, 3, 2)).await;
}

#[tokio::test]
async fn a_service_that_picks_neither_is_left_alone() {
    let server = Server::start().await;
    let hand = side_by_side(&server, 2).await;
    let path = server.path("api/v1", "services/checkout");
    let other = json!({"spec": {"selector": {"example.com/colour": "red"}}});
    server.change(&path, &other).await;
    let refusal = hand.observe().await.unwrap_err();
    assert_eq!(refusal.verdict(), Verdict::GiveUp);
    assert!(
        words(&refusal).contains("neither blue nor green"),
        "{}",
        words(&refusal)
    );
}
