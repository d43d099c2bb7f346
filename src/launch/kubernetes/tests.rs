//! Manifests, read back as the cluster would.

use super::{KEY_ENTRY, KeySecret, Request, manifests};
use crate::config::{KubernetesConfig, RawConfig, from_text_to_launch};
use k8s_openapi::api::batch::v1::Job;
use k8s_openapi::api::core::v1::{ConfigMap, Container, PersistentVolumeClaim, PodSpec, Secret, Service};
use k8s_openapi::api::networking::v1::NetworkPolicy;
use k8s_openapi::apimachinery::pkg::util::intstr::IntOrString;
use serde::de::DeserializeOwned;
use serde_json::Value;
use std::collections::BTreeMap;
use std::path::Path;
use std::sync::LazyLock;

const TEXT: &str = "
[task]
name = \"tfbind8\"
[launch.kubernetes]
namespace = \"lab\"
grace_seconds = 90
[launch.kubernetes.learner]
gpus = 1
memory = \"16Gi\"
[launch.kubernetes.actor]
cpus = 3
";

/// Full of what YAML has its own ideas about.
static KEY: LazyLock<KeySecret> = LazyLock::new(|| KeySecret::Written("# on\nyes: no\n".into()));

fn config() -> KubernetesConfig {
    let loaded = from_text_to_launch(Path::new("a.toml"), TEXT, &[], &RawConfig::default());
    loaded.unwrap().1.kubernetes
}

/// A run that is written with its key; `change` is something else about it.
fn written<'a>(config: &'a KubernetesConfig, change: impl FnOnce(&mut Request<'a>)) -> Result<String, String> {
    let mut request = Request {
        name: "on",
        image: "registry.example:5000/tf:1",
        port: 5555,
        pods: 4,
        actors_per_pod: 1,
        run: "seed = 1\n\n[task]\nname = \"tfbind8\" # \t: odd\n",
        key: &KEY,
        allow_programs: false,
        config,
    };
    change(&mut request);
    manifests(&request).map_err(|error| error.to_string())
}

/// The only object of a kind and a name.
fn object<T: DeserializeOwned>(yaml: &str, kind: &str, name: &str) -> T {
    let documents: Vec<Value> = serde_saphyr::from_multiple(yaml).unwrap();
    let mut found = documents
        .into_iter()
        .filter(|object| object["kind"] == kind && object["metadata"]["name"] == name);
    let object = found.next().unwrap_or_else(|| panic!("{kind} {name} in {yaml}"));
    assert!(found.next().is_none() && object["metadata"]["namespace"] == "lab");
    serde_json::from_value(object).unwrap()
}

fn pod(yaml: &str, name: &str) -> (BTreeMap<String, String>, PodSpec) {
    let template = object::<Job>(yaml, "Job", name).spec.unwrap().template;
    (template.metadata.unwrap().labels.unwrap(), template.spec.unwrap())
}

fn container(spec: &PodSpec) -> (&Container, Vec<&str>) {
    let container = &spec.containers[0];
    let command = container.command.iter().flatten().map(String::as_str).collect();
    (container, command)
}

fn after<'a>(words: &[&'a str], flag: &str) -> &'a str {
    words[words.iter().position(|word| *word == flag).unwrap() + 1]
}

