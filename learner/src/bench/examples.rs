//! Trajectories made up for the bench: random walks that pass every check of the learner.

use thermoflow::env::Action;
use thermoflow::random::{Purpose, Stream};
use thermoflow::rollout::Trajectory;
use thermoflow::task::Task;
use thermoflow::units::PolicyVersion;

/// The weights that everything claims to be made with.
pub(super) const VERSION: PolicyVersion = PolicyVersion(1);

/// Which objects trajectories end in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Objects {
    /// TFBind8's 65,536, again and again.
    Known,
    /// Those of RNA strings of length 14: 268 million, so nearly every one is new.
    New,
}

impl Objects {
    /// The task that has such objects.
    pub(super) fn task(self) -> &'static str {
        match self {
            Self::Known => "tfbind8",
            Self::New => "rna1",
        }
    }

    /// For reports.
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Known => "known",
            Self::New => "new",
        }
    }
}

/// `[batches][batch]` random walks. Scores are made up, a function of the object: nothing here asks for true ones.
pub(super) fn pool(task: &Task, batches: usize, batch: usize) -> Vec<Vec<Trajectory>> {
    let mut stream = Stream::new(0, Purpose::Bench, 0, 0);
    let mut walk = |round, index| trajectory(task, &mut stream, round, index);
    (0..batches as u64)
        .map(|round| (0..batch as u32).map(|index| walk(round, index)).collect())
        .collect()
}

fn trajectory(task: &Task, stream: &mut Stream, round: u64, index: u32) -> Trajectory {
    let mut state = task.env.initial().to_vec();
    let mut actions = Vec::with_capacity(task.env.max_steps());
    while !task.env.is_complete(&state) {
        let action = stream.below(task.env.action_count()) as Action;
        if task.env.step(&mut state, action) {
            actions.push(action);
        }
    }
    let y = state.iter().map(|&byte| f32::from(byte)).sum::<f32>() / (255 * state.len()) as f32;
    Trajectory {
        beta: stream.uniform(1.0, 3.0) as f32,
        actions,
        y,
        log_reward: task.reward.log_reward(y),
        log_pf: -10.0 * stream.unit() as f32,
        policy_version: VERSION,
        round,
        index,
    }
}
