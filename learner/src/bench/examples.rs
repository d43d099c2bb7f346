//! Trajectories made up for the bench: random walks that pass every check of the learner.

use thermoflow::env::{Action, States};
use thermoflow::random::{Purpose, Stream};
use thermoflow::rollout::{Trajectory, random_walk};
use thermoflow::task::{ScoreError, Task};
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

/// `[batches][batch]` random walks with their true scores: the learner scores some of them again.
pub(super) fn pool(task: &Task, batches: usize, batch: usize) -> Result<Vec<Vec<Trajectory>>, ScoreError> {
    let mut stream = Stream::new(0, Purpose::Bench, 0, 0);
    (0..batches as u64)
        .map(|round| {
            let mut objects = States::new(task.env.state_width());
            let walks: Vec<_> = (0..batch).map(|_| walk(task, &mut stream, &mut objects)).collect();
            let scores = task.scorer.score(&objects)?;
            let numbered = (0..).zip(walks.into_iter().zip(scores));
            Ok(numbered
                .map(|(index, (actions, y))| trajectory(task, &mut stream, actions, y, (round, index)))
                .collect())
        })
        .collect()
}

/// The actions of a random walk; its object is added to `objects`.
fn walk(task: &Task, stream: &mut Stream, objects: &mut States) -> Vec<Action> {
    let (actions, object) = random_walk(&*task.env, stream);
    objects.push(&object);
    actions
}

fn trajectory(
    task: &Task,
    stream: &mut Stream,
    actions: Vec<Action>,
    y: f32,
    (round, index): (u64, u32),
) -> Trajectory {
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
