//! Looking on while it happens: one line every few seconds, until the control has broken its objective.

use crate::{
    actions::Action,
    fleet::{CONTROL, MANAGED},
    picture::{self, Curve},
    restart::Restart,
    server::Clock,
    sources::{ALERT, Sources},
    terminal::{Paint, clock_time, whole},
};
use series::{Labels, Timestamp};
use std::time::Duration;
use tokio::time::{MissedTickBehavior, interval};

/// The objective: 99 in 100 requests within so many seconds.
pub const OBJECTIVE_SECONDS: f64 = 0.5;
/// How often the programs are asked, and how many times until the next line.
const POLL: Duration = Duration::from_secs(1);
const POLLS_PER_LINE: u32 = 5;

/// How long to look on.
#[derive(Debug, Clone, Copy)]
pub struct Patience {
    /// How long the control is watched in its breach.
    pub breach: Duration,
    /// When to stop waiting for anything.
    pub deadline: Timestamp,
}

/// What was seen on the way that nobody keeps.
#[derive(Debug, Clone, Default)]
pub struct Sightings {
    /// When Alertmanager first had the alert about the managed service.
    pub alertmanager: Option<Timestamp>,
    /// What was foreseen of the managed service's load at that time.
    pub curve: Option<Curve>,
    /// The actions as they were last seen.
    pub actions: Vec<Action>,
    /// When the control's breach was first seen.
    pub breach: Option<Timestamp>,
    /// What the restart cost.
    pub restart: Option<Restart>,
}

/// Looks on until the control was in breach for a while and no action is open, or until the deadline.
///
/// # Errors
/// When a program stops answering.
pub async fn watch(
    sources: &Sources,
    clock: &Clock,
    patience: Patience,
    paint: Paint,
) -> anyhow::Result<Sightings> {
    let mut seen = Sightings::default();
    let mut ticks = interval(POLL);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    println!("\n{}", paint.dim(HEAD));
    for n in 0_u32.. {
        ticks.tick().await;
        let now = clock();
        seen.look(sources, now).await?;
        if n.is_multiple_of(POLLS_PER_LINE) {
            println!("{}", line(&seen, sources, now, paint).await?);
        }
        let watched = seen
            .breach
            .is_some_and(|breach| now.since(breach) >= patience.breach);
        let over = !seen.actions.is_empty() && seen.actions.iter().all(Action::is_over);
        if (watched && over) || now >= patience.deadline {
            break;
        }
    }
    Ok(seen)
}

impl Sightings {
    async fn look(&mut self, sources: &Sources, now: Timestamp) -> anyhow::Result<()> {
        if self.alertmanager.is_none() {
            self.alertmanager = sources.alertmanager_has(MANAGED).await?;
            if self.alertmanager.is_some() {
                self.curve = picture::curve(sources, now).await?;
            }
        }
        self.actions = sources.actions().await?;
        if self.breach.is_none() && p99(sources, CONTROL, now).await? > OBJECTIVE_SECONDS {
            self.breach = Some(now);
        }
        Ok(())
    }
}

async fn p99(sources: &Sources, service: &str, now: Timestamp) -> anyhow::Result<f64> {
    let expr = format!("service:http_request_duration_seconds:p99{{service=\"{service}\"}}");
    sources.value(&expr, now).await
}

const HEAD: &str = "  UTC          load  capacity   in 5 min (90 % band)   alert     action      \
                    p99 with  without";

async fn line(
    seen: &Sightings,
    sources: &Sources,
    now: Timestamp,
    paint: Paint,
) -> anyhow::Result<String> {
    let load = format!("sum(rate(http_requests_total{{service=\"{CONTROL}\"}}[1m]))");
    let load = sources.value(&load, now).await?;
    let capacity = format!("service:http_requests:capacity{{service=\"{MANAGED}\"}}");
    let capacity = sources.value(&capacity, now).await?;
    let alert = format!("ALERTS{{alertname=\"{ALERT}\",service=\"{MANAGED}\"}}");
    let alert = alert_state(&sources.instant(&alert, now).await?);
    let action = seen
        .actions
        .last()
        .map_or("–", |action| action.state.as_str());
    let (with, without) = (
        p99(sources, MANAGED, now).await?,
        p99(sources, CONTROL, now).await?,
    );
    Ok(format!(
        "  {}  {:>5}/s  {:>6}/s   {:>21}  {}  {}  {}  {}",
        clock_time(now),
        whole(load),
        whole(capacity),
        forecast(sources, now).await?,
        emphasise(paint, &format!("{alert:<8}"), alert == "firing"),
        emphasise(
            paint,
            &format!("{action:<10}"),
            action != "–" && action != "succeeded"
        ),
        seconds(with, paint),
        seconds(without, paint),
    ))
}

async fn forecast(sources: &Sources, now: Timestamp) -> anyhow::Result<String> {
    let expr = format!(
        "service:http_requests:rate2m:forecast{{service=\"{MANAGED}\",horizon=\"5m\",quantile=~\"0.05|0.5|0.95\"}}"
    );
    let samples = sources.instant(&expr, now).await?;
    let at = |quantile| {
        let found = samples
            .iter()
            .find(|(labels, _)| labels.get("quantile") == quantile);
        found.map_or(f64::NAN, |(_, value)| *value)
    };
    if samples.is_empty() {
        return Ok("–".to_owned());
    }
    Ok(format!(
        "{}/s ({} to {})",
        whole(at("0.5")),
        whole(at("0.05")),
        whole(at("0.95"))
    ))
}

/// The most urgent state that the alert has.
fn alert_state(alerts: &[(Labels, f64)]) -> &'static str {
    let is = |state| {
        alerts
            .iter()
            .any(|(labels, _)| labels.get("alertstate") == state)
    };
    match (is("firing"), is("pending")) {
        (true, _) => "firing",
        (false, true) => "pending",
        (false, false) => "–",
    }
}

fn emphasise(paint: Paint, text: &str, strongly: bool) -> String {
    if strongly {
        paint.yellow(text)
    } else {
        text.to_owned()
    }
}

fn seconds(value: f64, paint: Paint) -> String {
    if value.is_nan() {
        return format!("{:>8}", "–");
    }
    let text = format!("{value:>6.3} s");
    if value > OBJECTIVE_SECONDS {
        paint.red(text)
    } else {
        text
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn firing_is_more_urgent_than_pending() {
        let state = |state: &str| (Labels::new([("alertstate", state)]).unwrap(), 1.0);
        assert_eq!(alert_state(&[state("pending"), state("firing")]), "firing");
        assert_eq!(alert_state(&[state("pending")]), "pending");
        assert_eq!(alert_state(&[]), "–");
    }

    #[test]
    fn a_breach_is_red() {
        assert_eq!(seconds(0.25, Paint::Colour), " 0.250 s");
        assert!(seconds(0.51, Paint::Colour).starts_with("\x1b[31m"));
        assert_eq!(seconds(f64::NAN, Paint::Colour), "       –");
    }
}
