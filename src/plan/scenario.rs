//! Which run is planned: how many actors, on what, with which rewards.

use crate::config::{Mode, RunConfig};
use crate::protocol::relay::MAX_BRANCHES;
use serde::Serialize;

/// Most actors of a plan.
const MOST_ACTORS: usize = crate::protocol::MAX_ACTORS;

/// A run that is planned.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Scenario {
    /// Actor processes.
    pub actors: usize,
    /// Machines. On a single one learner and actors share its cores; of several, the learner has the first to itself.
    pub nodes: usize,
    /// Cores of each machine.
    pub cores: usize,
    /// What an object's score takes.
    pub reward: Reward,
    /// The network between machines, Gbit/s in each direction of the learner's link.
    pub gbit: f64,
    /// Time of a message between machines besides its bytes, seconds.
    pub latency: f64,
    /// Links have a key.
    pub sealed: bool,
    /// Actors are behind relays, one on each of their machines.
    pub relays: bool,
    /// Actors that are slower than the others.
    pub slow: Slow,
    /// Names all randomness of the simulation.
    pub seed: u64,
}

/// What an object's score takes.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Reward {
    /// The task's own scorer: seconds of a core, by [`super::Costs`].
    Computed,
    /// So many seconds in which no core works, one object after the other: a program that waits, a laboratory.
    Waited(f64),
}

/// Actors whose rewards take longer.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Slow {
    /// How many.
    pub actors: usize,
    /// How many times as long.
    pub factor: f64,
}

impl Slow {
    /// All are alike.
    pub const NONE: Self = Self { actors: 0, factor: 1.0 };
}

/// Why a run cannot be planned.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum Impossible {
    /// A number out of its range.
    #[error("{name} is {value}; {allowed} is allowed")]
    Number {
        /// Which.
        name: &'static str,
        /// Its value.
        value: f64,
        /// What is allowed.
        allowed: String,
    },
    /// Machines without work.
    #[error(
        "there are {nodes} nodes for {actors} actors: the learner takes one, and each of the others needs an actor at least"
    )]
    Nodes {
        /// Machines.
        nodes: usize,
        /// Actors.
        actors: usize,
    },
    /// Slow actors that there are not.
    #[error("{slow} slow actors are more than the {actors} there are")]
    Slow {
        /// Slow ones.
        slow: usize,
        /// All.
        actors: usize,
    },
    /// More actors on a machine than a relay takes.
    #[error(
        "a machine would have {actors} actors, and a relay takes {}: more --nodes, or no --relays",
        MAX_BRANCHES
    )]
    Relay {
        /// Actors of a machine.
        actors: usize,
    },
    /// There is nothing to plan.
    #[error("offline training has no actors; a plan is for train.mode = \"async\" or \"sync\"")]
    Offline,
    /// Lockstep rounds have a place for each actor at most.
    #[error(
        "a lockstep round has {batch} places (train.batch), so {actors} actors cannot all work; \"async\" has no such limit"
    )]
    Places {
        /// Trajectories per round.
        batch: usize,
        /// Actors.
        actors: usize,
    },
}

impl Scenario {
    /// One machine of so many cores on which `actors` score by the task's own scorer.
    pub fn on_one_machine(actors: usize, cores: usize) -> Self {
        Self {
            actors,
            nodes: 1,
            cores,
            reward: Reward::Computed,
            gbit: 10.0,
            latency: 1e-4,
            sealed: false,
            relays: false,
            slow: Slow::NONE,
            seed: 0,
        }
    }

    /// Whether a run of `config` can be like this.
    ///
    /// # Errors
    /// The first thing that cannot be, and what could.
    pub fn check(&self, config: &RunConfig) -> Result<(), Impossible> {
        let within = |name, value: f64, least: f64, most: f64| {
            let allowed = format!("{least} to {most}");
            if (least..=most).contains(&value) {
                return Ok(());
            }
            Err(Impossible::Number { name, value, allowed })
        };
        within("--actors", self.actors as f64, 1.0, MOST_ACTORS as f64)?;
        within("--nodes", self.nodes as f64, 1.0, MOST_ACTORS as f64 + 1.0)?;
        within("--cores", self.cores as f64, 1.0, 4096.0)?;
        within("--gbit", self.gbit, 1e-3, 1e4)?;
        within("--latency-ms", self.latency * 1e3, 0.0, 1e4)?;
        within("--slow-factor", self.slow.factor, 1.0, 1e6)?;
        if let Reward::Waited(seconds) = self.reward {
            within("--reward-ms", seconds * 1e3, 0.0, 3.6e6)?;
        }
        let (nodes, actors, slow) = (self.nodes, self.actors, self.slow.actors);
        if nodes > 1 && nodes - 1 > actors {
            return Err(Impossible::Nodes { nodes, actors });
        }
        if slow > actors {
            return Err(Impossible::Slow { slow, actors });
        }
        let behind_each = actors.div_ceil(self.actor_nodes());
        if self.relays && behind_each > MAX_BRANCHES {
            return Err(Impossible::Relay { actors: behind_each });
        }
        let batch = config.train.batch;
        match config.train.mode {
            Mode::Offline => Err(Impossible::Offline),
            Mode::Sync if actors > batch => Err(Impossible::Places { batch, actors }),
            Mode::Sync | Mode::Async => Ok(()),
        }
    }

