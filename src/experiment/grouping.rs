//! What belongs together, in order of first appearance.

use super::FinishedJob;

/// The jobs of each task.
pub(super) fn by_task(jobs: &[FinishedJob]) -> Vec<(&str, Vec<&FinishedJob>)> {
    group(jobs, |job| job.task())
}

/// The jobs of each label.
pub(super) fn by_label<'a>(jobs: &[&'a FinishedJob]) -> Vec<(&'a str, Vec<&'a FinishedJob>)> {
    group(jobs.iter().copied(), |job| job.label())
}

/// The members of each key.
pub(super) fn group<'a, T: 'a>(
    items: impl IntoIterator<Item = &'a T>,
    key: impl Fn(&'a T) -> &'a str,
) -> Vec<(&'a str, Vec<&'a T>)> {
    let mut groups: Vec<(&str, Vec<&T>)> = Vec::new();
    for item in items {
        match groups.iter_mut().find(|(name, _)| *name == key(item)) {
            Some((_, members)) => members.push(item),
            None => groups.push((key(item), vec![item])),
        }
    }
    groups
}
