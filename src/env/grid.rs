//! Cells of a hypergrid: every coordinate starts at 0 and is raised one step at a time, until a stop.
//!
//! Not here: the reward (`task::gridworld`).

use super::{Action, EnvError, Environment, Neighbours, OPEN, States};

/// A grid of `dimensions` coordinates from 0 to `side` − 1 (Bengio et al. 2021, "Flow network based generative models").
///
/// State: a byte per coordinate, then 0 while open or 1 when stopped. Action `i` raises coordinate `i`; the last action
/// stops, which every cell can. Features: one-hot per coordinate, then 1 when stopped.
#[derive(Debug, Clone)]
pub struct GridEnv {
    side: usize,
    initial: Vec<u8>,
}

impl GridEnv {
    /// # Panics
    /// Without dimensions, with more than 255, or with a side that is not 2 to 256.
    pub fn new(dimensions: usize, side: usize) -> Self {
        assert!((1..=255).contains(&dimensions), "a grid has 1 to 255 dimensions");
        assert!((2..=256).contains(&side), "a grid has a side of 2 to 256 cells");
        Self {
            side,
            initial: vec![0; dimensions + 1],
        }
    }

    /// Number of coordinates.
    pub fn dimensions(&self) -> usize {
        self.initial.len() - 1
    }

    /// Cells along each coordinate.
    pub fn side(&self) -> usize {
        self.side
    }

    /// The number of objects (stopped cells); `None` when it exceeds 64 bits.
    pub fn object_count(&self) -> Option<u64> {
        (self.side as u64).checked_pow(self.dimensions() as u32)
    }

    /// Every object, last coordinate fastest, when there are at most `limit`.
    pub fn objects(&self, limit: u64) -> Option<States> {
        let count = self.object_count().filter(|&count| count <= limit)?;
        let (dimensions, side) = (self.dimensions(), self.side as u64);
        let mut objects = States::new(self.state_width());
        for rank in 0..count {
            let object = objects.push(&self.initial);
            object[dimensions] = 1;
            let mut rest = rank;
            for coordinate in object[..dimensions].iter_mut().rev() {
                *coordinate = (rest % side) as u8;
                rest /= side;
            }
        }
        Some(objects)
    }

    fn can_rise(&self, coordinate: u8) -> bool {
        usize::from(coordinate) + 1 < self.side
    }

    fn coordinate(&self, text: &str) -> Result<u8, String> {
        let value = text.trim().parse::<usize>().ok().filter(|&value| value < self.side);
        let value =
            value.ok_or_else(|| format!("coordinate {text:?} must be a whole number from 0 to {}", self.side - 1));
        value.map(|value| value as u8)
    }

    fn state_of(&self, text: &str) -> Result<Vec<u8>, String> {
        let open = text.strip_suffix(OPEN);
        let coordinates = open.unwrap_or(text).split(',').map(|part| self.coordinate(part));
        let mut state = coordinates.collect::<Result<Vec<u8>, _>>()?;
        if state.len() != self.dimensions() {
            let (found, needed) = (state.len(), self.dimensions());
            return Err(format!("it has {found} coordinates, {needed} are needed"));
        }
        state.push(u8::from(open.is_none()));
        Ok(state)
    }
}

impl Environment for GridEnv {
    fn state_width(&self) -> usize {
        self.initial.len()
    }

    fn feature_count(&self) -> usize {
        self.dimensions() * self.side + 1
    }

    fn action_count(&self) -> usize {
        self.dimensions() + 1
    }

    fn max_steps(&self) -> usize {
        self.dimensions() * (self.side - 1) + 1
    }

    fn initial(&self) -> &[u8] {
        &self.initial
    }

    fn is_complete(&self, state: &[u8]) -> bool {
        state[self.dimensions()] == 1
    }

    fn children(&self, states: &States, out: &mut Neighbours) {
        let dimensions = self.dimensions();
        for state in states.iter() {
            if !self.is_complete(state) {
                for (axis, &coordinate) in state[..dimensions].iter().enumerate() {
                    if self.can_rise(coordinate) {
                        out.push(axis as Action, state)[axis] += 1;
                    }
                }
                out.push(dimensions as Action, state)[dimensions] = 1;
            }
            out.finish_list();
        }
    }

    fn parents(&self, states: &States, out: &mut Neighbours) {
        let dimensions = self.dimensions();
        for state in states.iter() {
            if self.is_complete(state) {
                out.push(dimensions as Action, state)[dimensions] = 0;
            } else {
                for axis in (0..dimensions).filter(|&axis| state[axis] > 0) {
                    out.push(axis as Action, state)[axis] -= 1;
                }
            }
            out.finish_list();
        }
    }

    fn step(&self, state: &mut [u8], action: Action) -> bool {
        let (axis, dimensions) = (usize::from(action), self.dimensions());
        let possible =
            axis <= dimensions && !self.is_complete(state) && (axis == dimensions || self.can_rise(state[axis]));
        if possible {
            state[axis] += 1;
        }
        possible
    }

    fn features(&self, state: &[u8], out: &mut Vec<u32>) {
        let coordinates = state[..self.dimensions()].iter().enumerate();
        out.extend(coordinates.map(|(axis, &coordinate)| (axis * self.side + usize::from(coordinate)) as u32));
        if self.is_complete(state) {
            out.push((self.dimensions() * self.side) as u32);
        }
    }

    /// Coordinates with commas between: "3,17" for an object, "3,17…" for an open cell.
    fn format(&self, state: &[u8]) -> String {
        let coordinates: Vec<_> = state[..self.dimensions()].iter().map(u8::to_string).collect();
        let mut text = coordinates.join(",");
        text.extend((!self.is_complete(state)).then_some(OPEN));
        text
    }

    fn parse(&self, text: &str) -> Result<Vec<u8>, EnvError> {
        self.state_of(text).map_err(|reason| EnvError::Object {
            text: text.into(),
            reason,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::env::contract;

    #[test]
    fn grids_keep_the_contract() {
        for (dimensions, side) in [(1, 2), (1, 5), (2, 2), (2, 4), (3, 2), (3, 3)] {
            let env = GridEnv::new(dimensions, side);
            let cells = side.pow(dimensions as u32);
            assert_eq!(env.object_count(), Some(cells as u64));
            assert_eq!(contract::check(&env), 2 * cells, "{env:?}");
        }
    }

    #[test]
    fn cells_are_written_with_commas() {
        let env = GridEnv::new(2, 32);
        assert_eq!(env.parse_object("3,17").unwrap(), [3, 17, 1]);
        assert_eq!(env.parse("3,17…").unwrap(), [3, 17, 0]);
        let mut ones = Vec::new();
        env.features(&[3, 17, 1], &mut ones);
        assert_eq!(ones, [3, 32 + 17, 64]);
        for (text, expected) in [
            ("3,32", "0 to 31"),
            ("3", "2 are needed"),
            ("3,x", "\"x\""),
            ("", "\"\""),
            ("3,17…", "not complete"),
        ] {
            let message = env.parse_object(text).unwrap_err().to_string();
            assert!(message.contains(expected) && message.contains(text), "{message}");
        }
    }

    #[test]
    fn objects_are_listed_last_coordinate_fastest() {
        let env = GridEnv::new(2, 3);
        let objects: Vec<_> = env
            .objects(9)
            .unwrap()
            .iter()
            .map(|object| env.format(object))
            .collect();
        assert_eq!(objects, ["0,0", "0,1", "0,2", "1,0", "1,1", "1,2", "2,0", "2,1", "2,2"]);
        assert_eq!(env.objects(8), None);
    }
}
