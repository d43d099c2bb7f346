//! What one schedule is like: the run, its fleet, which faults come and how often. All drawn from the seed.

use super::example_config;
use crate::config::{Mode, RunConfig};
use crate::random::{Purpose, Stream};

/// What goes wrong in the world.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Fault {
    LoseMessage,
    RepeatMessage,
    SwapMessages,
    /// Nothing passes between an actor and the learner for a while, one way or both.
    Partition,
    BreakConnection,
    CrashActor,
    /// Asked to stop, as by a cluster's scheduler.
    StopActor,
    CrashLearner,
    PauseActor,
    PauseLearner,
    /// A clock runs ahead at once.
    LeapActor,
    LeapLearner,
    DamageCheckpoint,
    /// The disk is full for a while: every commit fails, and with it the learner.
    FillDisk,
    /// Somebody else talks to the learner.
    Stranger,
}

const FAULTS: [Fault; 15] = [
    Fault::LoseMessage,
    Fault::RepeatMessage,
    Fault::SwapMessages,
    Fault::Partition,
    Fault::BreakConnection,
    Fault::CrashActor,
    Fault::StopActor,
    Fault::CrashLearner,
    Fault::PauseActor,
    Fault::PauseLearner,
    Fault::LeapActor,
    Fault::LeapLearner,
    Fault::DamageCheckpoint,
    Fault::FillDisk,
    Fault::Stranger,
];

/// See the module.
#[derive(Debug)]
pub(super) struct Schedule {
    pub config: RunConfig,
    pub actors: usize,
    /// Events while there are faults.
    pub steps: usize,
    /// Of 1000 events, so many are faults.
    pub fault_rate: usize,
    /// One is picked at random: those that are in it several times come more often, many are not in it at all.
    pub faults: Vec<Fault>,
    /// Accepted batches that may wait for the disk before the learner stops reading.
    pub depth: usize,
    /// Most batches that are committed together.
    pub group: usize,
    /// Actors keep what they made on a disk of their own, and come back with it.
    pub outboxes: bool,
    /// The actor whose first life tells wrong scores, and from which trajectory on.
    pub liar: Option<(usize, u64)>,
}

impl Schedule {
    /// The schedule of a seed.
    pub fn draw(seed: u64, mode: Mode) -> Self {
        let mut rng = Stream::new(seed, Purpose::Bench, mode as u64, 1);
        let actors = match rng.below(100) {
            0..80 => 3 + rng.below(3),
            80..97 => 6 + rng.below(7),
            _ => 13 + rng.below(38),
        };
        let mut config = example_config(mode);
        config.train.rounds = 2 + rng.below(7) as u64;
        config.train.batch = 1 + rng.below(8) + rng.below(actors);
        config.actor.batch = 1 + rng.below(4);
        config.actor.outbox = 1 + rng.below(3);
        config.learner.rescore = [0.25, 1.0, 0.0][rng.below(3)];
        let faults = FAULTS.iter().flat_map(|&fault| {
            let weight = rng.below(2) * (1 + rng.below(6));
            std::iter::repeat_n(fault, weight)
        });
        Self {
            faults: faults.collect(),
            fault_rate: [5, 20, 60][rng.below(3)],
            depth: 1 + rng.below(8),
            group: 1 + rng.below(4),
            liar: (rng.below(5) == 0).then(|| (rng.below(actors), rng.below(20) as u64)),
            outboxes: rng.below(2) == 0,
            steps: 250 + 40 * actors,
            actors,
            config,
        }
    }

    pub fn mode(&self) -> Mode {
        self.config.train.mode
    }
}
