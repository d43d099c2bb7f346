//! The cores of one machine, shared fairly: every thread that has something to compute gets the same share.

use std::cmp::{Ordering, Reverse};
use std::collections::BinaryHeap;

/// A thread of the simulated programs. It computes one thing at a time.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Thread {
    /// The learner's network task.
    Network,
    /// The learner's replay.
    Ingest,
    /// The learner's training.
    Training,
    /// The learner's publisher.
    Publisher,
    /// An actor's network task.
    Link(u32),
    /// An actor's roller.
    Roller(u32),
    /// A relay.
    Relay(u32),
}

/// A number that orders; there is no NaN among times.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Time(pub f64);

impl Eq for Time {}

impl Ord for Time {
    fn cmp(&self, other: &Self) -> Ordering {
        self.0.total_cmp(&other.0)
    }
}

impl PartialOrd for Time {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

/// See the module.
#[derive(Debug)]
pub(super) struct Node {
    cores: f64,
    speed_when_full: f64,
    /// Cores' worth of work that never ends.
    background: f64,
    /// What each running thread has got since the beginning, seconds of a core that is not shared; all get the same, so
    /// a thread is done when this has grown by what it has to do.
    got: f64,
    at: f64,
    running: BinaryHeap<Reverse<(Time, Thread)>>,
    /// Changes when the next end does, so that ends that were expected before are known to be old.
    pub epoch: u64,
    used: f64,
}

impl Node {
    /// So many cores, and their speed when all work.
    pub fn new(cores: usize, speed_when_full: f64, background: f64) -> Self {
        let cores = cores as f64;
        Self {
            cores,
            speed_when_full,
            background: background.min(0.9 * cores),
            got: 0.0,
            at: 0.0,
            running: BinaryHeap::new(),
            epoch: 0,
            used: 0.0,
        }
    }

    /// Speed of each running thread, as a share of a core that is not shared.
    fn speed(&self) -> f64 {
        let running = self.running.len() as f64;
        let used = running.min(self.cores);
        let others = if self.cores > 1.0 {
            (used - 1.0) / (self.cores - 1.0)
        } else {
            0.0
        };
        let of_a_core = 1.0 + (self.speed_when_full - 1.0) * others;
        of_a_core * ((self.cores - self.background) / running).min(1.0)
    }

    fn pass(&mut self, now: f64) {
        let passed = now - self.at;
        self.at = now;
        if !self.running.is_empty() {
            self.got += passed * self.speed();
        }
        let used = self.running.len() as f64 + self.background;
        self.used += passed * used.min(self.cores);
    }

    /// A thread begins to compute for `work` seconds.
    pub fn start(&mut self, now: f64, thread: Thread, work: f64) {
        self.pass(now);
        self.running.push(Reverse((Time(self.got + work), thread)));
        self.epoch += 1;
    }

    /// When the next thread is done, if nothing changes.
    pub fn next_end(&self) -> Option<f64> {
        let Reverse((Time(until), _)) = self.running.peek()?;
        Some(self.at + (until - self.got).max(0.0) / self.speed())
    }

    /// The thread that is done now.
    pub fn end(&mut self, now: f64) -> Option<Thread> {
        self.pass(now);
        self.epoch += 1;
        self.running.pop().map(|Reverse((_, thread))| thread)
    }

    /// Core-seconds used so far.
    pub fn used(&mut self, now: f64) -> f64 {
        self.pass(now);
        self.used
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn threads_share_cores_fairly() {
        let mut node = Node::new(2, 1.0, 0.0);
        for number in 0..3 {
            node.start(0.0, Thread::Roller(number), 1.0 + f64::from(number));
        }
        // Three on two cores: each has two thirds of one. Then two have one each.
        let mut ends = Vec::new();
        while let Some(at) = node.next_end() {
            ends.push((at, node.end(at).unwrap()));
        }
        let expected = [1.5, 2.5, 3.5];
        for ((at, thread), (number, expected)) in ends.into_iter().zip((0..).zip(expected)) {
            assert!((at - expected).abs() < 1e-9, "{thread:?} at {at}");
            assert_eq!(thread, Thread::Roller(number));
        }
        assert!((node.used(3.5) - 6.0).abs() < 1e-9);
    }

    #[test]
    fn cores_that_all_work_are_slower_and_background_takes_its_part() {
        let mut node = Node::new(2, 0.6, 0.0);
        node.start(0.0, Thread::Network, 1.2);
        assert_eq!(node.next_end(), Some(1.2));
        node.start(0.0, Thread::Ingest, 1.2);
        assert!((node.next_end().unwrap() - 2.0).abs() < 1e-9);
        let mut node = Node::new(1, 1.0, 0.5);
        node.start(0.0, Thread::Network, 1.0);
        assert_eq!(node.next_end(), Some(2.0));
    }
}
