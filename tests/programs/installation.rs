//! What depends on where the program lies: `doctor`, and the programs beside it.

use serde_json::Value;
use std::path::PathBuf;
use std::process::{Command, Output};
use tempfile::TempDir;

/// A directory with the program alone.
struct Installation(TempDir);

impl Installation {
    fn new() -> Self {
        let installation = Self(tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).unwrap());
        installation.add("thermoflow");
        installation
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(format!("{name}{}", std::env::consts::EXE_SUFFIX))
    }

    /// Adds the program under another name too: enough to be found.
    fn add(&self, name: &str) {
        // A link and not a copy: the program is large.
        std::fs::hard_link(env!("CARGO_BIN_EXE_thermoflow"), self.path(name)).unwrap();
    }

    fn run(&self, arguments: &[&str]) -> Output {
        let mut command = Command::new(self.path("thermoflow"));
        command.args(arguments).current_dir(self.0.path()).output().unwrap()
    }
}

fn error_of(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

fn check<'a>(report: &'a Value, name: &str) -> &'a Value {
    let checks = report["checks"].as_array().unwrap();
    checks.iter().find(|check| check["name"] == name).unwrap()
}

#[test]
fn the_doctor_passes_a_whole_installation() {
    let installation = Installation::new();
    installation.add("thermoflow-learner");
    installation.add("thermoflow-actor");
    let output = installation.run(&["doctor", "--json"]);
    let report: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert!(output.status.success(), "{report:#}");
    assert_eq!(report["ok"], true);
    for name in ["libtorch", "device cpu", "ports", "run directory", "thermoflow-actor"] {
        assert_eq!(check(&report, name)["status"], "ok", "{report:#}");
    }
    for name in ["speed of libtorch", "speed of native"] {
        assert!(check(&report, name)["gflops"].as_f64().unwrap() > 0.0);
    }
    assert!(!installation.0.path().join("runs").exists(), "it only looks");
}

#[test]
fn the_doctor_names_what_is_missing_and_says_what_to_do() {
    let installation = Installation::new();
    installation.add("thermoflow-learner");
    std::fs::write(installation.0.path().join("file"), "").unwrap();
    let output = installation.run(&["doctor", "--run-dir", "file/runs"]);
    assert_eq!(output.status.code(), Some(1));
    let text = String::from_utf8_lossy(&output.stdout);
    assert!(text.contains("FAIL  thermoflow-actor") && text.contains("-> cargo build --release --workspace"));
    assert!(text.contains("ok    thermoflow-learner"), "{text}");
    let expected = "error: not ready to train: run directory, thermoflow-actor\n";
    assert_eq!(error_of(&output), expected);
}

#[test]
fn a_missing_program_is_named() {
    for (command, program) in [
        ("learner", "thermoflow-learner"),
        ("actor", "thermoflow-actor"),
        ("relay", "thermoflow-relay"),
    ] {
        let output = Installation::new().run(&[command, "--help"]);
        assert_eq!(output.status.code(), Some(1));
        let error = error_of(&output);
        assert!(error.starts_with("error: ") && error.contains(program), "{error}");
        assert!(error.contains("cargo build --release --workspace"), "{error}");
    }
}

#[cfg(unix)]
#[test]
fn a_program_gets_its_arguments_and_gives_its_exit_code() {
    use std::os::unix::fs::PermissionsExt;
    let installation = Installation::new();
    let program = installation.path("thermoflow-actor");
    std::fs::write(&program, "#!/bin/sh\nprintf '<%s>' \"$@\"\nexit 7\n").unwrap();
    std::fs::set_permissions(&program, PermissionsExt::from_mode(0o755)).unwrap();
    let output = installation.run(&["actor", "--connect", "a b", "--help", "-x", "--", "y"]);
    assert_eq!(
        String::from_utf8_lossy(&output.stdout),
        "<--connect><a b><--help><-x><--><y>"
    );
    assert_eq!(output.status.code(), Some(7), "{}", error_of(&output));
}
