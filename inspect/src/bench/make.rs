//! A replay of made-up trajectories, through the store that a learner writes with.

use super::load::{BATCH, Load};
use crate::InspectError;
use crate::new_file::NewFile;
use indicatif::ProgressBar;
use std::path::Path;
use std::sync::mpsc::{Receiver, sync_channel};
use std::thread;
use thermoflow::replay::{Received, Store};
use thermoflow::run_dir::{RunDir, RunRecord};

/// Batches in a commit. Many, because a commit waits for the disk.
const COMMIT: usize = (1 << 16) / BATCH as usize;

/// Batches that are made ahead of the store, 10 MB; when they are so many, making waits.
const AHEAD: usize = COMMIT;

/// Makes a replay of `count` trajectories: a file if `place` ends in .sqlite, else a run directory. The replay is there
/// whole or not at all.
///
/// # Errors
/// There is something at `place`, or it cannot be written.
pub fn make(place: &Path, count: u64, seed: u64, progress: &ProgressBar) -> anyhow::Result<()> {
    let load = Load::new(count, seed)?;
    if place.extension().is_some_and(|ending| ending == "sqlite") {
        return fill(place, load, progress);
    }
    let record = RunRecord {
        run_id: format!("{seed:016x}"),
        created: 0,
        versions: Default::default(),
        config: load.config().clone(),
    };
    let run = RunDir::create(place, record).map_err(InspectError::Run)?;
    fill(&run.paths().replay(), load, progress)
}

fn fill(path: &Path, load: Load, progress: &ProgressBar) -> anyhow::Result<()> {
    let new = NewFile::create(path, false)?;
    let mut store = Store::open(new.part())?;
    store.set_meta("task", &serde_json::to_string(&load.config().task)?)?;
    let (sender, receiver) = sync_channel(AHEAD);
    thread::scope(|scope| {
        scope.spawn(move || {
            for batch in load {
                // Nobody takes more: a commit failed.
                if sender.send(batch).is_err() {
                    return;
                }
            }
        });
        commit(&mut store, receiver, progress)
    })?;
    // Closing brings everything from the log into the file.
    drop(store);
    new.keep()?;
    Ok(())
}

/// Commits what comes. Takes the receiver, so that whoever sends notices an error.
fn commit(
    store: &mut Store,
    batches: Receiver<anyhow::Result<Vec<Received>>>,
    progress: &ProgressBar,
) -> anyhow::Result<()> {
    loop {
        let group: anyhow::Result<Vec<Vec<Received>>> = batches.iter().take(COMMIT).collect();
        let group: Vec<Received> = group?.into_iter().flatten().collect();
        if group.is_empty() {
            return Ok(());
        }
        store.commit(&group)?;
        progress.inc(group.len() as u64);
    }
}