    /// Machines with actors.
    fn actor_nodes(&self) -> usize {
        (self.nodes - 1).max(1)
    }

    /// The machine of an actor; the learner is on machine 0.
    pub(super) fn node_of(&self, actor: usize) -> usize {
        match self.nodes {
            1 => 0,
            _ => 1 + actor % self.actor_nodes(),
        }
    }

    /// How many relays there are.
    pub(super) fn relay_count(&self) -> usize {
        if self.relays { self.actor_nodes() } else { 0 }
    }

    /// The relay that an actor is behind, if it is behind one; relay i is on the machine of actor i.
    pub(super) fn relay_of(&self, actor: usize) -> Option<usize> {
        self.relays.then(|| actor % self.actor_nodes())
    }

    /// Connections that the learner has.
    pub fn connections(&self) -> usize {
        if self.relays { self.relay_count() } else { self.actors }
    }

    /// Seconds that an object of this actor is waited for, and seconds of a core that it takes.
    pub(super) fn reward_of(&self, actor: usize, computed: f64) -> (f64, f64) {
        let factor = if actor < self.slow.actors {
            self.slow.factor
        } else {
            1.0
        };
        match self.reward {
            Reward::Computed => (0.0, computed * factor),
            Reward::Waited(seconds) => (seconds * factor, 0.0),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::protocol::example::example_config;

    #[test]
    fn what_cannot_be_is_refused_with_what_could() {
        let config = example_config(Mode::Async);
        let check = |change: fn(&mut Scenario)| {
            let mut scenario = Scenario::on_one_machine(4, 2);
            change(&mut scenario);
            scenario.check(&config).unwrap_err().to_string()
        };
        for (error, part) in [
            (check(|s| s.actors = 0), "--actors is 0; 1 to"),
            (check(|s| s.cores = 0), "--cores is 0"),
            (check(|s| s.reward = Reward::Waited(-0.05)), "--reward-ms is -50"),
            (check(|s| s.reward = Reward::Waited(f64::NAN)), "--reward-ms is NaN"),
            (check(|s| s.gbit = 0.0), "--gbit is 0"),
            (check(|s| s.nodes = 6), "6 nodes for 4 actors"),
            (check(|s| s.slow.actors = 5), "5 slow actors"),
            (
                check(|s| (s.actors, s.relays) = (1025, true)),
                "1025 actors, and a relay takes 1024",
            ),
        ] {
            assert!(error.contains(part), "{error}");
        }
        let lockstep = Scenario::on_one_machine(7, 2).check(&example_config(Mode::Sync));
        assert_eq!(lockstep, Err(Impossible::Places { batch: 6, actors: 7 }));
        let offline = Scenario::on_one_machine(1, 2).check(&example_config(Mode::Offline));
        assert_eq!(offline, Err(Impossible::Offline));
    }

    #[test]
    fn the_learner_shares_a_single_machine_and_has_one_of_several() {
        let mut scenario = Scenario::on_one_machine(4, 2);
        assert!((0..4).all(|actor| scenario.node_of(actor) == 0));
        scenario.nodes = 3;
        let nodes: Vec<usize> = (0..4).map(|actor| scenario.node_of(actor)).collect();
        assert_eq!(nodes, [1, 2, 1, 2]);
        assert_eq!((scenario.connections(), scenario.relay_of(3)), (4, None));
        scenario.relays = true;
        assert_eq!((scenario.connections(), scenario.relay_of(3)), (2, Some(1)));
        assert_eq!(
            scenario.node_of(1),
            scenario.node_of(3),
            "a relay is where its actors are"
        );
    }
}
