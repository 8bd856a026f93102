//! Samples of many series, in the order in which models are kept, so that the two are gone through side by side.

use crate::{Failure, FailureReason};
use series::{Labels, Sample};
use std::cmp::Ordering;

/// Series with their samples, oldest first; sorted by labels, none twice.
#[derive(Default)]
pub(super) struct Samples(Vec<(Labels, Vec<Sample>)>);

impl Samples {
    /// Sorts series. Those of the same labels become one, unless both have a sample at the same time.
    pub(super) fn of(mut series: Vec<(Labels, Vec<Sample>)>) -> Result<Self, Failure> {
        series.sort_by(|a, b| a.0.cmp(&b.0));
        let mut all: Vec<(Labels, Vec<Sample>)> = Vec::with_capacity(series.len());
        for (labels, samples) in series {
            match all.last_mut() {
                Some(last) if last.0 == labels => put_together(last, samples)?,
                _ => all.push((labels, samples)),
            }
        }
        Ok(Self(all))
    }

    /// Puts several together, of series that are not the same.
    pub(super) fn join(all: impl IntoIterator<Item = Self>) -> Result<Self, Failure> {
        let mut all = all.into_iter();
        match (all.next(), all.next()) {
            (None, _) => Ok(Self::default()),
            (Some(one), None) => Ok(one),
            (Some(one), Some(other)) => {
                Self::of([one, other].into_iter().chain(all).flatten().collect())
            }
        }
    }

    /// Turns the samples of each series round: the oldest first, or the newest.
    pub(super) fn reverse(&mut self) {
        for (_, samples) in &mut self.0 {
            samples.reverse();
        }
    }

    /// Puts samples behind these, where a series will have `n_points` in the end.
    pub(super) fn absorb(&mut self, later: Self, n_points: usize) {
        let n_series = self.0.len().max(later.0.len());
        let before = std::mem::replace(&mut self.0, Vec::with_capacity(n_series));
        let (mut before, mut later) = (
            before.into_iter().peekable(),
            later.0.into_iter().peekable(),
        );
        loop {
            let order = match (before.peek(), later.peek()) {
                (Some(a), Some(b)) => a.0.cmp(&b.0),
                (Some(_), None) => Ordering::Less,
                (None, Some(_)) => Ordering::Greater,
                (None, None) => return,
            };
            let next = if order.is_gt() {
                later.next()
            } else {
                before.next()
            };
            let mut next = next.expect("it was peeked at");
            // Room for all at once: doubling would leave half of it empty.
            next.1.reserve_exact(n_points.saturating_sub(next.1.len()));
            if order.is_eq() {
                next.1
                    .extend(later.next().into_iter().flat_map(|(_, samples)| samples));
            }
            self.0.push(next);
        }
    }

    /// In order of labels.
    pub(super) fn iter(&self) -> impl Iterator<Item = (&Labels, &[Sample])> {
        self.0.iter().map(|(labels, samples)| (labels, &**samples))
    }

    /// Leaves only the wanted series.
    pub(super) fn retain(&mut self, is_wanted: impl Fn(&Labels) -> bool) {
        self.0.retain(|(labels, _)| is_wanted(labels));
    }

    /// The samples of one series, taken out; none where there are none.
    pub(super) fn take(&mut self, labels: &Labels) -> Vec<Sample> {
        let found = self.0.binary_search_by(|(known, _)| known.cmp(labels));
        found.map_or_else(|_| Vec::new(), |idx| std::mem::take(&mut self.0[idx].1))
    }
}

impl IntoIterator for Samples {
    type Item = (Labels, Vec<Sample>);
    type IntoIter = std::vec::IntoIter<Self::Item>;

    fn into_iter(self) -> Self::IntoIter {
        self.0.into_iter()
    }
}

fn put_together(
    (labels, all): &mut (Labels, Vec<Sample>),
    samples: Vec<Sample>,
) -> Result<(), Failure> {
    all.extend(samples);
    all.sort_by_key(|sample| sample.at);
    if all.windows(2).any(|pair| pair[0].at == pair[1].at) {
        return Err(Failure::new(
            FailureReason::DuplicateSeries,
            format!("expression gives more than one series {labels} once their names are dropped"),
        ));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use series::Timestamp;

    fn labels(name: &str) -> Labels {
        Labels::new([("a", name)]).unwrap()
    }

    fn series(name: &str, times: &[i64]) -> (Labels, Vec<Sample>) {
        let sample = |at: &i64| Sample {
            at: Timestamp::from_seconds(*at),
            value: 1.0,
        };
        (labels(name), times.iter().map(sample).collect())
    }

    fn text(samples: &Samples) -> String {
        let series = samples.iter().map(|(labels, samples)| {
            let times: Vec<_> = samples.iter().map(|s| s.at.as_millis() / 1_000).collect();
            format!("{}{times:?}", labels.get("a"))
        });
        series.collect::<Vec<_>>().join(" ")
    }

    #[test]
    fn series_of_the_same_labels_become_one_unless_they_meet() {
        let of = |all: &[(Labels, Vec<Sample>)]| Samples::of(all.to_vec());
        let merged = of(&[series("b", &[1]), series("a", &[5, 6]), series("a", &[2])]).unwrap();
        assert_eq!(text(&merged), "a[2, 5, 6] b[1]");
        let failed = of(&[series("a", &[1, 2]), series("a", &[2])])
            .err()
            .unwrap();
        assert!(
            failed
                .to_string()
                .contains(r#"more than one series {a="a"}"#)
        );
    }

    #[test]
    fn what_comes_later_is_put_behind_in_order() {
        let of = |all: Vec<_>| Samples::of(all).unwrap();
        let mut all = Samples::default();
        all.absorb(of(vec![series("b", &[1]), series("d", &[1])]), 2);
        all.absorb(
            of(vec![
                series("a", &[2]),
                series("b", &[2]),
                series("e", &[2]),
            ]),
            2,
        );
        assert_eq!(text(&all), "a[2] b[1, 2] d[1] e[2]");
        assert_eq!(
            (all.take(&labels("b")).len(), all.take(&labels("c")).len()),
            (2, 0)
        );
    }
}
