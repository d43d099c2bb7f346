//! `thermoflow data`: import of the authors' files, what it refuses, and the list.

use super::{assert_fails, assert_refused, run};
use serde_json::Value;
use std::fs;
use std::path::{Path, PathBuf};

/// A copy of the authors' files in a new directory, where they are to be had.
fn authors_files() -> Option<tempfile::TempDir> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../shared/data/reference");
    if !folder.is_dir() {
        eprintln!("SKIPPED: the authors' files are not in {}", folder.display());
        return None;
    }
    let dir = tempfile::tempdir().unwrap();
    for task in fs::read_dir(folder).unwrap() {
        let task = task.unwrap();
        let copy = dir.path().join("datasets").join(task.file_name());
        fs::create_dir_all(&copy).unwrap();
        for file in fs::read_dir(task.path()).unwrap() {
            let file = file.unwrap();
            fs::write(copy.join(file.file_name()), fs::read(file.path()).unwrap()).unwrap();
        }
    }
    Some(dir)
}

fn json(arguments: &[&str]) -> Value {
    let output = run(arguments);
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    serde_json::from_slice(&output.stdout).unwrap()
}

fn text(path: &Path) -> &str {
    path.to_str().unwrap()
}

fn names(folder: &Path) -> Vec<String> {
    let entries = fs::read_dir(folder).unwrap();
    let mut names: Vec<_> = entries
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    names.sort();
    names
}

#[test]
fn the_authors_files_are_imported_and_listed() {
    let Some(dir) = authors_files() else { return };
    let out = dir.path().join("a/b");
    let report = json(&["data", "import", text(dir.path()), "--out", text(&out), "--json"]);
    assert_eq!(report["imported"].as_array().unwrap().len(), 3);
    assert_eq!(report["imported"][0]["modes"], 364);
    assert_eq!(report["imported"][1]["blocks"], 18);
    assert_eq!(report["found"].as_object().unwrap().len(), 7);
    assert_eq!(report["missing"], serde_json::json!({}));
    assert_eq!(
        names(&out),
        ["qm9str.safetensors", "rna1.safetensors", "sehstr.safetensors"]
    );
    let list = json(&["data", "list", "--folder", text(&out), "--json"]);
    let hash = &list[2]["imported"]["files"]["modes_rna1.pkl"];
    assert_eq!(hash, "dc8c5c13109b3537ea5d84409af8e18265a86e211a178e821da9bea1b1429e87");

    fs::remove_file(out.join("qm9str.safetensors")).unwrap();
    fs::write(out.join("sehstr.safetensors"), "no").unwrap();
    let list = String::from_utf8(run(&["data", "list", "--folder", text(&out)]).stdout).unwrap();
    let lines: Vec<&str> = list.lines().collect();
    assert!(
        lines[0].starts_with("missing qm9str: ") && lines[1].starts_with("damaged sehstr: "),
        "{list}"
    );
    assert!(lines[2].starts_with("imported rna1: 336 modes, "), "{list}");
}

#[test]
fn what_is_whole_is_imported_and_the_rest_named() {
    let Some(dir) = authors_files() else { return };
    fs::remove_file(dir.path().join("datasets/qm9str/block_qm9str_v1.json")).unwrap();
    // A damaged copy that comes first is passed over for the published file.
    fs::write(dir.path().join("block_18.json"), "{}").unwrap();
    let out = dir.path().join("out");
    let output = run(&["data", "import", text(dir.path()), "--out", text(&out)]);
    let printed = String::from_utf8(output.stdout).unwrap();
    assert!(
        printed.contains("not imported qm9str: block_qm9str_v1.json not found\n"),
        "{printed}"
    );
    assert!(printed.contains("imported sehstr: 18 blocks, 159 modes, "), "{printed}");
    assert_eq!(names(&out), ["rna1.safetensors", "sehstr.safetensors"]);
}

#[test]
fn a_wrong_hash_is_refused_before_anything_is_written() {
    let Some(dir) = authors_files() else { return };
    let modes: PathBuf = dir.path().join("datasets/rna/modes_rna1.pkl");
    let mut bytes = fs::read(&modes).unwrap();
    let at = bytes.windows(14).position(|mode| mode == b"GUGGGCGCGAGCCG").unwrap();
    bytes[at] = b'A';
    fs::write(&modes, &bytes).unwrap();
    let out = dir.path().join("out");
    let arguments = ["data", "import", text(dir.path()), "--out", text(&out)];
    assert_refused(
        &arguments,
        &["modes_rna1.pkl", "5728 bytes", "dc8c5c13109b3537", "--any-version"],
    );
    assert!(!out.exists());
    let any = [&arguments[..], &["--any-version", "--json"]].concat();
    assert_ne!(
        json(&any)["imported"][2]["files"]["modes_rna1.pkl"],
        "dc8c5c13109b3537ea5d84409af8e18265a86e211a178e821da9bea1b1429e87"
    );
    fs::write(&modes, &bytes[..1000]).unwrap();
    assert_refused(&any, &["modes_rna1.pkl cannot be used", "end of input"]);
}

#[test]
fn a_folder_that_cannot_be_written_is_named() {
    let Some(dir) = authors_files() else { return };
    let blocked = dir.path().join("blocked");
    fs::write(&blocked, "a file in the way").unwrap();
    assert_fails(
        &["data", "import", text(dir.path()), "--out", text(&blocked)],
        1,
        &["blocked", "cannot be made"],
    );
}

#[test]
fn a_directory_without_the_files_is_refused() {
    let dir = tempfile::tempdir().unwrap();
    let arguments = ["data", "import", text(dir.path())];
    let expected = [
        "nothing to import",
        "sehstr_gbtr.pkl",
        "modes_qm9str.pkl",
        "https://github.com/",
    ];
    assert_refused(&arguments, &expected);
    assert_refused(&["data", "import", "no/such/dir"], &["no/such/dir"]);
}
