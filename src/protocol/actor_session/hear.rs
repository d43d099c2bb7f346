//! What an actor makes of the learner's messages.

use super::{Action, ActorSession, Exit, Link, Loaded, MAX_WORK, Run, Work};
use crate::config::{Mode, RunConfig};
use crate::protocol::messages::{Blob, ToActor, Welcome};
use crate::protocol::weights::Packed;
use crate::protocol::{HEARTBEAT, RESEND};
use crate::units::{PolicyVersion, Seq};
use std::time::Duration;

impl ActorSession {
    pub(super) fn received(&mut self, now: Duration, message: ToActor, out: &mut Vec<Action>) {
        self.heard = now;
        match message {
            ToActor::Welcome(welcome) => self.welcomed(now, *welcome, out),
            ToActor::Ack { next, resend, newest } => self.acknowledged(now, next, resend, newest),
            ToActor::Work {
                round,
                indices,
                version,
            } => self.given(Work {
                round,
                indices,
                version,
            }),
            ToActor::Weights {
                version,
                progress,
                weights,
            } => self.weights(
                Loaded {
                    version,
                    progress,
                    used: false,
                },
                weights,
                out,
            ),
            ToActor::Heartbeat { newest } => self.newest = newest,
            ToActor::Stranger => {
                if self.link == Link::Up {
                    self.link = Link::Opening { since: now };
                    self.say_hello(out);
                }
            }
            ToActor::Refused { reason } => self.exit(Exit::Refused(reason), out),
            ToActor::Finished => self.exit(Exit::Finished, out),
            ToActor::Farewell => {
                if matches!(self.link, Link::Leaving { .. }) {
                    self.exit(
                        Exit::Stopped {
                            undelivered: self.outbox.len(),
                        },
                        out,
                    );
                }
            }
        }
    }

    fn welcomed(&mut self, now: Duration, welcome: Welcome, out: &mut Vec<Action>) {
        if !matches!(self.link, Link::Opening { .. }) {
            return;
        }
        if let Some(run) = self.serves.as_ref().filter(|&run| *run != welcome.run) {
            let reason = format!(
                "this address belongs to run {}, this actor works for run {run} and holds {} trajectories for it",
                welcome.run,
                self.outbox.len()
            );
            return self.exit(Exit::Refused(reason), out);
        }
        if self.run.is_none() {
            match serde_json::from_str::<RunConfig>(&welcome.config) {
                Ok(config) => self.configure(config, welcome.run, welcome.attachment, out),
                Err(error) => {
                    let reason = format!("the learner's configuration is not understood: {error}");
                    return self.exit(Exit::Refused(reason), out);
                }
            }
        }
        self.link = Link::Up;
        self.backoff.reset();
        self.heartbeat_due = now + HEARTBEAT;
        // The newest weights follow the welcome without being asked for; ask only when they do not come.
        self.weights_asked = Some(now);
        self.work.clear();
        self.acknowledged(now, welcome.next, true, welcome.newest);
    }

    fn configure(&mut self, config: RunConfig, run: String, attachment: Option<Blob>, out: &mut Vec<Action>) {
        let batch = config.actor.batch as u32;
        self.outbox.set_capacity(crate::protocol::window(&config));
        self.serves = Some(run.clone());
        self.run = Some(Run {
            mode: config.train.mode,
            batch,
            round_batch: config.train.batch as u32,
        });
        out.push(Action::Configure {
            run,
            config: Box::new(config),
            attachment,
        });
    }

    fn acknowledged(&mut self, now: Duration, next: Seq, resend: bool, newest: Option<PolicyVersion>) {
        self.newest = newest;
        if next > self.outbox.oldest() || resend {
            // What takes long once does so again, until something comes soon.
            if now < self.outbox_moved + RESEND {
                self.resend_after = RESEND;
            }
            self.outbox_moved = now;
        }
        if !self.outbox.acknowledge(next) {
            self.lost(now, format!("the learner acknowledged {next}, which was never sent"));
        } else if resend {
            self.outbox.rewind();
        }
    }

    fn given(&mut self, request: Work) {
        let Some(run) = &self.run else { return };
        if run.mode != Mode::Sync || request.indices.is_empty() || request.indices.end > run.round_batch {
            return;
        }
        self.work
            .retain(|queued| queued.round == request.round && queued.version == request.version);
        let known = self.work.contains(&request) || self.rolling.as_ref() == Some(&request);
        if !known && self.work.len() < MAX_WORK {
            self.work.push_back(request);
        }
    }

    fn weights(&mut self, given: Loaded, weights: Packed, out: &mut Vec<Action>) {
        self.weights_asked = None;
        let Some(run) = &self.run else { return };
        let version = given.version;
        let wanted = match run.mode {
            // A resumed learner repeats rounds: its versions are the rounds, not the age.
            Mode::Sync | Mode::Offline => self.loaded() != Some(version),
            Mode::Async => self.loaded() < Some(version),
        };
        // What does not fit what is held is not used: it was meant for an actor that holds something else.
        let fits = weights.base().is_none_or(|base| self.loaded() == Some(base));
        if wanted && fits && (0.0..=1.0).contains(&given.progress) {
            self.loaded = Some(given);
            self.newest = self.newest.max(Some(version));
            out.push(Action::Load { version, weights });
        }
    }
}