#[test]
fn selectors_match_labels_and_ports_agree() {
    let yaml = written(&config(), |_| ()).unwrap();
    let (learner, learner_pod) = pod(&yaml, "tf-on-learner");
    let (actor, actor_pod) = pod(&yaml, "tf-on-actor");
    assert_ne!(learner, actor);
    assert_eq!(learner["app.kubernetes.io/instance"], "on", "a word and no truth value");

    let service = object::<Service>(&yaml, "Service", "tf-on-learner").spec.unwrap();
    assert_eq!(service.selector, Some(learner.clone()));
    let port = &service.ports.unwrap()[0];
    assert_eq!(
        (port.port, port.target_port.clone()),
        (5555, Some(IntOrString::Int(5555)))
    );
    let (container_of_learner, command) = container(&learner_pod);
    assert_eq!(after(&command, "--bind"), "tcp://0.0.0.0:5555");
    assert_eq!(container_of_learner.ports.as_ref().unwrap()[0].container_port, 5555);
    assert_eq!(after(&container(&actor_pod).1, "--connect"), "tcp://tf-on-learner:5555");

    let policy = object::<NetworkPolicy>(&yaml, "NetworkPolicy", "tf-on-learner")
        .spec
        .unwrap();
    assert_eq!(policy.pod_selector.unwrap().match_labels, Some(learner));
    assert_eq!(policy.policy_types, Some(vec!["Ingress".into()]));
    let [rule] = &policy.ingress.unwrap()[..] else {
        panic!("one rule")
    };
    let [peer] = &rule.from.as_ref().unwrap()[..] else {
        panic!("one peer")
    };
    assert_eq!(peer.pod_selector.as_ref().unwrap().match_labels, Some(actor));
    assert!(peer.namespace_selector.is_none() && peer.ip_block.is_none());
    let [port] = &rule.ports.as_ref().unwrap()[..] else {
        panic!("one port")
    };
    assert_eq!(port.port, Some(IntOrString::Int(5555)));
}

#[test]
fn the_key_is_mounted_for_its_owner_alone_and_the_configuration_is_whole() {
    let yaml = written(&config(), |_| ()).unwrap();
    let secret = object::<Secret>(&yaml, "Secret", "tf-on-key");
    assert_eq!(secret.string_data.unwrap()[KEY_ENTRY], "# on\nyes: no\n");
    for name in ["tf-on-learner", "tf-on-actor"] {
        let (_, spec) = pod(&yaml, name);
        let volumes = spec.volumes.clone().unwrap();
        let secret = volumes.iter().find_map(|volume| volume.secret.as_ref()).unwrap();
        assert_eq!(
            (secret.secret_name.as_deref(), secret.default_mode),
            (Some("tf-on-key"), Some(0o400))
        );
        let (container, command) = container(&spec);
        let mounts = container.volume_mounts.as_ref().unwrap();
        for mount in mounts {
            assert!(volumes.iter().any(|volume| volume.name == mount.name), "{}", mount.name);
        }
        let key = mounts.iter().find(|mount| mount.name == "key").unwrap();
        assert_eq!(after(&command, "--key-file"), format!("{}/{KEY_ENTRY}", key.mount_path));
        assert_eq!(spec.termination_grace_period_seconds, Some(90));
        assert_eq!(command[..4], ["thermoflow", "launch", "keep", "--in-pod"]);
    }
    let map = object::<ConfigMap>(&yaml, "ConfigMap", "tf-on-run").data.unwrap();
    assert_eq!(map["config.toml"], "seed = 1\n\n[task]\nname = \"tfbind8\" # \t: odd\n");
    let (_, learner) = pod(&yaml, "tf-on-learner");
    let claim = learner
        .volumes
        .unwrap()
        .into_iter()
        .find_map(|volume| volume.persistent_volume_claim);
    let claim = object::<PersistentVolumeClaim>(&yaml, "PersistentVolumeClaim", &claim.unwrap().claim_name);
    let room = claim.spec.unwrap().resources.unwrap().requests.unwrap();
    assert_eq!(room["storage"].0, "10Gi");
}

#[test]
fn a_secret_that_is_there_is_named_and_not_written() {
    let there = KeySecret::There("team.key".into());
    let yaml = written(&config(), |request| request.key = &there).unwrap();
    assert!(!yaml.contains("kind: Secret\n"), "{yaml}");
    let (_, spec) = pod(&yaml, "tf-on-actor");
    let secret = spec.volumes.unwrap().into_iter().find_map(|volume| volume.secret);
    assert_eq!(secret.unwrap().secret_name.as_deref(), Some("team.key"));
}

