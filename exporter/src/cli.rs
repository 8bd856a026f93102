//! The command line.

mod generated;
mod offline;
mod states;

pub(crate) use generated::{completions, manual};
pub(crate) use offline::{Backtest, Forecast, Format, Named, Source, Subject, Threshold, Written};
use states::action_state;

use crate::{
    address::Address,
    listen::{ExternalUrl, ListenAddress},
    logs::{LogFormat, LogLevel},
    version,
};
use clap::{Args, Parser, Subcommand, ValueEnum};
use clap_complete::Shell;
use std::path::PathBuf;

/// Foreshadow adds the future to Prometheus.
#[derive(Debug, Parser)]
#[command(name = "foreshadow", version = version::VERSION, long_version = version::LONG, max_term_width = 100)]
pub(crate) struct Cli {
    #[command(subcommand)]
    pub(crate) command: Command,
}

/// What the program is asked to do.
#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Run the service
    Serve(Serve),
    /// Report all problems of configuration or rule files
    #[command(subcommand)]
    Check(Check),
    /// Tell how good forecasts would have been
    Backtest(Backtest),
    /// Forecast something now
    Forecast(Forecast),
    /// List actions and decide on them
    Actions(Actions),
    /// Print what makes a shell complete commands and flags
    Completions {
        /// The shell
        shell: Shell,
    },
    /// Print the manual page, in the format of man(7)
    Man,
}

/// How a report is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum ReportFormat {
    /// Aligned columns
    Table,
    /// One object a line
    Json,
}

fn at_least_one(text: &str) -> Result<usize, String> {
    let n: usize = text
        .parse()
        .map_err(|error: std::num::ParseIntError| error.to_string())?;
    Some(n)
        .filter(|&n| n > 0)
        .ok_or_else(|| "at least one connection is needed".to_owned())
}

/// Flags of the service, named as Prometheus names its own.
#[derive(Debug, Args)]
pub(crate) struct Serve {
    /// Configuration file
    #[arg(
        long = "config.file",
        value_name = "FILE",
        default_value = "foreshadow.yml"
    )]
    pub(crate) config_file: PathBuf,
    /// Address to listen on; without a host, on every address of the machine
    #[arg(
        long = "web.listen-address",
        value_name = "[HOST]:PORT",
        default_value = "127.0.0.1:9755"
    )]
    pub(crate) listen_address: ListenAddress,
    /// TLS and users, in the format of Prometheus' web configuration file
    #[arg(long = "web.config.file", value_name = "FILE")]
    pub(crate) web_config_file: Option<PathBuf>,
    /// Listen beyond loopback although nobody has to prove who they are
    #[arg(long = "web.allow-unauthenticated")]
    pub(crate) allow_unauthenticated: bool,
    /// Address under which people and Prometheus reach the server, as behind a proxy; its host is taken for ours
    #[arg(long = "web.external-url", value_name = "URL")]
    pub(crate) external_url: Option<ExternalUrl>,
    /// The most connections at once; never more than half of the open files that the system allows
    #[arg(
        long = "web.max-connections",
        value_name = "N",
        default_value_t = 512,
        value_parser = at_least_one
    )]
    pub(crate) max_connections: usize,
    /// Only log messages with this severity or above
    #[arg(long = "log.level", value_enum, default_value = "info")]
    pub(crate) log_level: LogLevel,
    /// Format of log messages
    #[arg(long = "log.format", value_enum, default_value = "logfmt")]
    pub(crate) log_format: LogFormat,
}

/// What is checked.
#[derive(Debug, Subcommand)]
pub(crate) enum Check {
    /// Configuration files and the rule files that they name
    Config {
        /// The files
        #[arg(required = true, value_name = "FILE")]
        files: Vec<PathBuf>,
    },
    /// Predictive rule files
    Rules {
        /// The files
        #[arg(required = true, value_name = "FILE")]
        files: Vec<PathBuf>,
    },
    /// Web configuration files and the certificates that they name
    WebConfig {
        /// The files
        #[arg(required = true, value_name = "FILE")]
        files: Vec<PathBuf>,
    },
    /// Print the JSON Schema of predictive rule files, by which editors complete them
    Schema,
}

/// The controls of actions, through the service's API.
#[derive(Debug, Args)]
pub(crate) struct Actions {
    /// Address of the service; user and password may stand in it
    #[arg(
        long = "foreshadow.url",
        value_name = "URL",
        env = "FORESHADOW_URL",
        hide_env_values = true,
        default_value = "http://127.0.0.1:9755",
        global = true
    )]
    pub(crate) url: Address,
    /// How to reach it: credentials, TLS and proxy, with the keys of Prometheus' `http_config`
    #[arg(long = "http.config.file", value_name = "FILE", global = true)]
    pub(crate) http_config_file: Option<PathBuf>,
    #[command(subcommand)]
    pub(crate) command: ActionsCommand,
}

/// One control.
#[derive(Debug, Subcommand)]
pub(crate) enum ActionsCommand {
    /// Actions, newest first
    List(ActionsList),
    /// Alerts that fire and are not being acted upon, by workload and reason
    Unattended {
        /// How they are written
        #[arg(long, value_enum, default_value = "table")]
        format: ReportFormat,
    },
    /// One action with its history
    Show {
        /// The action's id, or as much of its beginning as tells it from all others
        id: String,
        /// How it is written
        #[arg(long, value_enum, default_value = "table")]
        format: ReportFormat,
    },
    /// Every action with all that belongs to it, oldest first, one JSON object a line
    Export {
        /// Only those that changed since a time (RFC 3339), or within a duration like 30d
        #[arg(long, value_name = "TIME|DURATION")]
        since: Option<String>,
    },
    /// Let an action that awaits approval go ahead
    Approve {
        /// The action's id, or as much of its beginning or end as tells it from all others
        id: String,
    },
    /// Let an action go ahead with another number of replicas
    Override {
        /// The action's id, or as much of its beginning or end as tells it from all others
        id: String,
        /// How many there are to be
        #[arg(long, value_name = "N")]
        replicas: u32,
    },
    /// Turn an action down before it takes effect
    Reject {
        /// The action's id, or as much of its beginning or end as tells it from all others
        id: String,
        /// Why, for the journal
        #[arg(long)]
        reason: String,
    },
    /// Put back what an action changed
    Rollback {
        /// The action's id, or as much of its beginning or end as tells it from all others
        id: String,
    },
}

/// Which actions are listed, and how.
#[derive(Debug, Args)]
pub(crate) struct ActionsList {
    /// Only those on this workload
    #[arg(long, value_name = "NAME")]
    pub(crate) workload: Option<String>,
    /// Only those in this state
    #[arg(long, value_name = "STATE", value_parser = action_state())]
    pub(crate) state: Option<String>,
    /// The most that are listed, up to 1000
    #[arg(long, value_name = "N", default_value_t = 100)]
    pub(crate) limit: u32,
    /// How they are written
    #[arg(long, value_enum, default_value = "table")]
    pub(crate) format: ReportFormat,
}
