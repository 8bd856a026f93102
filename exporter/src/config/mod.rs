//! The configuration file, read to the last problem.

mod history;
mod http_client;
mod remote_write;
mod roles;
mod rule_files;
mod web;

pub(crate) use history::{History, RemoteHistory};
pub(crate) use http_client::{HttpConfig, SecretFiles, USER_AGENT};
pub(crate) use remote_write::RemoteWrite;
pub(crate) use roles::{Right, Role, Roles};
pub(crate) use rule_files::parse_all as parse_rule_files;
pub(crate) use web::{ServerTls, WebConfig};

use crate::redact::redacted;
use remediation::config::Settings;
use rules::{Group, RuleKind};
use series::{Labels, PromDuration};
use std::{
    path::{Path, PathBuf},
    time::Duration,
};
use url::Url;
use yaml::{Document, Fields, Node, Problem, Problems};

/// Rules are evaluated as often as Prometheus evaluates its own by default.
const DEFAULT_EVALUATION_INTERVAL: Duration = Duration::from_mins(1);

/// Half of the default interval: a rule that is answered in time does not miss its next slot.
const DEFAULT_QUERY_TIMEOUT: Duration = Duration::from_secs(30);

/// Alertmanager answers from memory; what takes longer is broken.
const DEFAULT_ALERTMANAGER_TIMEOUT: Duration = Duration::from_secs(10);

/// Where the journal lies when `storage` says nothing, seen from the folder of the configuration.
const DEFAULT_STORAGE: &str = "data";

/// Between two saves of the models. What a crash loses is read from Prometheus again, and that is ten samples a series;
/// saving more often would write gigabytes an hour where there are many.
const DEFAULT_SAVE_INTERVAL: Duration = Duration::from_mins(10);

/// The shortest time between two saves of the models: each writes and syncs all of them.
pub(crate) const MIN_SAVE_INTERVAL: Duration = Duration::from_secs(10);

/// Size of a configuration file, far above what people write.
const MAX_FILE_BYTES: u64 = 8 << 20;

/// A checked configuration, with the rule files that it names.
#[derive(Debug)]
pub(crate) struct Config {
    pub(crate) evaluation_interval: Duration,
    pub(crate) external_labels: Labels,
    pub(crate) prometheus: Prometheus,
    pub(crate) alertmanager: Option<Upstream>,
    pub(crate) remote_write: Vec<RemoteWrite>,
    pub(crate) groups: Vec<Group>,
    pub(crate) storage: Storage,
    pub(crate) remediation: Settings,
}

/// What is kept from one start to the next.
#[derive(Debug)]
pub(crate) struct Storage {
    /// The folder.
    pub(crate) path: PathBuf,
    /// Between two saves of the models.
    pub(crate) save_interval: Duration,
}

/// The Prometheus that is read.
#[derive(Debug)]
pub(crate) struct Prometheus {
    pub(crate) upstream: Upstream,
    /// How history is read.
    pub(crate) history: History,
}

/// Another server, and how it is spoken to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Upstream {
    pub(crate) url: Url,
    pub(crate) timeout: Duration,
    pub(crate) http: HttpConfig,
}

impl Upstream {
    /// Where a client can be built of it.
    fn usable(
        f: &Fields<'_, '_>,
        url: Option<Url>,
        timeout: Duration,
        http: HttpConfig,
    ) -> Option<Self> {
        let usable = http.client(timeout).map_err(|error| format!("{error:#}"));
        f.node().accept(usable);
        Some(Self {
            url: url?,
            timeout,
            http,
        })
    }

    /// Builds the client that speaks to this server.
    pub(crate) fn client(&self) -> anyhow::Result<reqwest::Client> {
        self.http.client(self.timeout)
    }
}

impl Config {
    /// Reads a file and every rule file that it names; relative names start from its folder.
    pub(crate) fn load(path: &Path) -> Result<Self, Problems> {
        let file = path.display().to_string();
        let text = files::read_to_string(path, MAX_FILE_BYTES)
            .map_err(|e| Problems::unreadable(&file, &e))?;
        let base = path.parent().unwrap_or(Path::new("."));
        let mut in_rule_files = Vec::new();
        let document = Document::parse(file, &text)?;
        let config = document.check(|node| read(node, base, &mut in_rule_files));
        match (config, Problems::collect(in_rule_files.clone())) {
            (Ok(config), None) => Ok(config),
            (Ok(_), Some(problems)) | (Err(problems), None) => Err(problems),
            (Err(problems), Some(_)) => {
                let all = problems.into_iter().chain(in_rule_files);
                Err(Problems::collect(all).expect("both lists have problems"))
            }
        }
    }
}

