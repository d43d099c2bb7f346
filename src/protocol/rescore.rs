//! Scoring again what an actor says it scored, for a share of its trajectories: a machine that computes something else
//! is found, whether its memory, its files or its honesty is at fault. What follows from it, `fleet` decides.
//!
//! Which trajectories are drawn follows from the run's seed, the incarnation and the trajectory's number. So what is
//! sent again is judged again the same, by a restarted learner too. It is a check of machines and set-ups: an attacker
//! who holds the run's configuration can compute the draw.

use crate::config::RunConfig;
use crate::env::{Environment, States};
use crate::random::{Purpose, Stream};
use crate::rollout::Trajectory;
use crate::task::{Scorer, Task};
use crate::units::{Incarnation, Seq};
use std::sync::Arc;

/// Largest difference between two scores of one object, relative: other machines round differently.
const TOLERANCE: f32 = 1e-4;

/// The same for scores near 0, absolute.
const NEAR_ZERO: f32 = 1e-6;

/// True when two machines' scores of one object are the same but for rounding.
pub fn scores_agree(stated: f32, own: f32) -> bool {
    (stated - own).abs() <= TOLERANCE * own.abs() + NEAR_ZERO
}

/// An object whose score is not what was stated.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Disagreement {
    /// Which trajectory.
    pub seq: Seq,
    /// The object, as people write it.
    pub object: String,
    /// y as sent.
    pub stated: f32,
    /// y as the learner's task has it; NaN where it has none.
    pub own: f32,
}

/// See the module.
#[derive(Debug)]
pub(super) struct Rescore {
    seed: u64,
    /// One of this many consecutive trajectories is drawn.
    every: u64,
    env: Arc<dyn Environment>,
    scorer: Arc<dyn Scorer>,
}

impl Rescore {
    /// None where it is switched off, or where scoring again is dear or gives something else every time.
    pub fn new(config: &RunConfig, task: &Task) -> Option<Self> {
        let share = config.learner.rescore;
        (share > 0.0 && task.scorer.is_repeatable()).then(|| Self {
            seed: config.seed,
            every: (1.0 / share).round() as u64,
            env: task.env.clone(),
            scorer: task.scorer.clone(),
        })
    }

    /// Scores again what is drawn of the checked trajectories `first`, `first + 1` … and returns the first one whose
    /// score is another. log R needs no second look: it was compared with the stated y.
    pub fn disagreement(&self, incarnation: Incarnation, first: Seq, batch: &[Trajectory]) -> Option<Disagreement> {
        let mut objects = States::new(self.env.state_width());
        let mut drawn = Vec::new();
        for (seq, trajectory) in (first.0..).map(Seq).zip(batch) {
            if self.is_drawn(incarnation, seq) {
                objects.push(&self.env.object_of(&trajectory.actions).ok()?);
                drawn.push((seq, trajectory.y));
            }
        }
        if drawn.is_empty() {
            return None;
        }
        // Scores that the learner cannot compute say nothing about the actor.
        let scores = self.scorer.score(&objects).ok()?;
        let mut compared = drawn.into_iter().zip(scores).zip(objects.iter());
        compared.find_map(|(((seq, stated), own), object)| {
            (!scores_agree(stated, own)).then(|| Disagreement {
                seq,
                object: self.env.format(object),
                stated,
                own,
            })
        })
    }

    /// One of every `every` consecutive trajectories, so that none can go on for long without being looked at.
    pub fn is_drawn(&self, incarnation: Incarnation, Seq(seq): Seq) -> bool {
        let block = seq / self.every;
        let mut stream = Stream::new(self.seed, Purpose::Rescore, incarnation.0, block);
        seq % self.every == stream.below(self.every as usize) as u64
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Mode;
    use crate::protocol::simulation::{example_config, example_task, example_trajectory};

    fn rescore(share: f64) -> Option<Rescore> {
        let mut config = example_config(Mode::Async);
        config.learner.rescore = share;
        Rescore::new(&config, &example_task())
    }

    #[test]
    fn one_of_every_so_many_is_drawn_whatever_the_batches() {
        let rescore = rescore(0.1).unwrap();
        for incarnation in [Incarnation(1), Incarnation(2)] {
            for block in 0..50 {
                let seqs = (block * 10..block * 10 + 10).map(Seq);
                assert_eq!(seqs.filter(|&seq| rescore.is_drawn(incarnation, seq)).count(), 1);
            }
        }
        let drawn = |incarnation| -> Vec<u64> {
            (0..500)
                .filter(|&seq| rescore.is_drawn(incarnation, Seq(seq)))
                .collect()
        };
        assert_ne!(drawn(Incarnation(1)), drawn(Incarnation(2)));
    }

    #[test]
    fn another_score_is_found_and_rounding_is_not() {
        let rescore = rescore(1.0).unwrap();
        let mut batch: Vec<_> = (0..4).map(|index| example_trajectory(0, index)).collect();
        batch[1].y *= 1.0 + 1e-5;
        assert_eq!(rescore.disagreement(Incarnation(1), Seq(7), &batch), None);
        let own = batch[2].y;
        batch[2].y = own * 1.001;
        let found = rescore.disagreement(Incarnation(1), Seq(7), &batch).unwrap();
        assert_eq!((found.seq, found.stated, found.own), (Seq(9), own * 1.001, own));
        assert_eq!(found.object.len(), 3, "{}", found.object);
        batch[2].y = f32::NAN;
        assert!(rescore.disagreement(Incarnation(1), Seq(7), &batch).is_some());
    }

    #[test]
    fn it_can_be_switched_off() {
        assert!(rescore(0.0).is_none());
    }
}
