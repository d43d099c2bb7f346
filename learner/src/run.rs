//! Puts the parts together, and takes them apart again in order: training ends, then the network, then ingest.

use crate::error::LearnerError;
use crate::ingest::{Ingest, ToIngest};
use crate::network::{self, Channels, TO_NETWORK};
use crate::publisher::{FROM_TRAINER, Publisher, print_line};
use crate::router::{Bound, Door};
use crate::startup::{self, Started};
use crate::training::{self, End, Setup};
use crate::watched::{self, Watched};
use crossbeam_channel::bounded;
use serde_json::json;
use std::path::PathBuf;
use std::thread::JoinHandle;
use thermoflow::config::{Mode, RunConfig};
use thermoflow::durable;
use thermoflow::flow::{TO_TRAINER, commit_queue};
use thermoflow::logging;
use thermoflow::process;
use thermoflow::protocol::address::{Address, AddressError};
use thermoflow::protocol::secure::KeySource;
use thermoflow::protocol::weights::Packer;
use thermoflow::protocol::{Blob, Fleet, FleetReport, FleetSettings};
use thermoflow::task::{self, Task};
use thermoflow_watch::{Endpoint, Listen};
use tokio::sync::{mpsc, watch};
use tracing::info;

/// What a learner is told.
#[derive(Debug, Clone)]
pub struct Settings {
    /// The run's configuration, checked.
    pub config: RunConfig,
    /// Where the run is kept.
    pub run_dir: PathBuf,
    /// Go on with the run that is there.
    pub resume: bool,
    /// Where to listen.
    pub bind: Address,
    /// The host that actors are told when `bind` is all networks at once; None: this machine's name.
    pub advertise: Option<String>,
    /// The shared key; without one only loopback may be listened on.
    pub key: Option<KeySource>,
    /// A file that is to hold the address once actors may come.
    pub address_file: Option<PathBuf>,
    /// Lines of progress on standard output.
    pub progress: bool,
    /// Where Prometheus may ask for metrics.
    pub metrics: Option<Listen>,
}

/// Trains until all rounds are done or `shutdown` resolves.
///
/// # Errors
/// What cannot be started or gone on with; a checkpoint written before stays.
pub async fn run(settings: Settings, shutdown: impl Future<Output = ()>) -> Result<End, LearnerError> {
    let config = settings.config.clone();
    let attachment = task::attachment(&config.task)?;
    let task = Task::build(&config.task, attachment.as_deref())?;
    // First what is cheap to find out and leaves nothing behind.
    settings.bind.check_key(settings.key.is_some())?;
    let bind = |source| LearnerError::Bind {
        address: settings.bind.clone(),
        source,
    };
    let bound = Bound::new(&settings.bind).await.map_err(bind)?;
    let address = advertised(&settings, bound.address())?;
    let endpoint = match settings.metrics {
        Some(listen) => Some(Endpoint::bind(listen).await?),
        None => None,
    };
    let started = startup::start(&settings.run_dir, &config, &task, settings.resume)?;
    let mode = config.train.mode;
    let Started {
        run_dir,
        store,
        trainer,
        state,
        versions,
        known,
        early,
    } = started;

    let run = run_dir.record().run_id.clone();
    logging::set_run(&run);
    if let Some(key) = &settings.key {
        key.check_outside(&settings.run_dir)?;
    }
    let mut registry = watched::registry(&run, &config, &settings.run_dir);
    let watched = Watched::new(&mut registry);
    watched.ingest.start_at(store.counts()?.trajectories);
    let _serving = endpoint.map(|endpoint| endpoint.serve(registry));
    let router = bound.open(Door::new(&run, settings.key.clone())?);
    announce(&settings, &address, &run, state.round)?;
    let first_round = state.round;
    let fleet = FleetSettings {
        run,
        config: config.clone(),
        attachment: attachment.map(Blob),
        published: (mode == Mode::Async).then_some(state.policy_version),
        known,
        first_round,
        early,
    };
    let fleet = Fleet::new(fleet, &task);

    let (to_network, network_inbox) = mpsc::channel(TO_NETWORK);
    let (to_ingest, ingest_inbox) = mpsc::channel(commit_queue(mode));
    let (to_trainer, trainer_inbox) = bounded(TO_TRAINER);
    let (from_trainer, trainer_says) = bounded(FROM_TRAINER);
    let (stopper, stop) = bounded(1);
    let (report, reports) = watch::channel(FleetReport::default());

    let ingest = Ingest {
        store,
        env: task.env.clone(),
        max_staleness: Ingest::max_staleness(&config),
        inbox: ingest_inbox,
        network: to_network.clone(),
        training: (mode == Mode::Async).then(|| to_trainer.clone()),
        watched: watched.ingest.clone(),
    };
    let ingest = spawn("ingest", move || ingest.run())?;
    let publisher = Publisher {
        network: to_network,
        versions: (mode == Mode::Async).then_some(versions),
        packer: Packer::new(config.learner.weights),
        progress: settings.progress,
        complete: false,
        watched: watched.clone(),
    };
    let publisher = spawn("publisher", move || publisher.run(&trainer_says))?;
    let setup = Setup {
        config,
        task,
        run_dir: settings.run_dir.clone(),
        trainer,
        state,
        inbox: trainer_inbox,
        stop,
        outbox: from_trainer,
        flush: flush(mode, to_ingest.clone()),
        fleet: Box::new(move || reports.borrow().clone()),
    };
    let training = spawn("training", move || training::run(setup))?;

    let channels = Channels {
        inbox: network_inbox,
        ingest: to_ingest,
        training: to_trainer,
        report,
        watched,
    };
    let stopping = async move {
        shutdown.await;
        info!("asked to stop; a checkpoint is written first");
        drop(stopper);
        std::future::pending::<()>().await
    };
    tokio::select! {
        () = network::serve(router, fleet, channels) => (),
        () = stopping => (),
    }
    finish(training, publisher, ingest).await
}