fn read(node: &Node, base: &Path, in_rule_files: &mut Vec<Problem>) -> Option<Config> {
    node.map(|f| {
        let global = f.optional("global", read_global).unwrap_or_default();
        let prometheus = f.required("prometheus", |n| read_prometheus(n, base));
        let alertmanager = f.optional("alertmanager", |n| {
            n.map(|f| read_upstream(f, base, DEFAULT_ALERTMANAGER_TIMEOUT))
        });
        let remote_write = f.optional("remote_write", |n| remote_write::read(n, base));
        let (groups, problems) = f
            .optional("rule_files", |n| rule_files::load(n, base))
            .unwrap_or_default();
        in_rule_files.extend(problems);
        let storage = f.optional("storage", |n| read_storage(n, base));
        let storage = storage.unwrap_or_else(|| Storage::new(base, None, None));
        let remediation = Settings::read(f, &forecasts(&groups));
        Some(Config {
            evaluation_interval: global
                .evaluation_interval
                .unwrap_or(DEFAULT_EVALUATION_INTERVAL),
            external_labels: global.external_labels,
            prometheus: prometheus?,
            alertmanager,
            remote_write: remote_write.unwrap_or_default(),
            groups,
            storage,
            remediation: remediation?,
        })
    })
}

#[derive(Default)]
struct Global {
    evaluation_interval: Option<Duration>,
    external_labels: Labels,
}

fn read_global(node: &Node) -> Option<Global> {
    node.map(|f| {
        let evaluation_interval = f.optional("evaluation_interval", interval);
        let external_labels = f.optional("external_labels", labels);
        let external_labels = external_labels.unwrap_or_default();
        Some(Global {
            evaluation_interval,
            external_labels,
        })
    })
}

fn labels(node: &Node) -> Option<Labels> {
    let pairs = node.entries(|name, value| Some((name.to_owned(), value.label_value()?)))?;
    node.accept(Labels::new(pairs))
}

fn interval(node: &Node) -> Option<Duration> {
    let length = node.parse::<PromDuration>()?.get();
    if length.is_zero() {
        node.problem("must be longer than 0s");
    }
    Some(length)
}

fn read_prometheus(node: &Node, base: &Path) -> Option<Prometheus> {
    node.map(|f| {
        let history = f.optional("history", |n| history::read(n, base));
        let history = history.unwrap_or_default();
        let upstream = read_upstream(f, base, DEFAULT_QUERY_TIMEOUT)?;
        Some(Prometheus { upstream, history })
    })
}

fn read_upstream(f: &Fields<'_, '_>, base: &Path, timeout: Duration) -> Option<Upstream> {
    let url = f.required("url", |n| server(n, f));
    let timeout = f.optional("timeout", interval).unwrap_or(timeout);
    let http = HttpConfig::read(f, base);
    Upstream::usable(f, url, timeout, http)
}

/// What `remote_read` and `remote_write` have in common.
fn read_remote(f: &Fields<'_, '_>, base: &Path, timeout: Duration) -> Option<Upstream> {
    let url = f.required("url", |n| server(n, f));
    let timeout = f.optional("remote_timeout", interval).unwrap_or(timeout);
    let http = HttpConfig::read_remote(f, base);
    Upstream::usable(f, url, timeout, http)
}

fn server(node: &Node, f: &Fields<'_, '_>) -> Option<Url> {
    let url: Url = node.parse()?;
    let speaks_http = matches!(url.scheme(), "http" | "https") && url.has_host();
    if !speaks_http {
        node.problem(format!("`{}` is not an http or https URL", redacted(&url)));
    }
    if has_credentials(&url) && (f.has("basic_auth") || f.has("authorization")) {
        node.problem("must not hold credentials beside `basic_auth` or `authorization`");
    }
    Some(url)
}

fn has_credentials(url: &Url) -> bool {
    !url.username().is_empty() || url.password().is_some()
}

impl Storage {
    fn new(base: &Path, path: Option<&str>, save_interval: Option<Duration>) -> Self {
        Self {
            path: base.join(path.unwrap_or(DEFAULT_STORAGE)),
            save_interval: save_interval.unwrap_or(DEFAULT_SAVE_INTERVAL),
        }
    }
}

fn read_storage(node: &Node, base: &Path) -> Option<Storage> {
    node.map(|f| {
        if f.has("url") {
            f.optional("url", Node::string);
            f.problem(
                "url",
                "storage in PostgreSQL is not available in this version, use `path`",
            );
        }
        let path = f.optional("path", Node::string);
        let save_interval = f.optional("save_interval", |n| {
            let length = n.parse::<PromDuration>()?.get();
            if length < MIN_SAVE_INTERVAL {
                let shortest = PromDuration::new(MIN_SAVE_INTERVAL);
                n.problem(format!("must be at least {shortest}"));
            }
            Some(length)
        });
        Some(Storage::new(base, path.as_deref(), save_interval))
    })
}

/// The names of all forecast rules.
fn forecasts(groups: &[Group]) -> Vec<&str> {
    let rules = groups.iter().flat_map(|group| &group.rules);
    rules
        .filter(|rule| matches!(rule.kind, RuleKind::Forecast(_)))
        .map(|rule| rule.kind.name())
        .collect()
}
