//! The simulated learner: a fleet, a queue to the disk, rounds or publications.

use super::World;
use crate::config::Mode;
use crate::protocol::fleet::{Action, Commit, Event, Fleet, FleetSettings};
use crate::protocol::messages::{Blob, ToActor};
use crate::protocol::relay::Relays;
use crate::protocol::simulation::example_task;
use crate::protocol::weights::Packed;
use crate::rollout::Trajectory;
use crate::units::{Incarnation, PolicyVersion, Seq};
use std::collections::{HashMap, VecDeque};
use std::time::Duration;

/// Versions that a resumed free-running learner skips: it may have published that many since it last wrote one down.
const RESERVE: u64 = 100_000;

/// The learner's host, with or without its process.
#[derive(Default)]
pub(super) struct LearnerHost {
    pub running: Option<Learner>,
    /// When it is started again, if it is not running.
    pub back_at: Duration,
    pub paused_until: Duration,
    /// How far its clock is ahead.
    pub skew: Duration,
    /// When it last looked for silent actors, by its clock.
    pub ticked: Duration,
}

pub(super) struct Learner {
    pub fleet: Fleet,
    pub relays: Relays,
    /// Accepted, and not in a transaction yet.
    pub pending: VecDeque<Commit>,
    /// Committed, and not reported yet.
    reports: VecDeque<(Incarnation, Seq)>,
    pub version: Option<PolicyVersion>,
    /// Sync mode: a round that is being trained on.
    training: Option<(u64, Vec<Trajectory>)>,
    /// Connections are not read.
    held_back: bool,
    /// Of each incarnation: what was handed on, and what of it was reported as committed.
    pub flights: HashMap<Incarnation, [u64; 2]>,
}

impl World {
    pub(super) fn learner_clock(&self) -> Duration {
        self.now + self.learner.skew
    }

    pub(super) fn learner_is_paused(&self) -> bool {
        self.learner.running.is_none() || self.now < self.learner.paused_until
    }

    pub(super) fn start_learner(&mut self) {
        let first_round = self.disk.next_round();
        self.note(|_| format!("learner: starts at round {first_round}"));
        let early = match self.mode() {
            Mode::Sync => {
                let later = self.disk.rows.values().filter(|t| t.round >= first_round);
                later.cloned().collect()
            }
            Mode::Async | Mode::Offline => Vec::new(),
        };
        let settings = FleetSettings {
            run: super::RUN.into(),
            config: self.schedule.config.clone(),
            attachment: None,
            published: self.disk.reserved.checked_sub(1).map(PolicyVersion),
            known: self.disk.known(),
            first_round,
            early,
        };
        self.learner = LearnerHost {
            running: Some(Learner {
                fleet: Fleet::new(settings, &example_task()),
                relays: Relays::default(),
                pending: VecDeque::new(),
                reports: VecDeque::new(),
                version: None,
                training: None,
                held_back: false,
                flights: HashMap::new(),
            }),
            ..LearnerHost::default()
        };
        match self.mode() {
            Mode::Sync | Mode::Offline => self.start_round(first_round),
            // Its first weights come some time later: actors that outlived it may be faster.
            Mode::Async => self.disk.reserved += RESERVE,
        }
    }

    fn start_round(&mut self, round: u64) {
        if round == self.schedule.config.train.rounds {
            // As the program does: commit what is left, then say so.
            if self.flush() {
                self.note(|_| "learner: all rounds are done".into());
                self.fleet_event(Event::Finished);
                if let Some(learner) = &mut self.learner.running {
                    learner.relays.finish();
                }
                self.send_to_relays();
            }
            return;
        }
        self.publish_version(PolicyVersion(round));
        self.fleet_event(Event::RoundStarted(round));
    }

    /// Commits all that waits. False when the disk was full, and there is no learner any more.
    fn flush(&mut self) -> bool {
        while self
            .learner
            .running
            .as_ref()
            .is_some_and(|learner| !learner.pending.is_empty())
        {
            self.commit();
        }
        self.learner.running.is_some()
    }

    /// Sync mode: a round is done. Async mode: there are new weights. True when something happened.
    pub(super) fn train(&mut self) -> bool {
        if self.learner_is_paused() {
            return false;
        }
        let Some(learner) = &mut self.learner.running else {
            return false;
        };
        if self.schedule.mode() == Mode::Async {
            let first = PolicyVersion(self.disk.reserved - RESERVE);
            let next = learner.version.map_or(first, PolicyVersion::next);
            let enough = learner.version.is_some() && !self.faults;
            if !enough {
                self.publish_version(next);
            }
            return !enough;
        }
        let Some((round, trajectories)) = learner.training.take() else {
            return false;
        };
        self.check_round(round, &trajectories);
        // A checkpoint refers only to what is committed.
        if self.rng.below(3) == 0 {
            if !self.flush() {
                return true;
            }
            self.note(|_| format!("learner: checkpoint after round {round}"));
            self.disk.write_checkpoint(round + 1);
        }
        self.start_round(round + 1);
        true
    }

