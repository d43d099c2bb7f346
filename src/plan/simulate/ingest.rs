//! The simulated replay: commits of what the network task accepted, which it and training then hear of.

use super::learner::ToNetwork;
use super::node::Thread;
use super::{Event, World, is_lockstep};
use crate::flow::COMMIT_GROUP;
use crate::protocol::Commit;
use crate::units::PolicyVersion;

/// What the replay is at.
pub(super) enum Ingest {
    Idle,
    /// Computes, then waits for the disk.
    Commits(Vec<Commit>),
    /// Committed, and training has no room for them.
    Blocked(Vec<PolicyVersion>),
}

impl World<'_> {
    pub(super) fn run_ingest(&mut self) {
        if !matches!(self.learner.ingest, Ingest::Idle) || self.learner.commits.is_empty() {
            return;
        }
        let (mut group, mut rows) = (Vec::new(), 0.0);
        while rows < COMMIT_GROUP as f64
            && let Some(commit) = self.learner.commits.pop_front()
        {
            rows += self.grain * commit.rows.len() as f64;
            group.push(commit);
        }
        let costs = &self.costs.learner;
        let seconds = costs.commit + rows * costs.commit_each;
        self.learner.ingest = Ingest::Commits(group);
        self.learner.ingest_since = self.now;
        self.compute(0, Thread::Ingest, seconds);
        // There is room for more.
        self.run_network();
    }

    pub(super) fn ingest_done(&mut self) {
        self.at(self.now + self.costs.learner.commit_wait, Event::OnDisk);
    }

    pub(super) fn on_disk(&mut self) {
        self.counts.ingest += self.now - self.learner.ingest_since;
        let Ingest::Commits(group) = std::mem::replace(&mut self.learner.ingest, Ingest::Idle) else {
            return;
        };
        let mut rows = Vec::new();
        for commit in group {
            let (incarnation, next) = (commit.incarnation, commit.next);
            self.learner.inbox.push_back(ToNetwork::Committed { incarnation, next });
            rows.extend(commit.rows.into_iter().map(|(_, trajectory)| trajectory.policy_version));
        }
        if !rows.is_empty() && !is_lockstep(&self.config) {
            self.learner.ingest = Ingest::Blocked(rows);
            self.offer_to_training();
        }
        self.run_network();
        self.run_ingest();
    }

    /// Training may have room for what the replay holds for it.
    pub(super) fn offer_to_training(&mut self) {
        let Ingest::Blocked(rows) = &mut self.learner.ingest else {
            return;
        };
        if self.learner.training.has_room() {
            self.learner.training.give(std::mem::take(rows));
            self.learner.ingest = Ingest::Idle;
            self.run_training();
            self.run_ingest();
        }
    }
}
