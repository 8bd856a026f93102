//! Each Prometheus that there is, asked about the future in every way that there is: `make compat-report` prints the table.

mod kinds;
mod proxy;
mod setting;

use crate::world::PATIENCE;
use kinds::Kind;
use setting::{Server, Setting};
use std::fmt::Write as _;
use testbed::prometheus_versions;

/// What became of one kind of query, one entry each server: a word for the table, or what is wrong.
type Line = (&'static str, Vec<Outcome>);
type Outcome = Result<&'static str, String>;

#[tokio::test(flavor = "multi_thread")]
async fn every_prometheus_sees_the_future_and_survives_its_end() {
    let (versions, missing) = prometheus_versions().await.unwrap();
    let mut setting = Setting::start(&versions).await;
    let mut lines = Vec::new();
    for kind in Kind::ALL {
        let mut line = Vec::new();
        for server in &setting.servers {
            line.push(kind.ask(server).await.map(|()| "yes"));
        }
        lines.push((kind.name(), line));
    }
    lines.push((
        "an answer that is cut off in its middle",
        cut_off(&setting.servers).await,
    ));
    lines.push(("our death in mid-query", death(&mut setting).await));
    let numbers: Vec<_> = versions
        .iter()
        .map(|version| version.number.as_str())
        .collect();
    println!("{}", table(&numbers, &lines));
    for sentence in missing {
        println!("Not tested: {sentence}.");
    }
    let failed = lines.iter().flat_map(|(name, line)| {
        let failed = line.iter().zip(&numbers);
        failed.filter_map(move |(one, number)| {
            Some(format!("{number}, {name}: {}", one.as_ref().err()?))
        })
    });
    let failed: Vec<_> = failed.collect();
    assert!(failed.is_empty(), "{}", failed.join("\n"));
}

/// Whatever comes, half a fleet must never look like the whole. A Prometheus that reads samples goes on with what it has
/// itself; one that reads a stream of chunks has begun to work on them, and fails the query.
async fn cut_off(servers: &[Server]) -> Vec<Outcome> {
    let mut line = Vec::new();
    for server in servers {
        server.proxy.cut();
        line.push(
            match kinds::survives(server, "many:forecast_curve", 3).await {
                Err(error) if server.reads_streams && error.contains("unexpected EOF") => {
                    Ok("fails")
                }
                outcome => outcome.map(|()| "warns"),
            },
        );
        server.proxy.mend();
    }
    line
}

/// The program stops answering while each server waits for it, and then it is gone.
async fn death(setting: &mut Setting) -> Vec<Outcome> {
    setting.freeze().await;
    let asked = setting
        .servers
        .iter()
        .map(|server| kinds::survives(server, "load:forecast_curve", 3));
    let asked = futures::future::join_all(asked);
    let process = &mut setting.foreshadow.process;
    let kill = async {
        tokio::time::sleep(std::time::Duration::from_millis(500)).await;
        process.kill().await.unwrap();
    };
    let both = async { tokio::join!(asked, kill).0 };
    let line = tokio::time::timeout(PATIENCE, both).await;
    let line = line.expect("a query hangs").into_iter();
    line.map(|outcome| outcome.map(|()| "warns")).collect()
}

/// Kinds of queries by versions, as Markdown.
fn table(versions: &[&str], lines: &[Line]) -> String {
    let width = lines.iter().map(|(name, _)| name.len()).max().unwrap_or(0);
    let mut text = format!("\n| {:width$} |", "query");
    for version in versions {
        write!(text, " {version} |").unwrap();
    }
    write!(text, "\n| {} |", "-".repeat(width)).unwrap();
    for version in versions {
        write!(text, " {} |", "-".repeat(version.len())).unwrap();
    }
    for (name, line) in lines {
        write!(text, "\n| {name:width$} |").unwrap();
        for (one, version) in line.iter().zip(versions) {
            let said = one.as_ref().map_or("NO", |word| word);
            write!(text, " {said:0$} |", version.len()).unwrap();
        }
    }
    text
}
