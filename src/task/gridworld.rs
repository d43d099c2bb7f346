//! Gridworld: the usual hypergrid reward, high near the corners and highest in a block beside each of them.
//!
//! R(x) = r0 + r1·Π 1[|x_i/(side−1) − 0.5| > 0.25] + r2·Π 1[0.3 < |x_i/(side−1) − 0.5| < 0.4] (Bengio et al. 2021,
//! "Flow network based generative models"). Not here: the grid itself (`env::grid`).

use super::modes::Modes;
use super::reward::RewardShape;
use super::{Published, ScoreError, Scorer, Task, TaskError, TaskKind, no_attachment};
use crate::config::TaskConfig;
use crate::env::{Environment, GridEnv, States};
use serde::{Deserialize, Serialize};
use std::sync::Arc;

/// Most cells that are enumerated, 4 Mi: the states of a larger grid would take hundreds of megabytes.
const MOST_CELLS: u64 = 4 << 20;

/// The three parts of the reward.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct GridReward {
    /// Reward everywhere; positive.
    pub r0: f64,
    /// Added towards the corners.
    pub r1: f64,
    /// Added in the blocks that count as modes.
    pub r2: f64,
}

impl Default for GridReward {
    fn default() -> Self {
        Self {
            r0: 0.1,
            r1: 0.5,
            r2: 2.0,
        }
    }
}

impl GridReward {
    /// R of a cell on a grid of this side.
    pub fn reward(&self, cell: &[u8], side: usize) -> f64 {
        // With d = |2x − (side−1)| and m = side−1, |x/m − 0.5| = d/(2m): whole numbers, no rounding at the borders.
        let outside = cell.iter().all(|&x| 2 * distance(x, side) > side - 1);
        let high = cell.iter().all(|&x| in_block(x, side));
        self.r0 + if outside { self.r1 } else { 0.0 } + if high { self.r2 } else { 0.0 }
    }
}

/// |2x − (side−1)|: twice the distance from the middle.
fn distance(x: u8, side: usize) -> usize {
    (2 * usize::from(x)).abs_diff(side - 1)
}

/// True when 0.3 < |x/(side−1) − 0.5| < 0.4.
fn in_block(x: u8, side: usize) -> bool {
    let (distance, last) = (5 * distance(x, side), side - 1);
    3 * last < distance && distance < 4 * last
}

/// Scores the cells of a grid; y is the reward itself.
#[derive(Debug, Clone)]
pub struct GridScorer {
    env: GridEnv,
    reward: GridReward,
}

impl GridScorer {
    /// A scorer for the complete cells of `env`.
    pub fn new(env: GridEnv, reward: GridReward) -> Self {
        Self { env, reward }
    }

    /// Which of the 2^dimensions high-reward blocks a cell (a state, or its coordinates) is in: bit i is set where
    /// coordinate i is in the upper half. `None` outside all of them.
    pub fn mode_of(&self, cell: &[u8]) -> Option<usize> {
        let (cell, side) = (&cell[..self.env.dimensions()], self.env.side());
        let upper = |&x: &u8| usize::from(2 * usize::from(x) > side - 1);
        let inside = cell.iter().all(|&x| in_block(x, side));
        inside.then(|| {
            cell.iter()
                .enumerate()
                .fold(0, |mode, (axis, x)| mode | upper(x) << axis)
        })
    }

    /// The centre cell of each high-reward block as a complete state: 2^dimensions of them, none where the side is too
    /// small for a block (under 7 cells, and 11).
    pub fn modes(&self) -> Modes {
        let (dimensions, side) = (self.env.dimensions(), self.env.side());
        let lower: Vec<usize> = (0..side / 2).filter(|&x| in_block(x as u8, side)).collect();
        let Some(&centre) = lower.get(lower.len() / 2) else {
            return Modes::default();
        };
        let mut states = States::new(self.env.state_width());
        for mode in 0..1usize << dimensions {
            let state = states.push(self.env.initial());
            state[dimensions] = 1;
            for (axis, x) in state[..dimensions].iter_mut().enumerate() {
                let upper = mode >> axis & 1 == 1;
                *x = if upper { side - 1 - centre } else { centre } as u8;
            }
        }
        Modes::new(states.iter())
    }

    fn y(&self, object: &[u8]) -> f32 {
        self.reward.reward(&object[..self.env.dimensions()], self.env.side()) as f32
    }
}

/// What `thermoflow tasks` shows, and how to build it.
pub const KIND: TaskKind = TaskKind {
    name: "gridworld",
    summary: "cells of a hypergrid, with high rewards in blocks near its corners",
    objects: "1024 cells of a 32×32 grid with 4 modes (any dimension and side can be asked for)",
    takes: &["dimensions", "side", "r0"],
    published: Published::TFBIND8,
    defaults,
    attachment: no_attachment,
    build,
};

