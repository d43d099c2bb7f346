//! Simulated actors: real sockets and messages, no roll-outs.

use super::Settings;
use super::examples::VERSION;
use anyhow::{Context, bail};
use serde_json::{Value, json};
use std::sync::Arc;
use std::time::Duration;
use thermoflow::metrics::quantile;
use thermoflow::protocol::address::Address;
use thermoflow::protocol::{Hello, ToActor, ToLearner, decode_to_actor, encode};
use thermoflow::rollout::Trajectory;
use thermoflow::units::{Incarnation, Seq};
use tokio::sync::Barrier;
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep_until};
use zeromq::{DealerSocket, Socket, SocketRecv, SocketSend};

/// What simulated actors are to do.
pub(super) struct Load {
    pub address: Address,
    pub settings: Settings,
    /// Batches, shared by all actors.
    pub pool: Arc<Vec<Vec<Trajectory>>>,
}

/// What became of it.
pub(super) struct Outcome {
    /// Acknowledged.
    pub trajectories: u64,
    /// From the first message to the last acknowledgement.
    pub spent: Duration,
    waits: Vec<Duration>,
}

impl Outcome {
    /// How long acknowledgements took, milliseconds.
    pub fn latencies(mut self) -> Value {
        let mut at = |share| quantile(&mut self.waits, share).map(|wait| wait.as_secs_f64() * 1e3);
        json!({"p50": at(0.5), "p99": at(0.99), "max": at(1.0)})
    }
}

impl Load {
    /// Connects all actors, then lets them send.
    ///
    /// # Errors
    /// A connection that fails, or an answer that no actor should get.
    pub fn run(self) -> anyhow::Result<Outcome> {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        runtime.block_on(self.all())
    }

    async fn all(self) -> anyhow::Result<Outcome> {
        let load = Arc::new(self);
        let ready = Arc::new(Barrier::new(load.settings.actors + 1));
        let mut actors = JoinSet::new();
        for number in 0..load.settings.actors {
            let actor = Actor::connect(number, load.clone())
                .await
                .context("an actor cannot connect; each needs two file descriptors (ulimit -n)")?;
            actors.spawn(actor.run(ready.clone()));
        }
        ready.wait().await;
        let start = Instant::now();
        let mut waits: Vec<Duration> = Vec::new();
        while let Some(done) = actors.join_next().await {
            waits.extend(done??);
        }
        Ok(Outcome {
            trajectories: (waits.len() * load.settings.batch) as u64,
            spent: start.elapsed(),
            waits,
        })
    }
}

struct Actor {
    number: usize,
    load: Arc<Load>,
    socket: DealerSocket,
    next: Seq,
}

impl Actor {
    async fn connect(number: usize, load: Arc<Load>) -> anyhow::Result<Self> {
        let mut socket = DealerSocket::new();
        socket.connect(&load.address.to_string()).await?;
        let mut actor = Self {
            number,
            load,
            socket,
            next: Seq(0),
        };
        let [name, host, device] = [format!("actor-{number}"), "bench".into(), "none".into()];
        let hello = Hello {
            incarnation: Incarnation(number as u64),
            oldest: Seq(0),
            name,
            host,
            process: 0,
            device,
        };
        actor.send(&ToLearner::Hello(hello)).await?;
        while !matches!(actor.receive().await?, ToActor::Weights { version: VERSION, .. }) {}
        Ok(actor)
    }

    /// Sends batch after batch; returns how long each waited for its acknowledgement, from when it was due.
    async fn run(mut self, ready: Arc<Barrier>) -> anyhow::Result<Vec<Duration>> {
        let Settings {
            actors,
            batch,
            seconds,
            rate,
            ..
        } = self.load.settings;
        // Seconds between two batches of one actor.
        let period = rate.map_or(0.0, |rate| (actors * batch) as f64 / rate);
        let mut waits = Vec::new();
        ready.wait().await;
        let start = Instant::now();
        for turn in 0.. {
            let due = (turn as f64 + self.number as f64 / actors as f64) * period;
            let due = (start + Duration::from_secs_f64(due)).max(if rate.is_some() { start } else { Instant::now() });
            if (due - start).as_secs_f64() >= seconds {
                break;
            }
            sleep_until(due).await;
            self.deliver(turn).await?;
            waits.push(due.elapsed());
        }
        Ok(waits)
    }

    /// Sends a batch and waits until it is safe.
    async fn deliver(&mut self, turn: usize) -> anyhow::Result<()> {
        let place = turn * self.load.settings.actors + self.number;
        let batch = self.load.pool[place % self.load.pool.len()].clone();
        let end = Seq(self.next.0 + batch.len() as u64);
        let first = std::mem::replace(&mut self.next, end);
        self.send(&ToLearner::Trajectories { first, batch }).await?;
        loop {
            match self.receive().await? {
                ToActor::Ack {
                    next, resend: false, ..
                } if next >= end => return Ok(()),
                ToActor::Ack { resend: true, .. } => bail!("a batch was lost"),
                ToActor::Refused { reason } => bail!("refused: {reason}"),
                _ => {}
            }
        }
    }

    async fn send(&mut self, message: &ToLearner) -> anyhow::Result<()> {
        Ok(self.socket.send(encode(message).into()).await?)
    }

    async fn receive(&mut self) -> anyhow::Result<ToActor> {
        let message = self.socket.recv().await?;
        Ok(decode_to_actor(message.get(0).context("an empty message")?)?)
    }
}
