//! Listed modes of a task and how many of them were found.

use crate::env::{States, hamming};
use hashbrown::HashSet;

/// The complete states that count as modes.
#[derive(Debug, Default, Clone)]
pub struct Modes(HashSet<Box<[u8]>>);

impl Modes {
    /// A list of modes.
    pub fn new<'a>(objects: impl IntoIterator<Item = &'a [u8]>) -> Self {
        Self(objects.into_iter().map(Into::into).collect())
    }

    /// The rule of METHOD.md: by falling score, keep an object unless one already kept differs from it in one
    /// position; stop at `count`. Equal scores keep the order of `objects`.
    pub fn peaks(objects: &States, scores: &[f32], count: usize) -> Self {
        let mut order: Vec<usize> = (0..objects.len()).collect();
        order.sort_by(|&a, &b| scores[b].total_cmp(&scores[a]));
        let mut kept: Vec<&[u8]> = Vec::with_capacity(count);
        for candidate in order.into_iter().map(|index| objects.row(index)) {
            if kept.len() == count {
                break;
            }
            if !kept.iter().any(|peak| hamming(peak, candidate) == 1) {
                kept.push(candidate);
            }
        }
        Self::new(kept)
    }

    /// True when the object is a mode.
    pub fn contains(&self, object: &[u8]) -> bool {
        self.0.contains(object)
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// True when none are listed.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The modes, in no particular order.
    pub fn iter(&self) -> impl Iterator<Item = &[u8]> {
        self.0.iter().map(AsRef::as_ref)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_neighbour_of_a_kept_object_is_no_mode() {
        let mut objects = States::new(2);
        for object in [[0u8, 0], [0, 1], [1, 1], [2, 2]] {
            objects.push(&object);
        }
        let modes = Modes::peaks(&objects, &[0.5, 0.9, 0.8, 0.1], 2);
        let mut found: Vec<_> = modes.iter().collect();
        found.sort_unstable();
        assert_eq!(found, [[0u8, 1], [2, 2]]);
    }
}
