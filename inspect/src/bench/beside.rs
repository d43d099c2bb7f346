//! A writer that is as fast as it can be, and a reader that asks again and again meanwhile: what their two processes do.

use super::load::{BATCH, Load};
use crate::InspectError;
use crate::replay::{Filter, Replay};
use crate::serve::Run;
use crate::summary::Summary;
use serde::{Deserialize, Serialize};
use std::io::{Read, Write, stdin};
use std::path::Path;
use std::sync::mpsc::{Receiver, RecvTimeoutError, sync_channel};
use std::thread;
use std::time::{Duration, Instant};
use thermoflow::replay::{Received, Store};

/// From one question of the reader to the next; one that takes longer is followed by the next at once.
const EVERY: Duration = Duration::from_secs(2);

/// Batches in a commit: a learner commits about as much when it is busy.
const COMMIT: usize = 4096 / BATCH as usize;

/// What was written.
#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
pub struct Writing {
    /// Trajectories committed.
    pub trajectories: u64,
    /// Time that commits took, without making what was committed.
    pub seconds: f64,
}

/// Adds made-up trajectories to a replay for so long. `seed` must not have been used for this replay.
///
/// # Errors
/// When writing fails.
pub fn write(path: &Path, seed: u64, time: Duration) -> anyhow::Result<Writing> {
    let mut store = Store::open(path)?;
    let mut load = Load::new(u64::MAX, seed)?;
    let (mut trajectories, mut spent) = (0, Duration::ZERO);
    let start = Instant::now();
    while start.elapsed() < time {
        let group = load.by_ref().take(COMMIT).collect::<anyhow::Result<Vec<_>>>()?;
        let group: Vec<Received> = group.into_iter().flatten().collect();
        let before = Instant::now();
        store.commit(&group)?;
        spent += before.elapsed();
        trajectories += group.len() as u64;
    }
    Ok(Writing {
        trajectories,
        seconds: spent.as_secs_f64(),
    })
}

/// What was read.
#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
pub struct Polling {
    /// Summaries after the first.
    pub answers: u64,
    /// Time that these took.
    pub seconds: f64,
}

/// Asks for a summary again and again until standard input ends: of all trajectories anew, or with `incremental` as the
/// page does, which reads what is new. A line on `ready` says that the first is done.
///
/// # Errors
/// When reading fails.
pub fn poll(path: &Path, incremental: bool, ready: &mut impl Write) -> anyhow::Result<Polling> {
    let reader = Reader::open(path, incremental)?;
    reader.ask()?;
    writeln!(ready, "ready")?;
    ready.flush()?;
    let end = end_of_input();
    let mut polling = Polling {
        answers: 0,
        seconds: 0.0,
    };
    let mut wait = EVERY;
    while let Err(RecvTimeoutError::Timeout) = end.recv_timeout(wait) {
        let start = Instant::now();
        reader.ask()?;
        polling.answers += 1;
        polling.seconds += start.elapsed().as_secs_f64();
        wait = EVERY.saturating_sub(start.elapsed());
    }
    Ok(polling)
}

/// Closed when standard input is.
fn end_of_input() -> Receiver<()> {
    let (sender, receiver) = sync_channel(0);
    thread::spawn(move || {
        // An error is an end as well.
        let _ = stdin().read_to_end(&mut Vec::new());
        drop(sender);
    });
    receiver
}

enum Reader {
    Anew(Box<Replay>),
    Page(Box<Run>),
}

impl Reader {
    fn open(path: &Path, incremental: bool) -> Result<Self, InspectError> {
        Ok(if incremental {
            Self::Page(Box::new(Run::open(path)?))
        } else {
            Self::Anew(Box::new(Replay::open(path)?))
        })
    }

    fn ask(&self) -> Result<(), InspectError> {
        match self {
            Self::Anew(replay) => drop(Summary::read(replay, &Filter::NONE)?),
            Self::Page(run) => loop {
                let answer = run.summary(None)?;
                if answer.read == answer.total {
                    break;
                }
            },
        }
        Ok(())
    }
}
