//! Where the cluster is and who asks; no program is run to find out.

use crate::{actuator::ActuatorError, config::KubernetesActuator};
use kube::{
    Client, Config,
    client::AuthError,
    config::{AuthInfo, KubeConfigOptions, Kubeconfig},
};
use std::{path::Path, time::Duration};

/// A server that is there answers a connection within seconds.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);

/// Time to read the kubeconfig and the files of credentials that it names.
const FILES_LIMIT: Duration = Duration::from_secs(10);

/// Size of a kubeconfig, certificates of many clusters included.
const MAX_KUBECONFIG_BYTES: u64 = 8 << 20;

type Cause = Box<dyn std::error::Error + Send + Sync>;

/// What is wrong with a file that says where a cluster is, if something is.
pub(crate) fn check_kubeconfig(path: &Path, context: Option<&str>) -> Result<(), String> {
    let kubeconfig = read(path).map_err(|error| crate::error::in_full(&*error))?;
    let wanted = context.or(kubeconfig.current_context.as_deref());
    let wanted = wanted.ok_or("has no current context, so `context` is needed")?;
    let mut contexts = kubeconfig.contexts.iter();
    let Some(named) = contexts.find(|one| one.name == wanted) else {
        return Err(format!("has no context `{wanted}`"));
    };
    let user = named.context.as_ref().and_then(|one| one.user.as_ref());
    let mut users = kubeconfig.auth_infos.iter();
    let user = users.find(|one| Some(&one.name) == user);
    user.and_then(|one| one.auth_info.as_ref())
        .map_or(Ok(()), check_credential)
}

/// The client would wait for a program on one of the threads that all else runs on, and quote its environment.
fn check_credential(user: &AuthInfo) -> Result<(), String> {
    let by = match (&user.exec, &user.auth_provider) {
        (Some(_), _) => "exec",
        (None, Some(_)) => "auth-provider",
        (None, None) => return Ok(()),
    };
    Err(format!(
        "its user has a plugin, `{by}`, and none is run: give it a `tokenFile`, a token or a client certificate"
    ))
}

/// A client, and the address that it speaks to.
pub(super) struct Connection {
    pub(super) client: Client,
    pub(super) address: String,
}

/// Reads a file that says where clusters are.
fn read(path: &Path) -> Result<Kubeconfig, Cause> {
    // The client would wait for a pipe, and read whatever size there is.
    files::read(path, MAX_KUBECONFIG_BYTES).map_err(|error| format!("cannot be read: {error}"))?;
    Ok(Kubeconfig::read_from(path)?)
}

/// Makes a client, and asks nothing yet. It reads files of credentials, so it is done where that may block.
pub(super) async fn connect(config: &KubernetesActuator) -> Result<Connection, Cause> {
    let (owned, runtime) = (config.clone(), tokio::runtime::Handle::current());
    let path = config.kubeconfig.clone().unwrap_or_default();
    let connect = move || runtime.block_on(connect_here(&owned));
    files::within(&path, FILES_LIMIT, connect).await?
}

async fn connect_here(config: &KubernetesActuator) -> Result<Connection, Cause> {
    let mut found = match &config.kubeconfig {
        Some(path) => {
            let options = KubeConfigOptions {
                context: config.context.clone(),
                ..KubeConfigOptions::default()
            };
            Config::from_custom_kubeconfig(read(path)?, &options).await?
        }
        // The error's own cause is in its words already.
        None => Config::infer()
            .await
            .map_err(|error| format!("`kubeconfig` names no file, and {error}"))?,
    };
    // The file may be another by now, and what was inferred was never looked at.
    check_credential(&found.auth_info).map_err(|why| format!("the kubeconfig: {why}"))?;
    // The client would send a write again by itself, up to fifteen times; trying again is the supervisor's.
    found.default_retry = false;
    found.connect_timeout = Some(CONNECT_TIMEOUT);
    found.read_timeout = Some(config.timeout);
    found.write_timeout = Some(config.timeout);
    found.reset_reader_on_write = true;
    let address = found.cluster_url.to_string();
    let address = address.trim_end_matches('/').to_owned();
    let client = Client::try_from(found).map_err(|error| match error {
        kube::Error::Auth(error) => quoted(error),
        other => other.into(),
    })?;
    Ok(Connection { client, address })
}

/// What came of a request that got no answer.
pub(super) fn lost(error: kube::Error, at: &str) -> ActuatorError {
    let source = match error {
        // Nothing was sent: the credential could not be had.
        kube::Error::Auth(error) => return ActuatorError::NoCluster(quoted(error)),
        kube::Error::Service(error) => error,
        other => other.into(),
    };
    ActuatorError::Lost {
        at: at.to_owned(),
        source,
    }
}

/// The client's words, but for those in which it quotes a program's environment or what it printed.
fn quoted(error: AuthError) -> Cause {
    match error {
        AuthError::AuthExecRun { out, .. } => {
            format!("the plugin of the user ended with {}", out.status).into()
        }
        AuthError::AuthExec(_) | AuthError::AuthExecParse(_) | AuthError::AuthExecSerialize(_) => {
            "the plugin of the user gave no credential".into()
        }
        other => Box::new(other),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::{
        os::unix::process::ExitStatusExt as _,
        process::{ExitStatus, Output},
    };

    const PLUGIN: &str = r#"
apiVersion: v1
kind: Config
current-context: a
contexts: [{name: a, context: {cluster: c, user: by-program}}, {name: b, context: {cluster: c, user: by-token}}]
clusters: [{name: c, cluster: {server: "http://127.0.0.1:1"}}]
users:
- {name: by-token, user: {token: t}}
- name: by-program
  user: {exec: {apiVersion: client.authentication.k8s.io/v1, command: sleep, args: ["3600"], env: [{name: KEY, value: hush}]}}
"#;

    #[tokio::test]
    async fn no_plugin_is_run_also_where_the_file_came_to_name_one_later() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("kubeconfig");
        std::fs::write(&path, PLUGIN).unwrap();
        let why = check_kubeconfig(&path, None).unwrap_err();
        assert!(why.contains("a plugin, `exec`"), "{why}");
        assert!(!why.contains("hush"), "{why}");
        assert_eq!(check_kubeconfig(&path, Some("b")), Ok(()));

        let config = KubernetesActuator {
            kubeconfig: Some(path),
            context: None,
            timeout: Duration::from_secs(1),
            raise_max: false,
        };
        let Err(error) = connect(&config).await else {
            panic!("the plugin was run");
        };
        let error = error.to_string();
        assert!(error.starts_with("the kubeconfig: its user has"), "{error}");
    }

    #[test]
    fn what_a_plugin_was_given_or_printed_is_not_repeated() {
        let error = AuthError::AuthExecRun {
            cmd: "KEY=hush get-token".to_owned(),
            out: Box::new(Output {
                status: ExitStatus::from_raw(256),
                stdout: b"hush".to_vec(),
                stderr: b"hush".to_vec(),
            }),
        };
        let error = crate::error::in_full(&lost(kube::Error::Auth(error), "https://here"));
        assert_eq!(
            error,
            "cannot reach the cluster: the plugin of the user ended with exit status: 1"
        );
    }
}
