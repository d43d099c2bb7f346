//! Actors whose scores are wrong: refused from then on, while the others go on.
//!
//! Invariant: of a batch with a score that was looked at and is wrong, nothing is taken.

use super::{Action, Fleet, MAX_PEERS, Route};
use crate::protocol::rescore::Disagreement;
use crate::rollout::Trajectory;
use crate::units::{Incarnation, Seq};
use std::time::Duration;

impl Fleet {
    /// Why no more is taken from this incarnation, if so.
    pub(super) fn quarantine_of(&self, incarnation: Incarnation) -> Option<String> {
        self.quarantined.get(&incarnation).cloned()
    }

    /// Scores some of a checked batch again. False when one of them was wrong: then its actor is shut out.
    pub(super) fn agrees(
        &mut self,
        now: Duration,
        incarnation: Incarnation,
        first: Seq,
        batch: &[Trajectory],
        out: &mut Vec<Action>,
    ) -> bool {
        let rescore = self.rescore.as_ref();
        let Some(wrong) = rescore.and_then(|rescore| rescore.disagreement(incarnation, first, batch)) else {
            return true;
        };
        let Some(peer) = self.peers.get_mut(&incarnation) else {
            return true;
        };
        let reason = reason(&wrong, &peer.hello.name, &peer.hello.host, incarnation);
        let route = peer.route.clone();
        self.counters.quarantined += 1;
        if self.quarantined.len() >= MAX_PEERS {
            // Whoever is forgotten here is found out again by its next wrong score.
            self.quarantined.pop_first();
        }
        self.quarantined.insert(incarnation, reason.clone());
        if let Some(route) = route {
            self.refuse(route.clone(), reason, out);
            self.disconnected(now, &route, out);
        }
        false
    }

    /// Refuses the hello of an incarnation that was shut out. True when it did.
    pub(super) fn shut_out(&mut self, route: &Route, incarnation: Incarnation, out: &mut Vec<Action>) -> bool {
        let Some(reason) = self.quarantine_of(incarnation) else {
            return false;
        };
        self.refuse(route.clone(), reason, out);
        true
    }
}

fn reason(wrong: &Disagreement, name: &str, host: &str, incarnation: Incarnation) -> String {
    let Disagreement {
        seq,
        object,
        stated,
        own,
    } = wrong;
    format!(
        "actor {name} on {host} is in quarantine: it scored {object} as {stated} (its trajectory {seq}), the learner \
         scores it as {own}. Look for another version of Thermoflow, other files or failing memory on {host}, then start \
         it again; what it sent before is in the replay under incarnation {incarnation}"
    )
}
