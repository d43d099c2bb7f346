//! Made-up trajectories like those of an asynchronous run: true walks, scores and rewards, named by a seed. Only the policy
//! is made up: an object is the best of a few random walks, more of them at a higher β.

use anyhow::Context;
use std::sync::Arc;
use thermoflow::config::{Mode, RawConfig, RunConfig};
use thermoflow::env::{Action, States};
use thermoflow::random::{Purpose, Stream};
use thermoflow::replay::Received;
use thermoflow::rollout::Trajectory;
use thermoflow::task::Task;
use thermoflow::units::{Incarnation, PolicyVersion, Seq};

/// Trajectories that an actor sends at a time.
pub const BATCH: u64 = 2048;

/// Actors that take turns by chance.
const ACTORS: u64 = 8;

/// Versions that a batch is behind, at most.
const LARGEST_STALENESS: usize = 6;

/// When the first batch was received, microseconds since 1970-01-01 UTC.
const START_US: u64 = 1_760_000_000_000_000;

/// Between two batches: 20,480 trajectories a second.
const PERIOD_US: u64 = 100_000;

/// Batches, in order of receipt; the same for the same seed.
#[derive(Debug)]
pub struct Load {
    config: RunConfig,
    task: Task,
    seed: u64,
    /// Of the next batch.
    number: u64,
    actors: Vec<Sender>,
    /// Trajectories still to come.
    left: u64,
}

/// An actor as far as it is made up.
#[derive(Debug)]
struct Sender {
    name: Arc<str>,
    incarnation: Incarnation,
    next: Seq,
    batches: u64,
}

impl Load {
    /// `count` trajectories; two seeds have no incarnation in common.
    ///
    /// # Errors
    /// When the task cannot be built.
    pub fn new(count: u64, seed: u64) -> anyhow::Result<Self> {
        let mut raw = RawConfig::default();
        raw.task.name = Some("tfbind8".into());
        raw.train.mode = Some(Mode::Async);
        raw.actor.batch = Some(BATCH as usize);
        raw.learner.max_staleness = Some(LARGEST_STALENESS as u64 / 2);
        let config = raw.resolve()?;
        let sender = |number| Sender {
            name: format!("actor-{number}").into(),
            incarnation: Incarnation(seed.wrapping_mul(ACTORS).wrapping_add(number)),
            next: Seq(0),
            batches: 0,
        };
        Ok(Self {
            task: Task::load(&config.task)?,
            actors: (0..ACTORS).map(sender).collect(),
            config,
            seed,
            number: 0,
            left: count,
        })
    }

    /// The run that these could be of.
    pub fn config(&self) -> &RunConfig {
        &self.config
    }

    fn batch(&mut self) -> anyhow::Result<Vec<Received>> {
        let size = BATCH.min(self.left);
        let mut stream = Stream::new(self.seed, Purpose::Bench, self.number, 0);
        let sender = stream.below(self.actors.len());
        // Mostly up to date, now and then far behind.
        let most = stream.below(1 + LARGEST_STALENESS);
        let staleness = (stream.below(1 + most) as u64).min(self.number);
        let choices = (0..size).map(|_| Choice::draw(&self.config, &self.task, &mut stream));
        let choices: Vec<Choice> = choices.collect();
        let walks = self.walk(&choices, &mut stream)?;

        let sender = &mut self.actors[sender];
        let walks = walks.into_iter().zip(&choices);
        let received = walks.enumerate().map(|(index, (walk, choice))| Received {
            incarnation: sender.incarnation,
            actor_name: sender.name.clone(),
            seq: Seq(sender.next.0 + index as u64),
            staleness,
            received_us: START_US + self.number * PERIOD_US,
            trainable: staleness <= self.config.learner.max_staleness,
            object: self.task.env.format(&walk.state),
            trajectory: Trajectory {
                beta: choice.beta,
                log_pf: choice.log_pf,
                actions: walk.actions,
                y: walk.y,
                log_reward: self.task.reward.log_reward(walk.y),
                policy_version: PolicyVersion(self.number - staleness),
                round: sender.batches,
                index: index as u32,
            },
        });
        let received = received.collect();
        sender.next.0 += size;
        sender.batches += 1;
        self.number += 1;
        self.left -= size;
        Ok(received)
    }

