//! Passes on what training says: weights and rounds to the network, progress to whoever started the learner.

use crate::network::ToNetwork;
use crate::training::FromTrainer;
use crate::versions::Versions;
use crate::watched::Watched;
use crossbeam_channel::Receiver;
use std::io::Write;
use std::sync::Arc;
use thermoflow::logging;
use thermoflow::protocol::weights::Packer;
use thermoflow::units::PolicyVersion;
use tokio::sync::mpsc;
use tracing::{error, warn};

/// What training has to say that waits to be passed on. When full, training waits; passing on takes no time.
pub(crate) const FROM_TRAINER: usize = 64;

/// See the module. It has a thread of its own, so that training does not wait while weights are packed.
pub(crate) struct Publisher {
    pub network: mpsc::Sender<ToNetwork>,
    /// Async mode only: in sync mode versions are rounds.
    pub versions: Option<Versions>,
    pub packer: Packer,
    /// Lines of progress are printed.
    pub progress: bool,
    /// Training said that all rounds are done.
    pub complete: bool,
    pub watched: Watched,
}

/// However passing on ends, by an error or a panic too, the network must hear of it: it would serve for ever.
impl Drop for Publisher {
    fn drop(&mut self) {
        self.tell(if self.complete {
            ToNetwork::Finish
        } else {
            ToNetwork::Stop
        });
    }
}

impl Publisher {
    /// Until training has ended, or the network is gone.
    pub fn run(mut self, from: &Receiver<FromTrainer>) {
        let mut newest = None;
        for message in from {
            self.watched.queues.set("trainer_says", from.len(), FROM_TRAINER);
            let passed_on = match message {
                FromTrainer::Publish {
                    version,
                    progress,
                    data,
                } => {
                    newest = Some(version);
                    self.publish(version, progress, data)
                }
                FromTrainer::Report(row) => {
                    self.watched.training.set(&row);
                    true
                }
                FromTrainer::StartRound(round) => self.tell(ToNetwork::StartRound(round)),
                FromTrainer::Progress(line) => {
                    self.complete |= line["event"] == "finished" && line["complete"] == true;
                    self.progress = self.progress && print_line(&line);
                    true
                }
            };
            if !passed_on {
                return;
            }
        }
        if let Some((newest, versions)) = newest.zip(self.versions.as_mut())
            && let Err(error) = versions.end(newest)
        {
            warn!(%error, "the versions used could not be written down; a resumed run skips some");
        }
    }

    fn publish(&mut self, version: PolicyVersion, progress: f32, data: Arc<Vec<u8>>) -> bool {
        if let Some(versions) = &mut self.versions
            && let Err(error) = versions.publish(version)
        {
            error!(%error, "no weights are published: the versions used cannot be written down");
            return false;
        }
        let published = self.packer.pack(version, progress, data);
        self.watched.weights.published(published.whole.len());
        logging::set_version(version);
        self.tell(ToNetwork::Publish(published))
    }

    fn tell(&self, message: ToNetwork) -> bool {
        self.network.blocking_send(message).is_ok()
    }
}

/// False when nobody reads any more; the run itself goes on.
pub(crate) fn print_line(line: &serde_json::Value) -> bool {
    let mut out = std::io::stdout().lock();
    let printed = writeln!(out, "{line}").and_then(|()| out.flush());
    if printed.is_err() {
        warn!("progress has no reader");
    }
    printed.is_ok()
}
