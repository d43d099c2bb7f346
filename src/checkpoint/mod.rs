//! Checkpoints of a run: `checkpoints/<step>/` with policy.safetensors, optimizer.safetensors, trainer.json and DONE.
//!
//! Invariant: a checkpoint is complete or absent. It is built in `<step>.part`, every file synced, DONE (sizes and
//! SHA-256 of the others) last, then renamed. What was damaged afterwards is found by DONE, named, and passed over.
//!
//! Invariant: a damaged checkpoint never silently means starting from scratch.

mod error;
mod guess;
pub(crate) mod seal;
mod tensors;

pub use error::CheckpointError;
pub use guess::guess_spec;
pub use tensors::{LoadedPolicy, PolicyMeta, decode_optimizer, decode_policy, encode_optimizer, encode_policy};

use crate::durable;
use crate::env::Sizes;
use crate::optimizer::AdamState;
use crate::policy::{Parameters, PolicySpec};
use crate::replay::LimiterState;
use crate::units::PolicyVersion;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

const POLICY: &str = "policy.safetensors";
const OPTIMIZER: &str = "optimizer.safetensors";
const TRAINER: &str = "trainer.json";

/// Where a run directory keeps its checkpoints.
pub const DIRECTORY: &str = "checkpoints";

/// Where training was, besides weights and optimiser. Keys that a later version adds are ignored, keys that an earlier
/// one did not have are 0 or empty.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct TrainerState {
    /// Name of the run.
    pub run_id: String,
    /// Rounds finished: the next one has this number.
    pub round: u64,
    /// Version of the weights.
    pub policy_version: PolicyVersion,
    /// Gradient steps taken, online and replayed.
    pub gradient_steps: u64,
    /// Replay batches drawn; numbers the next one's random streams.
    pub replay_draws: u64,
    /// Trajectories received and committed.
    pub trajectories: u64,
    /// Time spent training, over all sessions.
    pub seconds: f64,
    /// The samples-per-insert limiter.
    pub limiter: LimiterState,
    /// Anything else that is counted.
    pub counters: BTreeMap<String, u64>,
}

/// A whole checkpoint in memory.
#[derive(Debug, Clone)]
pub struct Checkpoint {
    /// Name of the task.
    pub task: String,
    /// Weights.
    pub policy: Parameters,
    /// Optimiser state, of the weights' layout.
    pub optimizer: AdamState,
    /// Where training was.
    pub trainer: TrainerState,
}

/// The newest readable checkpoint, and the newer ones that could not be read.
#[derive(Debug)]
pub struct Latest {
    /// Where it is.
    pub path: PathBuf,
    /// Its content.
    pub checkpoint: Checkpoint,
    /// Newer checkpoints and why each was passed over, newest first. To be told to the user.
    pub skipped: Vec<(PathBuf, CheckpointError)>,
}

impl Checkpoint {
    /// Writes `<run_dir>/checkpoints/<gradient steps>/` and returns its path. One that is there already is replaced.
    ///
    /// # Errors
    /// Numbers that are not finite, before anything is written; disk full and the like, with what was there untouched.
    pub fn write(&self, run_dir: &Path) -> Result<PathBuf, CheckpointError> {
        let files = self.encode()?;
        let all = run_dir.join(DIRECTORY);
        let target = all.join(self.trainer.gradient_steps.to_string());
        let part = target.with_extension("part");
        let written = build(&part, &files).and_then(|()| install(&part, &target));
        if let Err((doing, source)) = written {
            // It may not be there; the first error is the one to tell.
            let _ = fs::remove_dir_all(&part);
            return Err(CheckpointError::Io {
                doing,
                path: target,
                source,
            });
        }
        Ok(target)
    }

    fn encode(&self) -> Result<Vec<(&'static str, Vec<u8>)>, CheckpointError> {
        let policy = encode_policy(&self.policy, &self.task, self.trainer.policy_version)?;
        let optimizer = encode_optimizer(&self.optimizer, &self.policy.layout)?;
        let mut trainer = serde_json::to_vec_pretty(&self.trainer).expect("a trainer state is plain data");
        trainer.push(b'\n');
        let mut files = vec![(POLICY, policy), (OPTIMIZER, optimizer), (TRAINER, trainer)];
        files.push((seal::DONE, seal::seal(&files)));
        Ok(files)
    }

