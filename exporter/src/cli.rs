//! The command line.

use crate::logs::{LogFormat, LogLevel};
use clap::{Args, Parser, Subcommand};
use std::{net::SocketAddr, path::PathBuf};
use url::Url;

/// Foreshadow adds the future to Prometheus.
#[derive(Debug, Parser)]
#[command(name = "foreshadow", version, about, max_term_width = 100)]
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
    /// List actions and decide on them
    Actions(Actions),
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
    /// Address to listen on
    #[arg(
        long = "web.listen-address",
        value_name = "HOST:PORT",
        default_value = "127.0.0.1:9755"
    )]
    pub(crate) listen_address: SocketAddr,
    /// TLS and users, in the format of Prometheus' web configuration file
    #[arg(long = "web.config.file", value_name = "FILE")]
    pub(crate) web_config_file: Option<PathBuf>,
    /// Listen beyond loopback although nobody has to prove who they are
    #[arg(long = "web.allow-unauthenticated")]
    pub(crate) allow_unauthenticated: bool,
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
}

/// The controls of actions, through the service's API.
#[derive(Debug, Args)]
pub(crate) struct Actions {
    /// Address of the service; user and password may stand in it
    #[arg(
        long = "foreshadow.url",
        value_name = "URL",
        default_value = "http://127.0.0.1:9755",
        global = true
    )]
    pub(crate) url: Url,
    #[command(subcommand)]
    pub(crate) command: ActionsCommand,
}

/// One control.
#[derive(Debug, Subcommand)]
pub(crate) enum ActionsCommand {
    /// Actions, newest first
    List,
    /// Let an action that awaits approval go ahead
    Approve {
        /// The action's id
        id: String,
    },
    /// Turn an action down before it takes effect
    Reject {
        /// The action's id
        id: String,
        /// Why, for the journal
        #[arg(long)]
        reason: String,
    },
    /// Put back what an action changed
    Rollback {
        /// The action's id
        id: String,
    },
}