/// Waits for the threads. The first that failed made the others stop, so ingest's error comes before training's.
async fn finish(
    training: JoinHandle<anyhow::Result<End>>,
    publisher: JoinHandle<()>,
    ingest: JoinHandle<Result<(), thermoflow::replay::StoreError>>,
) -> Result<End, LearnerError> {
    let joined = tokio::task::spawn_blocking(move || (join(training), join(publisher), join(ingest)));
    let (end, (), ingest) = joined
        .await
        .map_err(|error| LearnerError::Io("a thread", error.into()))?;
    ingest?;
    end.map_err(|error| LearnerError::Training(error.into_boxed_dyn_error()))
}

fn join<T>(thread: JoinHandle<T>) -> T {
    thread.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic))
}

fn spawn<T: Send + 'static>(
    name: &'static str,
    work: impl FnOnce() -> T + Send + 'static,
) -> Result<JoinHandle<T>, LearnerError> {
    let builder = std::thread::Builder::new().name(name.into());
    builder
        .spawn(work)
        .map_err(|error| LearnerError::Io("starting a thread", error))
}

/// Sync mode: waits until what was handed to ingest is committed. In async mode training gets nothing else, and must not
/// wait for ingest, which may be waiting for training.
fn flush(mode: Mode, ingest: mpsc::Sender<ToIngest>) -> training::Flush {
    Box::new(move || {
        if mode == Mode::Async {
            return Ok(());
        }
        let (done, answer) = bounded(1);
        ingest
            .blocking_send(ToIngest::Flush(done))
            .map_err(|_| anyhow::anyhow!("the replay has failed"))?;
        answer.recv().map_err(|_| anyhow::anyhow!("the replay has failed"))
    })
}

/// The address that actors are told.
fn advertised(settings: &Settings, bound: &Address) -> Result<Address, AddressError> {
    match &settings.advertise {
        Some(host) => bound.advertised(host),
        None if bound.is_wildcard() => bound.advertised(&process::host_name()),
        None => Ok(bound.clone()),
    }
}

/// Tells where the learner listens.
fn announce(settings: &Settings, address: &Address, run: &str, round: u64) -> Result<(), LearnerError> {
    info!(%address, run, round, "listening for actors");
    if let Some(path) = &settings.address_file {
        let text = format!("{address}\n");
        durable::replace(path, text.as_bytes()).map_err(|error| LearnerError::Io("writing the address file", error))?;
    }
    if settings.progress {
        let (address, run_dir) = (address.to_string(), settings.run_dir.display().to_string());
        print_line(&json!({"event": "listening", "address": address, "run": run, "run_dir": run_dir, "round": round}));
    }
    Ok(())
}