    fn publish_version(&mut self, version: PolicyVersion) {
        self.note(|_| format!("learner: publishes {version}"));
        if let Some(learner) = &mut self.learner.running {
            learner.version = Some(version);
        }
        self.fleet_event(Event::Published(version));
    }

    /// One transaction of some of what waits. True when something happened.
    pub(super) fn commit(&mut self) -> bool {
        let most = 1 + self.rng.below(self.schedule.group);
        let Some(learner) = self
            .learner
            .running
            .as_mut()
            .filter(|_| self.now >= self.learner.paused_until)
        else {
            return false;
        };
        let group: Vec<_> = learner.pending.drain(..most.min(learner.pending.len())).collect();
        if group.is_empty() {
            return false;
        }
        self.note(|_| {
            let seqs = group.iter().map(|c| (c.incarnation.0, c.rows.len(), c.next.0));
            format!("learner: commits {:?}", seqs.collect::<Vec<_>>())
        });
        if !self.write(&group) {
            self.crash_learner();
            return true;
        }
        if let Some(learner) = &mut self.learner.running {
            let done = group.iter().map(|commit| (commit.incarnation, commit.next));
            learner.reports.extend(done);
        }
        true
    }

    /// True when something happened.
    pub(super) fn report_commit(&mut self) -> bool {
        if self.learner_is_paused() {
            return false;
        }
        let Some(learner) = &mut self.learner.running else {
            return false;
        };
        let Some((incarnation, next)) = learner.reports.pop_front() else {
            return false;
        };
        learner.flights.entry(incarnation).or_default()[1] = next.0;
        self.fleet_event(Event::Committed { incarnation, next });
        true
    }

    /// True when connections may be read: what they bring finds room.
    pub(super) fn may_read(&mut self) -> bool {
        let depth = self.schedule.depth;
        let Some(learner) = &mut self.learner.running else {
            return false;
        };
        let room = learner.pending.len() < depth;
        let resumed = learner.held_back && room;
        learner.held_back = !room;
        if resumed {
            let clock = self.learner_clock();
            self.network.ends.values_mut().for_each(|end| end.heard = clock);
            self.fleet_event(Event::Resumed);
        }
        room
    }

    pub(super) fn tick_learner(&mut self) {
        if self.learner_is_paused() {
            return;
        }
        if !self.may_read() {
            return self.fleet_event(Event::HeldBack);
        }
        self.fleet_event(Event::Tick);
        self.learner.ticked = self.learner_clock();
    }

    pub(super) fn fleet_event(&mut self, event: Event) {
        let clock = self.learner_clock();
        let Some(learner) = &mut self.learner.running else {
            return;
        };
        let mut actions = Vec::new();
        learner.fleet.handle(clock, event, &mut actions);
        let version = learner.version;
        let mut welcomed = None;
        for action in actions {
            match action {
                Action::Send(route, message) => {
                    if matches!(message, ToActor::Welcome(_)) {
                        welcomed = Some(route.clone());
                    }
                    self.post(&route, message);
                }
                Action::SendWeights(route) => {
                    welcomed.take_if(|welcomed| *welcomed == route);
                    self.check_weights_asked(&route);
                    let version = version.expect("weights that there are");
                    let (progress, weights) = (0.0, self.weights_of(version));
                    self.post(
                        &route,
                        ToActor::Weights {
                            version,
                            progress,
                            weights,
                        },
                    );
                }
                Action::Commit(commit) => self.accepted(commit),
                Action::RoundComplete(round, trajectories) => {
                    if let Some(learner) = &mut self.learner.running {
                        let before = learner.training.replace((round, trajectories));
                        assert!(before.is_none(), "one round at a time");
                    }
                }
            }
        }
        self.send_to_relays();
        let missed = welcomed.is_some() && version.is_some();
        assert!(!missed, "invariant 4: the newest weights follow a welcome at once");
    }

    /// Weights that say which they are; relays keep them when they are as large.
    pub(super) fn weights_of(&self, PolicyVersion(version): PolicyVersion) -> Packed {
        let times = if self.relays.is_empty() { 1 } else { 200 };
        Packed::F32(Blob(version.to_le_bytes().repeat(times)))
    }

    fn accepted(&mut self, commit: Commit) {
        self.check_accepted(&commit);
        if let Some(learner) = &mut self.learner.running {
            learner.pending.push_back(commit);
        }
    }
}
