//! The last page: what was foreseen, what was done, and what it was worth.

use crate::{
    evidence::{Evidence, Foreseen, Outcome},
    terminal::{Paint, clock_time, minutes, whole},
};
use series::Timestamp;

/// Writes the report.
pub fn render(evidence: &Evidence, paint: Paint) -> String {
    let blocks = [
        restart(evidence, paint),
        foreseen(evidence, paint),
        alert(evidence, paint),
        action(evidence, paint),
        objective(evidence, paint),
    ];
    blocks.join("\n")
}

/// One line: what it is about, when, and what.
fn line(paint: Paint, title: &str, time: Option<Timestamp>, text: &str) -> String {
    let time = time.map_or_else(|| " ".repeat(8), clock_time);
    format!(
        "  {}  {time}  {text}\n",
        paint.bold(format_args!("{title:<9}"))
    )
}

fn restart(evidence: &Evidence, paint: Paint) -> String {
    let Some(restart) = &evidence.restart else {
        return line(paint, "Restart", None, "none");
    };
    let away = format!(
        "Foreshadow stopped and started; without a forecast for {}",
        minutes(restart.away)
    );
    let kept = format!(
        "{} series went on from their saved models: {} samples read, {} at first",
        whole(restart.series),
        whole(restart.read_again),
        whole(restart.read_first)
    );
    [
        line(paint, "Restart", Some(restart.at), &away),
        line(paint, "", None, &kept),
    ]
    .concat()
}

fn foreseen(evidence: &Evidence, paint: Paint) -> String {
    let Some(foreseen) = &evidence.foreseen else {
        return line(paint, "Foreseen", None, "nothing");
    };
    let due = foreseen.at + foreseen.ahead;
    let what = format!(
        "for {}: {} requests/s, 90 % band {} to {};",
        clock_time(due),
        whole(foreseen.quantile(0.5)),
        whole(foreseen.quantile(0.05)),
        whole(foreseen.quantile(0.95)),
    );
    let limit = format!(
        "the ready replicas serve {}, and keep the objective up to {}",
        whole(foreseen.capacity),
        whole(foreseen.threshold()),
    );
    [
        line(paint, "Foreseen", Some(foreseen.at), &what),
        line(paint, "", None, &limit),
        line(paint, "", None, &how_sure(foreseen)),
    ]
    .concat()
}

/// Says only what the quantiles say.
fn how_sure(foreseen: &Foreseen) -> String {
    match foreseen.lowest_level_above() {
        Some(level) => {
            let even = if level < 0.5 { "even " } else { "" };
            format!(
                "{even}the {} % quantile is above that: at least {} % sure",
                whole(100.0 * level),
                whole(100.0 * (1.0 - level))
            )
        }
        None => "no quantile is above that".to_owned(),
    }
}

fn alert(evidence: &Evidence, paint: Paint) -> String {
    let alert = &evidence.alert;
    let Some(firing) = alert.firing else {
        return line(paint, "Alert", None, "none fired");
    };
    let before =
        |breach: Timestamp| format!(", {} before the breach", minutes(breach.since(firing)));
    let lead = evidence
        .control
        .first_breach
        .filter(|breach| *breach > firing)
        .map(before);
    let fired = format!("fired by Prometheus{}", lead.unwrap_or_default());
    let mut text = String::new();
    let mut title = "Alert";
    if alert.pending.is_some() {
        text += &line(paint, title, alert.pending, "pending in Prometheus");
        title = "";
    }
    text += &line(paint, title, alert.firing, &fired);
    if alert.alertmanager.is_some() {
        text += &line(paint, "", alert.alertmanager, "taken in by Alertmanager");
    }
    text
}

