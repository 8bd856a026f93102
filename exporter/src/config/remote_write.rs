//! `remote_write`: where predictions are pushed to, with the keys that Prometheus has for it.

use super::{Upstream, interval, read_remote};
use remote_read::{
    client::WriterOptions,
    write::{Protocol, QueueLimits},
};
use series::PromDuration;
use std::{
    collections::HashSet,
    hash::{BuildHasher as _, RandomState},
    path::Path,
    sync::LazyLock,
    time::Duration,
};
use yaml::{Fields, Node};

/// As Prometheus has it.
const DEFAULT_TIMEOUT: Duration = Duration::from_secs(30);

/// Samples that the queues of one entry may hold together: 16 bytes each, and labels besides.
const MAX_QUEUED: u64 = 50_000_000;

/// Requests at once; Prometheus goes up to 50 by default.
const MAX_SHARDS: u64 = 200;

/// Another one in each program, so that those that lost the same receiver do not come back in step; the same for equal
/// entries of one program.
static SEED: LazyLock<u64> = LazyLock::new(|| RandomState::new().hash_one(()));

/// Keys of Prometheus that there is nothing behind here, each with the reason.
const REFUSED: [(&str, &str); 7] = [
    (
        "write_relabel_configs",
        "is not available: what is predicted, and with which labels, the rules say",
    ),
    (
        "send_native_histograms",
        "is not available: predictions are samples",
    ),
    (
        "metadata_config",
        "is not available: predictions are gauges and carry no metadata in 1.0",
    ),
    ("sigv4", "is not available in this version"),
    ("azuread", "is not available in this version"),
    ("google_iam", "is not available in this version"),
    ("round_robin_dns", "is not available in this version"),
];

/// One receiver. Two that are equal mean the same, so that queues can be kept over a reload.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct RemoteWrite {
    /// In logs and metrics.
    pub(crate) name: String,
    pub(crate) upstream: Upstream,
    pub(crate) options: WriterOptions,
    /// Whether curves are pushed as they are issued, with their times ahead of now.
    pub(crate) curves: bool,
}

pub(super) fn read(node: &Node, base: &Path) -> Option<Vec<RemoteWrite>> {
    let mut names = HashSet::new();
    node.list(|node| {
        let entry = node.map(|f| read_entry(f, base))?;
        if !names.insert(entry.name.clone()) {
            let name = &entry.name;
            node.problem(format!(
                "there is another entry named `{name}`: give each a `name`"
            ));
        }
        Some(entry)
    })
}

fn read_entry(f: &Fields<'_, '_>, base: &Path) -> Option<RemoteWrite> {
    for (key, why) in REFUSED {
        refuse(f, key, why);
    }
    let exemplars = f.optional("send_exemplars", Node::bool);
    if exemplars == Some(true) {
        f.problem(
            "send_exemplars",
            "is not available: predictions have no exemplars",
        );
    }
    if f.has("follow_redirects") {
        f.problem(
            "follow_redirects",
            "is not available: samples go to the address that is written here and nowhere else",
        );
    }
    let protocol = f.optional("protobuf_message", read_protocol);
    let queue = f.optional("queue_config", read_queue);
    let curves = f.optional("curves", read_curves);
    let name = f.optional("name", Node::string);
    let upstream = read_remote(f, base, DEFAULT_TIMEOUT)?;
    let authority = || {
        upstream
            .url
            .authority()
            .rsplit('@')
            .next()
            .map(str::to_owned)
    };
    Some(RemoteWrite {
        name: name.or_else(authority)?,
        options: WriterOptions {
            protocol: protocol.unwrap_or(Protocol::V1),
            seed: *SEED,
            ..queue.unwrap_or_default()
        },
        curves: curves.unwrap_or(false),
        upstream: Upstream {
            http: upstream.http.without_redirects(),
            ..upstream
        },
    })
}

/// Refuses a key of this mapping by its own sentence.
fn refuse(f: &Fields<'_, '_>, key: &'static str, why: &str) {
    f.optional(key, |node| {
        node.problem(why);
        None::<()>
    });
}

fn read_protocol(node: &Node) -> Option<Protocol> {
    match node.string()?.as_str() {
        "prometheus.WriteRequest" => Some(Protocol::V1),
        "io.prometheus.write.v2.Request" => Some(Protocol::V2),
        other => {
            node.problem(format!(
                "`{other}` is neither prometheus.WriteRequest nor io.prometheus.write.v2.Request"
            ));
            None
        }
    }
}

fn read_curves(node: &Node) -> Option<bool> {
    match node.string()?.as_str() {
        "none" => Some(false),
        "issued" => Some(true),
        other => {
            node.problem(format!("`{other}` is neither none nor issued"));
            None
        }
    }
}

