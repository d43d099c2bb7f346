use super::*;
use crate::units::PolicyVersion;

/// A small run that replays its one object.
fn config(change: impl FnOnce(&mut RunConfig)) -> RunConfig {
    let mut config = RunConfig::published("tfbind8").unwrap();
    (config.policy.hidden, config.policy.embed) = (16, 16);
    (config.replay.batch, config.replay.min_objects) = (4, 1);
    change(&mut config);
    config.check().unwrap();
    config
}

fn trajectory(actions: [Action; 8], beta: f32) -> Trajectory {
    Trajectory {
        beta,
        actions: actions.into(),
        y: 0.5,
        log_reward: 0.25,
        log_pf: -9.0,
        policy_version: PolicyVersion(0),
        round: 0,
        index: 0,
    }
}

fn replayed(config: &RunConfig, known: &[Trajectory]) -> f64 {
    let task = Task::load(&config.task).unwrap();
    let mut trainer = Trainer::new(config, &task).unwrap();
    trainer.remember(known).unwrap();
    trainer.train_replay(0, 0.0).unwrap().unwrap().loss
}

#[test]
fn without_replay_nothing_is_trained_on_again() {
    let config = config(|config| config.replay.batch = 0);
    let task = Task::load(&config.task).unwrap();
    let mut trainer = Trainer::new(&config, &task).unwrap();
    // A step first: another on nothing would go on in its direction.
    let known = [trajectory([0; 8], 1.0)];
    trainer.remember(&known).unwrap();
    trainer.train_online(&known, 0.0).unwrap();
    let before = trainer.parameters().values.clone();
    assert_eq!(trainer.train_replay(0, 0.0).unwrap(), None);
    assert_eq!(trainer.parameters().values, before);
}

fn online(config: &RunConfig, trajectory: &Trajectory) -> f64 {
    let task = Task::load(&config.task).unwrap();
    let mut trainer = Trainer::new(config, &task).unwrap();
    trainer
        .train_online(std::slice::from_ref(trajectory), 0.0)
        .unwrap()
        .loss
}

#[test]
fn stored_replay_repeats_the_first_trajectory_to_an_object_at_its_beta() {
    // Two ways to ACGTACGT: letter by letter, and with the first letter last.
    let first = trajectory([0, 1, 2, 3, 0, 1, 2, 3], 2.5);
    let second = trajectory([1, 2, 3, 0, 1, 2, 3, 4], 1.5);
    let known = [first.clone(), second.clone()];
    let stored = config(|c| (c.replay.trajectories, c.replay.relabel) = (Replayed::Stored, false));
    let close = |a: f64, b: f64| (a - b).abs() < 1e-4 * b.abs();
    assert!(close(replayed(&stored, &known), online(&stored, &first)));
    assert!(!close(replayed(&stored, &known), online(&stored, &second)));
    let relabelled = config(|c| c.replay.trajectories = Replayed::Stored);
    assert!(
        !close(replayed(&relabelled, &known), online(&stored, &first)),
        "a new β"
    );
    let constant = crate::beta::BetaDistribution::Constant { value: 1.5 };
    let relabelled = config(|c| (c.replay.trajectories, c.train.beta) = (Replayed::Stored, constant));
    let at_new_beta = trajectory([0, 1, 2, 3, 0, 1, 2, 3], 1.5);
    assert!(close(replayed(&relabelled, &known), online(&stored, &at_new_beta)));
}

/// Invariant: what is not finite never reaches the weights; the batch is there to look into, and it does not go on for ever.
#[test]
fn steps_that_are_not_finite_change_nothing_and_end_training_in_the_end() {
    let config = config(|c| (c.optimizer.policy_lr, c.learner.max_skipped, c.train.steps) = (1e30, 3, 2));
    let task = Task::load(&config.task).unwrap();
    let mut trainer = Trainer::new(&config, &task).unwrap();
    let batch = [trajectory([0, 1, 2, 3, 0, 1, 2, 3], 2.5)];
    // The first step is fine, and leads to where nothing is.
    let report = trainer.train_online(&batch, 0.0).unwrap();
    assert_eq!(report.skipped, 1);
    let weights = trainer.parameters().values.clone();
    assert!(weights.iter().all(|value| value.is_finite()));
    let skipped = trainer.take_skipped().unwrap();
    assert_eq!((skipped.paths.len(), &skipped.betas[..]), (1, &[2.5][..]));

    let error = trainer.train_online(&batch, 0.0).unwrap_err();
    assert!(matches!(error, TrainError::Diverged { steps: 3 }), "{error}");
    assert_eq!(trainer.parameters().values, weights);
    assert!(trainer.take_skipped().is_some());
}

#[test]
fn a_cosine_of_learning_rates_ends_at_its_share() {
    let config = config(|c| c.optimizer.final_lr = 0.2);
    for (progress, factor) in [(0.0, 1.0), (0.5, 0.6), (1.0, 0.2)] {
        assert!((config.lr_factor(progress) - factor).abs() < 1e-6);
    }
    assert_eq!(self::config(|_| {}).lr_factor(0.7), 1.0, "constant as published");
}
