//! What depends on where the program lies: `doctor`, and the programs beside it.

use serde_json::Value;
use std::path::{Path, PathBuf};
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

    fn add_the_one_with_libtorch(&self) {
        let name = "thermoflow-torch";
        let built = Path::new(env!("CARGO_BIN_EXE_thermoflow")).with_file_name(name);
        std::fs::hard_link(built, self.path(name)).unwrap();
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
    installation.add_the_one_with_libtorch();
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
    assert!(text.contains("FAIL  thermoflow-torch"), "{text}");
    let expected = "error: not ready to train: thermoflow-torch, run directory, thermoflow-actor\n";
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

#[test]
fn what_needs_libtorch_goes_to_the_program_that_has_it_and_nothing_else_does() {
    let installation = Installation::new();
    let bench = ["bench", "rollout", "--batch", "4", "--seconds", "0.01", "--json"];
    let output = installation.run(&bench);
    assert!(
        output.status.success(),
        "the built-in kernels need none: {}",
        error_of(&output)
    );

    let on_libtorch = [&bench[..], &["--device", "cpu-torch"]].concat();
    let output = installation.run(&on_libtorch);
    let error = error_of(&output);
    assert_eq!(output.status.code(), Some(1));
    assert!(
        error.contains("thermoflow-torch is missing") && error.contains("needs"),
        "{error}"
    );

    installation.add_the_one_with_libtorch();
    let output = installation.run(&on_libtorch);
    assert!(output.status.success(), "{}", error_of(&output));
    let report: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(report["device"], "cpu-torch");
}
