//! A relay as a state machine: its link to the learner, its actors, and what goes from the one to the others. It owns no
//! socket and no clock, and reads nothing of what passes but hellos.
//!
//! Invariant: what the learner says to a branch reaches the actor of that branch or nobody.
//! Invariant: with a key, an actor says hello only in the name that its connection was opened in.

mod events;

pub use events::{Action, Closing, Event, Exit, RelayHello};

use super::MAX_BRANCHES;
use super::messages::{Branch, FromRelay, Said, ToRelay, Told};
use super::shelf::Kept;
use super::upward::Upward;
use crate::protocol::backoff::Backoff;
use crate::protocol::messages::{Blob, ToActor};
use crate::protocol::{LEASE, WireError, codec};
use crate::random::Stream;
use crate::units::Incarnation;
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

/// How long a relay that ends waits for its actors to leave: longer than an actor that stops tries to deliver, or hears that
/// the run is over.
const LEAVE_WITHIN: Duration = Duration::from_secs(5);

#[derive(Debug, PartialEq)]
enum Link {
    /// No connection; the next attempt is due at `retry_at`.
    Down { retry_at: Duration },
    /// Asked for a connection at `since`.
    Opening { since: Duration },
    /// Connected since then; greeted once the hello was sent.
    Up { since: Duration, greeted: bool },
    /// Over.
    Closed,
}

/// An actor.
#[derive(Debug)]
struct Actor {
    /// With a key: in whose name its connection was opened.
    incarnation: Option<Incarnation>,
    /// Its hello, until the learner has answered: it is said again on the next connection.
    hello: Option<Vec<u8>>,
}

/// See the module.
#[derive(Debug)]
pub struct Relay {
    hello: RelayHello,
    give_up: Duration,
    backoff: Backoff,
    link: Link,
    /// When the learner was last heard on any connection, and what was last seen of it.
    heard: Duration,
    lost_because: String,
    /// The learner has answered once.
    known: bool,
    actors: BTreeMap<Branch, Actor>,
    upward: Upward,
    kept: Kept,
    /// How it ends, and when at the latest.
    leaving: Option<(Exit, Duration)>,
}

impl Relay {
    /// A relay without actors. It gives up after `give_up` without a learner; `jitter` spreads reconnects.
    pub fn new(hello: RelayHello, give_up: Duration, jitter: Stream, now: Duration) -> Self {
        Self {
            hello,
            give_up,
            backoff: Backoff::new(jitter),
            link: Link::Down { retry_at: now },
            heard: now,
            lost_because: "it was never reached".into(),
            known: false,
            actors: BTreeMap::new(),
            upward: Upward::default(),
            kept: Kept::default(),
            leaving: None,
        }
    }

    /// Actors that are connected.
    pub fn actors(&self) -> usize {
        self.actors.len()
    }

    /// Bytes of messages that it keeps for all its actors.
    pub fn kept(&self) -> usize {
        self.kept.size()
    }

    /// Bytes of its actors that wait for the learner.
    pub fn waiting(&self) -> usize {
        self.upward.bytes()
    }

    /// True while actors may be read. (Without a learner, what they say is not kept.)
    pub fn has_room(&self) -> bool {
        self.upward.has_room()
    }

    /// Takes one event and appends what is to be done, in order.
    pub fn handle(&mut self, now: Duration, event: Event, out: &mut Vec<Action>) {
        if self.link == Link::Closed {
            return;
        }
        match event {
            Event::Opened(branch, incarnation) => self.opened(branch, incarnation, out),
            Event::Said(branch, bytes) => self.said(branch, bytes, out),
            Event::Closed(branch) => self.gone(branch),
            Event::Connected => self.connected(now, out),
            Event::Disconnected(why) => self.lost(now, why),
            Event::Received(message) => self.received(now, message, out),
            Event::Malformed(error @ WireError::Protocol { .. }) => self.exit(Exit::Refused(error.to_string()), out),
            // Anyone on the way can say so in the learner's name: one who was answered once goes on trying.
            Event::Malformed(WireError::Refusal(refusal)) if !self.known => self.exit(Exit::Key(refusal), out),
            Event::Malformed(error) => self.lost(now, error.to_string()),
            Event::Stop => self.leave(now, Exit::Stopped),
            Event::Tick => {}
        }
        self.advance(now, out);
    }

    /// When something is due for the learner, as far as is known now.
    pub fn due(&self) -> Option<Duration> {
        match self.link {
            Link::Up { greeted: true, .. } => self.upward.due(),
            Link::Up { since, .. } => Some(since),
            _ => None,
        }
    }

    /// What is due for the learner. Asked again until there is nothing.
    pub fn next(&mut self, now: Duration) -> Option<FromRelay> {
        match &mut self.link {
            Link::Up { greeted: true, .. } => self.upward.next(now),
            Link::Up { greeted, .. } => {
                *greeted = true;
                let RelayHello { host, process } = self.hello.clone();
                Some(FromRelay::Hello { host, process })
            }
            _ => None,
        }
    }

    fn is_up(&self) -> bool {
        matches!(self.link, Link::Up { .. })
    }

