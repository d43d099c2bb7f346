//! The program: arguments, logging, exit code.

use crate::{ActorError, Learner, Settings, run};
use anyhow::Context;
use clap::Parser;
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;
use thermoflow::console::sibling::start_over_with_libtorch;
use thermoflow::logging::{self, LogFormat};
use thermoflow::process;
use thermoflow::protocol::address::Address;
use thermoflow::protocol::secure::{KEY_VARIABLE, KeySource};
use thermoflow_watch::Listen;

/// Rolls out trajectories for a learner. It needs an address; everything else comes from there.
#[derive(Debug, Parser)]
#[command(name = "thermoflow-actor", version, after_help = EXAMPLES)]
struct Args {
    /// The learner, as it prints it: tcp://HOST:PORT
    #[arg(long, value_name = "ADDRESS", required_unless_present = "connect_file")]
    connect: Option<Address>,
    /// File that holds the learner's address (its --address-file); read again at every attempt, so that the learner may move
    #[arg(long, value_name = "PATH", conflicts_with = "connect")]
    connect_file: Option<PathBuf>,
    /// File with the learner's key [default: the environment's THERMOFLOW_KEY, else no key, and loopback only]
    #[arg(long, value_name = "PATH")]
    key_file: Option<PathBuf>,
    /// Name shown in progress and kept in the replay [default: actor-PROCESS]
    #[arg(long, value_parser = parse_name)]
    name: Option<String>,
    /// Device to compute on (cpu, cuda, cuda:N, mps) [default: the run's actor.device]
    #[arg(long)]
    device: Option<String>,
    /// Threads of matrix products [default: the run's actor.threads]
    #[arg(long)]
    threads: Option<usize>,
    /// Agree to start the program that the run scores its objects with, if it has one (task.oracle.command)
    #[arg(long)]
    allow_programs: bool,
    /// Wait so many milliseconds for every object that is scored, as a slow oracle would: to see how a run scales before
    /// there is one (thermoflow plan)
    #[arg(long, value_name = "MS", value_parser = parse_milliseconds)]
    pretend_reward_ms: Option<Duration>,
    /// Seconds to look for a learner before giving up
    #[arg(long, default_value_t = 300, value_name = "SECONDS")]
    give_up_after: u64,
    /// Directory of this actor's own that keeps what it made until it is acknowledged, so that its crash loses nothing:
    /// started again with it, it delivers that first
    #[arg(long, value_name = "DIR")]
    outbox: Option<PathBuf>,
    /// Show metrics to Prometheus at http://ADDRESS:PORT/metrics; a PORT alone is on loopback, port 0 takes a free one and
    /// says so in the log. Whoever reaches the address may read them: there is no key, and no secret in them
    #[arg(long, value_name = "ADDRESS:PORT")]
    metrics_listen: Option<Listen>,
    /// File that gets a line of JSON for whatever was made or acknowledged, to compare with the replay
    #[arg(long, value_name = "PATH")]
    ledger: Option<PathBuf>,
    /// Log lines for people (text), or a JSON object a line with run, actor and policy version (json) [default: the
    /// environment's THERMOFLOW_LOG_FORMAT, else text]
    #[arg(long, value_name = "FORMAT")]
    log_format: Option<LogFormat>,
    /// Stop when standard input ends (set by programs that start this one)
    #[arg(long, hide = true)]
    watch_stdin: bool,
}

const EXAMPLES: &str = "\
Examples:
  thermoflow-actor --connect tcp://127.0.0.1:5555
  thermoflow-actor --connect tcp://127.0.0.1:5555 --name gpu-0 --device cuda:0
  thermoflow-actor --connect-file runs/a/address --outbox /var/tmp/actor-0
  thermoflow-actor --connect tcp://learner.example:5555 --key-file ~/thermoflow.key

Exit codes: 0 the run is over or it was asked to stop, 1 it failed, 2 it can never work like this: wrong usage, a device or
an oracle that is not there, a program that was not agreed to, a wrong key. RUST_LOG sets what is logged.";

/// Longest name.
const MAX_NAME: usize = 64;

fn parse_name(text: &str) -> Result<String, String> {
    let good = !text.is_empty() && text.len() <= MAX_NAME && !text.chars().any(char::is_control);
    if good {
        Ok(text.into())
    } else {
        Err(format!("1 to {MAX_NAME} bytes without control characters are allowed"))
    }
}

fn parse_milliseconds(text: &str) -> Result<Duration, String> {
    let seconds = text.parse().map(|milliseconds: f64| milliseconds / 1e3);
    let duration = seconds
        .ok()
        .and_then(|seconds| Duration::try_from_secs_f64(seconds).ok());
    duration.ok_or_else(|| "a number of milliseconds of at least 0 is allowed".into())
}

/// Runs it to its end. Without libtorch it starts over as `thermoflow-actor-torch` once a learner's configuration needs that.
pub fn main() -> ExitCode {
    let args = Args::parse();
    let started = logging::start("warn,thermoflow_actors=info,thermoflow_watch=info", args.log_format);
    if let Err(error) = started {
        return process::report(&error.into(), true);
    }
    match start(args).map_err(start_over_with_libtorch) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            let is_bad_input = error.downcast_ref().is_some_and(ActorError::is_hopeless);
            process::report(&error, is_bad_input)
        }
    }
}

fn start(args: Args) -> anyhow::Result<()> {
    let learner = match (args.connect, args.connect_file) {
        (Some(address), _) => Learner::At(address),
        (None, Some(path)) => Learner::In(path),
        (None, None) => anyhow::bail!("--connect or --connect-file is needed"),
    };
    let settings = Settings {
        learner,
        key: KeySource::given(args.key_file, std::env::var_os(KEY_VARIABLE)).map_err(ActorError::from)?,
        name: args.name.unwrap_or_else(|| format!("actor-{}", std::process::id())),
        device: args.device,
        threads: args.threads,
        allow_programs: args.allow_programs,
        pretend_reward: args.pretend_reward_ms,
        give_up: Duration::from_secs(args.give_up_after),
        outbox: args.outbox,
        ledger: args.ledger,
        metrics: args.metrics_listen,
    };
    // One thread: the network task waits nearly always, and the roller has a thread of its own.
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .context("no runtime")?;
    runtime.block_on(async {
        let shutdown = process::stop_requested(args.watch_stdin).context("signals cannot be caught")?;
        run(settings, shutdown).await?;
        Ok(())
    })
}
