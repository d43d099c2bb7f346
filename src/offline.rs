//! The data set of offline training: the objects with the lowest rewards of all there are, or of random ones
//! (METHOD.md, tasks). No training here.

use crate::config::OfflineConfig;
use crate::env::{Neighbours, StateIndex, States};
use crate::random::{Purpose, Stream};
use crate::task::{ScoreError, Task};

/// Why there is no data set.
#[derive(Debug, thiserror::Error)]
pub enum OfflineError {
    /// All objects were asked for, and nobody can list them.
    #[error("task {0:?} cannot list all its objects; offline.sample says how many to draw at random")]
    NoList(String),
    /// Scoring failed.
    #[error("the data set could not be scored")]
    Score(#[from] ScoreError),
    /// Nothing is left.
    #[error("the data set is empty: offline.share = {share} of {objects} objects")]
    Empty {
        /// Objects that have a score.
        objects: usize,
        /// Share of them.
        share: f64,
    },
}

/// The objects and their raw scores, lowest first; equal scores in order of enumeration or drawing.
///
/// # Errors
/// When the task cannot list its objects, or scoring fails.
pub fn data_set(task: &Task, config: &OfflineConfig) -> Result<(States, Vec<f32>), OfflineError> {
    let (objects, scores) = match config.sample {
        0 => task
            .scorer
            .enumerate()
            .ok_or_else(|| OfflineError::NoList(task.name.clone()))?,
        count => {
            let objects = random_objects(task, count, config.seed);
            let scores = task.scorer.score(&objects)?;
            (objects, scores)
        }
    };
    let mut order: Vec<usize> = (0..scores.len()).filter(|&i| scores[i].is_finite()).collect();
    order.sort_by(|&a, &b| scores[a].total_cmp(&scores[b]));
    let found = order.len();
    order.truncate((found as f64 * config.share) as usize);
    if order.is_empty() {
        let (objects, share) = (found, config.share);
        return Err(OfflineError::Empty { objects, share });
    }
    let mut lowest = States::new(objects.width());
    lowest.extend(order.iter().map(|&i| objects.row(i)));
    Ok((lowest, order.iter().map(|&i| scores[i]).collect()))
}

/// Up to `count` distinct objects at the ends of random walks, each step uniform over the distinct children; fewer where
/// there are no more to be found in ten times as many walks.
fn random_objects(task: &Task, count: usize, seed: u64) -> States {
    let env = &*task.env;
    let mut found = StateIndex::new(env.state_width());
    let mut neighbours = Neighbours::new(env.state_width());
    let mut state = States::new(env.state_width());
    for walk in 0..10 * count as u64 {
        let mut stream = Stream::new(seed, Purpose::Offline, 0, walk);
        state.clear();
        state.push(env.initial());
        while !env.is_complete(state.row(0)) {
            neighbours.clear();
            env.children(&state, &mut neighbours);
            let child = stream.below(neighbours.list(0).len());
            state.clear();
            state.push(neighbours.states.row(child));
        }
        found.insert(state.row(0));
        if found.states().len() == count {
            break;
        }
    }
    found.states().clone()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::task::{LOWER_HALF, TaskKind};

    #[test]
    fn the_lower_half_of_tfbind8_is_the_published_data_set() {
        let task = Task::load(&TaskKind::find("tfbind8").unwrap().config()).unwrap();
        let (objects, scores) = data_set(&task, &LOWER_HALF).unwrap();
        assert_eq!((objects.len(), scores.len()), (32_768, 32_768));
        let best = scores.iter().copied().fold(f32::NEG_INFINITY, f32::max);
        assert!((best - 0.439).abs() < 5e-4, "METHOD.md gives 0.439, found {best}");
        assert_eq!(task.scorer.score(&objects).unwrap(), scores);
    }

    #[test]
    fn random_objects_are_distinct_and_named_by_the_seed() {
        let task = Task::load(&TaskKind::find("tfbind8").unwrap().config()).unwrap();
        let draw = |seed| {
            let (sample, share) = (1000, 0.1);
            data_set(&task, &OfflineConfig { sample, share, seed }).unwrap().0
        };
        let objects = draw(3);
        assert_eq!(objects.len(), 100);
        assert_eq!(objects, draw(3));
        assert_ne!(objects, draw(4));
        let mut distinct = StateIndex::new(8);
        assert!(objects.iter().all(|object| distinct.insert(object).1));
    }
}
