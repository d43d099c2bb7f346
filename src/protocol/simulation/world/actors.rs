//! The simulated actors: a session each, and roll-outs that take their time.

use super::{RUN, World, example_trajectory};
use crate::config::Mode;
use crate::protocol::actor_session::{Action, ActorSession, Event, Exit, Left};
use crate::protocol::example::scored;
use crate::protocol::messages::Hello;
use crate::random::{Purpose, Stream};
use crate::rollout::{RollRequest, Trajectory};
use crate::task::oracle::OracleHealth;
use crate::units::{Incarnation, PolicyVersion, Seq};
use std::time::Duration;

const GIVE_UP: Duration = Duration::from_secs(1_000_000);

/// Trajectories that every actor is to deliver after the last fault.
pub(super) const TARGET: u64 = 3;

/// What a lie makes of a score.
const LIE: f32 = 1.01;

/// A host with one actor process, or for a while with none.
pub(super) struct Actor {
    pub session: ActorSession,
    pub incarnation: Incarnation,
    pub link: Option<u64>,
    /// What is rolled out, and with which weights.
    rolling: Option<(RollRequest, PolicyVersion)>,
    pub exit: Option<Exit>,
    /// There is no process; when there is one again.
    pub back_at: Option<Duration>,
    /// Neither does anything nor reads until then.
    pub paused_until: Duration,
    /// How far its clock is ahead.
    pub skew: Duration,
    /// Nothing passes to the learner until then.
    pub cut_to_learner: Duration,
    /// Nothing passes from the learner until then.
    pub cut_to_actor: Duration,
    /// Scores from this trajectory on are wrong.
    pub lies_from: Option<u64>,
    /// How many trajectories an earlier life left it.
    pub left: u64,
    /// Trajectories that were acknowledged and found on the disk.
    pub safe: u64,
    /// It has delivered enough at the end when so many are.
    pub target: u64,
}

impl Actor {
    /// There is a process, and it has not come to its end.
    pub fn is_running(&self) -> bool {
        self.back_at.is_none() && self.exit.is_none()
    }
}

impl World {
    /// A new process: a new incarnation.
    pub(super) fn new_actor(&mut self) -> Actor {
        self.names += 1;
        let incarnation = Incarnation(self.names);
        self.ledger.born(incarnation);
        self.process(incarnation, None)
    }

    fn process(&mut self, incarnation: Incarnation, left: Option<Left>) -> Actor {
        let hello = Hello {
            incarnation,
            oldest: Seq(0),
            name: format!("actor {incarnation}"),
            host: "here".into(),
            process: 1,
            device: "cpu".into(),
        };
        let jitter = Stream::new(incarnation.0, Purpose::Bench, 1, 1);
        Actor {
            left: left.as_ref().map_or(0, |left| left.batch.len() as u64),
            session: ActorSession::new(hello, left, GIVE_UP, jitter, self.now),
            incarnation,
            link: None,
            rolling: None,
            exit: None,
            back_at: None,
            paused_until: Duration::ZERO,
            skew: Duration::ZERO,
            cut_to_learner: Duration::ZERO,
            cut_to_actor: Duration::ZERO,
            lies_from: None,
            safe: 0,
            target: TARGET,
        }
    }

    /// A process starts where one was; the network around it is as it was. If an outbox on its disk holds anything it
    /// comes back as the incarnation it was.
    pub(super) fn restart_actor(&mut self, number: usize) {
        let old = &self.actors[number];
        let (incarnation, cuts) = (old.incarnation, (old.cut_to_learner, old.cut_to_actor));
        let new = match self.outbox_of(number) {
            Some(left) => Actor {
                target: self.ledger.made_by(incarnation).len() as u64 + TARGET,
                ..self.process(incarnation, Some(left))
            },
            None => self.new_actor(),
        };
        self.actors[number] = Actor {
            cut_to_learner: cuts.0,
            cut_to_actor: cuts.1,
            ..new
        };
        self.note(|world| format!("actor {number}: starts as {}", world.actors[number].incarnation));
    }