fn read_queue(node: &Node) -> Option<WriterOptions> {
    node.map(|f| {
        let defaults = WriterOptions::default();
        let n_shards = f.optional("max_shards", |n| within(n, MAX_SHARDS));
        let n_shards = n_shards.unwrap_or(defaults.n_shards);
        let most = MAX_QUEUED / n_shards as u64;
        let capacity = f.optional("capacity", |n| within(n, most));
        let batch = f.optional("max_samples_per_send", |n| within(n, most));
        let age = f.optional("batch_send_deadline", interval);
        let expiry = f.optional("sample_age_limit", interval);
        let min_backoff = f.optional("min_backoff", interval);
        let max_backoff = f.optional("max_backoff", interval);
        let queue = QueueLimits {
            capacity: capacity.unwrap_or(defaults.queue.capacity),
            max_batch_samples: batch.unwrap_or(defaults.queue.max_batch_samples),
            max_batch_age: age.unwrap_or(defaults.queue.max_batch_age),
            give_up_after: expiry.unwrap_or(defaults.queue.give_up_after),
            ..defaults.queue
        };
        if queue.max_batch_samples > queue.capacity {
            let capacity = queue.capacity;
            f.node().problem(format!(
                "`max_samples_per_send` must be at most `capacity`, which is {capacity}"
            ));
        }
        let options = WriterOptions {
            n_shards,
            queue,
            min_backoff: min_backoff.unwrap_or(defaults.min_backoff),
            max_backoff: max_backoff.unwrap_or(defaults.max_backoff),
            ..defaults
        };
        if options.min_backoff > options.max_backoff {
            let longest = PromDuration::new(options.max_backoff);
            f.node().problem(format!(
                "`min_backoff` must be at most `max_backoff`, which is {longest}"
            ));
        }
        refuse(
            f,
            "min_shards",
            "is not available: there are always `max_shards` of them",
        );
        refuse(
            f,
            "retry_on_http_429",
            "is not a choice: 429 is always followed by another try",
        );
        Some(options)
    })
}

fn within(node: &Node, most: u64) -> Option<usize> {
    let count = node.integer()?;
    let count = usize::try_from(count)
        .ok()
        .filter(|n| (1..=most).contains(&(*n as u64)));
    node.accept(count.ok_or(format!("must be from 1 to {most}")))
}

#[cfg(test)]
mod tests {
    use super::*;
    use yaml::Document;

    fn entries(text: &str) -> Result<Vec<RemoteWrite>, String> {
        testbed::http_client(Duration::from_secs(1)).unwrap();
        let document = Document::parse("f.yml", text).unwrap();
        let checked = document.check(|node| read(node, Path::new(".")));
        checked.map_err(|problems| problems.to_string())
    }

    #[test]
    fn what_is_not_written_is_as_prometheus_has_it() {
        let text = "- {url: 'http://ann:secret@a:1/w'}\n- {url: 'http://b/w', name: b, curves: issued, \
                    protobuf_message: io.prometheus.write.v2.Request, queue_config: {capacity: 5000}}\n";
        let entries = entries(text).unwrap();
        let [one, other] = &entries[..] else {
            panic!("{entries:?}")
        };
        assert_eq!((one.name.as_str(), one.curves), ("a:1", false));
        assert_eq!(one.upstream.timeout, Duration::from_secs(30));
        assert_eq!(one.options.queue, QueueLimits::default());
        assert_eq!((other.name.as_str(), other.curves), ("b", true));
        assert_eq!(other.options.protocol, Protocol::V2);
        assert_eq!(other.options.queue.capacity, 5_000);
        assert_ne!(one, other);
    }

    #[track_caller]
    fn refuses(text: &str, expect: &str) {
        let problems = entries(text).unwrap_err();
        assert!(problems.contains(expect), "{problems}");
    }

    #[test]
    fn what_there_is_not_is_refused_with_a_sentence() {
        let with = |key: &str| format!("- {{url: 'http://a/', {key}}}\n");
        for (key, why) in REFUSED {
            refuses(&with(&format!("{key}: [x]")), why);
        }
        refuses(
            &with("send_exemplars: true"),
            "predictions have no exemplars",
        );
        refuses(&with("follow_redirects: true"), "nowhere else");
        refuses(&with("curves: all"), "`all` is neither none nor issued");
        refuses(
            &with("protobuf_message: x"),
            "`x` is neither prometheus.WriteRequest",
        );
        refuses(
            &with("queue_config: {min_shards: 1}"),
            "always `max_shards` of them",
        );
        refuses(&with("queue_config: {max_shards: 0}"), "from 1 to 200");
        refuses(
            &with("queue_config: {capacity: 10}"),
            "at most `capacity`, which is 10",
        );
        refuses(
            &with("queue_config: {min_backoff: 1m}"),
            "at most `max_backoff`, which is 5s",
        );
        refuses(&with("tiemout: 5s"), "tiemout");
        refuses(
            "- {url: 'http://a/'}\n- {url: 'http://a/'}\n",
            "another entry named `a`",
        );
        refuses("- {url: 'ftp://a/'}\n", "is not an http or https URL");
        assert!(entries(&with("send_exemplars: false")).is_ok());
    }
}
