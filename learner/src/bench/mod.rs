//! Load on the way from actors to the disk: the learner's own router, fleet and ingest, with simulated actors and a
//! trainer that throws everything away. No training, and no policy: what actors send is made up beforehand.

mod actors;
mod examples;
mod relay;

use crate::ingest::Ingest;
use crate::network::{self, Channels, TO_NETWORK, ToNetwork};
use crate::router::{Bound, Door};
use crate::training::ToTrainer;
use crate::watched::Watched;
use actors::Load;
use anyhow::Context;
use crossbeam_channel::bounded;
pub use examples::Objects;
use examples::{VERSION, pool};
use relay::Relay;
use serde_json::{Value, json};
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};
use thermoflow::config::{Mode, RawConfig, RunConfig, WeightsFormat};
use thermoflow::flow::{COMMIT_GROUP, commit_queue};
use thermoflow::process;
use thermoflow::protocol::weights::Packer;
use thermoflow::protocol::{Fleet, FleetReport, FleetSettings};
use thermoflow::replay::{Received, Store};
use thermoflow::rollout::Trajectory;
use thermoflow::task::Task;
use thermoflow::units::{Incarnation, Seq};
use thermoflow_watch::metrics::Count;
use tokio::sync::{mpsc, watch};

/// Trajectories prepared per second of measuring; when they run out, they are sent again.
const PREPARED_PER_SECOND: f64 = 400_000.0;

/// What to measure.
#[derive(Debug, Clone, Copy)]
pub struct Settings {
    /// Actors at once.
    pub actors: usize,
    /// Trajectories per message.
    pub batch: usize,
    /// How long each part is measured.
    pub seconds: f64,
    /// Trajectories offered per second by all actors together; None: each sends as soon as it is acknowledged.
    pub rate: Option<f64>,
    /// A relay lies between the actors and the learner.
    pub relay: bool,
    /// Which objects.
    pub objects: Objects,
}

/// Measures the store alone, then the whole way over loopback. `dir` is empty and on the disk to be measured.
///
/// # Errors
/// The disk, or sockets.
pub fn run(settings: Settings, dir: &Path) -> anyhow::Result<Value> {
    let config = configuration(&settings)?;
    let task = Task::load(&config.task)?;
    let count = (settings.seconds * PREPARED_PER_SECOND) as usize / settings.batch;
    let pool = Arc::new(pool(&task, count.max(1), settings.batch)?);
    let store = store_alone(&settings, &task, &pool, &dir.join("alone.sqlite"))?;
    let network = whole_way(&settings, config, task, pool, &dir.join("network.sqlite"))?;
    let Settings { actors, batch, .. } = settings;
    let objects = settings.objects.name();
    let relay = settings.relay;
    let report = json!({"actors": actors, "batch": batch, "objects": objects, "relay": relay, "store": store, "network": network});
    Ok(report)
}

fn configuration(settings: &Settings) -> anyhow::Result<RunConfig> {
    let mut raw = RawConfig::default();
    raw.task.name = Some(settings.objects.task().into());
    raw.train.mode = Some(Mode::Async);
    raw.actor.batch = Some(settings.batch);
    raw.learner.max_staleness = Some(1);
    Ok(raw.resolve()?)
}

/// Rows of a store to commits on the disk, in this thread.
fn store_alone(settings: &Settings, task: &Task, pool: &[Vec<Trajectory>], path: &Path) -> anyhow::Result<Value> {
    let mut store = Store::open(path)?;
    let mut next = vec![0; settings.actors];
    let mut batches = pool.iter().cycle().enumerate();
    let (mut spent, mut trajectories, mut commits) = (Duration::ZERO, 0, 0);
    while spent.as_secs_f64() < settings.seconds {
        let mut rows = Vec::with_capacity(COMMIT_GROUP);
        while rows.len() < COMMIT_GROUP {
            let (number, batch) = batches.next().context("the pool is empty")?;
            let actor = number % settings.actors;
            rows.extend(
                batch
                    .iter()
                    .zip(next[actor]..)
                    .map(|(t, seq)| received(task, actor, seq, t)),
            );
            next[actor] += batch.len() as u64;
        }
        let start = Instant::now();
        store.commit(&rows)?;
        spent += start.elapsed();
        trajectories += rows.len();
        commits += 1;
    }
    finished(store, path, trajectories as u64, commits, spent)
}

fn received(task: &Task, actor: usize, seq: u64, trajectory: &Trajectory) -> Received {
    let object = task
        .env
        .object_of(&trajectory.actions)
        .expect("the pool holds complete walks");
    Received {
        incarnation: Incarnation(actor as u64),
        actor_name: format!("actor-{actor}").into(),
        seq: Seq(seq),
        staleness: 0,
        received_us: seq,
        trainable: true,
        trajectory: trajectory.clone(),
        object: task.env.format(&object),
    }
}

