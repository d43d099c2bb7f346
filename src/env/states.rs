//! Flat storage for states: fixed-width rows of bytes, and neighbour lists in compressed rows. No meaning here.

use hashbrown::HashTable;
use rustc_hash::FxHasher;
use std::hash::Hasher;

/// A choice of the environment; what it does is the environment's business.
pub type Action = u16;

/// States as rows of `width` bytes, `[len, width]`.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct States {
    width: usize,
    bytes: Vec<u8>,
}

impl States {
    /// No states yet, rows of `width` bytes (at least 1).
    pub fn new(width: usize) -> Self {
        assert!(width > 0, "a state needs at least one byte");
        Self {
            width,
            bytes: Vec::new(),
        }
    }

    /// Number of states.
    pub fn len(&self) -> usize {
        self.bytes.len() / self.width
    }

    /// True when there is no state.
    pub fn is_empty(&self) -> bool {
        self.bytes.is_empty()
    }

    /// Bytes per state.
    pub fn width(&self) -> usize {
        self.width
    }

    /// State `index`.
    pub fn row(&self, index: usize) -> &[u8] {
        &self.bytes[index * self.width..(index + 1) * self.width]
    }

    /// Adds a state; returns its row to write to, filled from `state`.
    pub fn push(&mut self, state: &[u8]) -> &mut [u8] {
        assert_eq!(state.len(), self.width, "state width");
        let start = self.bytes.len();
        self.bytes.extend_from_slice(state);
        &mut self.bytes[start..]
    }

    /// Forgets the states, keeps the memory.
    pub fn clear(&mut self) {
        self.bytes.clear();
    }

    /// The rows in order.
    pub fn iter(&self) -> impl Iterator<Item = &[u8]> {
        self.bytes.chunks_exact(self.width)
    }
}

impl<'a> Extend<&'a [u8]> for States {
    fn extend<T: IntoIterator<Item = &'a [u8]>>(&mut self, states: T) {
        for state in states {
            self.push(state);
        }
    }
}

/// Distinct neighbours of a list of states: those of state i are `offsets[i]..offsets[i + 1]`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Neighbours {
    /// `[states + 1]`.
    pub offsets: Vec<u32>,
    /// The forward action of each edge (for parents too: the action that leads from the parent here).
    pub actions: Vec<Action>,
    /// The neighbour of each edge.
    pub states: States,
}

impl Neighbours {
    /// No lists yet.
    pub fn new(width: usize) -> Self {
        Self {
            offsets: vec![0],
            actions: Vec::new(),
            states: States::new(width),
        }
    }

    /// Adds an edge to the list under construction; returns the neighbour's row, a copy of `from`, to be changed.
    pub fn push(&mut self, action: Action, from: &[u8]) -> &mut [u8] {
        self.actions.push(action);
        self.states.push(from)
    }

    /// Ends the list under construction.
    pub fn finish_list(&mut self) {
        self.offsets.push(self.actions.len() as u32);
    }

    /// The edge numbers of list `index`.
    pub fn list(&self, index: usize) -> std::ops::Range<usize> {
        self.offsets[index] as usize..self.offsets[index + 1] as usize
    }

    /// Forgets the lists, keeps the memory.
    pub fn clear(&mut self) {
        self.offsets.truncate(1);
        self.actions.clear();
        self.states.clear();
    }
}

/// Gives distinct states numbers 0, 1, 2 … in order of first appearance.
#[derive(Debug, Clone)]
pub struct StateIndex {
    states: States,
    table: HashTable<u32>,
}

impl StateIndex {
    /// An empty index.
    pub fn new(width: usize) -> Self {
        Self {
            states: States::new(width),
            table: HashTable::new(),
        }
    }

    /// The number of `state`, new if it was not there, and whether it is new.
    pub fn insert(&mut self, state: &[u8]) -> (u32, bool) {
        let hash = hash_of(state);
        if let Some(&found) = self.table.find(hash, |&id| self.states.row(id as usize) == state) {
            return (found, false);
        }
        let id = self.states.len() as u32;
        self.states.push(state);
        let states = &self.states;
        self.table
            .insert_unique(hash, id, |&id| hash_of(states.row(id as usize)));
        (id, true)
    }

    /// The number of `state` if it is there.
    pub fn get(&self, state: &[u8]) -> Option<u32> {
        self.table
            .find(hash_of(state), |&id| self.states.row(id as usize) == state)
            .copied()
    }

    /// The distinct states by number.
    pub fn states(&self) -> &States {
        &self.states
    }

    /// Forgets the states, keeps the memory.
    pub fn clear(&mut self) {
        self.states.clear();
        self.table.clear();
    }
}

/// Number of bytes in which two states differ (Hamming distance).
pub fn hamming(a: &[u8], b: &[u8]) -> usize {
    a.iter().zip(b).filter(|(x, y)| x != y).count()
}

fn hash_of(state: &[u8]) -> u64 {
    let mut hasher = FxHasher::default();
    hasher.write(state);
    hasher.finish()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_index_numbers_distinct_states_in_order() {
        let mut index = StateIndex::new(2);
        assert_eq!(index.insert(&[1, 2]), (0, true));
        assert_eq!(index.insert(&[2, 1]), (1, true));
        assert_eq!(index.insert(&[1, 2]), (0, false));
        assert_eq!(index.get(&[2, 1]), Some(1));
        assert_eq!(index.get(&[9, 9]), None);
        assert_eq!(index.states().len(), 2);
        for n in 0..2000u16 {
            assert_eq!(index.insert(&n.to_le_bytes()).1, n != 0x0102 && n != 0x0201);
        }
    }
}
