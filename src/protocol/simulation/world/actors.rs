//! The simulated actors: a session each, and roll-outs that take their time.

use super::*;
use crate::task::oracle::OracleHealth;

impl World {
    pub(super) fn new_actor(&mut self) -> Actor {
        self.names += 1;
        let incarnation = Incarnation(self.names);
        let hello = Hello {
            incarnation,
            oldest: Seq(0),
            name: format!("actor {}", self.names),
            host: "here".into(),
            process: 1,
            device: "cpu".into(),
        };
        let jitter = Stream::new(self.names, Purpose::Bench, 1, 1);
        let session = ActorSession::new(hello, None, GIVE_UP, jitter, self.now);
        Actor {
            session,
            incarnation,
            connection: None,
            rolling: None,
            made: Vec::new(),
            exit: None,
        }
    }

    pub(super) fn actor_event(&mut self, number: usize, event: ActorEvent) {
        let actor = &mut self.actors[number];
        let before = actor.session.loaded();
        let mut actions = Vec::new();
        actor.session.handle(self.now, event, &mut actions);
        if self.mode == Mode::Async {
            assert!(actor.session.loaded() >= before, "invariant 4: newest weights win");
        }
        for action in actions {
            match action {
                ActorAction::Connect => self.connect(number),
                ActorAction::Send(message) => {
                    if let Some(connection) = self.actors[number].connection.as_mut().filter(|c| c.alive) {
                        connection.to_learner.push_back(message);
                    }
                }
                ActorAction::Roll(request) => {
                    let version = self.actors[number].session.loaded().expect("weights come before work");
                    if self.mode == Mode::Sync {
                        assert_eq!(version, PolicyVersion(request.round), "work is done with its weights");
                    }
                    let rolling = self.actors[number].rolling.replace((request, version));
                    assert!(rolling.is_none(), "one roll-out at a time");
                }
                ActorAction::Configure { .. } | ActorAction::Load { .. } => {}
                ActorAction::Exit(exit) => self.actors[number].exit = Some(exit),
            }
        }
    }

    pub(super) fn connect(&mut self, number: usize) {
        self.actors[number].connection = None;
        if self.learner.is_none() {
            return self.actor_event(number, ActorEvent::Disconnected("connection refused".into()));
        }
        self.names += 1;
        let route = Route(self.names.to_le_bytes().as_slice().into());
        let (to_learner, to_actor) = Default::default();
        self.actors[number].connection = Some(Connection {
            route,
            to_learner,
            to_actor,
            alive: true,
        });
        self.actor_event(number, ActorEvent::Connected);
    }

    pub(super) fn finish_roll(&mut self, number: usize) {
        let actor = &mut self.actors[number];
        let Some((request, policy_version)) = actor.rolling.take() else {
            return;
        };
        let batch: Vec<_> = request
            .indices
            .map(|index| match self.mode {
                Mode::Sync | Mode::Offline => example_trajectory(request.round, index),
                Mode::Async => Trajectory {
                    policy_version,
                    ..example_trajectory(request.round, index)
                },
            })
            .collect();
        actor.made.extend(batch.iter().cloned());
        self.actor_event(number, ActorEvent::Rolled(batch, OracleHealth::default()));
    }
}
