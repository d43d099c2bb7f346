//! The program `thermoflow-bench-ingest`, which `thermoflow bench ingest` starts: arguments and the report.

use anyhow::Context;
use clap::Parser;
use serde_json::Value;
use std::path::PathBuf;
use std::process::ExitCode;
use thermoflow::logging::{self, LogFormat};
use thermoflow::process;
use thermoflow_learner::bench::{Objects, Settings, run};
use tracing_subscriber::EnvFilter;

/// Measures how many trajectories a second come safely to the disk: the store alone, then with actors on loopback
#[derive(Debug, Parser)]
#[command(name = "thermoflow bench ingest", version)]
struct Args {
    /// Simulated actors at once
    #[arg(long, default_value_t = 16, value_parser = clap::value_parser!(u16).range(1..=4000))]
    actors: u16,
    /// Trajectories per message
    #[arg(long, default_value_t = 256, value_parser = clap::value_parser!(u16).range(1..=4096))]
    batch: u16,
    /// Seconds to measure each part
    #[arg(long, default_value_t = 5, value_parser = clap::value_parser!(u16).range(1..=60))]
    seconds: u16,
    /// Trajectories offered per second by all actors together [default: as fast as they are acknowledged]
    #[arg(long, value_parser = clap::value_parser!(u32).range(1..))]
    rate: Option<u32>,
    /// Objects of which nearly every one is new, instead of TFBind8's 65,536 again and again
    #[arg(long)]
    new_objects: bool,
    /// Put a relay (the program thermoflow-relay) between the actors and the learner
    #[arg(long)]
    relay: bool,
    /// Where the database is written for the time of the bench
    #[arg(long, value_name = "DIR", default_value = ".")]
    dir: PathBuf,
    /// Print one JSON object instead of lines
    #[arg(long)]
    json: bool,
}

fn main() -> ExitCode {
    let filter = EnvFilter::try_from_default_env().unwrap_or_else(|_| EnvFilter::new("warn"));
    logging::log_to_stderr(filter, LogFormat::Text);
    match measure(&Args::parse()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => process::report(&error, false),
    }
}

fn measure(args: &Args) -> anyhow::Result<()> {
    let settings = Settings {
        actors: args.actors.into(),
        batch: args.batch.into(),
        seconds: args.seconds.into(),
        rate: args.rate.map(f64::from),
        relay: args.relay,
        objects: if args.new_objects { Objects::New } else { Objects::Known },
    };
    let dir = tempfile::tempdir_in(&args.dir).with_context(|| format!("{} cannot be used", args.dir.display()))?;
    let report = run(settings, dir.path())?;
    if args.json {
        println!("{report:#}");
        return Ok(());
    }
    for part in ["store", "network"] {
        println!("{part}: {}", line(&report[part]));
    }
    Ok(())
}

fn line(part: &Value) -> String {
    let number = |key: &str| part[key].as_f64().unwrap_or_default();
    let mut text = format!(
        "{:.0} trajectories/s ({:.1} commits/s, {} distinct objects, {:.0} bytes each)",
        number("trajectories_per_second"),
        number("commits_per_second"),
        part["distinct_objects"],
        number("bytes_per_trajectory"),
    );
    if let Some(waits) = part.get("acknowledged_after_ms") {
        let wait = |key: &str| waits[key].as_f64().unwrap_or_default();
        text += &format!(
            ", acknowledged after {:.0} ms (p50), {:.0} ms (p99), {:.0} ms (most)",
            wait("p50"),
            wait("p99"),
            wait("max")
        );
    }
    for (way, name) in [("in", "received"), ("out", "sent")] {
        let link = &part["learner_links"][way];
        if let (Some(messages), Some(bytes)) = (link["messages_per_second"].as_f64(), link["bytes_per_second"].as_f64())
        {
            text += &format!(", the learner {name} {messages:.0} messages/s, {:.2} MB/s", bytes / 1e6);
        }
    }
    text
}
