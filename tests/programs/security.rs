//! Links with a key, as a user sets them up: keys made and rotated, who is refused and told why, and what never shows a
//! key.

use super::output::of_child;
use super::train::{assert_whole, config, finish, rows, wait_until};
use super::{assert_refused, run, thermoflow};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use thermoflow::metrics::MetricsRow;

struct Site(tempfile::TempDir);

impl Site {
    fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    fn text(&self, name: &str) -> String {
        self.path(name).display().to_string()
    }

    /// Makes a key file; the secret in it.
    fn key(&self, name: &str) -> String {
        let made = run(&["key", "new", &self.text(name)]);
        assert!(made.status.success());
        let secret = newest(&self.path(name));
        assert!(!String::from_utf8(made.stdout).unwrap().contains(&secret));
        secret
    }

    fn learner(&self, arguments: &[&str]) -> Command {
        let mut command = thermoflow();
        command.arg("learner").arg(config());
        command.arg("--run-dir").arg(self.path("run"));
        command.arg("--address-file").arg(self.path("address"));
        command
            .args(["--set", "learner.report_every=1"])
            .args(arguments)
            .stdin(Stdio::null())
            .stderr(Stdio::piped());
        command
    }

    fn address(&self) -> String {
        wait_until("the address", || self.path("address").exists());
        std::fs::read_to_string(self.path("address")).unwrap().trim().into()
    }

    fn actor(&self, arguments: &[&str]) -> Command {
        let mut command = thermoflow();
        command
            .args(["actor", "--connect", &self.address()])
            .args(arguments)
            .stdin(Stdio::null())
            .stderr(Stdio::piped());
        command
    }
}

fn newest(path: &Path) -> String {
    let text = std::fs::read_to_string(path).unwrap();
    text.lines().nth(1).unwrap().to_owned()
}

/// Expects exit code 2 and these words.
fn assert_told(command: &mut Command, expected: &[&str]) {
    let output = of_child(command.stdout(Stdio::piped()).spawn().unwrap());
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(2), "{stderr}");
    for part in expected {
        assert!(stderr.contains(part), "{part:?} is not in {stderr}");
    }
}

fn stop(child: Child) -> Output {
    super::train::signal("-TERM", child.id());
    of_child(child)
}

/// All files of a directory, and what they hold.
fn assert_nowhere(dir: &Path, secret: &str) {
    for entry in std::fs::read_dir(dir).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            assert_nowhere(&path, secret);
        } else {
            let bytes = std::fs::read(&path).unwrap();
            let found = bytes.windows(secret.len()).any(|part| part == secret.as_bytes());
            assert!(!found, "{} holds the key", path.display());
        }
    }
}

#[test]
fn keys_are_made_private_renewed_and_named_without_being_shown() {
    let site = Site::new();
    let first = site.key("key");
    let mode = std::fs::metadata(site.path("key")).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
    assert_refused(&["key", "new", &site.text("key")], &["already", "rotate"]);
    let ids = |text: &str| String::from_utf8(run(&["key", "id", text]).stdout).unwrap();
    let before = ids(&site.text("key"));
    assert_eq!(before.lines().count(), 1);
    let rotated = run(&["key", "rotate", &site.text("key")]);
    assert!(rotated.status.success() && !String::from_utf8(rotated.stdout).unwrap().contains(&first));
    let after = ids(&site.text("key"));
    let old_id = before.split(' ').next().unwrap();
    assert!(after.lines().nth(1).unwrap().starts_with(old_id), "{after}");
    assert!(!after.contains(&first) && !after.contains(&newest(&site.path("key"))));
    run(&["key", "rotate", &site.text("key")]);
    assert!(!ids(&site.text("key")).contains(old_id), "two rotations end it");
}

#[test]
fn a_keyed_run_trains_and_shows_its_key_nowhere() {
    let site = Site::new();
    let secret = site.key("key");
    let id = String::from_utf8(run(&["key", "id", &site.text("key")]).stdout).unwrap();
    let mut command = thermoflow();
    command
        .arg("train")
        .arg(config())
        .args(["--run-dir", &site.text("run"), "--key-file", &site.text("key")])
        .args(["--rounds", "25", "--set", "learner.report_every=1"])
        .env("RUST_LOG", "debug")
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    let output = finish(command.spawn().unwrap());
    assert_whole(&site.path("run"), 25);
    assert_nowhere(&site.path("run"), &secret);
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(
        said.contains(id.split(' ').next().unwrap()),
        "links have the key: {said}"
    );
    for said in [&output.stdout, &output.stderr] {
        assert!(!String::from_utf8_lossy(said).contains(&secret));
    }
}

#[test]
fn a_key_in_the_environment_is_on_no_command_line_and_reaches_the_children() {
    let site = Site::new();
    let secret = site.key("key");
    let mut command = thermoflow();
    command
        .arg("train")
        .arg(config())
        .args(["--run-dir", &site.text("run"), "--rounds", "100000"])
        .args(["--set", "learner.report_every=1"])
        .env("THERMOFLOW_KEY", &secret)
        .env("RUST_LOG", "debug")
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    let log = std::fs::File::create(site.path("log")).unwrap();
    let child = command.stderr(log).spawn().unwrap();
    wait_until("the first rounds", || rows(&site.path("run")).len() > 3);
    let mut seen = 0;
    for entry in std::fs::read_dir("/proc").unwrap().flatten() {
        let line = std::fs::read(entry.path().join("cmdline")).unwrap_or_default();
        let line = String::from_utf8_lossy(&line).into_owned();
        seen += u32::from(line.contains("thermoflow"));
        assert!(!line.contains(&secret), "{line}");
    }
    assert!(seen >= 4, "train, a learner and two actors");
    let output = stop(child);
    assert!(output.status.success());
    let log = std::fs::read_to_string(site.path("log")).unwrap();
    assert!(
        log.contains("accepting actors with this key") && !log.contains(&secret),
        "{log}"
    );
    assert_nowhere(&site.path("run"), &secret);
}