    /// A walk for each choice: the best of as many as it has tries.
    fn walk(&self, choices: &[Choice], stream: &mut Stream) -> anyhow::Result<Vec<Walk>> {
        let mut objects = States::new(self.task.env.state_width());
        let tries: usize = choices.iter().map(|choice| choice.tries).sum();
        let actions: Vec<Vec<Action>> = (0..tries)
            .map(|_| random_walk(&self.task, stream, &mut objects))
            .collect();
        let scores = self.task.scorer.score(&objects).context("made-up objects")?;
        let mut walks = actions.into_iter().zip(scores).enumerate();
        let best = choices.iter().map(|choice| {
            let tried = walks.by_ref().take(choice.tries);
            let (place, (actions, y)) = tried
                .max_by(|(_, (_, a)), (_, (_, b))| a.total_cmp(b))
                .expect("at least one try");
            let state = objects.row(place).to_vec();
            Walk { state, actions, y }
        });
        Ok(best.collect())
    }
}

impl Iterator for Load {
    type Item = anyhow::Result<Vec<Received>>;

    fn next(&mut self) -> Option<Self::Item> {
        (self.left > 0).then(|| self.batch())
    }
}

/// What is drawn of a trajectory before its walk.
struct Choice {
    beta: f32,
    log_pf: f32,
    tries: usize,
}

impl Choice {
    fn draw(config: &RunConfig, task: &Task, stream: &mut Stream) -> Self {
        let beta = config.train.explore.draw(0.0, stream);
        // Between a policy that knows half of its steps for sure and one that knows nothing.
        let uniform = (task.env.action_count() as f64).ln() * task.env.max_steps() as f64;
        Self {
            beta,
            log_pf: -stream.uniform(0.5 * uniform, uniform) as f32,
            tries: beta.ceil().max(1.0) as usize,
        }
    }
}

struct Walk {
    state: Vec<u8>,
    actions: Vec<Action>,
    y: f32,
}

/// The actions of a random walk; its object is added to `objects`.
fn random_walk(task: &Task, stream: &mut Stream, objects: &mut States) -> Vec<Action> {
    let mut actions = Vec::with_capacity(task.env.max_steps());
    let state = objects.push(task.env.initial());
    while !task.env.is_complete(state) {
        let action = stream.below(task.env.action_count()) as Action;
        if task.env.step(state, action) {
            actions.push(action);
        }
    }
    actions
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_seed_gives_the_same_batches_and_another_seed_other_actors() {
        let all = |seed| {
            let batches: anyhow::Result<Vec<_>> = Load::new(3 * BATCH / 2, seed).unwrap().collect();
            batches.unwrap()
        };
        let (first, other) = (all(1), all(2));
        assert_eq!(first, all(1));
        let sizes: Vec<usize> = first.iter().map(Vec::len).collect();
        assert_eq!(sizes, [BATCH as usize, BATCH as usize / 2]);
        let lives = |batches: &[Vec<Received>]| -> Vec<Incarnation> {
            batches.iter().flatten().map(|one| one.incarnation).collect()
        };
        let others = lives(&other);
        assert!(lives(&first).iter().all(|life| !others.contains(life)));
    }

    #[test]
    fn walks_reach_their_objects_and_a_higher_beta_better_ones() {
        let load = Load::new(32 * BATCH, 0).unwrap();
        let task = load.task.clone();
        let received: Vec<Received> = load.flat_map(Result::unwrap).collect();
        let (mut cold, mut hot) = (Vec::new(), Vec::new());
        for Received { trajectory, object, .. } in &received {
            let state = task.env.object_of(&trajectory.actions).unwrap();
            assert_eq!(task.env.format(&state), *object);
            assert_eq!(trajectory.log_reward, task.reward.log_reward(trajectory.y));
            if trajectory.beta > 2.0 { &mut hot } else { &mut cold }.push(trajectory.y);
        }
        let mean = |scores: &[f32]| scores.iter().sum::<f32>() / scores.len() as f32;
        assert!(mean(&hot) > mean(&cold) + 0.02, "{} {}", mean(&hot), mean(&cold));
        assert!(received.iter().any(|one| !one.trainable) && received.iter().any(|one| one.staleness == 0));
    }
}
