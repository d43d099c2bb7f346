//! Names as Kubernetes allows them. A bad one is refused here, before a cluster sees half of the manifests.

use super::KubernetesError;

/// Longest label of a host name (RFC 1123).
const LONGEST_LABEL: usize = 63;

/// Longest name of a run: the names of pods add to it, and are host names.
const LONGEST_RUN: usize = 40;

/// Longest name of a secret (RFC 1123, with dots).
const LONGEST_SUBDOMAIN: usize = 253;

/// A namespace.
pub(super) fn namespace(value: &str) -> Result<(), KubernetesError> {
    check("namespace", value, is_label(value, LONGEST_LABEL), LONGEST_LABEL, "")
}

/// The name of a run.
pub(super) fn run(value: &str) -> Result<(), KubernetesError> {
    check("name of the run", value, is_label(value, LONGEST_RUN), LONGEST_RUN, "")
}

/// The name of something that need be no host: a secret, a storage class.
pub(super) fn object(what: &'static str, value: &str) -> Result<(), KubernetesError> {
    let good = value.len() <= LONGEST_SUBDOMAIN && value.split('.').all(|part| is_label(part, LONGEST_SUBDOMAIN));
    check(what, value, good, LONGEST_SUBDOMAIN, ", and dots between them")
}

/// An image: nothing of what it may be called is decided here but that it is one word.
pub(super) fn image(value: &str) -> Result<(), KubernetesError> {
    let good = !value.is_empty() && value.chars().all(|c| c.is_ascii_graphic() && !"'\"\\".contains(c));
    good.then_some(()).ok_or_else(|| KubernetesError::Image(value.into()))
}

fn is_label(text: &str, longest: usize) -> bool {
    let inner = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-';
    (1..=longest).contains(&text.len()) && text.bytes().all(inner) && !text.starts_with('-') && !text.ends_with('-')
}

fn check(
    what: &'static str,
    value: &str,
    good: bool,
    longest: usize,
    more: &'static str,
) -> Result<(), KubernetesError> {
    let value = value.to_owned();
    good.then_some(()).ok_or(KubernetesError::Name {
        what,
        value,
        longest,
        more,
    })
}
