//! Messages on their way: sockets, seals, and an actor that looks at the time.

use super::learner::{Measured, Messages};
use super::{Clock, Times};
use crate::cli::sibling;
use anyhow::{Context, ensure};
use serde_json::Value;
use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::path::Path;
use std::process::Command;
use std::time::Duration;
use thermoflow::process;
use thermoflow::protocol::secure::{Challenge, Key, Knock};
use thermoflow::protocol::{ActorEvent, ActorSession, Hello};
use thermoflow::random::{Purpose, Stream};
use thermoflow::units::{Incarnation, Seq};

/// Bytes that are sent and sealed to know what one costs.
const MANY: usize = 32 << 20;

/// Bytes at a time.
const PIECE: usize = 256 << 10;

/// Looks at the time.
const TICKS: u32 = 300;

/// CPU seconds of a message at one of its ends: the learner's own sockets under simulated actors, less what is known to
/// be done with a message.
pub fn message(learner: &Measured, messages: &Messages, dir: &Path) -> anyhow::Result<f64> {
    let program = sibling::find("thermoflow-bench-ingest")?;
    let mut command = Command::new(&program);
    command.args(["--actors", "8", "--batch", "1", "--seconds", "1", "--json", "--dir"]);
    let output = command
        .arg(dir)
        .output()
        .with_context(|| format!("{} cannot be started", program.display()))?;
    ensure!(
        output.status.success(),
        "measuring messages failed: {}",
        String::from_utf8_lossy(&output.stderr).trim()
    );
    let report: Value = serde_json::from_slice(&output.stdout).context("the report of the bench")?;
    let network = &report["network"];
    let number = |key: &str| {
        network[key]
            .as_f64()
            .with_context(|| format!("the bench reports no {key}"))
    };
    let sent = number("trajectories")?;
    let commits = number("commits_per_second")? * number("seconds")?;
    let costs = &learner.costs;
    let known = commits * costs.commit
        + sent * (costs.commit_each + messages.encode + messages.receive + messages.receive_each);
    // A message and its acknowledgement have two ends each.
    Ok(((number("cpu_seconds")? - known) / (4.0 * sent)).max(0.0))
}

/// CPU seconds of a byte at one end of a connection.
pub fn byte() -> anyhow::Result<f64> {
    let listener = TcpListener::bind("127.0.0.1:0")?;
    let mut sending = TcpStream::connect(listener.local_addr()?)?;
    let (mut receiving, _) = listener.accept()?;
    let reader = std::thread::spawn(move || {
        let mut buffer = vec![0; PIECE];
        Clock::Cpu
            .time(|| while receiving.read(&mut buffer).is_ok_and(|count| count > 0) {})
            .0
    });
    let piece = vec![0; PIECE];
    let (written, done) = Clock::Cpu.time(|| (0..MANY / PIECE).try_for_each(|_| sending.write_all(&piece)));
    done?;
    drop(sending);
    let read = reader.join().map_err(|_| anyhow::anyhow!("reading panicked"))?;
    Ok((written + read) / 2.0 / MANY as f64)
}

/// CPU seconds of a byte that is sealed, or opened.
pub fn seal_byte() -> f64 {
    let key = Key::new([7; 32]);
    let (id, incarnation) = (key.id(), Incarnation(1));
    let challenge = Challenge::new("plan", [3; 32]);
    let (first, waiting) = challenge.respond(Knock { key: id, incarnation }, &key);
    let accepted = challenge.accept(Knock { key: id, incarnation }, &key, &first);
    let (second, mut learner) = accepted.expect("both sides have the same key");
    let mut actor = waiting.finish(&second).expect("both sides have the same key");
    let piece = vec![0; PIECE];
    let mut times = Times::default();
    for _ in 0..MANY / PIECE / 4 {
        let (spent, opened) = Clock::Cpu.time(|| learner.open(&actor.seal(&piece)));
        debug_assert!(opened.is_ok());
        times.add(spent / 2.0 / PIECE as f64);
    }
    times.mean()
}

/// CPU seconds of an actor's look at the time.
pub fn tick() -> anyhow::Result<f64> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let [name, host, device] = ["plan", "plan", ""].map(String::from);
    let hello = Hello {
        incarnation: Incarnation(1),
        oldest: Seq(0),
        name,
        host,
        process: 0,
        device,
    };
    let jitter = Stream::new(0, Purpose::Bench, 0, 0);
    let mut session = ActorSession::new(hello, None, Duration::from_secs(60), jitter, Duration::ZERO);
    let before = process::thread_cpu_time();
    runtime.block_on(async {
        let mut ticks = tokio::time::interval(Duration::from_millis(1));
        for _ in 0..TICKS {
            ticks.tick().await;
            session.handle(Duration::ZERO, ActorEvent::Tick, &mut Vec::new());
        }
    });
    Ok((process::thread_cpu_time() - before).as_secs_f64() / f64::from(TICKS))
}
