//! A run as manifests of Kubernetes: typed objects, written as YAML. Nothing is sent to a cluster; `kubectl apply` does that.
//!
//! The learner is a job of one pod with the run directory on a volume of its own, the actors are an indexed job. They find
//! the learner by the name of its service, and the network lets nobody else to its port. Both have the key from a secret.

mod names;
mod objects;
mod pods;
#[cfg(test)]
mod tests;

pub use pods::ASKED;

use crate::config::KubernetesConfig;
use serde::Serialize;

/// The learner's port where the configuration names none: a service needs one that is known.
pub const PORT: u16 = 5555;

/// The entry of the secret that holds the key.
pub const KEY_ENTRY: &str = "key";

/// Why no manifests are written.
#[derive(Debug, thiserror::Error)]
pub enum KubernetesError {
    /// Not what Kubernetes takes for a name.
    #[error(
        "the {what} {value:?} is no name for Kubernetes: at most {longest} small letters, digits and inner hyphens{more} \
         (RFC 1123)"
    )]
    Name {
        /// What it would name.
        what: &'static str,
        /// The name.
        value: String,
        /// How long it may be, characters.
        longest: usize,
        /// What else it may have.
        more: &'static str,
    },
    /// Not an image.
    #[error("{0:?} is no image: REGISTRY/NAME:TAG is expected")]
    Image(String),
    /// Objects that cannot be written; they are ours, so this is a mistake of ours.
    #[error("the manifests cannot be written as YAML")]
    Yaml(#[source] Box<dyn std::error::Error + Send + Sync>),
}

impl KubernetesError {
    /// The user can put it right in what they gave.
    pub fn is_bad_input(&self) -> bool {
        matches!(self, Self::Name { .. } | Self::Image(_))
    }
}

/// Where pods have the key from. It can hold one, so it is not printed.
#[derive(Clone, PartialEq, Eq)]
pub enum KeySecret {
    /// A secret that is written with the manifests and holds this text.
    Written(String),
    /// A secret of this name that is there.
    There(String),
}

/// What manifests are made of.
#[derive(Clone)]
pub struct Request<'a> {
    /// Names the objects: `tf-NAME-learner` …
    pub name: &'a str,
    /// Image that holds the programs on its PATH.
    pub image: &'a str,
    /// The learner's port.
    pub port: u16,
    /// Pods of actors.
    pub pods: u32,
    /// Actors in each: one by itself, or several behind a relay.
    pub actors_per_pod: u32,
    /// The run's configuration, as TOML.
    pub run: &'a str,
    /// The key.
    pub key: &'a KeySecret,
    /// The run's objects are scored by a program of the user's, which the image holds.
    pub allow_programs: bool,
    /// What is asked of the cluster.
    pub config: &'a KubernetesConfig,
}

/// The manifests, as one YAML text with a document for each object.
///
/// # Errors
/// A name that Kubernetes would refuse.
pub fn manifests(request: &Request<'_>) -> Result<String, KubernetesError> {
    names::run(request.name)?;
    names::image(request.image)?;
    if let Some(namespace) = &request.config.namespace {
        names::namespace(namespace)?;
    }
    if let Some(class) = &request.config.storage_class {
        names::object("storage class", class)?;
    }
    let mut documents = Vec::new();
    match request.key {
        KeySecret::Written(text) => documents.push(yaml(&objects::secret(request, text))?),
        KeySecret::There(name) => names::object("secret", name)?,
    }
    documents.push(yaml(&objects::configuration(request))?);
    documents.push(yaml(&objects::volume(request))?);
    documents.push(yaml(&objects::service(request))?);
    documents.push(yaml(&objects::policy(request))?);
    documents.push(yaml(&pods::learner(request))?);
    documents.push(yaml(&pods::actors(request))?);
    Ok(documents.join("---\n"))
}

fn yaml(object: &impl Serialize) -> Result<String, KubernetesError> {
    serde_saphyr::to_string(object).map_err(|error| KubernetesError::Yaml(error.into()))
}
