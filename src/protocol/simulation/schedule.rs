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
    /// What relays have: the same for their connections with the learner, and for themselves.
    LoseBundle,
    RepeatBundle,
    SwapBundles,
    PartitionRelay,
    BreakTrunk,
    CrashRelay,
    StopRelay,
    PauseRelay,
    LeapRelay,
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

const RELAY_FAULTS: [Fault; 9] = [
    Fault::LoseBundle,
    Fault::RepeatBundle,
    Fault::SwapBundles,
    Fault::PartitionRelay,
    Fault::BreakTrunk,
    Fault::CrashRelay,
    Fault::StopRelay,
    Fault::PauseRelay,
    Fault::LeapRelay,
];

/// Most actors in schedules with relays: what passes through one takes several steps, and larger fleets are played without.
const MOST_BEHIND_RELAYS: usize = 12;

/// Which schedules a test plays.
#[derive(Debug, Clone, Copy)]
pub(super) struct Kind {
    pub mode: Mode,
    /// Actors are behind relays, some or all of them.
    pub relays: bool,
}

/// See the module.
#[derive(Debug)]
pub(super) struct Schedule {
    pub config: RunConfig,
    pub actors: usize,
    pub relays: usize,
    /// Behind which relay each actor is, if any.
    places: Vec<Option<usize>>,
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
    pub fn draw(seed: u64, Kind { mode, relays }: Kind) -> Self {
        let schedule = Self::without_relays(seed, mode);
        match relays {
            true => schedule.behind_relays(seed),
            false => schedule,
        }
    }

    fn behind_relays(mut self, seed: u64) -> Self {
        let mut rng = Stream::new(seed, Purpose::Bench, self.mode() as u64, 2);
        self.actors = self.actors.min(MOST_BEHIND_RELAYS);
        self.places.truncate(self.actors);
        self.liar = self.liar.filter(|&(liar, _)| liar < self.actors);
        self.relays = 1 + rng.below(2);
        let directly = [0, 0, 3][rng.below(3)];
        for place in &mut self.places {
            let behind = rng.below(8) >= directly;
            *place = behind.then(|| rng.below(self.relays));
        }
        self.faults.extend(weighted(&RELAY_FAULTS, &mut rng));
        self.steps *= self.hops();
        self
    }

    fn without_relays(seed: u64, mode: Mode) -> Self {
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
        Self {
            faults: weighted(&FAULTS, &mut rng),
            fault_rate: [5, 20, 60][rng.below(3)],
            depth: 1 + rng.below(8),
            group: 1 + rng.below(4),
            liar: (rng.below(5) == 0).then(|| (rng.below(actors), rng.below(20) as u64)),
            outboxes: rng.below(2) == 0,
            steps: 250 + 40 * actors,
            actors,
            relays: 0,
            places: vec![None; actors],
            config,
        }
    }

    /// Steps that a message takes: to a relay, to the learner, and out of its bundle.
    pub fn hops(&self) -> usize {
        if self.relays == 0 { 1 } else { 3 }
    }

    /// The relay that an actor is behind.
    pub fn relay_of(&self, actor: usize) -> Option<usize> {
        self.places[actor]
    }

    pub fn mode(&self) -> Mode {
        self.config.train.mode
    }
}

/// Some of the faults, some of them several times.
fn weighted(faults: &[Fault], rng: &mut Stream) -> Vec<Fault> {
    let times = faults.iter().flat_map(|&fault| {
        let weight = rng.below(2) * (1 + rng.below(6));
        std::iter::repeat_n(fault, weight)
    });
    times.collect()
}
