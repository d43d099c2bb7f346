//! A part of the gradient, for a thread that computes it while others compute the rest.

use std::ops::{Index, IndexMut, Range};

/// The gradient of the parameters from one place on, by their places in the whole flat buffer.
#[derive(Debug)]
pub struct Gradient<'a> {
    first: usize,
    values: &'a mut [f32],
}

impl<'a> Gradient<'a> {
    /// All of it, `[layout.len()]`.
    pub fn new(values: &'a mut [f32]) -> Self {
        Self { first: 0, values }
    }

    /// What lies before the parameter at `place`, and the rest.
    pub fn split_at(&mut self, place: usize) -> [Gradient<'_>; 2] {
        let (before, after) = self.values.split_at_mut(place - self.first);
        [(self.first, before), (place, after)].map(|(first, values)| Gradient { first, values })
    }
}

impl Index<Range<usize>> for Gradient<'_> {
    type Output = [f32];

    fn index(&self, places: Range<usize>) -> &[f32] {
        &self.values[places.start - self.first..places.end - self.first]
    }
}

impl IndexMut<Range<usize>> for Gradient<'_> {
    fn index_mut(&mut self, places: Range<usize>) -> &mut [f32] {
        &mut self.values[places.start - self.first..places.end - self.first]
    }
}

impl Index<usize> for Gradient<'_> {
    type Output = f32;

    fn index(&self, place: usize) -> &f32 {
        &self.values[place - self.first]
    }
}

impl IndexMut<usize> for Gradient<'_> {
    fn index_mut(&mut self, place: usize) -> &mut f32 {
        &mut self.values[place - self.first]
    }
}
