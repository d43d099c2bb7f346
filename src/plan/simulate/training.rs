//! The simulated training thread: what [`Pacing`] says next, or lockstep rounds, and how long it takes.

use super::learner::ToNetwork;
use super::node::Thread;
use super::{World, is_lockstep};
use crate::config::RunConfig;
use crate::flow::{Pacing, TO_TRAINER, Turn};
use crate::replay::LimiterState;
use crate::units::PolicyVersion;
use std::collections::VecDeque;

/// What it computes.
enum Work {
    Insert(Vec<PolicyVersion>),
    Online,
    Replay {
        of_round: bool,
    },
    /// The end of a round, and perhaps new weights.
    RoundEnd {
        publishes: bool,
    },
    /// A lockstep round of so many trajectories.
    Lockstep(usize),
}

pub(super) struct Training {
    /// None in lockstep.
    pacing: Option<Pacing<PolicyVersion>>,
    inbox: VecDeque<Vec<PolicyVersion>>,
    work: Option<Work>,
    /// Weights that the publisher makes into a message, and those that wait for it.
    publishing: VecDeque<PolicyVersion>,
    version: PolicyVersion,
    round: u64,
    steps: u64,
    waiting_since: Option<f64>,
}

impl Training {
    pub fn new(config: &RunConfig) -> Self {
        let pacing = (!is_lockstep(config)).then(|| Pacing::new(config, LimiterState::default(), 0));
        Self {
            pacing: pacing.transpose().expect("the configuration was checked"),
            inbox: VecDeque::new(),
            work: None,
            publishing: VecDeque::new(),
            version: PolicyVersion(0),
            round: 0,
            steps: 0,
            waiting_since: None,
        }
    }

    /// True when another commit fits.
    pub fn has_room(&self) -> bool {
        self.inbox.len() < TO_TRAINER
    }

    /// Takes a commit; there must be room.
    pub fn give(&mut self, rows: Vec<PolicyVersion>) {
        self.inbox.push_back(rows);
    }
}

