//! What goes wrong, and how it comes right again.

use super::World;
use super::actors::TARGET;
use crate::protocol::WireError;
use crate::protocol::actor_session::{Event as ActorEvent, Exit};
use crate::protocol::fleet::{Event as FleetEvent, Route};
use crate::protocol::messages::ToLearner;
use crate::protocol::relay::Event as RelayEvent;
use crate::protocol::simulation::schedule::Fault;
use crate::units::Seq;
use std::collections::VecDeque;
use std::time::Duration;

impl World {
    pub(super) fn fault(&mut self) {
        if self.schedule.faults.is_empty() {
            return;
        }
        let fault = self.schedule.faults[self.rng.below(self.schedule.faults.len())];
        let number = self.rng.below(self.actors.len());
        let relay = match self.relays.len() {
            0 => 0,
            relays => self.rng.below(relays),
        };
        self.note(|_| format!("fault: {fault:?}, actor {number}, relay {relay}"));
        let moment = self.moment();
        let until = self.now + moment;
        match fault {
            Fault::LoseMessage | Fault::RepeatMessage | Fault::SwapMessages => self.disorder(number, fault),
            Fault::Partition => self.partition(number, until),
            Fault::BreakConnection => self.break_connection(number),
            Fault::CrashActor => self.crash_actor(number, until),
            Fault::StopActor => self.actor_event(number, ActorEvent::Stop),
            Fault::CrashLearner => self.crash_learner(),
            Fault::PauseActor => self.actors[number].paused_until = until,
            Fault::PauseLearner => self.learner.paused_until = until,
            Fault::LeapActor => self.actors[number].skew += moment,
            Fault::LeapLearner => self.learner.skew += moment,
            Fault::DamageCheckpoint => self.disk.damage_checkpoint(),
            Fault::FillDisk => self.disk.full_until = until,
            Fault::Stranger => self.stranger(),
            Fault::LoseBundle | Fault::RepeatBundle | Fault::SwapBundles => self.disorder_trunk(relay, fault),
            Fault::PartitionRelay => self.partition_relay(relay, until),
            Fault::BreakTrunk => self.break_trunk(relay),
            Fault::CrashRelay => self.crash_relay(relay, until),
            Fault::StopRelay => self.relay_event(relay, RelayEvent::Stop),
            Fault::PauseRelay => self.relays[relay].paused_until = until,
            Fault::LeapRelay => self.relays[relay].skew += moment,
        }
    }

    /// Some time: often a second or so, sometimes longer than any lease.
    fn moment(&mut self) -> Duration {
        let most = [1.0, 8.0, 40.0][self.rng.below(3)];
        Duration::from_secs_f64(self.rng.uniform(0.0, most))
    }

    /// The last message that was sent one way is lost, comes again, or overtakes the one before.
    fn disorder(&mut self, number: usize, fault: Fault) {
        let to_learner = self.rng.below(2) == 0;
        let link = self.actors[number].link;
        let Some(link) = link.and_then(|name| self.network.links.get_mut(&name)) else {
            return;
        };
        if to_learner {
            disorder(&mut link.to_learner, fault);
        } else {
            disorder(&mut link.to_actor, fault);
        }
    }

    fn disorder_trunk(&mut self, relay: usize, fault: Fault) {
        let to_learner = self.rng.below(2) == 0;
        let trunk = self.relays[relay].trunk;
        let Some(trunk) = trunk.and_then(|name| self.network.trunks.get_mut(&name)) else {
            return;
        };
        if to_learner {
            disorder(&mut trunk.to_learner, fault);
        } else {
            disorder(&mut trunk.to_relay, fault);
        }
    }

    fn partition_relay(&mut self, relay: usize, until: Duration) {
        let ways = self.rng.below(3);
        let host = &mut self.relays[relay];
        if ways != 0 {
            host.cut_to_learner = until;
        }
        if ways != 1 {
            host.cut_to_relay = until;
        }
    }

    fn break_trunk(&mut self, relay: usize) {
        let (mute, keep) = (self.rng.below(3) == 0, self.rng.below(3));
        let trunk = self.relays[relay].trunk;
        if let Some(trunk) = trunk.and_then(|name| self.network.trunks.get_mut(&name)) {
            (trunk.broken, trunk.mute) = (true, mute);
            trunk.to_learner.truncate(keep);
            trunk.to_relay.truncate(keep);
        }
    }

