//! The configuration file, read to the last problem.

mod http_client;
mod rule_files;
mod web;

pub(crate) use http_client::{HttpConfig, SecretFiles};
pub(crate) use rule_files::parse_all as parse_rule_files;
pub(crate) use web::{ServerTls, WebConfig};

use crate::redact::redacted;
use remediation::config::Settings;
use rules::{Group, RuleKind};
use series::{Labels, PromDuration};
use std::{
    fs,
    path::{Path, PathBuf},
    time::Duration,
};
use url::Url;
use yaml::{Document, Node, Problem, Problems};

/// Rules are evaluated as often as Prometheus evaluates its own by default.
const DEFAULT_EVALUATION_INTERVAL: Duration = Duration::from_mins(1);

/// Half of the default interval: the other rules of a group do not miss a slot for one that is waited for.
const DEFAULT_QUERY_TIMEOUT: Duration = Duration::from_secs(30);

/// Alertmanager answers from memory; what takes longer is broken.
const DEFAULT_ALERTMANAGER_TIMEOUT: Duration = Duration::from_secs(10);

/// Where the journal lies when `storage` says nothing, seen from the folder of the configuration.
const DEFAULT_STORAGE: &str = "data";

/// A checked configuration, with the rule files that it names.
#[derive(Debug)]
pub(crate) struct Config {
    pub(crate) evaluation_interval: Duration,
    pub(crate) external_labels: Labels,
    pub(crate) prometheus: Upstream,
    pub(crate) alertmanager: Option<Upstream>,
    pub(crate) groups: Vec<Group>,
    pub(crate) storage: PathBuf,
    pub(crate) remediation: Settings,
}

/// Another server, and how it is spoken to.
#[derive(Debug)]
pub(crate) struct Upstream {
    pub(crate) url: Url,
    pub(crate) timeout: Duration,
    pub(crate) http: HttpConfig,
}

impl Upstream {
    /// Builds the client that speaks to this server.
    pub(crate) fn client(&self) -> anyhow::Result<reqwest::Client> {
        self.http.client(self.timeout)
    }
}

impl Config {
    /// Reads a file and every rule file that it names; relative names start from its folder.
    pub(crate) fn load(path: &Path) -> Result<Self, Problems> {
        let file = path.display().to_string();
        let text = fs::read_to_string(path).map_err(|e| Problems::unreadable(&file, &e))?;
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
        let prometheus = f.required("prometheus", |n| {
            read_upstream(n, base, DEFAULT_QUERY_TIMEOUT)
        });
        let alertmanager = f.optional("alertmanager", |n| {
            read_upstream(n, base, DEFAULT_ALERTMANAGER_TIMEOUT)
        });
        let (groups, problems) = f
            .optional("rule_files", |n| rule_files::load(n, base))
            .unwrap_or_default();
        in_rule_files.extend(problems);
        let storage = f.optional("storage", |n| read_storage(n, base));
        let remediation = Settings::read(f, &forecasts(&groups));
        Some(Config {
            evaluation_interval: global
                .evaluation_interval
                .unwrap_or(DEFAULT_EVALUATION_INTERVAL),
            external_labels: global.external_labels,
            prometheus: prometheus?,
            alertmanager,
            groups,
            storage: storage.unwrap_or_else(|| base.join(DEFAULT_STORAGE)),
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
        let external_labels = f.optional("external_labels", |n| {
            let pairs = n.entries(|name, value| Some((name.to_owned(), value.string()?)))?;
            n.accept(Labels::new(pairs))
        });
        let external_labels = external_labels.unwrap_or_default();
        Some(Global {
            evaluation_interval,
            external_labels,
        })
    })
}

fn interval(node: &Node) -> Option<Duration> {
    let length = node.parse::<PromDuration>()?.get();
    if length.is_zero() {
        node.problem("must be longer than 0s");
    }
    Some(length)
}

fn read_upstream(node: &Node, base: &Path, timeout: Duration) -> Option<Upstream> {
    node.map(|f| {
        let url = f.required("url", |n| {
            let url: Url = n.parse()?;
            let speaks_http = matches!(url.scheme(), "http" | "https") && url.has_host();
            if !speaks_http {
                n.problem(format!("`{}` is not an http or https URL", redacted(&url)));
            }
            if has_credentials(&url) && (f.has("basic_auth") || f.has("authorization")) {
                n.problem("must not hold credentials beside `basic_auth` or `authorization`");
            }
            Some(url)
        });
        let timeout = f.optional("timeout", interval).unwrap_or(timeout);
        let http = HttpConfig::read(f, base);
        let usable = http.client(timeout).map_err(|error| format!("{error:#}"));
        f.node().accept(usable);
        Some(Upstream {
            url: url?,
            timeout,
            http,
        })
    })
}

fn has_credentials(url: &Url) -> bool {
    !url.username().is_empty() || url.password().is_some()
}

fn read_storage(node: &Node, base: &Path) -> Option<PathBuf> {
    node.map(|f| {
        if f.has("url") {
            f.optional("url", Node::string);
            f.problem(
                "url",
                "storage in PostgreSQL is not available in this version, use `path`",
            );
        }
        f.required("path", Node::string).map(|path| base.join(path))
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
