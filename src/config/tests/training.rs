//! Every file in configs/ is trained with for a few rounds, in this process.

use super::configs;
use crate::config::{Mode, RawConfig, RunConfig, load};
use crate::offline;
use crate::rounds::Rounds;
use crate::task::import::imported;
use crate::task::{Task, TaskError};
use crate::trainer::Trainer;

const ROUNDS: u64 = 3;

#[test]
fn every_file_in_configs_trains() {
    let mut trained = 0;
    for file in configs() {
        let mut config = load(&file, &[], &RawConfig::default()).unwrap();
        (config.policy.hidden, config.policy.embed) = (16, 16);
        // Programs are named relative to the repository's root, where tests run.
        let task = match Task::load(&config.task) {
            Err(TaskError::DataFile(_)) => {
                imported(&config.task.name).map(|data| Task::build(&config.task, Some(&data)))
            }
            loaded => Some(loaded),
        };
        let Some(task) = task else {
            eprintln!("SKIPPED: {} is not trained with, its data is not there", file.display());
            continue;
        };
        let losses = train(&config, &task.unwrap());
        assert!(
            losses.iter().all(|loss| loss.is_finite()),
            "{}: {losses:?}",
            file.display()
        );
        trained += 1;
    }
    assert!(trained >= 13, "{trained}");
}

/// The loss of every round.
fn train(config: &RunConfig, task: &Task) -> Vec<f64> {
    if config.train.mode == Mode::Offline {
        return train_offline(config, task);
    }
    let mut rounds = Rounds::new(config, task).unwrap();
    let mut round = || {
        let report = rounds.round().unwrap();
        assert_eq!(report.online.skipped, 0);
        // The first trajectories make objects enough to replay.
        assert_eq!(report.replay.is_some(), config.replay.batch > 0);
        report.online.loss
    };
    (0..ROUNDS).map(|_| round()).collect()
}

fn train_offline(config: &RunConfig, task: &Task) -> Vec<f64> {
    let mut trainer = Trainer::new(config, task).unwrap();
    let (objects, scores) = offline::data_set(task, &config.offline).unwrap();
    trainer.remember_objects(&objects, &scores);
    let round = |draw| trainer.train_replay(draw, 0.0).unwrap().unwrap().loss;
    (0..ROUNDS).map(round).collect()
}
