//! Sync mode's work: who rolls out what, and what becomes of it when an actor is lost.

use super::{Action, Fleet, Route};
use crate::protocol::messages::ToActor;
use crate::protocol::rounds::Rounds;
use crate::units::Incarnation;
use std::ops::Range;
use std::time::Duration;

impl Fleet {
    pub(super) fn round_started(&mut self, now: Duration, round: u64, out: &mut Vec<Action>) {
        if let Some(rounds) = &mut self.rounds {
            rounds.start(round);
        }
        self.complete(out);
        self.assign(now, out);
    }

    /// Gives the round's free places to those who owe nothing, or to all when everyone does.
    pub(super) fn assign(&mut self, now: Duration, out: &mut Vec<Action>) {
        let Some(rounds) = &mut self.rounds else { return };
        let present: Vec<_> = self
            .peers
            .iter()
            .filter(|(_, peer)| peer.present)
            .map(|(&id, _)| id)
            .collect();
        let idle: Vec<_> = present
            .iter()
            .copied()
            .filter(|&id| rounds.owed(id).is_empty())
            .collect();
        for (incarnation, indices) in rounds.assign(if idle.is_empty() { &present } else { &idle }) {
            self.send_work(now, incarnation, indices, out);
        }
    }

    pub(super) fn send_owed(&mut self, now: Duration, incarnation: Incarnation, out: &mut Vec<Action>) {
        let owed = self
            .rounds
            .as_ref()
            .map(|rounds| rounds.owed(incarnation))
            .unwrap_or_default();
        for indices in owed {
            self.send_work(now, incarnation, indices, out);
        }
    }

    fn send_work(&mut self, now: Duration, incarnation: Incarnation, indices: Range<u32>, out: &mut Vec<Action>) {
        let Some((round, version)) = self.rounds.as_ref().and_then(Rounds::version) else {
            return;
        };
        let Some(peer) = self.peers.get_mut(&incarnation) else {
            return;
        };
        let Some(route) = peer.route.clone() else { return };
        peer.work_sent = now;
        if peer.needs_weights(version, false, now) {
            out.push(Action::SendWeights(route.clone()));
        }
        out.push(Action::Send(
            route,
            ToActor::Work {
                round,
                indices,
                version,
            },
        ));
    }

    pub(super) fn disconnected(&mut self, now: Duration, route: &Route, out: &mut Vec<Action>) {
        let Some(incarnation) = self.routes.remove(route) else {
            return;
        };
        if let Some(peer) = self.peers.get_mut(&incarnation) {
            peer.route = None;
            self.lose(now, incarnation, out);
        }
    }
}
