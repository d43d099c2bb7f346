//! Who is here, who fell silent, who is forgotten; and the report of it.

use super::{Action, Counters, Fleet, FleetReport, PeerReport};
use crate::protocol::LEASE;
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
            silent: now.saturating_sub(peer.heard),
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
        let silent: Vec<_> = self
            .peers
            .iter()
            .filter(|(_, peer)| peer.is_silent(now))
            .map(|(&id, _)| id)
            .collect();
        for incarnation in silent {
            self.lose(now, incarnation, out);
        }
        let routes = &mut self.routes;
        self.peers.retain(|_, peer| {
            let forget = !peer.present && peer.in_flight() == 0 && now >= peer.heard + FORGET;
            if let Some(route) = peer.route.as_ref().filter(|_| forget) {
                routes.remove(route);
            }
            !forget
        });
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
