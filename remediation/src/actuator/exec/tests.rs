//! Real programs: what they are given, and how they end.

use super::*;
use crate::{
    Target,
    actuator::Verdict,
    config::{ActuatorConfig, Guards, Settings},
};
use series::Timestamp;
use std::{fs, os::unix::fs::PermissionsExt as _, path::Path, time::Instant};
use store::ActionId;

/// An actuator whose programs are small scripts in a folder of their own.
struct Scripts {
    folder: tempfile::TempDir,
    driver: ExecDriver,
    target: Target,
    guards: Guards,
}

impl Scripts {
    fn new(observe: &str, ensure: &str, more: &str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        for (name, script) in [("observe", observe), ("ensure", ensure)] {
            let path = folder.path().join(name);
            fs::write(&path, format!("#!/bin/sh\n{script}\n")).unwrap();
            fs::set_permissions(&path, fs::Permissions::from_mode(0o700)).unwrap();
        }
        let at = folder.path().display();
        let text = format!(
            "actuators:
  a:
    exec:
      observe: ['{at}/observe', '{at}']
      ensure: ['{at}/ensure', '{at}', '--name={{{{ target.name }}}}', '{{{{ replicas }}}}']
      timeout: 2s
{more}"
        );
        let document = yaml::Document::parse("c.yml", &text).unwrap();
        let settings = document.check(|node| node.map(|fields| Settings::read(fields, &[])));
        let settings = settings.unwrap();
        let Some(ActuatorConfig::Exec(exec)) = settings.actuators.get("a") else {
            panic!("the actuator is of the kind exec");
        };
        Self {
            driver: ExecDriver::new((**exec).clone()),
            target: Target::from([("name".to_owned(), "shop".to_owned())]),
            guards: Guards::standard(),
            folder,
        }
    }

    fn occasion(&self) -> Occasion<'_> {
        Occasion {
            target: &self.target,
            object: None,
            action: ActionId::new(Timestamp::from_seconds(0)),
            workload: "shop",
            alerts: &[],
            state: store::State::Applying,
            guards: &self.guards,
            now: Timestamp::from_seconds(0),
        }
    }

    async fn ensure(&self) -> Result<(), ActuatorError> {
        self.driver.ensure(self.occasion(), Shape::of(7)).await
    }

    fn written(&self, name: &str) -> String {
        fs::read_to_string(self.folder.path().join(name)).unwrap()
    }
}

fn is_alive(pid: &str) -> bool {
    let status = fs::read_to_string(format!("/proc/{}/stat", pid.trim()));
    // A killed process that nobody has waited for yet is a zombie, and runs no more.
    status.is_ok_and(|stat| !stat.contains(") Z "))
}