    /// The process is gone, and what it had not passed on with it; the learner may or may not hear of it.
    fn crash_relay(&mut self, relay: usize, back_at: Duration) {
        if self.relays[relay].running.is_some() {
            self.break_trunk(relay);
            self.lose_relay(relay, back_at);
        }
    }

    fn partition(&mut self, number: usize, until: Duration) {
        let ways = self.rng.below(3);
        let actor = &mut self.actors[number];
        if ways != 0 {
            actor.cut_to_learner = until;
        }
        if ways != 1 {
            actor.cut_to_actor = until;
        }
    }

    fn break_connection(&mut self, number: usize) {
        let (mute, keep) = (self.rng.below(3) == 0, self.rng.below(3));
        let link = self.actors[number].link;
        if let Some(link) = link.and_then(|name| self.network.links.get_mut(&name)) {
            (link.broken, link.mute) = (true, mute);
            link.to_learner.truncate(keep);
            link.to_actor.truncate(keep);
        }
    }

    /// The process is gone, and what it had not sent with it; the learner may or may not hear of it.
    fn crash_actor(&mut self, number: usize, back_at: Duration) {
        if !self.actors[number].is_running() {
            return;
        }
        self.break_connection(number);
        self.end_process(number);
        self.actors[number].back_at = Some(back_at);
    }

    /// The process is gone, perhaps just after a transaction that it had no time to report.
    pub(super) fn crash_learner(&mut self) {
        let Some(learner) = self.learner.running.take() else {
            return;
        };
        self.note(|_| "learner: is gone".into());
        if self.rng.below(2) == 0 {
            let most = self.rng.below(self.schedule.group + 1);
            let group: Vec<_> = learner.pending.into_iter().take(most).collect();
            self.write(&group);
        }
        self.learner.back_at = self.now + self.moment();
        for link in self.network.links.values_mut().filter(|link| link.relay.is_none()) {
            (link.there, link.mute) = (false, self.rng.below(4) == 0);
            link.to_learner.clear();
        }
        self.network.links.retain(|_, link| link.here || link.there);
        for trunk in self.network.trunks.values_mut() {
            (trunk.there, trunk.mute) = (false, self.rng.below(4) == 0);
            trunk.to_learner.clear();
        }
        self.network.trunks.retain(|_, trunk| trunk.here);
        self.network.ends.clear();
    }

    /// Bytes and messages on a connection that never said hello.
    fn stranger(&mut self) {
        if self.learner_is_paused() || !self.may_read() {
            return;
        }
        let route = Route(b"stranger".as_slice().into());
        let (first, batch) = (Seq(self.rng.below(9) as u64), Vec::new());
        let event = match self.rng.below(4) {
            0 => FleetEvent::Malformed(route, WireError::Foreign),
            1 => FleetEvent::Received(route, ToLearner::Goodbye),
            2 => FleetEvent::Received(route, ToLearner::Trajectories { first, batch }),
            _ => FleetEvent::Received(route, ToLearner::WantWeights { have: None }),
        };
        self.fleet_event(event);
    }

    /// The network is whole again, and nobody pauses. The last things to go wrong: some actors are gone for good, and nobody tells the learner. The first one never is.
    pub(super) fn last_faults(&mut self) {
        for number in 0..self.actors.len() {
            let finished = self.actors[number].exit == Some(Exit::Finished);
            if number > 0 && self.rng.below(8) == 0 && !finished {
                self.crash_actor(number, Duration::MAX);
                self.actors[number].back_at = Some(Duration::MAX);
            }
            let actor = &mut self.actors[number];
            (actor.cut_to_learner, actor.cut_to_actor, actor.paused_until) = Default::default();
            let made = self.ledger.made_by(self.actors[number].incarnation).len() as u64;
            self.actors[number].target = made + TARGET;
        }
        for host in &mut self.relays {
            (host.cut_to_learner, host.cut_to_relay, host.paused_until) = Default::default();
        }
        self.disk.full_until = self.now;
        self.learner.paused_until = self.now;
    }
}

fn disorder<T: Clone>(messages: &mut VecDeque<T>, fault: Fault) {
    match fault {
        Fault::LoseMessage | Fault::LoseBundle => drop(messages.pop_back()),
        Fault::SwapMessages | Fault::SwapBundles if messages.len() > 1 => {
            messages.swap(messages.len() - 2, messages.len() - 1);
        }
        Fault::RepeatMessage | Fault::RepeatBundle => messages.extend(messages.back().cloned()),
        _ => {}
    }
}
