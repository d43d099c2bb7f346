//! The invariants of DESIGN.md, each checked where it could break, and what must be true at the end.

use super::World;
use crate::config::Mode;
use crate::protocol::actor_session::Exit;
use crate::protocol::fleet::{Commit, Route};
use crate::protocol::messages::ToActor;
use crate::protocol::rescore::Rescore;
use crate::protocol::simulation::example_trajectory;
use crate::protocol::window;
use crate::rollout::Trajectory;
use crate::units::{Incarnation, Seq};
use std::collections::{HashMap, HashSet};

/// What every incarnation ever made: the actors' own books, which no crash touches.
pub(super) struct Ledger {
    made: HashMap<Incarnation, Vec<Trajectory>>,
    /// Incarnations with a wrong score that the learner will look at, and which trajectory that is.
    caught: HashMap<Incarnation, Seq>,
    rescore: Option<Rescore>,
    /// Async mode: random streams that were used up. A stream is named by incarnation, batch and place in it.
    streams: HashSet<(Incarnation, u64, u32)>,
}

impl Ledger {
    pub fn new(rescore: Option<Rescore>) -> Self {
        Self {
            made: HashMap::new(),
            streams: HashSet::new(),
            caught: HashMap::new(),
            rescore,
        }
    }

    pub fn born(&mut self, incarnation: Incarnation) {
        self.made.insert(incarnation, Vec::new());
    }

    pub fn made_by(&self, incarnation: Incarnation) -> &[Trajectory] {
        self.made.get(&incarnation).map_or(&[], Vec::as_slice)
    }

    /// Async mode: `trajectory` was drawn from a stream that nothing was drawn from before.
    pub fn drawn(&mut self, incarnation: Incarnation, trajectory: &Trajectory) {
        let new = self.streams.insert((incarnation, trajectory.round, trajectory.index));
        assert!(
            new,
            "invariant 10: batch {} of {incarnation} is drawn once",
            trajectory.round
        );
    }

    pub fn made(&mut self, incarnation: Incarnation, trajectory: Trajectory, lie: bool) {
        let made = self.made.entry(incarnation).or_default();
        let seq = Seq(made.len() as u64);
        made.push(trajectory);
        if lie
            && self
                .rescore
                .as_ref()
                .is_some_and(|rescore| rescore.is_drawn(incarnation, seq))
        {
            self.caught.entry(incarnation).or_insert(seq);
        }
    }
}

impl World {
    /// A row about to be written.
    pub(super) fn check_row(&self, incarnation: Incarnation, seq: Seq, row: &Trajectory) {
        let twice = self.disk.rows.contains_key(&(incarnation, seq));
        assert!(!twice, "invariant 2: {incarnation} {seq} is stored once");
        let place = (row.round, row.index);
        let twice = self.mode() == Mode::Sync && self.disk.places.contains(&place);
        assert!(!twice, "invariant 2: place {place:?} is stored once");
        let made = self.ledger.made_by(incarnation).get(seq.0 as usize);
        assert_eq!(
            made,
            Some(row),
            "invariant 3: what was made is stored, under its number"
        );
        let caught = self.ledger.caught.get(&incarnation);
        assert!(
            caught.is_none_or(|&caught| seq < caught),
            "quarantine: {incarnation} {seq} came with or after a wrong score that was looked at"
        );
    }

    /// What the fleet hands on.
    pub(super) fn check_accepted(&mut self, commit: &Commit) {
        let most = window(&self.schedule.config) as u64;
        let Some(learner) = &mut self.learner.running else {
            return;
        };
        let first = commit.rows.first().map_or(commit.next, |(seq, _)| *seq).0;
        let [taken, safe] = learner.flights.entry(commit.incarnation).or_insert([first; 2]);
        assert!(
            first >= *taken,
            "invariant 2: what was handed on is not handed on again"
        );
        *taken = commit.next.0;
        assert!(
            *taken - *safe <= most,
            "invariant 5: what waits for the disk is bounded"
        );
    }

    /// Weights go to those who asked or were greeted, once for each time.
    pub(super) fn check_weights_asked(&mut self, route: &Route) {
        let Some(end) = self.network.ends.get_mut(route) else {
            return;
        };
        if self.schedule.mode() == Mode::Async {
            assert!(end.weights_due > 0, "invariant 4: weights go to those who want them");
            end.weights_due -= 1;
        }
    }