/// Closes the store and says what was done to it.
fn finished(store: Store, path: &Path, expected: u64, commits: u64, spent: Duration) -> anyhow::Result<Value> {
    let counts = store.counts()?;
    anyhow::ensure!(
        counts.trajectories == expected,
        "{expected} trajectories were acknowledged, the replay holds {}",
        counts.trajectories
    );
    drop(store);
    let bytes = std::fs::metadata(path)?.len();
    let seconds = spent.as_secs_f64();
    Ok(json!({
        "trajectories_per_second": expected as f64 / seconds,
        "commits_per_second": commits as f64 / seconds,
        "trajectories": expected,
        "distinct_objects": counts.objects,
        "bytes_per_trajectory": bytes as f64 / expected as f64,
        "seconds": seconds,
    }))
}

/// Messages of actors over sockets to acknowledgements; actors share one thread, the learner has its usual two.
fn whole_way(
    settings: &Settings,
    config: RunConfig,
    task: Task,
    pool: Arc<Vec<Vec<Trajectory>>>,
    path: &Path,
) -> anyhow::Result<Value> {
    let (to_network, network_inbox) = mpsc::channel(TO_NETWORK);
    let (to_ingest, ingest_inbox) = mpsc::channel(commit_queue(config.train.mode));
    let (to_trainer, trainer_inbox) = bounded(1);
    let (report, _reports) = watch::channel(FleetReport::default());
    let watched = Watched::by_nobody();
    let links = watched.links.clone();
    let ingest = Ingest {
        store: Store::open(path)?,
        env: task.env.clone(),
        max_staleness: u64::MAX,
        inbox: ingest_inbox,
        network: to_network.clone(),
        training: Some(to_trainer.clone()),
        watched: watched.ingest.clone(),
    };
    let ingest = std::thread::spawn(move || ingest.run());
    let trainer = std::thread::spawn(move || trainer_inbox.iter().filter(is_batch).count() as u64);
    let fleet = Fleet::new(fleet_settings(config), &task);
    let channels = Channels {
        inbox: network_inbox,
        ingest: to_ingest,
        training: to_trainer,
        report,
        watched,
    };
    let published = Packer::new(WeightsFormat::F32).pack(VERSION, 0.0, Arc::default());
    to_network.blocking_send(ToNetwork::Publish(published))?;

    let (bound, address) = std::sync::mpsc::channel();
    let learner = std::thread::spawn(move || -> anyhow::Result<()> {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        runtime.block_on(async {
            let listening = Bound::new(&"tcp://127.0.0.1:0".parse()?).await?;
            bound.send(listening.address().clone())?;
            network::serve(listening.open(Door::new("bench", None)?), fleet, channels).await;
            Ok(())
        })
    });
    let address = address.recv().context("the learner does not listen")?;
    let relay = match settings.relay {
        true => Some(Relay::start(&address, &path.with_extension("relay"))?),
        false => None,
    };
    let load = Load {
        address: relay.as_ref().map_or(address, |relay| relay.address.clone()),
        settings: *settings,
        pool,
    };
    let before = process::cpu_time();
    let outcome = load.run()?;
    let spent = process::cpu_time() - before;
    to_network.blocking_send(ToNetwork::Stop)?;
    drop(to_network);
    let panicked = |_| anyhow::anyhow!("a thread of the learner panicked");
    learner.join().map_err(panicked)??;
    ingest.join().map_err(panicked)??;
    let commits = trainer.join().map_err(panicked)?;
    let mut report = finished(Store::open(path)?, path, outcome.trajectories, commits, outcome.spent)?;
    // Of the learner's threads and of the simulated actors.
    report["cpu_seconds"] = spent.as_secs_f64().into();
    let seconds = outcome.spent.as_secs_f64();
    let rate = |count: Count| {
        json!({
            "messages_per_second": count.messages as f64 / seconds,
            "bytes_per_second": count.bytes as f64 / seconds,
        })
    };
    let traffic = links.get();
    report["learner_links"] = json!({"in": rate(traffic.received), "out": rate(traffic.sent)});
    report["acknowledged_after_ms"] = outcome.latencies();
    Ok(report)
}

/// Ingest hands each commit on as one.
fn is_batch(message: &ToTrainer) -> bool {
    matches!(message, ToTrainer::Batch(_))
}

fn fleet_settings(config: RunConfig) -> FleetSettings {
    FleetSettings {
        run: "bench".into(),
        config,
        attachment: None,
        published: None,
        known: Default::default(),
        first_round: 0,
        early: Vec::new(),
    }
}