fn defaults() -> TaskConfig {
    TaskConfig {
        dimensions: Some(2),
        side: Some(32),
        r0: Some(GridReward::default().r0),
        ..TaskConfig::new("gridworld", RewardShape::IDENTITY)
    }
}

fn build(config: &TaskConfig, _: Option<&[u8]>) -> Result<Task, TaskError> {
    let env = GridEnv::new(config.dimensions.unwrap_or(2), config.side.unwrap_or(32));
    let defaults = GridReward::default();
    let reward = GridReward {
        r0: config.r0.unwrap_or(defaults.r0),
        ..defaults
    };
    let scorer = GridScorer::new(env.clone(), reward);
    Ok(Task {
        name: KIND.name.into(),
        modes: Arc::new(scorer.modes()),
        env: Arc::new(env),
        scorer: Arc::new(scorer),
        reward: config.reward,
    })
}

impl Scorer for GridScorer {
    fn score(&self, objects: &States) -> Result<Vec<f32>, ScoreError> {
        if let Some(open) = objects.iter().find(|object| !self.env.is_complete(object)) {
            return Err(ScoreError(format!("{} is not a complete cell", self.env.format(open))));
        }
        Ok(objects.iter().map(|object| self.y(object)).collect())
    }

    fn enumerate(&self) -> Option<(States, Vec<f32>)> {
        let objects = self.env.objects(MOST_CELLS)?;
        let scores = objects.iter().map(|object| self.y(object)).collect();
        Some((objects, scores))
    }

    fn is_repeatable(&self) -> bool {
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn scorer(dimensions: usize, side: usize) -> GridScorer {
        GridScorer::new(GridEnv::new(dimensions, side), GridReward::default())
    }

    #[test]
    fn the_reward_is_the_published_formula() {
        let reward = GridReward::default();
        for side in [8, 9, 20, 32] {
            for x in 0..side {
                for y in 0..side {
                    let from_middle = [x, y].map(|c| (f64::from(c) / f64::from(side - 1) - 0.5).abs());
                    let outside = from_middle.iter().all(|&a| a > 0.25);
                    let high = from_middle.iter().all(|&a| 0.3 < a && a < 0.4);
                    let expected = 0.1 + 0.5 * f64::from(u8::from(outside)) + 2.0 * f64::from(u8::from(high));
                    assert_eq!(reward.reward(&[x, y], usize::from(side)), expected, "{x},{y} of {side}");
                }
            }
        }
        // 0.3 and 0.4 themselves are outside, which floating point gets wrong on one side.
        assert!([1, 2, 8, 9].iter().all(|&x| reward.reward(&[x], 11) < 1.0));
    }

    #[test]
    fn every_block_has_one_mode_at_its_centre() {
        for (dimensions, side) in [(1, 8), (2, 32), (3, 8), (4, 20)] {
            let scorer = scorer(dimensions, side);
            let modes = scorer.modes();
            assert_eq!(modes.len(), 1 << dimensions);
            let mut blocks: Vec<_> = modes.iter().map(|cell| scorer.mode_of(cell).unwrap()).collect();
            blocks.sort_unstable();
            assert!(blocks.into_iter().eq(0..1 << dimensions));
            assert!(
                modes
                    .iter()
                    .all(|cell| scorer.env.is_complete(cell) && scorer.y(cell) == 2.6)
            );
        }
        let scorer = scorer(2, 32);
        assert!(scorer.modes().contains(&[5, 26, 1]));
        assert_eq!(scorer.mode_of(&[4, 27, 1]), Some(2));
        assert_eq!(scorer.mode_of(&[4, 15, 1]), None);
    }

    #[test]
    fn sides_without_a_block_have_no_mode() {
        for side in 2..40 {
            let modes = scorer(1, side).modes();
            assert_eq!(modes.is_empty(), side < 7 || side == 11, "{side}");
        }
    }

    #[test]
    fn enumerating_agrees_with_scoring() {
        let scorer = scorer(2, 8);
        let (objects, scores) = scorer.enumerate().unwrap();
        assert_eq!((objects.len(), scorer.score(&objects).unwrap()), (64, scores));
        assert!(
            GridScorer::new(GridEnv::new(8, 32), GridReward::default())
                .enumerate()
                .is_none()
        );
        let mut open = States::new(3);
        open.push(&[1, 2, 0]);
        assert!(scorer.score(&open).unwrap_err().to_string().contains("1,2…"));
    }
}
