//! Who is here, who fell silent, who is forgotten; and the report of it.

use super::{Action, Counters, Fleet, FleetReport, PeerReport};
use crate::protocol::peer::Peer;
use crate::protocol::{LEASE, REASSURE};
use crate::units::Incarnation;
use std::time::Duration;

/// An actor that was absent for this long is forgotten, but for the number of its next trajectory.
const FORGET: Duration = LEASE.saturating_mul(30);

impl Fleet {
    /// What went wrong so far.
    pub fn counters(&self) -> Counters {
        self.counters
    }

    /// All actors remembered, and what went wrong so far.
    pub fn report(&self, now: Duration) -> FleetReport {
        let peers = self.peers.iter().map(|(&incarnation, peer)| PeerReport {
            name: peer.name.clone(),
            incarnation,
            present: peer.present,
            quarantined: self.quarantined.contains_key(&incarnation),
            silent: now.saturating_sub(peer.heard.max(self.resumed)),
            taken: peer.taken,
            staleness: peer.staleness,
            dropped: peer.dropped,
            status: peer.status,
        });
        FleetReport {
            actors: peers.collect(),
            counters: self.counters,
            rejected: Default::default(),
        }
    }

    pub(super) fn tick(&mut self, now: Duration, out: &mut Vec<Action>) {
        let resumed = self.resumed;
        let silent: Vec<_> = self
            .peers
            .iter()
            .filter(|(_, peer)| peer.is_silent(now, resumed))
            .map(|(&id, _)| id)
            .collect();
        for incarnation in silent {
            self.lose(now, incarnation, out);
        }
        let routes = &mut self.routes;
        self.peers.retain(|_, peer| {
            let heard = peer.heard.max(resumed);
            let forget = !peer.present && peer.in_flight() == 0 && now >= heard + FORGET;
            if let Some(route) = peer.route.as_ref().filter(|_| forget) {
                routes.remove(route);
            }
            !forget
        });
    }

    /// Who was told nothing for long is told how far the learner is. What it sent may wait for its turn for minutes, and
    /// after a lease of silence it would connect anew and send everything again, all actors at once.
    pub(super) fn reassure(&mut self, now: Duration, out: &mut Vec<Action>) {
        if self.finished {
            return;
        }
        let newest = self.newest;
        let waiting = |peer: &&mut Peer| peer.present && now >= peer.told + REASSURE;
        for peer in self.peers.values_mut().filter(waiting) {
            if let Some(route) = peer.route.clone() {
                out.push(Action::Send(route, peer.ack(now, newest, false)));
            }
        }
    }

    /// An actor is gone or silent: others do what it owes. It may return.
    pub(super) fn lose(&mut self, now: Duration, incarnation: Incarnation, out: &mut Vec<Action>) {
        if let Some(peer) = self.peers.get_mut(&incarnation)
            && std::mem::take(&mut peer.present)
        {
            peer.dropped += 1;
            self.counters.dropped += 1;
        }
        if let Some(rounds) = &mut self.rounds {
            self.counters.reassigned += rounds.release(incarnation) as u64;
            self.assign(now, out);
        }
    }
}
