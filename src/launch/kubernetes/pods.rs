//! The jobs: the learner's pod, and the actors'.
//!
//! A pod is asked to stop by SIGTERM, when its node is drained say, and has a grace period to do so. Its keeper hands that on
//! and ends with [`ASKED`], which says that the pod is wanted again: it has not failed, and it is not done.

use super::Request;
use super::objects::{CONFIG_ENTRY, Part, labels, metadata, name, secret_name};
use crate::config::PodConfig;
use crate::launch::job::{GIVE_UP_AFTER, MEMBER};
use k8s_openapi::api::batch::v1::{
    Job, JobSpec, PodFailurePolicy, PodFailurePolicyOnExitCodesRequirement, PodFailurePolicyOnPodConditionsPattern,
    PodFailurePolicyRule,
};
use k8s_openapi::api::core::v1::{
    Capabilities, ConfigMapVolumeSource, Container, ContainerPort, EnvVar, EnvVarSource, ObjectFieldSelector,
    PersistentVolumeClaimVolumeSource, PodSecurityContext, PodSpec, PodTemplateSpec, ResourceRequirements,
    SeccompProfile, SecretVolumeSource, SecurityContext, Volume, VolumeMount,
};
use k8s_openapi::apimachinery::pkg::api::resource::Quantity;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use std::collections::BTreeMap;

/// Exit code of a program that was asked to stop by its pod: 128 + SIGTERM, as shells have it.
pub const ASKED: i32 = 143;

/// Exit code of a program that would fail again.
const HOPELESS: i32 = 2;

/// A pod that fails comes back so many times.
const LIVES: i32 = 5;

/// Nobody but its owner reads the key; programs refuse it otherwise.
const PRIVATE: i32 = 0o400;

const KEY_DIR: &str = "/etc/thermoflow/key";
const CONFIG_DIR: &str = "/etc/thermoflow/config";
const VOLUME_DIR: &str = "/var/lib/thermoflow";
/// In the volume, not the volume: that may hold what its file system needs.
const RUN_DIR: &str = "/var/lib/thermoflow/run";

/// The variable with an actor's number.
const NUMBER: &str = "ACTOR_NUMBER";
/// Where Kubernetes writes it.
const NUMBER_FIELD: &str = "metadata.annotations['batch.kubernetes.io/job-completion-index']";

pub(super) fn learner(request: &Request<'_>) -> Job {
    let bind = format!("tcp://0.0.0.0:{}", request.port);
    let keep = ["--resume-if".to_owned(), format!("{RUN_DIR}/run.toml")];
    let program = ["thermoflow-learner".to_owned(), format!("{CONFIG_DIR}/{CONFIG_ENTRY}")];
    let options = ["--run-dir", RUN_DIR, "--bind", &bind].map(str::to_owned);
    let mut container = container(request, Part::Learner, &keep, &[&program[..], &options].concat());
    container.ports = Some(vec![ContainerPort {
        container_port: request.port.into(),
        name: Some("actors".into()),
        protocol: Some("TCP".into()),
        ..ContainerPort::default()
    }]);
    let mounts = container.volume_mounts.get_or_insert_default();
    mounts.extend([mount("config", CONFIG_DIR, true), mount("run", VOLUME_DIR, false)]);
    let volumes = vec![
        Volume {
            name: "config".into(),
            config_map: Some(ConfigMapVolumeSource {
                name: name(request, Part::Run),
                ..ConfigMapVolumeSource::default()
            }),
            ..Volume::default()
        },
        Volume {
            name: "run".into(),
            persistent_volume_claim: Some(PersistentVolumeClaimVolumeSource {
                claim_name: name(request, Part::Run),
                read_only: None,
            }),
            ..Volume::default()
        },
    ];
    let spec = JobSpec {
        backoff_limit: Some(LIVES),
        pod_failure_policy: Some(failures("FailJob")),
        template: template(request, Part::Learner, container, volumes),
        ..JobSpec::default()
    };
    job(request, Part::Learner, spec)
}

pub(super) fn actors(request: &Request<'_>) -> Job {
    let connect = format!("tcp://{}:{}", name(request, Part::Learner), request.port);
    let (number, give_up) = (format!("actor-$({NUMBER})"), GIVE_UP_AFTER.to_string());
    let (crew, member) = (request.actors_per_pod.to_string(), format!("{number}{MEMBER}"));
    let finds = ["--connect", &connect, "--give-up-after", &give_up];
    let mut program = match request.actors_per_pod {
        1 => [&["thermoflow-actor"][..], &finds, &["--name", &number]].concat(),
        _ => {
            let own = ["--crew", &crew, "--", "--give-up-after", &give_up, "--name", &member];
            [&["thermoflow-relay"][..], &finds, &own].concat()
        }
    };
    if request.allow_programs {
        program.push("--allow-programs");
    }
    let program: Vec<String> = program.into_iter().map(str::to_owned).collect();
    let mut container = container(request, Part::Actor, &[], &program);
    container.env = Some(vec![EnvVar {
        name: NUMBER.into(),
        value_from: Some(EnvVarSource {
            field_ref: Some(ObjectFieldSelector {
                field_path: NUMBER_FIELD.into(),
                ..ObjectFieldSelector::default()
            }),
            ..EnvVarSource::default()
        }),
        ..EnvVar::default()
    }]);
    let count = i32::try_from(request.pods).unwrap_or(i32::MAX);
    let spec = JobSpec {
        completion_mode: Some("Indexed".into()),
        completions: Some(count),
        parallelism: Some(count),
        // By index: that one pod fails again and again ends none of the others.
        backoff_limit_per_index: Some(LIVES),
        pod_failure_policy: Some(failures("FailIndex")),
        template: template(request, Part::Actor, container, Vec::new()),
        ..JobSpec::default()
    };
    job(request, Part::Actor, spec)
}