#[test]
fn without_a_key_nothing_but_loopback_is_used() {
    let site = Site::new();
    for bind in ["tcp://0.0.0.0:0", "tcp://[::]:0", "tcp://learner.example:0"] {
        assert_told(
            &mut site.learner(&["--bind", bind]),
            &[bind, "thermoflow key new", "--key-file"],
        );
    }
    assert!(!site.path("run").exists(), "nothing is left behind");
    let connect = ["actor", "--connect", "tcp://192.0.2.1:5"];
    assert_refused(&connect, &["192.0.2.1", "thermoflow key new"]);
    site.key("key");
    let connect = ["actor", "--connect", "tcp://0.0.0.0:5", "--key-file", &site.text("key")];
    assert_refused(&connect, &["where one listens"]);
}

#[test]
fn key_files_that_others_can_read_or_that_are_part_of_a_run_are_refused() {
    let site = Site::new();
    site.key("key");
    let open = std::fs::Permissions::from_mode(0o644);
    std::fs::set_permissions(site.path("key"), open).unwrap();
    let cure = format!("chmod 600 {}", site.text("key"));
    assert_told(&mut site.learner(&["--key-file", &site.text("key")]), &["0644", &cure]);
    assert_refused(&["key", "id", &site.text("key")], &[&cure]);

    // A run is there before somebody puts a key into it.
    let child = site.learner(&["--rounds", "5"]).spawn().unwrap();
    site.address();
    stop(child);
    site.key("run/key");
    let key_file = site.text("run/../run/key");
    let arguments = ["--rounds", "5", "--resume", "--key-file", &key_file];
    assert_told(
        &mut site.learner(&arguments),
        &["in the run directory", "keep it elsewhere"],
    );
}

#[test]
fn an_actor_without_the_right_key_ends_at_once_and_is_told_why() {
    let site = Site::new();
    let _ = (site.key("key"), site.key("other"));
    let arguments = ["--bind", "tcp://0.0.0.0:0", "--advertise", "127.0.0.1", "--key-file"];
    let learner = site
        .learner(&[&arguments[..], &[&site.text("key")]].concat())
        .spawn()
        .unwrap();
    assert!(site.address().starts_with("tcp://127.0.0.1:"), "what is advertised");
    assert_told(&mut site.actor(&[]), &["wants a key", "--key-file", "THERMOFLOW_KEY"]);
    let other = ["--key-file", &site.text("other")];
    assert_told(
        &mut site.actor(&other),
        &["does not know this program's key", "thermoflow key id"],
    );
    stop(learner);

    std::fs::remove_file(site.path("address")).unwrap();
    let learner = site.learner(&["--resume"]).spawn().unwrap();
    assert_told(&mut site.actor(&other), &["has no key", "--key-file"]);
    stop(learner);
}

#[test]
fn a_key_is_rotated_twice_under_a_running_learner_and_its_actors_go_on() {
    let site = Site::new();
    site.key("key");
    let first = site.path("first");
    std::fs::copy(site.path("key"), &first).unwrap();
    let key = ["--key-file", &site.text("key")];
    let child = site
        .learner(&[&key[..], &["--rounds", "100000"]].concat())
        .spawn()
        .unwrap();
    let old = site
        .actor(&["--name", "old", "--key-file", first.to_str().unwrap()])
        .spawn()
        .unwrap();
    wait_until("the first rounds", || rows(&site.path("run")).len() > 3);

    run(&["key", "rotate", &site.text("key")]);
    let new = site.actor(&[&key[..], &["--name", "new"]].concat()).spawn().unwrap();
    let all_work = |names: &[&str]| {
        let rows = rows(&site.path("run"));
        let works = |row: &MetricsRow, name| row.actors.iter().any(|actor| actor.name == name);
        rows.last()
            .is_some_and(|row| names.iter().all(|&name| works(row, name)))
    };
    wait_until("the new key to work beside the old one", || all_work(&["old", "new"]));
    run(&["key", "rotate", &site.text("key")]);
    // The file is read at most once a second: a key is out for certain once the one that replaced it is in.
    let newest = site.actor(&[&key[..], &["--name", "newest"]].concat()).spawn().unwrap();
    wait_until("the newest key to work", || all_work(&["newest"]));
    let rotated_out = ["--key-file", first.to_str().unwrap()];
    assert_told(&mut site.actor(&rotated_out), &["does not know this program's key"]);
    let at = rows(&site.path("run")).len();
    wait_until("those that are in to go on", || rows(&site.path("run")).len() > at + 5);
    // What rows say of the door is renewed a few times a second.
    let rejected = || rows(&site.path("run")).last().unwrap().rejected;
    wait_until("a row that says who was rejected", || rejected().is_some());
    assert_eq!(rejected().unwrap().unknown_key, 1);
    for child in [child, old, new, newest] {
        assert!(stop(child).status.success());
    }
}
