//! The program `thermoflow-relay`: arguments, logging, exit code.

use anyhow::Context;
use clap::Parser;
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;
use thermoflow::console::sibling;
use thermoflow::logging::{self, LogFormat};
use thermoflow::process::{self, FAILED};
use thermoflow::protocol::address::Address;
use thermoflow::protocol::relay::MAX_BRANCHES;
use thermoflow::protocol::secure::{KEY_VARIABLE, KeySource};
use thermoflow_actors::Learner;
use thermoflow_relay::{CrewSettings, RelayError, Settings, run};
use thermoflow_watch::Listen;

/// Passes on what the actors of a node and the learner say to each other, over one connection: weights come to the node once.
/// Actors connect to it as they would to the learner.
#[derive(Debug, Parser)]
#[command(name = "thermoflow-relay", version, after_help = EXAMPLES)]
struct Args {
    /// The learner, as it prints it: tcp://HOST:PORT
    #[arg(long, value_name = "ADDRESS", required_unless_present = "connect_file")]
    connect: Option<Address>,
    /// File that holds the learner's address (its --address-file); read again at every attempt, so that the learner may move
    #[arg(long, value_name = "PATH", conflicts_with = "connect")]
    connect_file: Option<PathBuf>,
    /// Where to listen for actors; port 0 takes a free one
    #[arg(long, value_name = "ADDRESS", default_value = "tcp://127.0.0.1:0")]
    bind: Address,
    /// File that gets the address once actors may come (their --connect-file)
    #[arg(long, value_name = "PATH")]
    address_file: Option<PathBuf>,
    /// File with the learner's key, which actors must have too [default: the environment's THERMOFLOW_KEY, else no key, and
    /// loopback only]
    #[arg(long, value_name = "PATH")]
    key_file: Option<PathBuf>,
    /// Seconds to look for a learner before giving up
    #[arg(long, default_value_t = 300, value_name = "SECONDS")]
    give_up_after: u64,
    /// Show metrics to Prometheus at http://ADDRESS:PORT/metrics; a PORT alone is on loopback, port 0 takes a free one and
    /// says so in the log. Whoever reaches the address may read them: there is no key, and no secret in them
    #[arg(long, value_name = "ADDRESS:PORT")]
    metrics_listen: Option<Listen>,
    /// Log lines for people (text), or a JSON object a line (json) [default: the environment's THERMOFLOW_LOG_FORMAT, else
    /// text]
    #[arg(long, value_name = "FORMAT")]
    log_format: Option<LogFormat>,
    /// Start so many actors on this node, which connect here and end with this program; when one ends badly, all do
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=MAX_BRANCHES as i64))]
    crew: Option<u32>,
    /// Arguments of each actor of the crew, which has the address and the key file already; {} at the end of one stands for
    /// the actor's number, from 0
    #[arg(last = true, requires = "crew", value_name = "ARGUMENT")]
    actor: Vec<String>,
    /// Stop when standard input ends (set by programs that start this one)
    #[arg(long, hide = true)]
    watch_stdin: bool,
}

const EXAMPLES: &str = "\
Examples:
  thermoflow-relay --connect tcp://learner.example:5555 --bind tcp://127.0.0.1:5556 --key-file ~/thermoflow.key
  thermoflow-actor --connect tcp://127.0.0.1:5556 --key-file ~/thermoflow.key
  thermoflow-relay --connect-file runs/a/address --address-file /tmp/relay --metrics-listen 9466
  thermoflow-relay --connect-file runs/a/address --crew 16 -- --name node-7.{} --outbox /var/tmp/actor.{}

It ends when the run is over, or when it is asked to: then its actors have 5 seconds to leave. With --crew it asks them, and
waits until they have ended.

Exit codes: 0 the run is over or it was asked to stop, 1 it failed, 2 it can never work like this: wrong usage, an address that
cannot be listened on, a wrong key. Where an actor of the crew ended badly it is that one's, or 128 and the signal. RUST_LOG sets
what is logged.";

fn main() -> ExitCode {
    let args = Args::parse();
    // The router for actors is the learner's, and logs in its name.
    let filter = "warn,thermoflow_relay=info,thermoflow_learner=info,thermoflow_watch=info";
    if let Err(error) = logging::start(filter, args.log_format) {
        return process::report(&error.into(), true);
    }
    match start(args) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            let code = error.downcast_ref().map_or(FAILED, RelayError::exit_code);
            process::report_as(&error, code)
        }
    }
}

fn start(args: Args) -> anyhow::Result<()> {
    let learner = match (args.connect, args.connect_file) {
        (Some(address), _) => Learner::At(address),
        (None, Some(path)) => Learner::In(path),
        (None, None) => anyhow::bail!("--connect or --connect-file is needed"),
    };
    let program = args.crew.map(|_| sibling::find("thermoflow-actor")).transpose()?;
    let crew = args.crew.zip(program).map(|(actors, program)| CrewSettings {
        program,
        actors,
        arguments: args.actor,
    });
    let settings = Settings {
        learner,
        key: KeySource::given(args.key_file, std::env::var_os(KEY_VARIABLE)).map_err(RelayError::from)?,
        bind: args.bind,
        address_file: args.address_file,
        give_up: Duration::from_secs(args.give_up_after),
        metrics: args.metrics_listen,
        crew,
    };
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
