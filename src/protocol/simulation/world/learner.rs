//! The simulated learner: a fleet, a queue to the disk, rounds or publications.

use super::*;

impl World {
    pub(super) fn start_learner(&mut self) {
        let mut known: HashMap<Incarnation, Seq> = HashMap::new();
        for &(incarnation, seq) in self.disk.rows.keys() {
            known.insert(incarnation, Seq(seq.0 + 1));
        }
        let first_round = self.disk.checkpoint_round;
        let later = self.disk.rows.values().filter(|t| t.round >= first_round);
        let early = if self.mode == Mode::Sync {
            later.cloned().collect()
        } else {
            Vec::new()
        };
        let config = example_config(self.mode);
        let settings = FleetSettings {
            run: "run".into(),
            config,
            attachment: None,
            published: self.disk.reserved.checked_sub(1).map(PolicyVersion),
            known,
            first_round,
            early,
        };
        let fleet = Fleet::new(settings, &example_task());
        self.learner = Some(Learner {
            fleet,
            pending: VecDeque::new(),
            version: None,
            round: None,
        });
        match self.mode {
            Mode::Sync | Mode::Offline => self.start_round(first_round),
            Mode::Async => {
                // Its first weights come some time later: actors that outlived it may be faster.
                self.disk.reserved += RESERVE;
            }
        }
    }

    pub(super) fn crash_learner(&mut self) {
        self.learner = None;
        for actor in 0..ACTORS {
            if let Some(connection) = &mut self.actors[actor].connection {
                connection.alive = false;
                connection.to_learner.clear();
            }
        }
    }

    pub(super) fn start_round(&mut self, round: u64) {
        let Some(learner) = &mut self.learner else { return };
        if round == example_config(self.mode).train.rounds {
            learner.round = None;
            // As the program does: commit what is left, then say so.
            while !self.learner.as_ref().unwrap().pending.is_empty() {
                self.commit();
            }
            return self.fleet_event(FleetEvent::Finished);
        }
        learner.round = Some(round);
        self.publish_version(PolicyVersion(round));
        self.fleet_event(FleetEvent::RoundStarted(round));
    }

    pub(super) fn round_complete(&mut self, round: u64, trajectories: &[Trajectory]) {
        let expected: Vec<_> = (0..example_config(self.mode).train.batch as u32)
            .map(|i| example_trajectory(round, i))
            .collect();
        assert_eq!(
            trajectories, expected,
            "invariant 10: a round depends on its places only"
        );
        if self.rng.below(3) == 0 {
            // A checkpoint refers only to what is committed.
            while !self.learner.as_ref().unwrap().pending.is_empty() {
                self.commit();
            }
            self.disk.checkpoint_round = round + 1;
        }
        self.start_round(round + 1);
    }

    pub(super) fn publish(&mut self) {
        let Some(learner) = self.learner.as_ref().filter(|_| self.mode == Mode::Async) else {
            return;
        };
        let first = PolicyVersion(self.disk.reserved - RESERVE);
        self.publish_version(learner.version.map_or(first, PolicyVersion::next));
    }

    pub(super) fn publish_version(&mut self, version: PolicyVersion) {
        if let Some(learner) = &mut self.learner {
            learner.version = Some(version);
        }
        self.fleet_event(FleetEvent::Published(version));
    }

    pub(super) fn commit(&mut self) {
        let Some(commit) = self.learner.as_mut().and_then(|learner| learner.pending.pop_front()) else {
            return;
        };
        for (seq, trajectory) in commit.rows {
            if self.mode == Mode::Sync {
                let new = self.disk.places.insert((trajectory.round, trajectory.index));
                assert!(new, "a place of a round is stored once");
            }
            let old = self.disk.rows.insert((commit.incarnation, seq), trajectory);
            assert!(
                old.is_none(),
                "invariant 2: {} {seq} is stored once",
                commit.incarnation
            );
        }
        self.fleet_event(FleetEvent::Committed {
            incarnation: commit.incarnation,
            next: commit.next,
        });
    }

    pub(super) fn fleet_event(&mut self, event: FleetEvent) {
        let Some(learner) = &mut self.learner else { return };
        let mut actions = Vec::new();
        learner.fleet.handle(self.now, event, &mut actions);
        let version = learner.version;
        let mut completed = None;
        let mut welcomed = None;
        for action in actions {
            match action {
                FleetAction::Send(route, message) => {
                    if matches!(message, ToActor::Welcome(_)) {
                        welcomed = Some(route.clone());
                    }
                    self.post(&route, message);
                }
                FleetAction::SendWeights(route) => {
                    welcomed.take_if(|welcomed| *welcomed == route);
                    self.post(
                        &route,
                        ToActor::Weights {
                            version: version.unwrap(),
                            progress: 0.0,
                            data: Blob(vec![0; 8]),
                        },
                    );
                }
                FleetAction::Commit(commit) => self.learner.as_mut().unwrap().pending.push_back(commit),
                FleetAction::RoundComplete(round, trajectories) => completed = Some((round, trajectories)),
            }
        }
        assert!(
            welcomed.is_none() || version.is_none(),
            "invariant 4: the newest weights follow a welcome at once"
        );
        if let Some((round, trajectories)) = completed {
            self.round_complete(round, &trajectories);
        }
    }

    pub(super) fn post(&mut self, route: &Route, message: ToActor) {
        let message = decode_to_actor(&encode(&message)).expect("what is sent can be read");
        let connections = self.actors.iter_mut().filter_map(|actor| actor.connection.as_mut());
        if let Some(connection) = connections.into_iter().find(|c| c.alive && c.route == *route) {
            connection.to_actor.push_back(message);
        }
    }
}