    /// Reads and checks a checkpoint directory.
    ///
    /// # Errors
    /// Incomplete, damaged, or tensors that do not fit.
    pub fn read(path: &Path) -> Result<Self, CheckpointError> {
        let mut files = seal::open(path, &[POLICY, OPTIMIZER, TRAINER])?.into_iter();
        let (policy, optimizer, trainer) = (files.next(), files.next(), files.next());
        let file = |name| path.join(name);
        let policy = decode_policy(&policy.unwrap_or_default(), &file(POLICY), None)?;
        let layout = &policy.parameters.layout;
        let optimizer = decode_optimizer(&optimizer.unwrap_or_default(), &file(OPTIMIZER), layout)?;
        let trainer =
            serde_json::from_slice(&trainer.unwrap_or_default()).map_err(|error| CheckpointError::Damaged {
                path: file(TRAINER),
                found: error.to_string(),
            })?;
        let task = policy.meta.map(|meta| meta.task).unwrap_or_default();
        Ok(Self {
            task,
            policy: policy.parameters,
            optimizer,
            trainer,
        })
    }
}

type Failed = (&'static str, io::Error);

/// Writes the files into a fresh directory, in order.
fn build(part: &Path, files: &[(&str, Vec<u8>)]) -> Result<(), Failed> {
    if part.exists() {
        fs::remove_dir_all(part).map_err(|error| ("removing what is left of an unfinished checkpoint", error))?;
    }
    fs::create_dir_all(part).map_err(|error| ("creating a checkpoint directory for", error))?;
    for (name, bytes) in files {
        durable::write(&part.join(name), bytes).map_err(|error| ("writing the checkpoint", error))?;
    }
    durable::sync_dir(part).map_err(|error| ("writing the checkpoint", error))
}

/// Gives a finished directory its name. A checkpoint of that name steps aside first, as `<step>.old`, where [`latest`]
/// still finds it if the second rename never happens.
fn install(part: &Path, target: &Path) -> Result<(), Failed> {
    let rename = |from: &Path, to: &Path| fs::rename(from, to).map_err(|error| ("naming the checkpoint", error));
    let old = target.with_extension("old");
    if target.exists() {
        if old.exists() {
            fs::remove_dir_all(&old).map_err(|error| ("replacing the checkpoint", error))?;
        }
        rename(target, &old)?;
    }
    rename(part, target)?;
    durable::sync_dir(durable::parent(target)).map_err(|error| ("naming the checkpoint", error))?;
    if old.exists() {
        fs::remove_dir_all(&old).map_err(|error| ("removing the replaced checkpoint", error))?;
    }
    Ok(())
}

/// The checkpoint directories of a run, newest first, without looking inside.
///
/// # Errors
/// When the directory cannot be listed. None there is no error.
pub fn list(run_dir: &Path) -> Result<Vec<PathBuf>, CheckpointError> {
    let all = run_dir.join(DIRECTORY);
    let fail = |source| CheckpointError::Io {
        doing: "listing",
        path: all.clone(),
        source,
    };
    let entries = match fs::read_dir(&all) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        other => other.map_err(fail)?,
    };
    let mut found = Vec::new();
    for entry in entries {
        let path = entry.map_err(fail)?.path();
        let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
        let (step, current) = name.strip_suffix(".old").map_or((name, true), |step| (step, false));
        if let Ok(step) = step.parse::<u64>() {
            found.push(((step, current), path));
        }
    }
    found.sort_unstable();
    Ok(found.into_iter().rev().map(|(_, path)| path).collect())
}