impl World<'_> {
    pub(super) fn begin_training(&mut self) {
        if is_lockstep(&self.config) {
            self.begin_round();
        } else {
            self.publish(PolicyVersion(1));
            self.run_training();
        }
    }

    /// Training goes on, if it is not computing.
    pub(super) fn run_training(&mut self) {
        while self.learner.training.work.is_none() {
            let training = &mut self.learner.training;
            let Some(pacing) = &mut training.pacing else {
                return;
            };
            match pacing.turn() {
                Turn::Receive => match training.inbox.pop_front() {
                    Some(rows) => {
                        pacing.received(rows);
                        self.goes_on();
                        self.offer_to_training();
                    }
                    None => {
                        training.waiting_since.get_or_insert(self.now);
                        return;
                    }
                },
                Turn::Insert => {
                    let batch = pacing.next_batch();
                    self.work(Work::Insert(batch));
                }
                Turn::Round => {
                    pacing.online();
                    self.work(Work::Online);
                }
                Turn::Replay => self.work(Work::Replay { of_round: false }),
            }
        }
    }

    fn work(&mut self, work: Work) {
        let costs = &self.costs.learner;
        let seconds = match &work {
            Work::Insert(batch) => self.grain * batch.len() as f64 * costs.remember,
            Work::Online => costs.online,
            Work::Replay { .. } => costs.replay,
            Work::RoundEnd { .. } => self.round_end(),
            Work::Lockstep(count) => {
                let replay = if self.config.replay.batch > 0 {
                    costs.replay
                } else {
                    0.0
                };
                costs.online + replay + *count as f64 * costs.remember + self.round_end()
            }
        };
        self.learner.training.work = Some(work);
        self.compute(0, Thread::Training, seconds);
    }

    /// A round's share of reports and checkpoints.
    fn round_end(&self) -> f64 {
        let (costs, learner) = (&self.costs.learner, &self.config.learner);
        let report = costs.report + self.scenario.actors as f64 * costs.report_each;
        report / learner.report_every as f64 + costs.checkpoint / learner.checkpoint_every as f64
    }

    pub(super) fn training_done(&mut self) {
        let steps = self.config.train.steps as u64;
        match self.learner.training.work.take() {
            Some(Work::Insert(batch)) => self.insert(batch),
            Some(Work::Online) => {
                self.stepped(steps);
                self.replay_or_end();
            }
            Some(Work::Replay { of_round }) => {
                self.stepped(steps);
                if let Some(pacing) = &mut self.learner.training.pacing {
                    pacing.replayed(true);
                }
                if of_round {
                    self.replay_or_end();
                }
            }
            Some(Work::RoundEnd { publishes }) => {
                self.round_done();
                if publishes {
                    self.publish(self.learner.training.version.next());
                }
            }
            Some(Work::Lockstep(count)) => {
                self.counts.trained_in += count as f64;
                *self.staleness.entry(0).or_default() += count as u64;
                self.stepped(if self.config.replay.batch > 0 { 2 * steps } else { steps });
                self.round_done();
                self.begin_round();
            }
            None => {}
        }
        self.run_training();
    }

    fn insert(&mut self, batch: Vec<PolicyVersion>) {
        let training = &mut self.learner.training;
        let newest = training.version.0;
        let most = self.config.learner.max_staleness;
        for version in &batch {
            let age = newest.saturating_sub(version.0);
            *self.staleness.entry(age).or_default() += self.grain as u64;
            if age > most {
                self.counts.stale += self.grain;
            }
        }
        self.counts.trained_in += self.grain * batch.len() as f64;
        if let Some(pacing) = &mut training.pacing {
            pacing.insert(batch, |version| newest.saturating_sub(version.0) <= most);
        }
    }

    fn stepped(&mut self, steps: u64) {
        self.learner.training.steps += steps;
        self.counts.steps += steps as f64;
    }

    /// After a batch of a round: another replay batch, or the round's end.
    fn replay_or_end(&mut self) {
        let training = &mut self.learner.training;
        let steps = training.steps;
        let Some(pacing) = &mut training.pacing else { return };
        let work = if pacing.replay_is_due() {
            Work::Replay { of_round: true }
        } else {
            let publishes = pacing.publishes(steps);
            Work::RoundEnd { publishes }
        };
        self.work(work);
    }

    fn round_done(&mut self) {
        self.learner.training.round += 1;
        self.counts.reports += 1.0 / self.config.learner.report_every as f64;
    }

    /// Lockstep: the next round's weights, then waiting for the round.
    fn begin_round(&mut self) {
        self.learner.training.waiting_since = Some(self.now);
        self.publish(PolicyVersion(self.learner.training.round));
    }

    /// Hands weights to the publisher.
    fn publish(&mut self, version: PolicyVersion) {
        let training = &mut self.learner.training;
        training.version = version;
        training.publishing.push_back(version);
        if training.publishing.len() == 1 {
            self.compute(0, Thread::Publisher, self.costs.learner.publish);
        }
    }

    pub(super) fn published(&mut self) {
        let publishing = &mut self.learner.training.publishing;
        let Some(version) = publishing.pop_front() else { return };
        if !publishing.is_empty() {
            self.compute(0, Thread::Publisher, self.costs.learner.publish);
        }
        self.learner.inbox.push_back(ToNetwork::Published(version));
        if is_lockstep(&self.config) {
            self.learner.inbox.push_back(ToNetwork::RoundStarted(version.0));
        }
        self.run_network();
    }

    /// Lockstep: a round is there.
    pub(super) fn round_complete(&mut self, count: usize) {
        self.goes_on();
        self.work(Work::Lockstep(count));
    }

    /// It waits no longer.
    fn goes_on(&mut self) {
        if let Some(since) = self.learner.training.waiting_since.take() {
            self.counts.training_waited += self.now - since;
        }
    }

    /// Counts what it has waited so far.
    pub(super) fn note_waiting(&mut self) {
        if let Some(since) = &mut self.learner.training.waiting_since {
            self.counts.training_waited += self.now - *since;
            *since = self.now;
        }
    }
}
