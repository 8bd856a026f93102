//! The outcome as a table, and how it stands to Prometheus.

use crate::Row;
use remote_read::ResponseKind;
use std::fmt::Write as _;

const MIB: f64 = 1_048_576.0;

pub(crate) fn render(rows: &[Row]) -> String {
    let mut text = String::from(
        "| server | answer | samples a CPU-second | peak resident | median latency | bytes of an answer |\n\
         |---|---|---:|---:|---:|---:|\n",
    );
    for row in rows {
        let Row {
            server,
            kind,
            outcome,
        } = row;
        let _ = writeln!(
            text,
            "| {server} | {} | {:.1} M | {:.0} MiB | {} ms | {:.1} MiB |",
            name(*kind),
            outcome.samples_a_cpu_second / 1e6,
            outcome.peak as f64 / MIB,
            outcome.latency.as_millis(),
            outcome.n_bytes as f64 / MIB,
        );
    }
    text.push('\n');
    for kind in [ResponseKind::Samples, ResponseKind::StreamedXorChunks] {
        let of_kind: Vec<_> = rows.iter().filter(|row| row.kind == kind).collect();
        if let [theirs, ours] = &of_kind[..] {
            let (theirs, ours) = (&theirs.outcome, &ours.outcome);
            let _ = writeln!(
                text,
                "{}: {:.2} times the samples a CPU-second, {:.2} of the memory",
                name(kind),
                ours.samples_a_cpu_second / theirs.samples_a_cpu_second,
                ours.peak as f64 / theirs.peak as f64,
            );
        }
    }
    text
}

fn name(kind: ResponseKind) -> &'static str {
    match kind {
        ResponseKind::Samples => "SAMPLES",
        ResponseKind::StreamedXorChunks => "STREAMED_XOR_CHUNKS",
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::load::Outcome;
    use std::time::Duration;

    fn row(server: &str, samples_a_cpu_second: f64, mebibytes: u64) -> Row {
        Row {
            server: server.to_owned(),
            kind: ResponseKind::Samples,
            outcome: Outcome {
                samples_a_cpu_second,
                peak: mebibytes << 20,
                latency: Duration::from_millis(450),
                n_bytes: 3 << 20,
            },
        }
    }

    #[test]
    fn ours_is_measured_by_theirs() {
        let text = render(&[row("P", 5e6, 300), row("F", 15e6, 75)]);
        let lines: Vec<_> = text.lines().skip(2).collect();
        assert_eq!(
            lines[0],
            "| P | SAMPLES | 5.0 M | 300 MiB | 450 ms | 3.0 MiB |"
        );
        assert_eq!(
            lines[3],
            "SAMPLES: 3.00 times the samples a CPU-second, 0.25 of the memory"
        );
    }
}
