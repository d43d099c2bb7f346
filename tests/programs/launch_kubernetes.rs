//! Manifests for Kubernetes, written and refused. What is in them is tested beside the code.

use super::train::config;
use super::{assert_refused, output, thermoflow};

#[test]
fn manifests_come_out_as_yaml_and_the_key_with_a_warning() {
    let dir = tempfile::tempdir().unwrap();
    let key = dir.path().join("key");
    assert!(output::of(thermoflow().args(["key", "new"]).arg(&key)).status.success());
    let mut launch = thermoflow();
    launch.args(["launch", "kubernetes"]).arg(config());
    launch.args(["--dry-run", "--image", "tf:1", "--namespace", "lab", "--actors", "3"]);
    let written = output::of(launch.arg("--key-file").arg(&key));
    let said = String::from_utf8(written.stderr).unwrap();
    assert!(
        written.status.success() && said.contains("the output holds the key"),
        "{said}"
    );
    let yaml = String::from_utf8(written.stdout).unwrap();
    let documents: Vec<serde_json::Value> = serde_saphyr::from_multiple(&yaml).unwrap();
    let kinds: Vec<_> = documents
        .iter()
        .map(|object| object["kind"].as_str().unwrap())
        .collect();
    let expected = [
        "Secret",
        "ConfigMap",
        "PersistentVolumeClaim",
        "Service",
        "NetworkPolicy",
        "Job",
        "Job",
    ];
    assert_eq!(kinds, expected);
    let held = std::fs::read_to_string(&key).unwrap();
    assert_eq!(
        documents[0]["stringData"]["key"],
        held.as_str(),
        "programs can use what it holds"
    );
    assert_eq!(documents[6]["spec"]["completions"], 3);
}

#[test]
fn what_cannot_be_written_is_refused_before_anything_is() {
    let file = config();
    let base = ["launch", "kubernetes", file.to_str().unwrap(), "--key-secret", "team"];
    let refused = |more: &[&str], expected: &[&str]| assert_refused(&[&base[..], more].concat(), expected);
    refused(&["--image", "tf:1"], &["--dry-run", "kubectl apply -f -"]);
    refused(&["--dry-run"], &["--image"]);
    refused(
        &["--dry-run", "--image", "tf:1", "--name", "my_run"],
        &["\"my_run\"", "RFC 1123"],
    );
    refused(
        &["--dry-run", "--image", "tf:1", "--namespace", "Lab"],
        &["\"Lab\"", "RFC 1123"],
    );
    refused(
        &[
            "--dry-run",
            "--image",
            "tf:1",
            "--actors-per-task",
            "2",
            "--actors",
            "3",
        ],
        &["launch.actors_per_task", "2 or 4 would"],
    );
    let no_memory = "launch.kubernetes.actor.memory=\"much\"";
    refused(
        &["--dry-run", "--image", "tf:1", "--set", no_memory],
        &["launch.kubernetes.actor.memory", "16Gi"],
    );
}
