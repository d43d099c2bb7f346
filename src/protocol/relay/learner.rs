//! The learner's end of its relays: what they bring is handed on message by message, as if each actor had a connection of its
//! own, and what their actors are told is collected.
//!
//! The learner takes a relay's word for whom its actors are; with a key, the relay has looked (see SECURITY.md).
//!
//! Invariant: of a relay whose connection has ended nothing is handed on, and everyone behind it is reported as gone.

use super::messages::{Branch, FromRelay, Said, ToRelay, Told};
use super::shelf::{Place, SLOTS, Shelf};
use super::{BUNDLE, ITEM, MAX_BRANCHES, MAX_ITEMS};
use crate::protocol::fleet::Route;
use crate::protocol::messages::Blob;
use std::collections::{BTreeSet, HashMap, VecDeque};
use std::sync::Arc;

/// What came through a relay.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Heard {
    /// A message of the actor on this route.
    Message(Route, Vec<u8>),
    /// The actor on this route has left its relay.
    Gone(Route),
}

/// Why a relay's connection is to be closed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Foul {
    /// Bundles come after a hello.
    #[error("a relay has to say hello first")]
    NoHello,
    /// And there is one hello.
    #[error("a relay said hello twice")]
    Twice,
}

/// All relays. See the module.
#[derive(Debug, Default)]
pub struct Relays {
    trunks: HashMap<Route, Trunk>,
    shelf: Shelf,
    /// What a bundle brought and is not handed on yet; there is one bundle at a time.
    backlog: VecDeque<(Branch, Said)>,
    /// Whose it is, and its number.
    current: Option<(Route, u64)>,
    /// Relays that there is something to send to.
    due: BTreeSet<Route>,
}

/// The connection of one relay.
#[derive(Debug, Default)]
struct Trunk {
    branches: BTreeSet<Branch>,
    /// Bundles up to this number are handled.
    handled: u64,
    /// What it was told to keep, by stamp; 0 is nothing.
    keeps: [u64; SLOTS],
    /// Messages that are complete.
    ready: Vec<Arc<Vec<u8>>>,
    /// The bundle that is being collected.
    items: Vec<(Branch, Told)>,
    bytes: usize,
}

impl Relays {
    /// Relays that are connected.
    pub fn count(&self) -> usize {
        self.trunks.len()
    }

    /// Takes a message of the relay with this connection. Before the next one, [`Self::take`] is to be asked until there is
    /// nothing left.
    ///
    /// # Errors
    /// When it should not have come.
    pub fn hear(&mut self, trunk: &Route, message: FromRelay) -> Result<(), Foul> {
        let known = self.trunks.contains_key(trunk);
        match message {
            FromRelay::Hello { .. } if known => return Err(Foul::Twice),
            FromRelay::Hello { .. } => {
                self.trunks.insert(trunk.clone(), Trunk::default());
                self.due.insert(trunk.clone());
            }
            FromRelay::Bundle { .. } if !known => return Err(Foul::NoHello),
            FromRelay::Bundle { number, items } => {
                self.backlog = items.into();
                self.current = Some((trunk.clone(), number));
                self.end_bundle();
            }
        }
        Ok(())
    }

    /// True while a bundle is not handed on completely.
    pub fn has_more(&self) -> bool {
        !self.backlog.is_empty()
    }

    /// The next thing that a bundle brought.
    pub fn take(&mut self) -> Option<Heard> {
        loop {
            let (branch, said) = self.backlog.pop_front()?;
            let heard = self.heard(branch, said);
            self.end_bundle();
            if heard.is_some() {
                return heard;
            }
        }
    }

    fn heard(&mut self, branch: Branch, said: Said) -> Option<Heard> {
        let (route, _) = self.current.as_ref()?;
        let trunk = self.trunks.get_mut(route)?;
        match said {
            Said::Gone => trunk.branches.remove(&branch).then(|| Heard::Gone(branch.route(route))),
            Said::Message(_) if !trunk.branches.contains(&branch) && trunk.branches.len() >= MAX_BRANCHES => {
                trunk.push(branch, Told::Close);
                None
            }
            Said::Message(Blob(bytes)) => {
                trunk.branches.insert(branch);
                Some(Heard::Message(branch.route(route), bytes))
            }
        }
    }

    /// Notes a bundle that is handed on as a whole; its relay is told.
    fn end_bundle(&mut self) {
        if self.backlog.is_empty()
            && let Some((route, number)) = self.current.take()
            && let Some(trunk) = self.trunks.get_mut(&route)
        {
            trunk.handled = trunk.handled.max(number);
            self.due.insert(route);
        }
    }

