//! Projected targets that are kept while the weights stay the same: where roll-outs and training share a backend, what was
//! rolled out is trained on next, and need not be projected again.

use crate::env::{StateIndex, States};

/// From this H on a product costs more than finding and copying what it gave.
const LEAST_HIDDEN: usize = 512;

/// Most numbers that are kept, 256 MiB.
const MOST: usize = 64 << 20;

/// Rows by state.
#[derive(Debug)]
pub struct Kept {
    states: StateIndex,
    /// `[states, width]`.
    rows: Vec<f32>,
    width: usize,
}

impl Kept {
    /// Nothing yet, for projections of `hidden` numbers of states of `state_width` bytes; None where it does not pay.
    pub fn new(state_width: usize, hidden: usize) -> Option<Self> {
        (hidden >= LEAST_HIDDEN).then(|| Self {
            states: StateIndex::new(state_width),
            rows: Vec::new(),
            width: hidden,
        })
    }

    /// The weights have changed.
    pub fn forget(&mut self) {
        self.states.clear();
        self.rows.clear();
    }

    /// Keeps the rows of these states, `[states, width]`, as far as there is room.
    pub fn keep(&mut self, states: &States, rows: &[f32]) {
        for (state, row) in states.iter().zip(rows.chunks_exact(self.width)) {
            if self.rows.len() + self.width > MOST {
                return;
            }
            if self.states.insert(state).1 {
                self.rows.extend_from_slice(row);
            }
        }
    }

    /// Fills `out`, `[states, width]`, with the rows that are kept, and with what `project` makes of the hidden layers of the
    /// other states; `hidden` is `[states, width]`, too.
    pub fn complete(&self, states: &States, out: &mut [f32], hidden: &[f32], project: impl FnOnce(&[f32], &mut [f32])) {
        let missing = self.copy(states, out);
        if missing.len() == states.len() {
            return project(hidden, out);
        }
        let row = |place: usize| place * self.width..(place + 1) * self.width;
        let gathered: Vec<f32> = missing.iter().flat_map(|&place| &hidden[row(place)]).copied().collect();
        let mut made = vec![0.0; gathered.len()];
        project(&gathered, &mut made);
        for (&place, made) in missing.iter().zip(made.chunks_exact(self.width)) {
            out[row(place)].copy_from_slice(made);
        }
    }

    /// Copies the rows that are kept; returns the places of those that are not.
    fn copy(&self, states: &States, out: &mut [f32]) -> Vec<usize> {
        let mut missing = Vec::new();
        for (place, (state, out)) in states.iter().zip(out.chunks_exact_mut(self.width)).enumerate() {
            match self.states.get(state) {
                Some(found) => out.copy_from_slice(&self.rows[found as usize * self.width..][..self.width]),
                None => missing.push(place),
            }
        }
        missing
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_kept_is_copied_and_the_rest_is_made() {
        let mut kept = Kept::new(1, LEAST_HIDDEN).unwrap();
        let states = |of: &[u8]| {
            let mut states = States::new(1);
            states.extend(of.chunks(1));
            states
        };
        let row = |value: f32| vec![value; LEAST_HIDDEN];
        kept.keep(&states(&[7, 9]), &[row(0.7), row(0.9)].concat());
        let hidden = [row(1.0), row(2.0), row(3.0)].concat();
        let completed = |kept: &Kept| {
            let mut out = vec![0.0; hidden.len()];
            kept.complete(&states(&[9, 8, 7]), &mut out, &hidden, |hidden, out| {
                out.copy_from_slice(hidden)
            });
            out
        };
        assert_eq!(completed(&kept), [row(0.9), row(2.0), row(0.7)].concat());
        kept.forget();
        assert_eq!(completed(&kept), hidden);
    }

    #[test]
    fn small_products_are_not_kept() {
        assert!(Kept::new(8, 128).is_none());
    }
}
