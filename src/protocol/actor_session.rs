//! An actor's end of the protocol as a state machine: events in, actions out. It owns no socket, clock or roller.
//!
//! Invariant: nothing leaves the outbox before the learner said that it is committed.
//! Invariant: rolling out pauses when the outbox is full.

mod events;
mod hear;

pub use events::{Action, Event, Exit};

use super::backoff::Backoff;
use super::messages::{ActorStatus, Hello, ToLearner, Waiting};
use super::outbox::Outbox;
use super::{HEARTBEAT, LEASE, RESEND, RESEND_MOST, WireError};
use crate::config::Mode;
use crate::random::Stream;
use crate::rollout::{RollRequest, Trajectory};
use crate::task::oracle::OracleHealth;
use crate::units::{PolicyVersion, Seq};
use std::collections::VecDeque;
use std::ops::Range;
use std::time::Duration;

/// How long a stopping actor tries to deliver what it has made.
const STOP_WITHIN: Duration = Duration::from_secs(3);

/// Most ranges of one round that wait to be rolled out. A learner gives a second one only when another actor is lost.
const MAX_WORK: usize = 256;

#[derive(Debug, PartialEq)]
enum Link {
    /// No connection; the next attempt is due at `retry_at`.
    Down { retry_at: Duration },
    /// Asked for a connection or said hello, at `since`.
    Opening { since: Duration },
    /// Welcomed.
    Up,
    /// Said goodbye at `since`.
    Leaving { since: Duration },
    /// Over.
    Closed,
}

/// Sync mode: places of a round to roll out with given weights.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Work {
    round: u64,
    indices: Range<u32>,
    version: PolicyVersion,
}

/// Weights that were handed on to be loaded.
#[derive(Debug, Clone, Copy, PartialEq)]
struct Loaded {
    version: PolicyVersion,
    progress: f32,
    /// Something was rolled out with them.
    used: bool,
}

/// What an earlier life of the same incarnation made and did not see acknowledged.
#[derive(Debug, Clone, PartialEq)]
pub struct Left {
    /// Id of the run it was made for.
    pub run: String,
    /// Number of the first.
    pub oldest: Seq,
    /// In order, without gaps.
    pub batch: Vec<Trajectory>,
}

/// What was learnt from the first welcome.
#[derive(Debug)]
struct Run {
    mode: Mode,
    /// Async mode: trajectories per roll-out.
    batch: u32,
    /// Sync mode: trajectories per round.
    round_batch: u32,
}

/// See the module.
#[derive(Debug)]
pub struct ActorSession {
    hello: Hello,
    give_up: Duration,
    backoff: Backoff,
    link: Link,
    /// When the learner was last heard on any connection, and what was last seen of it.
    heard: Duration,
    lost_because: String,
    /// Id of the run that it works for; it never works for two.
    serves: Option<String>,
    run: Option<Run>,
    outbox: Outbox,
    /// When something was last sent from or acknowledged to the outbox.
    outbox_moved: Duration,
    /// How long after that everything is sent again.
    resend_after: Duration,
    heartbeat_due: Duration,
    loaded: Option<Loaded>,
    newest: Option<PolicyVersion>,
    weights_asked: Option<Duration>,
    work: VecDeque<Work>,
    rolling: Option<Work>,
    batches: u64,
    rolled: u64,
    oracle: OracleHealth,
    stop_by: Option<Duration>,
}

impl ActorSession {
    /// An actor that knows only who it is, and what an earlier life left it. It gives up after `give_up` without a
    /// learner; `jitter` spreads reconnects.
    pub fn new(hello: Hello, left: Option<Left>, give_up: Duration, jitter: Stream, now: Duration) -> Self {
        let (serves, outbox, batches) = match left {
            // Its own count of batches goes on: it names random streams.
            Some(Left { run, oldest, batch }) => {
                let batches = batch.last().map_or(0, |last| last.round + 1);
                (Some(run), Outbox::new(oldest, batch), batches)
            }
            None => (None, Outbox::new(Seq(0), Vec::new()), 0),
        };
        Self {
            hello,
            give_up,
            backoff: Backoff::new(jitter),
            link: Link::Down { retry_at: now },
            heard: now,
            lost_because: "it was never reached".into(),
            serves,
            run: None,
            outbox,
            outbox_moved: now,
            resend_after: RESEND,
            heartbeat_due: now,
            loaded: None,
            newest: None,
            weights_asked: None,
            work: VecDeque::new(),
            rolling: None,
            batches,
            rolled: 0,
            oracle: OracleHealth::default(),
            stop_by: None,
        }
    }