#[test]
fn actors_are_an_indexed_job_and_each_job_knows_what_a_pod_s_end_means() {
    let yaml = written(&config(), |request| request.allow_programs = true).unwrap();
    let actors = object::<Job>(&yaml, "Job", "tf-on-actor").spec.unwrap();
    assert_eq!((actors.completions, actors.parallelism), (Some(4), Some(4)));
    assert_eq!(actors.completion_mode.as_deref(), Some("Indexed"));
    let spec = actors.template.spec.unwrap();
    let (container, command) = container(&spec);
    assert_eq!(
        after(&command, "--name"),
        format!("actor-$({})", container.env.as_ref().unwrap()[0].name)
    );
    assert!(command.contains(&"--allow-programs"));
    let resources = container.resources.as_ref().unwrap();
    assert_eq!(resources.requests.as_ref().unwrap()["cpu"].0, "3");
    assert!(resources.limits.is_none());
    let learner = object::<Job>(&yaml, "Job", "tf-on-learner").spec.unwrap();
    let rules = learner.pod_failure_policy.unwrap().rules;
    let of = |code| {
        let mut rules = rules
            .iter()
            .filter_map(|rule| Some((rule, rule.on_exit_codes.as_ref()?)));
        rules
            .find(|(_, codes)| codes.values == [code])
            .unwrap()
            .0
            .action
            .clone()
    };
    assert_eq!((of(2).as_str(), of(super::ASKED).as_str()), ("FailJob", "Ignore"));
    let spec = learner.template.spec.unwrap();
    assert_eq!(
        spec.restart_policy.as_deref(),
        Some("Never"),
        "what a failure policy needs"
    );
    let limits = spec.containers[0].resources.as_ref().unwrap().limits.as_ref().unwrap();
    assert_eq!(
        (limits["nvidia.com/gpu"].0.as_str(), limits["memory"].0.as_str()),
        ("1", "16Gi")
    );
}

#[test]
fn a_pod_of_several_actors_is_a_relay_that_has_the_key() {
    let several = |request: &mut Request<'_>| (request.actors_per_pod, request.allow_programs) = (16, true);
    let (_, spec) = pod(&written(&config(), several).unwrap(), "tf-on-actor");
    let (_, command) = container(&spec);
    let parts: Vec<&[&str]> = command.split(|word| *word == "--").collect();
    let [_keep, relay, actor] = parts[..] else {
        panic!("{command:?}")
    };
    assert_eq!(relay[..2], ["thermoflow-relay", "--key-file"]);
    assert_eq!(after(relay, "--connect"), "tcp://tf-on-learner:5555");
    assert_eq!(after(relay, "--crew"), "16");
    assert_eq!(after(actor, "--name"), "actor-$(ACTOR_NUMBER).{}");
    assert!(actor.contains(&"--allow-programs") && !actor.contains(&"--key-file"));
}

#[test]
fn names_that_kubernetes_refuses_are_refused_before_anything_is_written() {
    let long = "a".repeat(41);
    for name in ["", "A", "a_b", "-a", "a-", "a.b", "ä", &long] {
        let error = written(&config(), |request| request.name = name).unwrap_err();
        assert!(
            error.contains(&format!("{name:?}")) && error.contains("RFC 1123"),
            "{error}"
        );
    }
    for name in ["a", "8mer", "a-b"] {
        written(&config(), |request| request.name = name).unwrap();
    }
    let secret = KeySecret::There("team_key".into());
    assert!(
        written(&config(), |request| request.key = &secret)
            .unwrap_err()
            .contains("secret \"team_key\"")
    );
    assert!(
        written(&config(), |request| request.image = "a b")
            .unwrap_err()
            .contains("\"a b\"")
    );
    let mut config = config();
    config.namespace = Some("Lab".into());
    assert!(written(&config, |_| ()).unwrap_err().contains("namespace \"Lab\""));
}