    /// What an actor's disk holds after its process has ended. It may not have got to forget all that is acknowledged.
    fn outbox_of(&mut self, number: usize) -> Option<Left> {
        let unforgotten = self.rng.below(4) as u64;
        let actor = &self.actors[number];
        if !self.schedule.outboxes || actor.lies_from.is_some() {
            return None;
        }
        let oldest = actor.session.oldest().0.saturating_sub(unforgotten);
        let batch = self.ledger.made_by(actor.incarnation).get(oldest as usize..)?;
        (!batch.is_empty()).then(|| Left {
            run: RUN.into(),
            oldest: Seq(oldest),
            batch: batch.to_vec(),
        })
    }

    /// The process ends; a roll-out that it had just written to its disk was told to nobody.
    pub(super) fn end_process(&mut self, number: usize) {
        let wrote = self.schedule.outboxes && self.rng.below(2) == 0;
        if let Some((request, version)) = self.actors[number].rolling.take().filter(|_| wrote) {
            self.roll(number, &request, version);
        }
        self.hang_up(number);
    }

    pub(super) fn actor_event(&mut self, number: usize, event: Event) {
        let actor = &mut self.actors[number];
        if !actor.is_running() || self.now < actor.paused_until {
            return;
        }
        let before = actor.session.loaded();
        let mut actions = Vec::new();
        actor.session.handle(self.now + actor.skew, event, &mut actions);
        if self.schedule.mode() == Mode::Async {
            assert!(actor.session.loaded() >= before, "invariant 4: newest weights win");
        }
        for action in actions {
            self.actor_does(number, action);
        }
        self.check_actor(number);
    }

    fn actor_does(&mut self, number: usize, action: Action) {
        match action {
            Action::Connect => self.connect(number),
            Action::Send(message) => self.send(number, message),
            Action::Roll(request) => {
                let version = self.actors[number].session.loaded().expect("weights come before work");
                if self.mode() == Mode::Sync {
                    assert_eq!(version, PolicyVersion(request.round), "work is done with its weights");
                }
                let rolling = self.actors[number].rolling.replace((request, version));
                assert!(rolling.is_none(), "one roll-out at a time");
            }
            Action::Configure { .. } | Action::Load { .. } => {}
            Action::Exit(exit) => self.exit(number, exit),
        }
    }

    fn exit(&mut self, number: usize, exit: Exit) {
        self.note(|_| format!("actor {number}: ends: {exit:?}"));
        self.check_exit(number, &exit);
        self.hang_up(number);
        // Whoever stopped is started again while there is something to do.
        if exit != Exit::Finished && (self.faults || self.mode() == Mode::Sync) {
            self.actors[number].back_at = Some(self.now + Duration::from_secs(self.rng.below(10) as u64));
        }
        self.actors[number].exit = Some(exit);
    }

    /// True when something happened.
    pub(super) fn finish_roll(&mut self) -> bool {
        let rolling = self
            .actors
            .iter()
            .enumerate()
            .filter(|(_, actor)| actor.is_running() && actor.rolling.is_some() && self.now >= actor.paused_until);
        let rolling: Vec<usize> = rolling.map(|(number, _)| number).collect();
        if rolling.is_empty() {
            return false;
        }
        let number = rolling[self.rng.below(rolling.len())];
        let Some((request, version)) = self.actors[number].rolling.take() else {
            return false;
        };
        let batch = self.roll(number, &request, version);
        self.note(|_| format!("actor {number}: made {:?} of round {}", request.indices, request.round));
        self.actor_event(number, Event::Rolled(batch, OracleHealth::default()));
        true
    }

    fn roll(&mut self, number: usize, request: &RollRequest, policy_version: PolicyVersion) -> Vec<Trajectory> {
        let (mode, actor) = (self.mode(), &self.actors[number]);
        let mut batch = Vec::with_capacity(request.indices.len());
        for index in request.indices.clone() {
            let honest = example_trajectory(request.round, index);
            let seq = self.ledger.made_by(actor.incarnation).len() as u64;
            let lie = actor.lies_from.is_some_and(|from| seq >= from);
            let mut made = if lie {
                scored(honest.clone(), honest.y * LIE)
            } else {
                honest
            };
            if mode == Mode::Async {
                made.policy_version = policy_version;
                self.ledger.drawn(actor.incarnation, &made);
            }
            self.ledger.made(actor.incarnation, made.clone(), lie);
            batch.push(made);
        }
        batch
    }
}