    /// A connection has ended: the routes of all who were behind it, if it was a relay's.
    pub fn lose(&mut self, route: &Route) -> Vec<Route> {
        let Some(trunk) = self.trunks.remove(route) else {
            return Vec::new();
        };
        if self.current.as_ref().is_some_and(|(current, _)| current == route) {
            self.current = None;
            self.backlog.clear();
        }
        self.due.remove(route);
        trunk.branches.into_iter().map(|branch| branch.route(route)).collect()
    }

    /// Takes an encoded message for an actor that is, or was, behind a relay. False for other actors.
    pub fn post(&mut self, route: &Route, message: &Arc<Vec<u8>>) -> bool {
        let Some((to, branch)) = self.trunk_of(route) else {
            return false;
        };
        if let Some(trunk) = self.trunks.get_mut(&to)
            && trunk.branches.contains(&branch)
        {
            trunk.say(branch, message, &mut self.shelf);
            self.due.insert(to);
        }
        true
    }

    /// An actor is to be closed once it has got what was said to it. False when it is not behind a relay.
    pub fn close(&mut self, route: &Route) -> bool {
        let Some((trunk, branch)) = self.trunk_of(route) else {
            return false;
        };
        if let Some(known) = self.trunks.get_mut(&trunk)
            && known.branches.remove(&branch)
        {
            known.push(branch, Told::Close);
            self.due.insert(trunk);
        }
        true
    }

    /// The route of the relay that an actor is behind, if it is behind one.
    pub fn trunk(&self, route: &Route) -> Option<&Route> {
        let (trunk, _) = Branch::of(route)?;
        self.trunks.get_key_value(trunk).map(|(trunk, _)| trunk)
    }

    /// The relay and the branch of an actor that is, or was, behind one.
    fn trunk_of(&self, route: &Route) -> Option<(Route, Branch)> {
        let (_, branch) = Branch::of(route)?;
        Some((self.trunk(route)?.clone(), branch))
    }

    /// The run is over, and the actors were told.
    pub fn finish(&mut self) {
        for (route, trunk) in &mut self.trunks {
            trunk.complete();
            trunk.ready.push(Arc::new(ToRelay::Finished.encode()));
            self.due.insert(route.clone());
        }
    }

    /// What is to be sent to relays now, in order for each.
    pub fn outgoing(&mut self) -> Vec<(Route, Arc<Vec<u8>>)> {
        let mut outgoing = Vec::new();
        for route in std::mem::take(&mut self.due) {
            if let Some(trunk) = self.trunks.get_mut(&route) {
                // Also without items: it says what was handled.
                trunk.bundle();
                outgoing.extend(trunk.ready.drain(..).map(|message| (route.clone(), message)));
            }
        }
        outgoing
    }
}

impl Trunk {
    /// Adds a message, with the help of what the relay keeps.
    fn say(&mut self, branch: Branch, message: &Arc<Vec<u8>>, shelf: &mut Shelf) {
        let Some(Place { slot, stamp, length }) = shelf.place(message) else {
            return self.push(branch, Told::Message(Blob(message.to_vec())));
        };
        if self.keeps[slot] != stamp {
            self.keeps[slot] = stamp;
            // What was said before refers to what was kept before.
            self.complete();
            self.ready.push(shelf.keep(slot));
        }
        let told = Told::Kept {
            slot: slot as u8,
            stamp,
            length: length as u64,
            rest: Blob(message[length..].to_vec()),
        };
        self.push(branch, told);
    }

    /// Adds an item to the bundle.
    fn push(&mut self, branch: Branch, told: Told) {
        let bytes = ITEM
            + match &told {
                Told::Message(Blob(bytes)) | Told::Kept { rest: Blob(bytes), .. } => bytes.len(),
                Told::Close => 0,
            };
        if self.bytes + bytes > BUNDLE || self.items.len() >= MAX_ITEMS {
            self.complete();
        }
        self.bytes += bytes;
        self.items.push((branch, told));
    }

    /// Ends the bundle that is being collected, if there is anything in it.
    fn complete(&mut self) {
        if !self.items.is_empty() {
            self.bundle();
        }
    }

    fn bundle(&mut self) {
        let (handled, items) = (self.handled, std::mem::take(&mut self.items));
        self.bytes = 0;
        self.ready.push(Arc::new(ToRelay::Bundle { handled, items }.encode()));
    }
}