async fn is_gone(pid: &str) -> bool {
    for _ in 0..100 {
        if !is_alive(pid) {
            return true;
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    false
}

#[tokio::test]
async fn what_is_printed_is_what_there_is() {
    let scripts = Scripts::new("echo 4", "", "");
    let shape = scripts.driver.observe(scripts.occasion()).await.unwrap();
    assert_eq!(shape, Shape::of(4));
}

#[tokio::test]
async fn arguments_and_environment_are_what_the_configuration_says_and_nothing_else() {
    let scripts = Scripts::new(
        "",
        r#"dir=$1; shift; printf '%s\n' "$@" > "$dir/arguments"; /usr/bin/env > "$dir/environment"; pwd > "$dir/pwd""#,
        "      environment: {COLOUR: 'a b'}\n",
    );
    scripts.ensure().await.unwrap();
    assert_eq!(scripts.written("arguments"), "--name=shop\n7\n");
    assert_eq!(scripts.written("pwd"), "/\n");
    let environment = scripts.written("environment");
    for line in environment.lines() {
        // The shell itself adds its own.
        let is_known = ["COLOUR=a b", "PWD=/", "_=/usr/bin/env", "OLDPWD=", "SHLVL="]
            .iter()
            .any(|known| line.starts_with(known))
            || line.starts_with("AMX_")
            || line.starts_with("FORESHADOW_");
        assert!(is_known, "{line}");
    }
    assert!(
        environment.contains("FORESHADOW_REPLICAS=7\n"),
        "{environment}"
    );
}

#[tokio::test]
async fn no_shell_reads_the_arguments() {
    let more = "      pattern: '.*'\n";
    let mut scripts = Scripts::new("", r#"printf '%s' "$2" > "$1/argument""#, more);
    let nasty = "$(touch /tmp/x); `id` && \"'> *";
    scripts.target.insert("name".to_owned(), nasty.to_owned());
    scripts.ensure().await.unwrap();
    assert_eq!(scripts.written("argument"), format!("--name={nasty}"));
}

#[tokio::test]
async fn what_runs_for_too_long_is_killed_with_all_that_it_started() {
    let script = r#"sleep 60 & echo $! > "$1/child"; echo $$ > "$1/own"; sleep 60"#;
    let scripts = Scripts::new("", script, "");
    let began = Instant::now();
    let error = scripts.ensure().await.unwrap_err();
    assert!(matches!(error, ActuatorError::TimedOut(limit) if limit == Duration::from_secs(2)));
    assert!(began.elapsed() < Duration::from_secs(10));
    assert!(is_gone(&scripts.written("child")).await);
    assert!(is_gone(&scripts.written("own")).await);
}

#[tokio::test]
async fn a_call_that_is_dropped_leaves_nothing_running() {
    let script = r#"sleep 60 & echo $! > "$1/child"; wait"#;
    let scripts = Scripts::new("", script, "");
    let child = scripts.folder.path().join("child");
    let is_begun = async {
        while !fs::read_to_string(&child).is_ok_and(|text| text.ends_with('\n')) {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    };
    tokio::select! {
        _ = scripts.ensure() => panic!("it takes a minute"),
        () = is_begun => {}
    }
    assert!(is_gone(&scripts.written("child")).await);
}

#[tokio::test]
async fn what_was_left_behind_neither_runs_on_nor_holds_us_up() {
    let script = r#"sleep 60 & echo $! > "$1/child""#;
    let scripts = Scripts::new("", script, "");
    let began = Instant::now();
    scripts.ensure().await.unwrap();
    assert!(began.elapsed() < Duration::from_millis(1_900));
    assert!(is_gone(&scripts.written("child")).await);
}

#[tokio::test]
async fn output_without_end_is_read_and_dropped() {
    let script = "head -c 3000000 /dev/zero | tr '\\0' x; head -c 3000000 /dev/zero >&2; echo done >&2; exit 3";
    let path = "      environment: {PATH: '/usr/bin:/bin'}\n";
    let scripts = Scripts::new(script, "", path);
    let error = scripts.driver.observe(scripts.occasion()).await;
    let words = error.unwrap_err().to_string();
    assert!(
        words.contains("exit status: 3") && words.len() < 2_000,
        "{words}"
    );
}

#[tokio::test]
async fn exit_codes_say_whether_another_try_helps() {
    for (code, verdict) in [
        (1, Verdict::Retry(None)),
        (75, Verdict::Retry(None)),
        (64, Verdict::GiveUp),
        (77, Verdict::GiveUp),
    ] {
        let scripts = Scripts::new("", &format!("echo sorry >&2; exit {code}"), "");
        let error = scripts.ensure().await.unwrap_err();
        assert!(error.to_string().ends_with("sorry"), "{error}");
        assert_eq!(error.verdict(), verdict, "{code}");
    }
    let killed = Scripts::new("", "kill -9 $$", "")
        .ensure()
        .await
        .unwrap_err();
    assert!(killed.to_string().contains("signal: 9"), "{killed}");
}

#[tokio::test]
async fn a_program_that_is_not_there_is_not_tried_again() {
    let scripts = Scripts::new("", "", "");
    fs::remove_file(scripts.folder.path().join("ensure")).unwrap();
    let error = scripts.ensure().await.unwrap_err();
    assert!(
        matches!(&error, ActuatorError::NotRun { program, .. } if Path::new(program).ends_with("ensure"))
    );
    assert_eq!(error.verdict(), Verdict::GiveUp);
}

#[tokio::test]
async fn without_a_dry_run_the_command_line_is_told() {
    let scripts = Scripts::new("", "echo x > \"$1/done\"", "");
    let told = scripts
        .driver
        .rehearse(scripts.occasion(), Shape::of(7))
        .await;
    let told = told.unwrap().unwrap();
    assert!(
        told.starts_with("would run [") && told.ends_with(r#""--name=shop", "7"]"#),
        "{told}"
    );
    assert!(!scripts.folder.path().join("done").exists());
}