    /// Weights that reach an actor are those of their version, whoever passed them on.
    pub(super) fn check_weights(&self, message: &ToActor) {
        if let ToActor::Weights { version, weights, .. } = message {
            assert_eq!(
                *weights,
                self.weights_of(*version),
                "invariant 4: {version} is that version"
            );
        }
    }

    /// A round that is to be trained on.
    pub(super) fn check_round(&self, round: u64, trajectories: &[Trajectory]) {
        let lies = self.schedule.liar.is_some();
        let batch = self.schedule.config.train.batch as u32;
        let expected = (0..batch).map(|index| example_trajectory(round, index));
        let same = expected.zip(trajectories).all(|(expected, got)| {
            let honest = !lies || got.y == expected.y;
            let (y, log_reward) = if honest {
                (expected.y, expected.log_reward)
            } else {
                (got.y, got.log_reward)
            };
            *got == Trajectory {
                y,
                log_reward,
                ..expected
            }
        });
        assert!(
            same && trajectories.len() == batch as usize,
            "invariant 10: round {round} depends on its places only"
        );
    }

    /// An actor after something happened to it.
    pub(super) fn check_actor(&mut self, number: usize) {
        let most = window(&self.schedule.config) as u64;
        let actor = &self.actors[number];
        assert!(
            actor.session.status().outbox <= most.max(actor.left),
            "invariant 5: the outbox is bounded"
        );
        let oldest = actor.session.oldest().0;
        let made = self.ledger.made_by(actor.incarnation);
        for (seq, made) in made.iter().enumerate().take(oldest as usize).skip(actor.safe as usize) {
            let stored = self.disk.rows.get(&(actor.incarnation, Seq(seq as u64)));
            let elsewhere = self.mode() == Mode::Sync && self.disk.places.contains(&(made.round, made.index));
            assert!(
                stored == Some(made) || (stored.is_none() && elsewhere),
                "invariant 1: what was acknowledged is stored: {} {seq}",
                actor.incarnation
            );
        }
        self.actors[number].safe = oldest;
    }

    /// Only those who lied are refused, and nobody gives up on a learner that comes back.
    pub(super) fn check_exit(&self, number: usize, exit: &Exit) {
        let lied = self.ledger.caught.contains_key(&self.actors[number].incarnation);
        match exit {
            Exit::Refused(reason) => assert!(lied && reason.contains("quarantine"), "actor {number}: {reason}"),
            Exit::GaveUp(reason) => panic!("actor {number} gave up: {reason}"),
            Exit::Key(refusal) => panic!("there are no keys here: {refusal}"),
            Exit::Finished => assert_eq!(self.mode(), Mode::Sync, "a free run does not end here"),
            Exit::Stopped { .. } => {}
        }
    }

    /// Every process has come to its end, or will never come back.
    pub(super) fn is_over(&self) -> bool {
        self.actors.iter().all(|actor| match actor.back_at {
            Some(at) => at == std::time::Duration::MAX,
            None => actor.exit.is_some(),
        })
    }

    /// Async mode: everything that was made has arrived, and everyone has the newest weights.
    pub(super) fn is_delivered(&self) -> bool {
        let newest = self.learner.running.as_ref().and_then(|learner| learner.version);
        newest.is_some()
            && self.actors.iter().all(|actor| match actor.back_at {
                Some(at) => at == std::time::Duration::MAX,
                None if actor.exit.is_some() => true,
                None => actor.session.loaded() == newest && actor.session.oldest().0 >= actor.target,
            })
    }

    pub(super) fn check_end(&self) {
        if self.mode() == Mode::Sync {
            let config = &self.schedule.config.train;
            let places = config.rounds as usize * config.batch;
            assert_eq!(self.disk.rows.len(), places, "every place of every round, once");
            let finished = self.actors.iter().any(|actor| actor.exit == Some(Exit::Finished));
            assert!(finished, "liveness: somebody hears that the run is over");
        }
    }

    pub(super) fn state_of_actors(&self) -> String {
        let states = self.actors.iter().enumerate().map(|(number, actor)| {
            let (exit, back_at) = (&actor.exit, actor.back_at);
            let status = actor.session.status();
            format!(
                "\n  actor {number} {}: outbox {}, waits for {:?}, {exit:?}, back at {back_at:?}",
                actor.incarnation, status.outbox, status.waiting
            )
        });
        states.collect()
    }
}