/// The newest checkpoint of a run that can be read; None when the run has none at all.
///
/// # Errors
/// [`CheckpointError::AllDamaged`] when there are some and none can be read.
pub fn latest(run_dir: &Path) -> Result<Option<Latest>, CheckpointError> {
    newest(run_dir, Checkpoint::read).map(|found| {
        found.map(|(path, checkpoint, skipped)| Latest {
            path,
            checkpoint,
            skipped,
        })
    })
}

type Newest<T> = (PathBuf, T, Vec<(PathBuf, CheckpointError)>);

fn newest<T>(
    run_dir: &Path,
    read: impl Fn(&Path) -> Result<T, CheckpointError>,
) -> Result<Option<Newest<T>>, CheckpointError> {
    let mut skipped = Vec::new();
    for path in list(run_dir)? {
        match read(&path) {
            Ok(found) => return Ok(Some((path, found, skipped))),
            Err(error) => skipped.push((path, error)),
        }
    }
    let (path, count) = (run_dir.join(DIRECTORY), skipped.len());
    match skipped.into_iter().next() {
        None => Ok(None),
        Some((_, newest)) => Err(CheckpointError::AllDamaged {
            path,
            count,
            newest: Box::new(newest),
        }),
    }
}

/// Deletes all but the newest `keep` checkpoints (at least one). When every one of those is damaged, older ones are kept
/// too, down to the first that is good: the last good checkpoint is never deleted. Returns what was deleted.
///
/// # Errors
/// When deleting fails.
pub fn prune(run_dir: &Path, keep: usize) -> Result<Vec<PathBuf>, CheckpointError> {
    let mut good = false;
    let mut deleted = Vec::new();
    for (place, path) in list(run_dir)?.into_iter().enumerate() {
        if place >= keep.max(1) && good {
            let fail = |source| CheckpointError::Io {
                doing: "deleting",
                path: path.clone(),
                source,
            };
            fs::remove_dir_all(&path).map_err(fail)?;
            deleted.push(path);
        } else {
            // Reading is slow: one good checkpoint is enough.
            good = good || seal::open(&path, &[POLICY, OPTIMIZER, TRAINER]).is_ok();
        }
    }
    Ok(deleted)
}

/// Reads weights from a .safetensors file, a checkpoint directory, or the newest readable checkpoint of a run directory.
/// `expected` (spec and sizes) overrules what the file says about itself. Also returns where they came from and
/// which newer checkpoints were passed over.
///
/// # Errors
/// Nothing there, damaged, or tensors that do not fit.
pub fn load_policy(path: &Path, expected: Option<(&PolicySpec, Sizes)>) -> Result<Found, CheckpointError> {
    let from_checkpoint = |dir: &Path| {
        let bytes = seal::open(dir, &[POLICY])?.pop().unwrap_or_default();
        decode_policy(&bytes, &dir.join(POLICY), expected)
    };
    if path.is_dir() && (path.join(seal::DONE).exists() || path.join(POLICY).exists()) {
        return Ok(Found {
            policy: from_checkpoint(path)?,
            path: path.into(),
            skipped: Vec::new(),
        });
    }
    if path.is_dir() {
        let found = newest(path, from_checkpoint)?;
        let (path, policy, skipped) = found.ok_or_else(|| CheckpointError::NotFound { path: path.into() })?;
        return Ok(Found { policy, path, skipped });
    }
    match fs::read(path) {
        Ok(bytes) => Ok(Found {
            policy: decode_policy(&bytes, path, expected)?,
            path: path.into(),
            skipped: Vec::new(),
        }),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Err(CheckpointError::NotFound { path: path.into() }),
        Err(source) => Err(CheckpointError::Io {
            doing: "reading",
            path: path.into(),
            source,
        }),
    }
}

/// Weights, where they were found, and what was passed over.
#[derive(Debug)]
pub struct Found {
    /// The weights.
    pub policy: LoadedPolicy,
    /// The file or checkpoint directory they came from.
    pub path: PathBuf,
    /// Newer checkpoints of the run and why each was passed over, newest first. To be told to the user.
    pub skipped: Vec<(PathBuf, CheckpointError)>,
}

#[cfg(test)]
mod tests;
