//! The trajectories of several runs of one task in a new replay.

use crate::InspectError;
use crate::new_file::{NewFile, refuse_replay};
use crate::replay::Replay;
use serde::Serialize;
use std::path::Path;
use thermoflow::config::TaskConfig;
use thermoflow::replay::{Received, Store};

/// Trajectories that are committed at once.
const COMMIT: usize = 1 << 16;

/// What was merged.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize)]
pub struct Report {
    /// Trajectories in the new replay.
    pub trajectories: u64,
    /// Trajectories that were in more than one, or twice, and are kept once.
    pub repeated: u64,
    /// Its distinct objects.
    pub objects: u64,
    /// Its size.
    pub bytes: u64,
}

/// Writes all trajectories of `replays` to the new replay `out`, run after run in order of commit. A trajectory, named by
/// incarnation and number, is there once; different scores of an object are all kept.
///
/// # Errors
/// The tasks differ or are not known, `out` is there already, or reading or writing fails. Nothing is left then.
pub fn merge(replays: &[Replay], out: &Path) -> Result<Report, InspectError> {
    let task = common_task(replays)?;
    replays.iter().try_for_each(|replay| refuse_replay(replay, out))?;
    if out.exists() {
        let message = format!("{} is there already: choose another name", out.display());
        return Err(InspectError::Input(message));
    }
    let new = NewFile::create(out, false)?;
    let mut store = Store::open(new.part())?;
    store.set_meta("task", &serde_json::to_string(&task).expect("a configuration is JSON"))?;
    store.set_meta("merged_from", &sources(replays))?;
    let mut report = Report::default();
    for replay in replays {
        add(replay, &mut store, &mut report)?;
    }
    report.objects = store.counts()?.objects;
    // Closing brings everything from the log into the file.
    drop(store);
    report.bytes = new.keep()?;
    Ok(report)
}

/// Commits all of a replay.
fn add(replay: &Replay, store: &mut Store, report: &mut Report) -> Result<(), InspectError> {
    let source = Store::open_read_only(replay.path())?;
    replay.progress().set_length(source.counts()?.trajectories);
    replay.progress().set_position(0);
    let mut rows: Vec<Received> = Vec::new();
    let mut commit = |rows: &mut Vec<Received>| -> Result<(), InspectError> {
        let done = store.commit(rows)?;
        report.trajectories += done.inserted as u64;
        report.repeated += done.duplicates.len() as u64;
        replay.progress().inc(rows.len() as u64);
        rows.clear();
        Ok(())
    };
    source.scan::<InspectError>(None, |received| {
        rows.push(received);
        if rows.len() < COMMIT { Ok(()) } else { commit(&mut rows) }
    })?;
    commit(&mut rows)?;
    replay.progress().finish_and_clear();
    Ok(())
}

/// The task that all are of.
fn common_task(replays: &[Replay]) -> Result<TaskConfig, InspectError> {
    let mut common: Option<(TaskConfig, &Replay)> = None;
    for replay in replays {
        let task = replay.task_config()?.ok_or_else(|| {
            let path = replay.path().display();
            InspectError::Input(format!(
                "{path} does not say which task it is of: give a run directory, or what `merge` made"
            ))
        })?;
        match &common {
            None => common = Some((task, replay)),
            Some((first, of)) if *first != task => {
                let message = format!(
                    "{} is of task {}, {} of task {}{}: only runs of one task can be merged",
                    of.path().display(),
                    first.name,
                    replay.path().display(),
                    task.name,
                    if first.name == task.name {
                        " with other settings"
                    } else {
                        ""
                    }
                );
                return Err(InspectError::Input(message));
            }
            Some(_) => (),
        }
    }
    common
        .map(|(task, _)| task)
        .ok_or_else(|| InspectError::Input("there is nothing to merge".into()))
}

/// The runs, by id where that is known.
fn sources(replays: &[Replay]) -> String {
    let names = replays.iter().map(|replay| match replay.record() {
        Some(record) => record.run_id.clone(),
        None => replay.name(),
    });
    names.collect::<Vec<_>>().join(", ")
}
