//! The program `thermoflow-learner`: arguments, logging, exit code.

use anyhow::Context;
use clap::Parser;
use std::path::PathBuf;
use std::process::ExitCode;
use thermoflow::config::{self, RawConfig};
use thermoflow::logging::{self, LogFormat};
use thermoflow::process;
use thermoflow::protocol::address::Address;
use thermoflow::protocol::secure::{KEY_VARIABLE, KeySource};
use thermoflow_learner::{LearnerError, Settings, run};
use thermoflow_watch::Listen;
use tracing::info;

/// Listens for actors, keeps what they send, and trains on it.
#[derive(Debug, Parser)]
#[command(name = "thermoflow-learner", version, after_help = EXAMPLES)]
struct Args {
    /// The run's configuration (TOML)
    config: PathBuf,
    /// Directory that keeps the run
    #[arg(long, value_name = "DIR")]
    run_dir: PathBuf,
    /// Where to listen for actors; port 0 takes a free one
    #[arg(long, value_name = "ADDRESS", default_value = "tcp://127.0.0.1:0")]
    bind: Address,
    /// Host that actors are told when --bind is all networks at once [default: this machine's name]
    #[arg(long, value_name = "HOST")]
    advertise: Option<String>,
    /// File with the key that actors must have (`thermoflow key new` makes one) [default: the environment's
    /// THERMOFLOW_KEY, else no key, and loopback only]
    #[arg(long, value_name = "PATH")]
    key_file: Option<PathBuf>,
    /// Seed in place of the configuration's
    #[arg(long)]
    seed: Option<u64>,
    /// Rounds in place of the configuration's
    #[arg(long)]
    rounds: Option<u64>,
    /// Device to train on (cpu, cpu-torch, cuda, cuda:N, mps) [default: the configuration's]
    #[arg(long)]
    device: Option<String>,
    /// Any key of the configuration, for example --set train.batch=64
    #[arg(long, value_name = "KEY=VALUE")]
    set: Vec<String>,
    /// Go on with the run in --run-dir
    #[arg(long)]
    resume: bool,
    /// File that gets the address once actors may come
    #[arg(long, value_name = "PATH")]
    address_file: Option<PathBuf>,
    /// Show metrics to Prometheus at http://ADDRESS:PORT/metrics; a PORT alone is on loopback, port 0 takes a free one and
    /// says so in the log. Whoever reaches the address may read them: there is no key, and no secret in them
    #[arg(long, value_name = "ADDRESS:PORT")]
    metrics_listen: Option<Listen>,
    /// Print progress as JSON lines
    #[arg(long)]
    progress: bool,
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
  thermoflow-learner configs/tfbind8.toml --run-dir runs/first --bind tcp://127.0.0.1:5555
  thermoflow-learner configs/tfbind8.toml --run-dir runs/first --bind tcp://127.0.0.1:5555 --resume
  thermoflow-learner configs/tfbind8.toml --run-dir runs/first --bind tcp://0.0.0.0:5555 --key-file ~/thermoflow.key

Exit codes: 0 all rounds are done or it was asked to stop, 1 it failed, 2 the input or the usage is wrong.
RUST_LOG sets what is logged.";

fn main() -> ExitCode {
    thermoflow_torch::install();
    let args = Args::parse();
    let started = logging::start("warn,thermoflow_learner=info,thermoflow_watch=info", args.log_format);
    if let Err(error) = started {
        return process::report(&error.into(), true);
    }
    match start(args) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            let is_bad_input = error.downcast_ref().is_some_and(LearnerError::is_bad_input);
            process::report(&error, is_bad_input)
        }
    }
}

fn start(args: Args) -> anyhow::Result<()> {
    let mut flags = RawConfig {
        seed: args.seed,
        ..RawConfig::default()
    };
    flags.train.rounds = args.rounds;
    flags.learner.device = args.device;
    let config = config::load(&args.config, &args.set, &flags).map_err(LearnerError::from)?;
    info!("configuration:\n{}", config.to_toml());
    let settings = Settings {
        config,
        run_dir: args.run_dir,
        resume: args.resume,
        bind: args.bind,
        advertise: args.advertise,
        key: KeySource::given(args.key_file, std::env::var_os(KEY_VARIABLE)).map_err(LearnerError::from)?,
        address_file: args.address_file,
        progress: args.progress,
        metrics: args.metrics_listen,
    };
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .context("no runtime")?;
    runtime.block_on(async {
        let shutdown = process::stop_requested(args.watch_stdin).context("signals cannot be caught")?;
        let end = run(settings, shutdown).await?;
        info!(?end, "done");
        Ok(())
    })
}