    fn opened(&mut self, branch: Branch, incarnation: Option<Incarnation>, out: &mut Vec<Action>) {
        if self.leaving.is_some() || self.actors.len() >= MAX_BRANCHES {
            return out.push(Action::Close(branch, Closing::NoPlace));
        }
        let hello = None;
        self.actors.insert(branch, Actor { incarnation, hello });
    }

    fn said(&mut self, branch: Branch, bytes: Vec<u8>, out: &mut Vec<Action>) {
        let Some(actor) = self.actors.get_mut(&branch) else {
            return;
        };
        if let Some(stated) = codec::said_hello(&bytes) {
            if actor.incarnation.is_some_and(|bound| bound != stated) {
                out.push(Action::Close(branch, Closing::Impostor));
                return self.gone(branch);
            }
            actor.hello = Some(bytes.clone());
        }
        // What is lost here, or with the connection, is sent again by the actor once it has said hello anew.
        if self.is_up() {
            self.upward.push(branch, Said::Message(Blob(bytes)));
        }
    }

    fn gone(&mut self, branch: Branch) {
        if self.actors.remove(&branch).is_some() && self.is_up() {
            self.upward.push(branch, Said::Gone);
        }
    }

    /// To this connection of the learner all actors are strangers; they are told so, or their hello is said again.
    fn connected(&mut self, now: Duration, out: &mut Vec<Action>) {
        if !matches!(self.link, Link::Opening { .. }) {
            return;
        }
        self.link = Link::Up {
            since: now,
            greeted: false,
        };
        self.upward = Upward::new(now);
        self.kept = Kept::default();
        let stranger = Arc::new(codec::encode(&ToActor::Stranger));
        for (&branch, actor) in &self.actors {
            match &actor.hello {
                Some(hello) => self.upward.push(branch, Said::Message(Blob(hello.clone()))),
                None => out.push(Action::Give(branch, stranger.clone())),
            }
        }
    }

    /// Drops to `Down` and says when to try again.
    fn lost(&mut self, now: Duration, why: String) {
        if matches!(self.link, Link::Down { .. }) {
            return;
        }
        self.upward = Upward::default();
        self.lost_because = why;
        self.link = Link::Down {
            retry_at: now + self.backoff.pause(),
        };
    }

    fn received(&mut self, now: Duration, message: ToRelay, out: &mut Vec<Action>) {
        if !self.is_up() {
            return;
        }
        (self.heard, self.known) = (now, true);
        self.backoff.reset();
        match message {
            ToRelay::Keep { slot, stamp, bytes } => {
                if !self.kept.keep(slot, stamp, bytes.0) {
                    self.lost(now, format!("the learner named a place {slot}, which there is not"));
                }
            }
            ToRelay::Bundle { handled, items } => {
                self.upward.handled(handled);
                for (branch, told) in items {
                    if !self.told(branch, told, out) {
                        // It was lost on the way, which TCP does not do by itself; a new connection begins with nothing.
                        return self.lost(now, "the learner refers to something that did not come".into());
                    }
                }
            }
            ToRelay::Finished => self.leave(now, Exit::Finished),
        }
    }

    /// Passes on what an actor is told. False when it is said with the help of something that is not here.
    fn told(&mut self, branch: Branch, told: Told, out: &mut Vec<Action>) -> bool {
        let Some(actor) = self.actors.get_mut(&branch) else {
            // The learner does not know yet, or a message of ours was lost.
            if told != Told::Close && self.upward.has_room() {
                self.upward.push(branch, Said::Gone);
            }
            return true;
        };
        let bytes = match told {
            Told::Close => {
                self.actors.remove(&branch);
                out.push(Action::Close(branch, Closing::Told));
                return true;
            }
            Told::Message(Blob(bytes)) => Some(Arc::new(bytes)),
            Told::Kept {
                slot,
                stamp,
                length,
                rest,
            } => self.kept.message(slot, stamp, length, &rest.0),
        };
        actor.hello = None;
        let is_here = bytes.is_some();
        out.extend(bytes.map(|bytes| Action::Give(branch, bytes)));
        is_here
    }

    fn leave(&mut self, now: Duration, exit: Exit) {
        self.leaving.get_or_insert((exit, now + LEAVE_WITHIN));
    }

    /// What follows from the state as it is: connecting, giving up, ending.
    fn advance(&mut self, now: Duration, out: &mut Vec<Action>) {
        match self.link {
            Link::Closed => return,
            Link::Down { retry_at } if now >= retry_at => {
                self.link = Link::Opening { since: now };
                out.push(Action::Connect);
            }
            Link::Opening { since } if now >= since + LEASE => self.lost(now, "it did not answer".into()),
            Link::Up { since, .. } if now >= self.heard.max(since) + LEASE => self.lost(now, "it fell silent".into()),
            _ => {}
        }
        if let Some((exit, latest)) = &self.leaving
            && (self.actors.is_empty() || now >= *latest)
        {
            return self.exit(exit.clone(), out);
        }
        if !self.is_up() && now >= self.heard + self.give_up {
            self.exit(Exit::GaveUp(self.lost_because.clone()), out);
        }
    }

    fn exit(&mut self, exit: Exit, out: &mut Vec<Action>) {
        self.link = Link::Closed;
        out.push(Action::Exit(exit));
    }
}