fn action(evidence: &Evidence, paint: Paint) -> String {
    if evidence.actions.is_empty() {
        return line(paint, "Action", None, "none");
    }
    let mut text = String::new();
    for action in &evidence.actions {
        let to = action
            .replicas
            .map_or_else(String::new, |n| format!(" to {n} replicas"));
        let what = format!("{} {}{to}, {}", action.id, action.workload, action.state);
        text += &line(paint, "Action", action.begun(), &what);
        for step in &action.transitions {
            let lead = if step.reason.is_empty() { "" } else { ": " };
            let what = format!("{}{lead}{}", step.to, step.reason);
            text += &line(paint, "", Some(step.at), &what);
        }
    }
    for change in &evidence.changes {
        let what = format!(
            "{} → {} replicas asked of the fleet",
            change.from, change.to
        );
        text += &line(paint, "Replicas", Some(change.at), &what);
        let lead = evidence
            .control
            .first_breach
            .map(|breach| lead_time(change.ready_at, breach));
        let what = format!("all {} ready{}", change.to, lead.unwrap_or_default());
        text += &line(paint, "", Some(change.ready_at), &what);
    }
    text
}

fn lead_time(ready: Timestamp, breach: Timestamp) -> String {
    if ready <= breach {
        format!(
            ", {} before the breach without them",
            minutes(breach.since(ready))
        )
    } else {
        format!(
            ", {} after the breach without them",
            minutes(ready.since(breach))
        )
    }
}

fn objective(evidence: &Evidence, paint: Paint) -> String {
    let row = |title: &str, of: &dyn Fn(&Outcome) -> String| {
        table_row(title, &of(&evidence.managed), &of(&evidence.control))
    };
    let title = paint.bold("Objective: 99 in 100 requests within 0.5 s");
    [
        format!("  {title}\n"),
        table_row("", "with Foreshadow", "without"),
        row("worst 99 % quantile", &|outcome| {
            format!("{:.3} s", outcome.worst_p99)
        }),
        row("time in breach, so far", &|outcome| {
            minutes(outcome.in_breach)
        }),
        row("requests", &|outcome| whole(outcome.requests)),
        row("of them slower than 0.5 s or failed", &|outcome| {
            whole(outcome.slow_or_failed)
        }),
        row("that is, in 100", &|outcome| {
            format!("{:.2}", 100.0 * outcome.slow_or_failed / outcome.requests)
        }),
        row("replica-minutes spent", &|outcome| {
            format!("{:.1}", outcome.replica_minutes)
        }),
    ]
    .concat()
}

fn table_row(title: &str, with: &str, without: &str) -> String {
    format!("  {title:<40}{with:>16}{without:>16}\n")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::verdict::{missing, tests::averted};

    #[test]
    fn the_report_tells_the_whole_story() {
        insta::assert_snapshot!(render(&averted(), Paint::Plain));
    }

    #[test]
    fn a_run_in_which_nothing_happened_is_told_too() {
        let mut evidence = averted();
        evidence.restart = None;
        evidence.foreseen = None;
        evidence.alert = crate::evidence::Alert::default();
        evidence.actions.clear();
        evidence.changes.clear();
        let text = render(&evidence, Paint::Plain);
        assert!(
            text.contains("nothing") && text.contains("none fired"),
            "{text}"
        );
        assert_eq!(missing(&evidence).len(), 3);
    }

    #[test]
    fn how_sure_is_read_off_the_quantiles_alone() {
        let sure = |low: f64, median: f64| {
            how_sure(&Foreseen {
                quantiles: vec![
                    (0.05, low),
                    (0.25, f64::midpoint(low, median)),
                    (0.5, median),
                ],
                ..averted().foreseen.unwrap()
            })
        };
        assert_eq!(
            sure(370.0, 400.0),
            "even the 5 % quantile is above that: at least 95 % sure"
        );
        assert_eq!(
            sure(330.0, 400.0),
            "even the 25 % quantile is above that: at least 75 % sure"
        );
        assert_eq!(
            sure(300.0, 361.0),
            "the 50 % quantile is above that: at least 50 % sure"
        );
        assert_eq!(sure(300.0, 350.0), "no quantile is above that");
    }
}
