//! What pods of a run share: its secret, its configuration, its volume, and how the learner is reached.

use super::{KEY_ENTRY, KeySecret, Request};
use k8s_openapi::api::core::v1::{
    ConfigMap, PersistentVolumeClaim, PersistentVolumeClaimSpec, Secret, Service, ServicePort, ServiceSpec,
    VolumeResourceRequirements,
};
use k8s_openapi::api::networking::v1::{
    NetworkPolicy, NetworkPolicyIngressRule, NetworkPolicyPeer, NetworkPolicyPort, NetworkPolicySpec,
};
use k8s_openapi::apimachinery::pkg::api::resource::Quantity;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::{LabelSelector, ObjectMeta};
use k8s_openapi::apimachinery::pkg::util::intstr::IntOrString;
use std::collections::BTreeMap;

/// What an object is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Part {
    Learner,
    Actor,
    Key,
    Run,
}

/// The configuration's entry in its map, and its name as a file.
pub(super) const CONFIG_ENTRY: &str = "config.toml";

impl Part {
    fn name(self) -> &'static str {
        match self {
            Self::Learner => "learner",
            Self::Actor => "actor",
            Self::Key => "key",
            Self::Run => "run",
        }
    }
}

/// The name of an object. It begins with a letter, as names of services must.
pub(super) fn name(request: &Request<'_>, part: Part) -> String {
    format!("tf-{}-{}", request.name, part.name())
}

/// The name of the secret.
pub(super) fn secret_name(request: &Request<'_>) -> String {
    match request.key {
        KeySecret::Written(_) => name(request, Part::Key),
        KeySecret::There(name) => name.clone(),
    }
}

/// What tells the pods of a part of this run from all others.
pub(super) fn labels(request: &Request<'_>, part: Part) -> BTreeMap<String, String> {
    let labels = [
        ("app.kubernetes.io/name", "thermoflow"),
        ("app.kubernetes.io/instance", request.name),
        ("app.kubernetes.io/component", part.name()),
    ];
    labels.map(|(key, value)| (key.into(), value.into())).into()
}

/// Name, namespace and labels of an object.
pub(super) fn metadata(request: &Request<'_>, part: Part) -> ObjectMeta {
    ObjectMeta {
        name: Some(name(request, part)),
        namespace: request.config.namespace.clone(),
        labels: Some(labels(request, part)),
        ..ObjectMeta::default()
    }
}

pub(super) fn secret(request: &Request<'_>, key: &str) -> Secret {
    Secret {
        metadata: metadata(request, Part::Key),
        type_: Some("Opaque".into()),
        string_data: Some([(KEY_ENTRY.into(), key.into())].into()),
        ..Secret::default()
    }
}

pub(super) fn configuration(request: &Request<'_>) -> ConfigMap {
    ConfigMap {
        metadata: metadata(request, Part::Run),
        data: Some([(CONFIG_ENTRY.into(), request.run.into())].into()),
        ..ConfigMap::default()
    }
}

/// One node at a time writes: SQLite wants no more, and most clusters have nothing else.
pub(super) fn volume(request: &Request<'_>) -> PersistentVolumeClaim {
    let room = [("storage".into(), Quantity(request.config.storage.clone()))];
    PersistentVolumeClaim {
        metadata: metadata(request, Part::Run),
        spec: Some(PersistentVolumeClaimSpec {
            access_modes: Some(vec!["ReadWriteOnce".into()]),
            storage_class_name: request.config.storage_class.clone(),
            resources: Some(VolumeResourceRequirements {
                requests: Some(room.into()),
                ..VolumeResourceRequirements::default()
            }),
            ..PersistentVolumeClaimSpec::default()
        }),
        ..PersistentVolumeClaim::default()
    }
}

/// An address that stays when the learner's pod is another.
pub(super) fn service(request: &Request<'_>) -> Service {
    Service {
        metadata: metadata(request, Part::Learner),
        spec: Some(ServiceSpec {
            selector: Some(labels(request, Part::Learner)),
            ports: Some(vec![ServicePort {
                name: Some("actors".into()),
                port: request.port.into(),
                protocol: Some("TCP".into()),
                target_port: Some(IntOrString::Int(request.port.into())),
                ..ServicePort::default()
            }]),
            ..ServiceSpec::default()
        }),
        ..Service::default()
    }
}

/// The actors of this run reach the learner's port, nobody else reaches anything of it.
pub(super) fn policy(request: &Request<'_>) -> NetworkPolicy {
    let pods = |part| LabelSelector {
        match_labels: Some(labels(request, part)),
        ..LabelSelector::default()
    };
    NetworkPolicy {
        metadata: metadata(request, Part::Learner),
        spec: Some(NetworkPolicySpec {
            pod_selector: Some(pods(Part::Learner)),
            policy_types: Some(vec!["Ingress".into()]),
            ingress: Some(vec![NetworkPolicyIngressRule {
                from: Some(vec![NetworkPolicyPeer {
                    pod_selector: Some(pods(Part::Actor)),
                    ..NetworkPolicyPeer::default()
                }]),
                ports: Some(vec![NetworkPolicyPort {
                    port: Some(IntOrString::Int(request.port.into())),
                    protocol: Some("TCP".into()),
                    ..NetworkPolicyPort::default()
                }]),
            }]),
            ..NetworkPolicySpec::default()
        }),
    }
}