fn job(request: &Request<'_>, part: Part, spec: JobSpec) -> Job {
    Job {
        metadata: metadata(request, part),
        spec: Some(spec),
        ..Job::default()
    }
}

/// What a pod that ended means: `hopeless` is done when it can never work, and one that had to go is no failure.
fn failures(hopeless: &str) -> PodFailurePolicy {
    let on_exit = |action: &str, code| PodFailurePolicyRule {
        action: action.into(),
        on_exit_codes: Some(PodFailurePolicyOnExitCodesRequirement {
            operator: "In".into(),
            values: vec![code],
            ..PodFailurePolicyOnExitCodesRequirement::default()
        }),
        ..PodFailurePolicyRule::default()
    };
    let disrupted = PodFailurePolicyRule {
        action: "Ignore".into(),
        on_pod_conditions: Some(vec![PodFailurePolicyOnPodConditionsPattern {
            status: "True".into(),
            type_: "DisruptionTarget".into(),
        }]),
        ..PodFailurePolicyRule::default()
    };
    PodFailurePolicy {
        rules: vec![on_exit(hopeless, HOPELESS), disrupted, on_exit("Ignore", ASKED)],
    }
}

fn template(request: &Request<'_>, part: Part, container: Container, more: Vec<Volume>) -> PodTemplateSpec {
    let mut volumes = vec![Volume {
        name: "key".into(),
        secret: Some(SecretVolumeSource {
            secret_name: Some(secret_name(request)),
            default_mode: Some(PRIVATE),
            ..SecretVolumeSource::default()
        }),
        ..Volume::default()
    }];
    volumes.extend(more);
    PodTemplateSpec {
        metadata: Some(ObjectMeta {
            labels: Some(labels(request, part)),
            ..ObjectMeta::default()
        }),
        spec: Some(PodSpec {
            containers: vec![container],
            volumes: Some(volumes),
            // A failure policy goes with no other; the job makes another pod.
            restart_policy: Some("Never".into()),
            termination_grace_period_seconds: Some(request.config.grace_seconds.into()),
            // No program asks the cluster anything.
            automount_service_account_token: Some(false),
            enable_service_links: Some(false),
            security_context: Some(PodSecurityContext {
                seccomp_profile: Some(SeccompProfile {
                    type_: "RuntimeDefault".into(),
                    ..SeccompProfile::default()
                }),
                ..PodSecurityContext::default()
            }),
            ..PodSpec::default()
        }),
    }
}

/// A program with its keeper, and the key.
fn container(request: &Request<'_>, part: Part, keep: &[String], program: &[String]) -> Container {
    let (resources, kind) = match part {
        Part::Actor => (&request.config.actor, "actor"),
        _ => (&request.config.learner, "learner"),
    };
    let keeper = ["thermoflow", "launch", "keep", "--in-pod"].map(str::to_owned);
    let key = ["--key-file".to_owned(), format!("{KEY_DIR}/{}", super::KEY_ENTRY)];
    // The key before its arguments, some of which may be meant for others.
    let (program, arguments) = program.split_at(1);
    let command = [&keeper[..], keep, &["--".to_owned()], program, &key, arguments].concat();
    Container {
        name: kind.into(),
        image: Some(request.image.into()),
        command: Some(command),
        resources: Some(requirements(resources)),
        volume_mounts: Some(vec![mount("key", KEY_DIR, true)]),
        security_context: Some(SecurityContext {
            allow_privilege_escalation: Some(false),
            capabilities: Some(Capabilities {
                drop: Some(vec!["ALL".into()]),
                ..Capabilities::default()
            }),
            ..SecurityContext::default()
        }),
        ..Container::default()
    }
}

fn mount(name: &str, path: &str, read_only: bool) -> VolumeMount {
    VolumeMount {
        name: name.into(),
        mount_path: path.into(),
        read_only: read_only.then_some(true),
        ..VolumeMount::default()
    }
}

/// CPUs are asked for and not limited: a program that has more threads for a moment is slowed down otherwise.
fn requirements(pod: &PodConfig) -> ResourceRequirements {
    let mut requests = BTreeMap::from([("cpu".to_owned(), Quantity(pod.cpus.to_string()))]);
    let mut limits = BTreeMap::new();
    if let Some(memory) = &pod.memory {
        requests.insert("memory".into(), Quantity(memory.clone()));
        limits.insert("memory".into(), Quantity(memory.clone()));
    }
    if pod.gpus > 0 {
        limits.insert("nvidia.com/gpu".into(), Quantity(pod.gpus.to_string()));
    }
    ResourceRequirements {
        requests: Some(requests),
        limits: (!limits.is_empty()).then_some(limits),
        ..ResourceRequirements::default()
    }
}