    /// How the actor is doing.
    pub fn status(&self) -> ActorStatus {
        ActorStatus {
            rolled: self.rolled,
            outbox: self.outbox.len() as u64,
            waiting: self.waiting(),
            oracle: self.oracle,
        }
    }

    /// The oldest trajectory that was not acknowledged.
    pub fn oldest(&self) -> Seq {
        self.outbox.oldest()
    }

    /// The next trajectory to be made.
    pub fn next(&self) -> Seq {
        self.outbox.next()
    }

    /// The weights in use.
    pub fn loaded(&self) -> Option<PolicyVersion> {
        self.loaded.map(|loaded| loaded.version)
    }

    /// Takes one event and appends what is to be done, in order.
    pub fn handle(&mut self, now: Duration, event: Event, out: &mut Vec<Action>) {
        if self.link == Link::Closed {
            return;
        }
        match event {
            Event::Connected => self.connected(now, out),
            Event::Disconnected(why) => self.lost(now, why),
            Event::Received(message) => self.received(now, message, out),
            Event::Malformed(error @ WireError::Protocol { .. }) => self.exit(Exit::Refused(error.to_string()), out),
            // Anyone on the way can say so in the learner's name: one who was welcomed once goes on trying.
            Event::Malformed(WireError::Refusal(refusal)) if self.run.is_none() => self.exit(Exit::Key(refusal), out),
            Event::Malformed(error) => self.lost(now, error.to_string()),
            Event::Rolled(batch, oracle) => {
                // What an oracle failed at is to be known with the roll-out that it was needed for.
                if std::mem::replace(&mut self.oracle, oracle) != oracle {
                    self.heartbeat_due = now;
                }
                self.rolled(now, batch);
            }
            Event::Stop => self.stop_by = self.stop_by.or(Some(now + STOP_WITHIN)),
            Event::Tick => {}
        }
        self.advance(now, out);
    }

    fn connected(&mut self, now: Duration, out: &mut Vec<Action>) {
        if matches!(self.link, Link::Opening { .. }) {
            self.link = Link::Opening { since: now };
            self.say_hello(out);
        }
    }

    fn say_hello(&mut self, out: &mut Vec<Action>) {
        self.hello.oldest = self.outbox.oldest();
        out.push(Action::Send(ToLearner::Hello(self.hello.clone())));
    }

    /// Drops to `Down` and says when to try again.
    fn lost(&mut self, now: Duration, why: String) {
        if matches!(self.link, Link::Down { .. }) {
            return;
        }
        self.lost_because = why;
        self.link = Link::Down {
            retry_at: now + self.backoff.pause(),
        };
    }

    fn rolled(&mut self, now: Duration, batch: Vec<Trajectory>) {
        self.rolling = None;
        self.rolled += batch.len() as u64;
        if self.outbox.is_empty() {
            self.outbox_moved = now;
        }
        self.outbox.push(batch);
    }

    /// What follows from the state as it is: connecting, sending, rolling out, stopping.
    fn advance(&mut self, now: Duration, out: &mut Vec<Action>) {
        match self.link {
            Link::Closed => return,
            Link::Down { retry_at } if now >= retry_at => {
                self.link = Link::Opening { since: now };
                out.push(Action::Connect);
            }
            Link::Opening { since } if now >= since + LEASE => self.lost(now, "it did not answer".into()),
            Link::Up if now >= self.heard + LEASE => self.lost(now, "it fell silent".into()),
            Link::Leaving { since } if now >= since + HEARTBEAT => {
                return self.exit(
                    Exit::Stopped {
                        undelivered: self.outbox.len(),
                    },
                    out,
                );
            }
            _ => {}
        }
        if self.link == Link::Up {
            self.send_due(now, out);
        } else if now >= self.heard + self.give_up {
            return self.exit(Exit::GaveUp(self.lost_because.clone()), out);
        }
        match self.stop_by {
            Some(deadline) => self.stop(now, deadline, out),
            None => self.roll(out),
        }
    }

    fn send_due(&mut self, now: Duration, out: &mut Vec<Action>) {
        if !self.outbox.is_empty() && now >= self.outbox_moved + self.resend_after {
            self.resend_after = (2 * self.resend_after).min(RESEND_MOST);
            self.outbox.rewind();
        }
        if now >= self.heartbeat_due {
            self.heartbeat_due = now + HEARTBEAT;
            out.push(Action::Send(ToLearner::Heartbeat(self.status())));
        }
        while let Some((first, batch)) = self.outbox.next_batch() {
            self.outbox_moved = now;
            out.push(Action::Send(ToLearner::Trajectories { first, batch }));
        }
        if self.wants_weights() && self.weights_asked.is_none_or(|asked| now >= asked + RESEND) {
            self.weights_asked = Some(now);
            out.push(Action::Send(ToLearner::WantWeights { have: self.loaded() }));
        }
    }

    /// Async mode: newer ones than those held, but no third ones while two are in hand (the next roll-out's and the
    /// present one's): a slow oracle must not make an actor download what it will never use.
    fn wants_weights(&self) -> bool {
        let enough = self.rolling.is_some() && self.loaded.is_some_and(|loaded| !loaded.used);
        match (&self.run, self.work.front()) {
            (Some(Run { mode: Mode::Async, .. }), _) => self.newest > self.loaded() && !enough,
            (Some(_), Some(work)) => self.loaded() != Some(work.version),
            _ => false,
        }
    }

    fn roll(&mut self, out: &mut Vec<Action>) {
        if self.rolling.is_some() || self.waiting() != Waiting::Nothing {
            return;
        }
        let (Some(run), Some(loaded)) = (&self.run, &mut self.loaded) else {
            return;
        };
        let (version, progress) = (loaded.version, loaded.progress);
        let work = match run.mode {
            Mode::Async => Some(Work {
                round: self.batches,
                indices: 0..run.batch,
                version,
            }),
            Mode::Sync | Mode::Offline => self.work.pop_front(),
        };
        if let Some(work) = work {
            loaded.used = true;
            self.batches += 1;
            out.push(Action::Roll(RollRequest {
                round: work.round,
                indices: work.indices.clone(),
                progress,
            }));
            self.rolling = Some(work);
        }
    }

    fn waiting(&self) -> Waiting {
        let Some(run) = &self.run else { return Waiting::Weights };
        if self.rolling.is_some() {
            return Waiting::Nothing;
        }
        let (size, version) = match (run.mode, self.work.front()) {
            (Mode::Async, _) => (run.batch as usize, self.loaded()),
            (Mode::Sync | Mode::Offline, Some(work)) => (work.indices.len(), Some(work.version)),
            (Mode::Sync | Mode::Offline, None) => return Waiting::Work,
        };
        if !self.outbox.has_room(size) {
            Waiting::Acks
        } else if version.is_none() || version != self.loaded() {
            Waiting::Weights
        } else {
            Waiting::Nothing
        }
    }

    /// Stopping: say goodbye once everything is delivered, or time is up, or there is no one to say it to.
    fn stop(&mut self, now: Duration, deadline: Duration, out: &mut Vec<Action>) {
        let done = self.rolling.is_none() && self.outbox.is_empty();
        match self.link {
            Link::Leaving { .. } | Link::Closed => {}
            Link::Up if done || now >= deadline => {
                self.link = Link::Leaving { since: now };
                out.push(Action::Send(ToLearner::Goodbye));
            }
            Link::Up => {}
            _ if done || now >= deadline => self.exit(
                Exit::Stopped {
                    undelivered: self.outbox.len(),
                },
                out,
            ),
            _ => {}
        }
    }

    fn exit(&mut self, exit: Exit, out: &mut Vec<Action>) {
        self.link = Link::Closed;
        out.push(Action::Exit(exit));
    }
}

#[cfg(test)]
mod tests;
